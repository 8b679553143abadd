"""The verbs on the command line; every error is one line with its mend, every report a table or JSON."""

import logging
import signal
from typing import Any

from rich.console import Console

from catchment.cli import (
    audiences,
    campaigns,
    events,
    exchange,
    identity,
    lake,
    models,
    predictions,
    replay,
    schemas,
    start,
    syncs,
)
from catchment.cli.app import app, bars
from catchment.errors import CatchmentError, TransientError

__all__ = [
    "app",
    "audiences",
    "campaigns",
    "events",
    "exchange",
    "identity",
    "lake",
    "main",
    "models",
    "predictions",
    "replay",
    "schemas",
    "start",
    "syncs",
]

TRY_AGAIN = 75
"""What a command ends with where the same call is enough later (`EX_TEMPFAIL`), so that a scheduler can tell."""

INTERRUPTED = 130
"""What a command ends with after Ctrl-C, which Typer hears before us."""

errors = Console(stderr=True)


def main() -> None:
    """Run the command line; ends with 1 for an error that a person can mend, 75 for one that passes, 130 for Ctrl-C."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    signal.signal(signal.SIGTERM, _end)
    try:
        with bars:
            app()
    except CatchmentError as error:
        errors.print(f"[red bold]error[/] {_escape(error)}", highlight=False, soft_wrap=True)
        if error.hint:
            errors.print(f"[green]mend[/]  {_escape(error.hint)}", highlight=False, soft_wrap=True)
        raise SystemExit(TRY_AGAIN if isinstance(error, TransientError) else 1) from None
    except SystemExit as end:
        if end.code == INTERRUPTED:
            errors.print("stopped; `catchment run` goes on from here")
        raise


def _end(number: int, frame: Any) -> None:
    """End as Ctrl-C does, so that what was started is stopped."""
    raise SystemExit(128 + number)


def _escape(value: Any) -> str:
    from rich.markup import escape

    return escape(str(value))
