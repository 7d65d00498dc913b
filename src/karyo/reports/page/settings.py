"""The settings of all runs, small enough for the page to hold: what they share is counted, what differs is kept."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from karyo.identity import differing
from karyo.reports.comparison import Comparison, RunResult


def settings_data(comparison: Comparison) -> dict[str, Any]:
    """Give what the page needs to tell any two runs apart.

    Returns:
        ``{"shared": 93, "names": ["lr", "model.spec.name"], "runs": [{"label": ..., "directory": ..., "values":
        ["0.001", None]}, ...]}``: of the settings that are not the same in all runs, each run's values as text; None
        where it has no such setting. A label is that of the setting, with the run's name where it has several.
    """
    contenders = [contender for board in comparison.boards for contender in board.contenders]
    labels = Counter(contender.label for contender in contenders for _ in contender.runs)
    named = [
        (it.label if labels[it.label] == 1 else f"{it.label} — {run.name}", run) for it in contenders for run in it.runs
    ]
    runs = [run for _, run in named]
    names = sorted(differing(dict(run.settings) for run in runs))
    known = {name for run in runs for name in run.settings}
    return {
        "shared": len(known) - len(names),
        "names": names,
        "runs": [_entry(label, run, names) for label, run in named],
    }


def _entry(label: str, run: RunResult, names: Sequence[str]) -> dict[str, Any]:
    values = [_text(run.settings[name]) if name in run.settings else None for name in names]
    return {"label": label, "directory": str(run.directory), "values": values}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value, ensure_ascii=False, default=str)
