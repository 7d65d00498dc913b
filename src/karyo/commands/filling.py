"""What the commands that fill a folder share: being stopped, and what is printed at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from karyo.data.folder_job import Totals

_STOPPED = 130  # 128 + SIGINT, as shells count


@contextmanager
def stoppable(out: Path) -> Iterator[None]:
    """Let Ctrl-C end the command with a sentence; what is done stays done."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"Stopped. The same command goes on from here: {out}", err=True)
        raise typer.Exit(_STOPPED) from None


def print_totals(totals: "Totals", what: str, out: Path) -> None:
    """Print how much went in and came out, each reason with its count, and where the lists are.

    Args:
        totals: The counts.
        what: What the inputs are, ``"spreads"``.
        out: The folder.
    """
    typer.echo(describe_totals(totals, what))
    typer.echo(f"\nEach image and what is known of it: {out / 'index.csv'}")
    if totals.problems:
        typer.echo(f"What was flagged or left out, one by one: {out / 'problems.csv'}")


def describe_totals(totals: "Totals", what: str) -> str:
    """Give the numbers as lines of text: name, count, remark."""
    before = f"{totals.resumed:,} of them by an earlier run" if totals.resumed else ""
    lines = [(what, totals.inputs, before)]
    lines += [(name, count, "") for name, count in totals.counts.items()]
    lines += [("written", totals.files, "")]
    for (reason, left_out), count in totals.problems.items():
        lines.append(("left out" if left_out else "flagged", count, reason))
    return "\n".join(f"{name:<10}{count:>8,}  {remark}".rstrip() for name, count, remark in lines)
