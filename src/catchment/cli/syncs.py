"""From members to other systems."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from catchment.cli.app import JsonOption, NameArgument, ProjectOption, app, tell
from catchment.project import Project
from catchment.report import show_plan

SyncArgument = Annotated[str, typer.Argument(help="The sync's name.")]
SampleOption = Annotated[int | None, typer.Option("--sample", min=1, help="Send so many rows only, as a test.")]
ConfirmOption = Annotated[bool, typer.Option("--confirm", help="Go beyond what the sync's guard allows.")]
AgainOption = Annotated[
    str | None,
    typer.Option("--again", metavar="all|rejected", help="Send everybody anew, or what was refused and is the same."),
]


class DefaultRun(TyperGroup):
    """`catchment sync NAME` is `catchment sync run NAME`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `run` where no verb stands."""
        has_verb = bool(args) and (args[0] in self.commands or args[0] == "--help")
        return super().parse_args(ctx, args if has_verb else ["run", *args])


syncs = typer.Typer(cls=DefaultRun, help="Bring destinations level with their audiences: plan it first, or do it.")
app.add_typer(syncs, name="sync")


@syncs.command("run")
def run_syncs(
    name: NameArgument = None,
    sample: SampleOption = None,
    again: AgainOption = None,
    confirm: ConfirmOption = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Plan and do it, for one sync or all that are due: catchment sync leads --sample 1"""
    opened = Project.open(project)
    with opened.sandbox():
        tell("sync", opened.sync(name, sample=sample, is_confirmed=confirm, **_again(again)), as_json)


@syncs.command("plan")
def plan_sync(
    name: SyncArgument,
    sample: SampleOption = None,
    again: AgainOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what would be added, changed, removed and left out, and send nothing: catchment sync plan leads"""
    report = Project.open(project).plan_sync(name, sample=sample, **_again(again))
    if as_json:
        tell("plan", report, as_json)
    else:
        show_plan(report)


@syncs.command("apply")
def apply_sync(
    name: SyncArgument,
    plan: Annotated[str | None, typer.Option("--plan", help="A plan's id; by default the newest.")] = None,
    confirm: ConfirmOption = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do exactly what was planned, or refuse where it is not true any more: catchment sync apply leads"""
    opened = Project.open(project)
    with opened.sandbox():
        tell("sync", [opened.apply_sync(name, plan, is_confirmed=confirm)], as_json)


@syncs.command("forget")
def forget_person(
    person: Annotated[str, typer.Argument(help="A person_id.")],
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a person at every destination, and say where that cannot be done: catchment sync forget p0001"""
    opened = Project.open(project)
    with opened.sandbox():
        tell("forget", opened.forget_in_destinations(person), as_json)


def _again(what: str | None) -> dict[str, bool]:
    if what not in (None, "all", "rejected"):
        raise typer.BadParameter("is all or rejected", param_hint="--again")
    return {"is_full": what == "all", "retries_rejected": what == "rejected"}
