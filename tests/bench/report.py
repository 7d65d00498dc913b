"""The benchmark's table, for the screen and as a page."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from comparison import Comparison
from rich.table import Table

_COLUMNS = ("what", "ours", "peer", "ratio", "target", "met")
_INTRODUCTION = """\
# Benchmarks

Made by `make bench`; do not edit. Ours and each peer take turns in one run on one machine; the first round is not
counted.
The ratio says how many times better than the peer ours is (above 1: faster, or smaller): the median of the rounds, in
brackets the least and the most. An epoch of ours lasts until the next one begins: validation, logs and both
checkpoints are in it.
"""


def rows(comparisons: Iterable[Comparison]) -> list[tuple[str, ...]]:
    """Give the table's cells."""
    met = {True: "yes", False: "**no**", None: "–"}
    return [(item.what, item.ours, item.peer, item.ratio, item.target, met[item.met]) for item in comparisons]


def screen_table(comparisons: Iterable[Comparison]) -> Table:
    """Make the table for a terminal."""
    table = Table(*_COLUMNS, show_lines=True)
    for row in rows(comparisons):
        table.add_row(*(cell.replace("**", "").replace("`", "") for cell in row))
    return table


def page(comparisons: Iterable[Comparison], machine: Mapping[str, str], quick: bool) -> str:
    """Make the page, in Markdown."""
    lines = [_INTRODUCTION]
    if quick:
        lines += ["This run was a quick trial of the benchmark itself, with tiny sizes: its figures mean nothing.", ""]
    lines += ["| " + " | ".join(_COLUMNS) + " |", "|" + " --- |" * len(_COLUMNS)]
    lines += ["| " + " | ".join(row) + " |" for row in rows(comparisons)]
    lines += ["", f"Measured on {datetime.now(UTC):%Y-%m-%d}.", ""]
    lines += [f"- {name}: {fact}" for name, fact in machine.items()]
    return "\n".join(lines) + "\n"
