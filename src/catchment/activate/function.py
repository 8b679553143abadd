"""A function of the user's as a destination: `@destination` in a file of `plugins/activate/destinations/`."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from pydantic import Field, SecretStr

from catchment.activate.batch import SENT, Batch, Limits, Operation, Outcome, Pace, without_values
from catchment.activate.caller import Caller, Unanswered
from catchment.activate.definition import Mode, Sync
from catchment.activate.destination import Destination
from catchment.errors import CatchmentError

Answer = Sequence[str | Outcome | None] | None
"""What a function says of a batch: nothing where all of it was taken, else for each row nothing or why not."""

Function = Callable[[Batch, dict[str, str]], Answer]


def destination(
    *, modes: Sequence[Mode] = ("mirror", "upsert"), rows: int = 100, at_once: int = 1, is_repeatable: bool = False
) -> Callable[[Function], type[Destination]]:
    """Make a destination of a function that takes a batch and the `options` of catchment.yml.

    It returns None where all rows were taken, or for each row None, an Outcome, or the reason why it was refused.
    Whatever it raises leaves its rows unknown. `is_repeatable`: it takes events of one `batch.id` only once.
    """

    def make(function: Function) -> type[Destination]:
        class Own(_FromFunction):
            pass

        Own.modes = tuple(modes)
        Own.batch_limits = Limits(rows=rows)
        Own.pace = Pace(concurrent=at_once)
        Own.function = staticmethod(function)
        Own.takes_events_once = is_repeatable
        Own.__name__ = Own.__qualname__ = function.__name__.title().replace("_", "")
        Own.__module__, Own.__doc__ = function.__module__, function.__doc__
        return Own

    return make


class _FromFunction(Destination):
    function: ClassVar[Callable[..., Any]]
    takes_events_once: ClassVar[bool] = False

    options: dict[str, SecretStr] = Field(default={}, description="What the function is given, as text.")

    def is_repeatable(self, sync: Sync, operation: Operation) -> bool:
        """Say what the function's author said of events."""
        return self.takes_events_once or super().is_repeatable(sync, operation)

    def send(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Call the function."""
        options = {name: value.get_secret_value() for name, value in self.options.items()}
        try:
            answer = type(self).function(batch, options)
        except CatchmentError:
            raise
        except Exception as error:
            said = without_values(f"{self.title} raised {type(error).__name__}: {error}", batch)
            raise Unanswered(said, code=type(error).__name__, is_silent=True) from error
        if answer is None:
            return [SENT] * len(batch.rows)
        return [told if isinstance(told, Outcome) else _outcome(told) for told in answer]

    def ask(self, caller: Caller) -> None:
        """Ask nothing: a function is there."""

    @property
    def address(self) -> str:
        """Give the type: the function is the place."""
        return f"python:{type(self).__module__.rpartition('.')[2]}"


def _outcome(reason: str | None) -> Outcome:
    return Outcome("rejected", "refused", reason) if reason else SENT
