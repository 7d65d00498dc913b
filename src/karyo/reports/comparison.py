"""Runs side by side: which settings are best, by how much, and whether the difference is real."""

from collections.abc import Sequence
from pathlib import Path

from karyo.reports.comparing.ablation import check_baseline, with_ablation
from karyo.reports.comparing.boards import arrange, partly_by_cell
from karyo.reports.comparing.duels import fight
from karyo.reports.comparing.gather import gather
from karyo.reports.comparing.pooling import pool_board
from karyo.reports.comparing.result import Board, Comparison, Contender, Duel, Mean, RunResult

__all__ = ["Board", "Comparison", "Contender", "Duel", "Mean", "RunResult", "compare"]


def compare(roots: Sequence[str | Path], seed: int = 0, baseline: str | None = None) -> Comparison:
    """Compare all runs below directories.

    Settings are chosen by their validation accuracy; only ones on the same images, split in the same way, are ranked
    together, the others stand side by side. What is damaged is reported, and the rest compared.

    Args:
        roots: Sweeps' directories, runs', or any above them, in any number and nesting.
        seed: Of the bootstraps; same seed, same intervals.
        baseline: The setting that others are put beside as changes; see
            :func:`karyo.reports.comparing.ablation.with_ablation`.

    Returns:
        The comparison; without any board if there are no runs.

    Raises:
        SettingsError: If a root is no directory, or no setting is the baseline.
    """
    runs, problems = gather(roots)
    arranged = arrange(runs)
    check_baseline(arranged, baseline)
    boards = []
    for board in arranged:
        fought, unusable = fight(board, seed)
        pooled, unpooled = pool_board(fought, seed)
        measured, unpaired = with_ablation(pooled, baseline, seed)
        boards.append(measured)
        problems += [*unusable, *unpooled, *unpaired, *partly_by_cell(board)]
    return Comparison(
        boards=tuple(boards),
        failed=tuple(run for run in runs if run.status == "failed"),
        unfinished=tuple(run for run in runs if run.status not in ("finished", "failed")),
        problems=tuple(dict.fromkeys(problems)),
        sources=tuple(map(str, roots)),
    )
