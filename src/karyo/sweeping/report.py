"""The end of a sweep: a leaderboard of its runs, and an exit code that says whether all of them worked.

Imported with the configuration, so everything heavy is imported inside.
"""

import sys
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig


class SweepReport(Callback):
    """Writes and prints the leaderboard when a sweep has ended."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Report on the runs below the sweep's directory; leave with exit code 1 if any of them failed."""
        if not report(Path(config.hydra.sweep.dir)):
            # Not an Exception, or Hydra would turn it into a warning and the sweep into a success.
            sys.exit(1)


def report(directory: Path) -> bool:
    """Write ``leaderboard.csv`` and ``leaderboard.md``, print the tables, and say what to type next.

    Args:
        directory: The sweep's directory.

    Returns:
        Whether no run failed.
    """
    from rich.console import Console

    from karyo.reports.comparison import compare
    from karyo.reports.leaderboard import Leaderboard

    comparison = compare([directory])
    leaderboard = Leaderboard(comparison)
    leaderboard.write(directory)
    console = Console(width=None if sys.stdout.isatty() else 120)
    for table in leaderboard.as_tables(console.width):
        console.print()
        console.print(table)
    for problem in comparison.problems:
        console.print(problem, style="yellow", soft_wrap=True, markup=False, highlight=False)
    for run in comparison.failed:
        console.print(f"{run.name}: {run.error}", soft_wrap=True, markup=False, highlight=False)
    runs = [run for board in comparison.boards for contender in board.contenders for run in contender.runs]
    finished = sum(run.status == "finished" for run in runs)
    pruned = sum(run.status == "pruned" for run in runs)
    stopped = f", {pruned} pruned" if pruned else ""
    place = _as_typed(directory)
    console.print(f"\n{finished} of {len(runs)} runs finished{stopped}: {place}/leaderboard.md")
    console.print(f"karyo compare {place}", highlight=False, soft_wrap=True)
    console.print(f"tensorboard --logdir {place}", highlight=False, soft_wrap=True)
    return not comparison.failed


def _as_typed(directory: Path) -> Path:
    here = Path.cwd()
    return directory.relative_to(here) if directory.is_relative_to(here) else directory
