"""The verbs that learn from features, score people, and watch whether models may still be believed."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from catchment.errors import DefinitionError, TooFewExamples
from catchment.observe import Run
from catchment.project.opened import Opened, digest, named

log = logging.getLogger("catchment")

RETRAIN_AT_MOST_EVERY = timedelta(days=1)
"""Where people have drifted and no new model is better, training is not tried again at each run."""
TRY_AGAIN_AFTER = timedelta(hours=1)
"""Where there are too few people yet, they are not counted anew at each turn of the loop."""
NEVER = "1970-01-01T00:00:00+00:00"


class PredictVerbs(Opened):
    """Features become scores."""

    def train(self, name: str | None = None, *, progress: Callable[[int, int, str], None] | None = None) -> list[Any]:
        """Train each prediction, or the one named, and register its model; those of others are only ever used."""
        from catchment.predict.train import train

        reports = []
        for prediction in named(self.predictions(), name, "prediction"):
            if prediction.model is not None:
                if name is None:
                    continue
                raise DefinitionError(
                    f"{prediction.file}: model: '{name}' uses {prediction.model.uri}, which is trained elsewhere.",
                    hint="Remove `model:` to train one here.",
                )
            with self.timed("train", prediction.name) as run, self._workshop_of(prediction) as shop:
                run.counts["definition"] = digest(prediction)
                run.counts["trained_at"] = shop.now.isoformat()
                report = train(prediction, shop, progress or (lambda done, total, what: None))
                run.counts["model_version"] = report.model_version
            reports.append(report)
        return reports

    def score(self, name: str | None = None) -> list[Any]:
        """Score people with each prediction's champion, and hold to account what was foreseen before."""
        from catchment.predict.score import Since, score
        from catchment.predict.watch import judge_outcomes

        reports = []
        for prediction in named(self.predictions(), name, "prediction"):
            last = self.last_ok("score", prediction.name)
            since = None
            if last is not None and last.get("definition") == digest(prediction):
                since = Since(*(datetime.fromisoformat(last[key]) for key in ("loaded_until", "whole_at")))
            with self.timed("score", prediction.name) as run, self._workshop_of(prediction) as shop:
                report = score(prediction, shop, since)
                whole_at = shop.now if report.whole or since is None else since.whole_at
                run.counts.update(
                    scored=report.scored,
                    definition=digest(prediction),
                    loaded_until=report.loaded_until.isoformat(),
                    whole_at=whole_at.isoformat(),
                )
                if report.whole:
                    run.counts["judged"] = judge_outcomes(prediction, shop)
            reports.append(report)
        return reports

    def predict(self, on: Callable[[str, Any], None] = lambda verb, report: None) -> None:
        """Train what is due, then score what has a model; where there are too few people yet, nobody waits for them."""
        for prediction in self.predictions():
            if self.is_training_due(prediction):
                try:
                    on("train", self.train(prediction.name))
                except TooFewExamples as error:
                    log.warning("%s %s", error, error.hint)
        scored = [self.score(prediction.name) for prediction in self.predictions() if self.has_model(prediction)]
        on("score", [report for reports in scored for report in reports])

    def has_model(self, prediction: Any) -> bool:
        """Say whether there is a model to score with: a champion, or one that somebody else made."""
        from catchment.predict.tracking import open_tracking

        if prediction.model is not None:
            return True
        with open_tracking(self.settings.predict, self.folder) as tracking:
            return tracking.champion_version(prediction.name) is not None

    def score_records(self, name: str, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Score people whose features are given, by the champion of one prediction."""
        from catchment.predict.ask import score_records

        (prediction,) = named(self.predictions(), name, "prediction")
        return score_records(prediction, self._champion(prediction), records, self.lake, self.folder)

    def serve_model(self, name: str, host: str, port: int) -> None:
        """Answer MLflow's scoring protocol with a prediction's champion until stopped."""
        import uvicorn

        from catchment.listen import require_free_port

        (prediction,) = named(self.predictions(), name, "prediction")
        require_free_port(host, port, "--port")  # before the model is loaded, which takes seconds
        uvicorn.run(self._champion(prediction).application(), host=host, port=port, log_level="warning")

    def is_training_due(self, prediction: Any) -> bool:
        """Say whether a model is missing for the file as it reads, too old, or made for people who have changed."""
        from catchment.predict.watch import has_drifted

        if prediction.model is not None:
            return False
        last = self.last_ok("train", prediction.name)
        if last is None or last["definition"] != digest(prediction):
            return not self._tried_lately(prediction)
        age = self.clock() - datetime.fromisoformat(last["trained_at"])
        every = prediction.retrain.every_days
        if every is not None and age >= timedelta(days=every):
            return True
        return age >= RETRAIN_AT_MOST_EVERY and has_drifted(prediction, self.lake, last["model_version"])

    def _tried_lately(self, prediction: Any) -> bool:
        """Say whether training this very definition failed a short while ago: people do not come by the second."""
        filters = [("verb", "=", "train"), ("name", "=", prediction.name), ("status", "=", "failed")]
        for row in self.lake.read("runs", filters=filters).to_pylist():
            counts = Run.read_counts(row)
            moment = datetime.fromisoformat(counts.get("trained_at", NEVER))
            if counts.get("definition") == digest(prediction) and abs(self.clock() - moment) < TRY_AGAIN_AFTER:
                return True
        return False

    def prediction_health(self) -> list[dict[str, Any]]:
        """Say of each prediction how its model stands: drift, and what came of what was foreseen."""
        from catchment.predict.watch import tell_health

        return [
            {
                "what": f"prediction {health.prediction}",
                "state": health.verdict,
                "when": health.checked_at,
                "note": health.note,
            }
            for health in (tell_health(prediction, self.lake) for prediction in self.predictions())
        ]

    def predictions(self) -> list[Any]:
        """Read the prediction files."""
        from catchment.predict.definition import load_predictions

        return load_predictions(self.settings.predict, self.folder)

    @contextmanager
    def _workshop_of(self, prediction: Any) -> Iterator[Any]:
        """Open a workshop once the rows are noted of which nobody else will know how they stood."""
        from catchment.predict.record import record_sources

        if prediction.features.recorded:
            with self._workshop() as shop:
                record_sources(prediction, shop)
        with self._workshop() as shop:
            yield shop

    @contextmanager
    def _workshop(self) -> Iterator[Any]:
        from catchment.predict.workshop import Workshop

        with self.engine.attach(self.lake) as session:
            yield Workshop(session, self.lake, self.settings.predict, self.folder, self.clock())

    def _champion(self, prediction: Any) -> Any:
        """Give the loaded champion, loaded anew only where another version has become it."""
        from catchment.predict.tracking import open_tracking
        from catchment.predict.workshop import open_champion

        with open_tracking(self.settings.predict, self.folder) as tracking:
            key = (prediction.name, digest(prediction), tracking.champion_version(prediction.name))
        if key not in self._champions:
            self._champions[key] = open_champion(prediction, self.settings.predict, self.folder)
        return self._champions[key]

    @cached_property
    def _champions(self) -> dict[Any, Any]:
        return {}
