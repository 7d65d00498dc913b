"""The bar that long work shows on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(
    title: str, total: int, done: int = 0, only_on_terminals: bool = False
) -> Iterator[Callable[[], None]]:
    """Show how much is done and how long the rest will take.

    Args:
        title: What is being done, ``"cropping spreads"``.
        total: Number of steps.
        done: Steps that an earlier run has done.
        only_on_terminals: Whether to print nothing where standard error is no terminal, instead of the last state.

    Yields:
        The function that moves the bar on by one.
    """
    # Imported here: `--help` need not wait for it.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=only_on_terminals and not console.is_terminal) as bar:
        task = bar.add_task(title, total=total, completed=done)
        yield lambda: bar.advance(task)
