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
        unfinished = report(Path(config.hydra.sweep.dir))
        if unfinished:
            # Not an Exception, or Hydra would turn it into a warning and the sweep into a success.
            sys.exit(1)


def report(directory: Path) -> int:
    """Write ``leaderboard.csv`` and ``leaderboard.md`` and print the table.

    Args:
        directory: The sweep's directory.

    Returns:
        The number of runs that did not finish.
    """
    from rich.console import Console

    from karyo.reports.leaderboard import Leaderboard
    from karyo.reports.runs import read_records

    records, problems = read_records(directory)
    leaderboard = Leaderboard(records)
    leaderboard.write(directory)
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print()
    console.print(leaderboard.as_table())
    for problem in problems:
        console.print(problem, style="yellow", soft_wrap=True, markup=False, highlight=False)
    unfinished = [record for record in records if record.get("status") != "finished"]
    for record in unfinished:
        console.print(f"{record.get('name')}: {record.get('error')}", soft_wrap=True, markup=False, highlight=False)
    console.print(f"\n{len(records) - len(unfinished)} of {len(records)} runs finished: {directory}/leaderboard.md")
    console.print(f"tensorboard --logdir {directory}", highlight=False, soft_wrap=True)
    return len(unfinished) + len(problems)
