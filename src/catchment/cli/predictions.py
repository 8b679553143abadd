"""From features to scores."""

from catchment.cli.app import JsonOption, NameArgument, ProjectOption, app, tell
from catchment.project import Project


@app.command()
def train(name: NameArgument = None, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Train and register the predictions' models."""
    tell("train", Project.open(project).train(name), as_json)


@app.command()
def score(name: NameArgument = None, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Score everybody with each prediction's champion."""
    tell("score", Project.open(project).score(name), as_json)
