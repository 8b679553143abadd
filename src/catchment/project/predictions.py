"""The verbs that learn from features, and score people."""

from typing import Any

from catchment.project.opened import Opened, digest, named


class PredictVerbs(Opened):
    """Features become scores."""

    def train(self, name: str | None = None) -> list[Any]:
        """Train each prediction, or the one named, and register its model."""
        from catchment.predict.train import train

        reports = []
        for prediction in named(self.predictions(), name, "prediction"):
            with self.timed("train", prediction.name) as run, self.engine.attach(self.lake) as session:
                run.counts["definition"] = digest(prediction)
                report = train(prediction, session, self.settings.predict, self.folder, self.clock(), lake=self.lake)
                run.counts["model_version"] = report.model_version
            reports.append(report)
        return reports

    def score(self, name: str | None = None) -> list[Any]:
        """Score everybody with each prediction's champion."""
        from catchment.predict.score import score

        reports = []
        for prediction in named(self.predictions(), name, "prediction"):
            with self.timed("score", prediction.name) as run, self.engine.attach(self.lake) as session:
                report = score(prediction, session, self.lake, self.settings.predict, self.folder, self.clock())
                run.counts["scored"] = report.scored
            reports.append(report)
        return reports

    def is_training_due(self, prediction: Any) -> bool:
        """Say whether a prediction was never trained as its file now reads."""
        last = self.last_ok("train", prediction.name)
        return last is None or last["definition"] != digest(prediction)

    def predictions(self) -> list[Any]:
        """Read the prediction files."""
        from catchment.predict.definition import load_predictions

        return load_predictions(self.settings.predict, self.folder)
