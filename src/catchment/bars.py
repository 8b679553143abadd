"""Progress bars for people: one line while long work lasts, gone when it ends, nothing where no terminal is."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


class Bars:
    """A `Progress` for `Project.progress`: draws a bar for each piece of work until it is done."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._live: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show that `done` of `total` is done of what the line says; the line goes when all is."""
        if not self.console.is_terminal:
            return
        if self._live is None:
            self._live = Progress(*COLUMNS, transient=True, console=self.console)
            self._live.start()
        if what not in self._tasks:
            self._tasks[what] = self._live.add_task(what, total=total, completed=done)
        self._live.update(self._tasks[what], completed=done, total=total)
        if done >= total:
            self._live.remove_task(self._tasks.pop(what))
        if not self._tasks:
            self.close()

    def close(self) -> None:
        """Take away what is left on the screen, as after Ctrl-C."""
        if self._live is not None:
            self._live.stop()
        self._live = None
        self._tasks.clear()

    def __enter__(self) -> "Bars":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
