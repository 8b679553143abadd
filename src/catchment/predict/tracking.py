"""MLflow: where every training is written down, and which version of a model is the champion.

MLflow takes seconds to import, so it is imported when a store is opened. It keeps its tracking address for the whole
process; `open_tracking` puts back what was there.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from catchment.errors import ModelError
from catchment.predict import PredictSettings
from catchment.predict.learner import Features

CHAMPION = "champion"
SQLITE = "sqlite:///"
NEEDED = ("pandas", "skops")
"""What a place needs that loads any model, beside the packages of the learner; Catchment is not among it."""


class Version(NamedTuple):
    """One registered version of a model, for lists."""

    model: str
    version: str
    run_id: str
    champion: bool
    created_ms: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Trained:
    """A model and all that is written down about it."""

    name: str
    estimator: Any
    features: Features
    schema: pa.Schema
    sample: Any
    is_value: bool
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    packages: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
    documents: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Model:
    """One version of a registered model, loaded."""

    def __init__(self, name: str, number: str, loaded: Any) -> None:
        self.name = name
        self.version = number
        self._loaded = loaded

    @property
    def features(self) -> Features:
        """Give the columns that the model reads, as its signature has them."""
        from mlflow.types.schema import DataType

        columns = self._loaded.metadata.get_input_schema().inputs
        text = [column.name for column in columns if column.type == DataType.string]
        return Features(tuple(column.name for column in columns if column.name not in text), tuple(text))

    @property
    def learner(self) -> str | None:
        """Give the type of the learner, None for a model that somebody else made."""
        learner: str | None = self._told("catchment.learner")
        return learner

    @property
    def reference(self) -> dict[str, dict[str, Any]]:
        """Describe the people that the model learned from; empty for a model that somebody else made."""
        return self._told("catchment.reference") or {}

    @property
    def raw(self) -> Any:
        """Give the scikit-learn model inside, None where there is none."""
        try:
            return self._loaded.get_raw_model() if self.learner else None
        except NotImplementedError:
            return None

    def score(self, frame: Any) -> Any:
        """Give the chance, or the amount, of each row of a feature frame."""
        raw = self.raw
        if raw is not None:
            frame = frame[self.features.names]
            return raw.predict_proba(frame)[:, 1] if hasattr(raw, "predict_proba") else raw.predict(frame)
        return _last_column(self._loaded.predict(_dressed(frame, self._loaded.metadata.get_input_schema())))

    def example(self) -> Any:
        """Give the rows that the model was logged with, as an example of what it reads."""
        return self._loaded.input_example

    def application(self) -> Any:
        """Give the web application that answers MLflow's scoring protocol with this model."""
        from mlflow.pyfunc import scoring_server

        return scoring_server.init(self._loaded)

    def _told(self, key: str) -> Any:
        return (self._loaded.metadata.metadata or {}).get(key)


def _dressed(frame: Any, schema: Any) -> Any:
    """Give the columns in the types that a signature asks for; where nulls forbid whole numbers they stay floats."""
    from mlflow.types.schema import DataType

    types = {DataType.long: "int64", DataType.integer: "int32", DataType.float: "float32", DataType.boolean: "bool"}
    wanted = {
        column.name: types[column.type]
        for column in schema.inputs
        if column.type in types and not frame[column.name].isna().any()
    }
    return frame[[column.name for column in schema.inputs]].astype(wanted)


def _last_column(answer: Any) -> Any:
    """Read what a pyfunc of anybody gives: one column of scores, or one per class with the chance of yes last."""
    import numpy

    values = numpy.asarray(answer)
    return (values if values.ndim == 1 else values[:, -1]).astype(float)


class Tracking:
    """An open tracking store with its model registry."""

    def __init__(self, client: Any, artifacts: str | None) -> None:
        self._client = client
        self._artifacts = artifacts

    def log(self, trained: Trained) -> str:
        """Write a training down and register its model; give the version that the registry numbered it."""
        import mlflow

        with mlflow.start_run(experiment_id=self._experiment(trained.name)) as run:
            mlflow.set_tags(dict(trained.tags))
            mlflow.log_params(dict(trained.params))
            mlflow.log_metrics(dict(trained.metrics))
            for name, figure in trained.figures.items():
                mlflow.log_figure(figure, f"figures/{name}.png")
            for name, document in trained.documents.items():
                mlflow.log_dict(document, f"{name}.json")
            model = _log_model(trained)
        if not self._is_registered(trained.name):
            self._client.create_registered_model(trained.name)
        made = self._client.create_model_version(
            trained.name, source=model.model_uri, run_id=run.info.run_id, model_id=model.model_id
        )
        return str(made.version)

    def champion(self, name: str) -> Model | None:
        """Load the champion of a model, None where there is none yet; raises ModelError where its files are gone."""
        import mlflow

        number = self.champion_version(name)
        if number is None:
            return None
        try:
            loaded = mlflow.pyfunc.load_model(f"models:/{name}/{number}")
        except (OSError, mlflow.exceptions.MlflowException) as error:
            raise ModelError(
                f"The champion of '{name}', version {number}, cannot be loaded: {error}",
                hint=f"Bring its files back, or make another: catchment train {name}",
            ) from error
        return Model(name, number, loaded)

    def foreign(self, name: str, uri: str, registry: str | None) -> Model:
        """Load a model that somebody else made, by its URI in any registry; raises ModelError where it cannot be."""
        import mlflow

        before = mlflow.get_registry_uri()
        try:
            if registry is not None:
                mlflow.set_registry_uri(registry)
            loaded = mlflow.pyfunc.load_model(uri)
        except (OSError, mlflow.exceptions.MlflowException) as error:
            raise ModelError(
                f"The model {uri} of '{name}' cannot be loaded: {error}",
                hint="Check model.uri and model.registry of the prediction file, and the registry's credentials.",
            ) from error
        finally:
            mlflow.set_registry_uri(before)
        if loaded.metadata.get_input_schema() is None:
            raise ModelError(
                f"The model {uri} of '{name}' has no signature, so nobody knows what it reads.",
                hint="Log it again with `signature=` or `input_example=`.",
            )
        return Model(name, uri, loaded)

    def note(self, name: str, number: str, why: str) -> None:
        """Say on a version why it was, or was not, made champion."""
        self._client.update_model_version(name, number, description=why)

    def promote(self, name: str, number: str) -> None:
        """Make a version the champion."""
        self._client.set_registered_model_alias(name, CHAMPION, number)

    def versions(self, name: str) -> list[Version]:
        """List the versions of a model with the metrics of their runs, newest first."""
        if not self._is_registered(name):
            return []
        best = self.champion_version(name)
        found = []
        for made in self._client.search_model_versions(f"name = '{name}'"):
            metrics = self._client.get_run(made.run_id).data.metrics
            number = str(made.version)
            found.append(Version(name, number, made.run_id, number == best, made.creation_timestamp, metrics))
        return sorted(found, key=lambda one: -int(one.version))

    def champion_version(self, name: str) -> str | None:
        """Give the number of the champion, None where there is none yet."""
        aliases = self._client.get_registered_model(name).aliases if self._is_registered(name) else {}
        return str(aliases[CHAMPION]) if CHAMPION in aliases else None

    def _is_registered(self, name: str) -> bool:
        return bool(self._client.search_registered_models(f"name = '{name}'"))

    def _experiment(self, name: str) -> str:
        place = f"{self._artifacts}/{name}" if self._artifacts is not None else None
        standing = self._client.get_experiment_by_name(name)
        if standing is not None and place in (None, standing.artifact_location):
            return str(standing.experiment_id)
        if standing is not None:
            # MLflow notes full paths. In a project that was moved, new files would go where it stood before.
            self._client.rename_experiment(standing.experiment_id, f"{name} {standing.experiment_id}, before the move")
        return str(self._client.create_experiment(name, artifact_location=place))


@contextmanager
def open_tracking(settings: PredictSettings, folder: Path) -> Iterator[Tracking]:
    """Open the tracking store of a project."""
    _quiet()
    import mlflow

    before = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None
    uri, artifacts = locate_store(settings, folder)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)  # it outlives the block, so that of another project's store must not be left over
    try:
        yield Tracking(mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri), artifacts)
    finally:
        mlflow.set_tracking_uri(before)


def locate_store(settings: PredictSettings, folder: Path) -> tuple[str, str | None]:
    """Give the address of the tracking store, and where files go when no server of MLflow decides that."""
    uri = settings.tracking_uri
    if not uri.startswith(SQLITE):
        return uri, None
    path = (folder / uri.removeprefix(SQLITE)).resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    return f"{SQLITE}{path}", (path.parent / "mlflow").as_uri()


def _quiet() -> None:
    """Let MLflow report to nobody, and keep its advice to its own developers off the terminal."""
    warnings.filterwarnings("ignore", module=r"mlflow\.")
    from mlflow import environment_variables as flags

    flags.MLFLOW_DISABLE_TELEMETRY.set(True)
    flags.MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)
    logging.getLogger("mlflow").setLevel(logging.ERROR)


def _log_model(trained: Trained) -> Any:
    """Log the model in the skops format, which unlike a pickle cannot run code when it is loaded."""
    import mlflow
    import skops.io

    return mlflow.sklearn.log_model(
        trained.estimator,
        name="model",
        serialization_format="skops",
        skops_trusted_types=skops.io.get_untrusted_types(data=skops.io.dumps(trained.estimator)),
        pyfunc_predict_fn="predict" if trained.is_value else "predict_proba",
        metadata=dict(trained.metadata),
        signature=_signature(trained),
        input_example=trained.sample,
        pip_requirements=[f"{name}=={version(name)}" for name in (*NEEDED, *trained.packages)],
    )


def _signature(trained: Trained) -> Any:
    """Give the columns a model reads; whole numbers and booleans may come in any dress, for nulls change theirs."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import AnyType, ColSpec, Schema

    def spec(name: str) -> Any:
        if name in trained.features.categories:
            return ColSpec("string", name)
        return ColSpec("double" if pa.types.is_float64(trained.schema.field(name).type) else AnyType(), name)

    return ModelSignature(inputs=Schema([spec(name) for name in trained.features.names]))
