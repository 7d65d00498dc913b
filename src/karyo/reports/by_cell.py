"""What deciding each cell together is worth: the table below a result."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from karyo.evaluation.by_cell import ASSIGNED, IN_CELL, PLAIN, SINGLE
from karyo.evaluation.measure import Estimate
from karyo.reports.fields import estimate_at, number_at, percent, percent_with_interval, value_at
from karyo.reports.tables import plain_table

_ROWS = {
    "accuracy": "accuracy",
    "pairs_right": "homolog pairs, both right",
    "cells_right": "cells, every chromosome right",
}


def by_cell_table(summary: Mapping[str, Any]) -> Table | None:
    """Show what deciding each cell together is worth beside deciding each chromosome alone.

    Args:
        summary: Content of an evaluation's ``summary.json``; ``by_cell`` as ``karyo.evaluation.by_cell.ByCell.to_dict``
            gives it, with ``temperature``, ``cells_of_sizes`` and ``remarks``. What is missing is shown as a dash.

    Returns:
        A column for each way to decide; the caption says what the gain is and whether it can be chance. None where
        nothing was measured by cell.
    """
    measured = value_at(summary, "by_cell")
    if not isinstance(measured, Mapping):
        return None
    sized, context = (isinstance(measured.get(way), Mapping) for way in (PLAIN, IN_CELL))
    ways = {SINGLE: "each alone"}
    ways |= {IN_CELL: "each, in its cell"} if context else {}
    ways |= {PLAIN: "cell together, bands", ASSIGNED: "bands and sizes"} if sized else {ASSIGNED: "each cell together"}
    table = plain_table("Each cell decided together", _caption(measured))
    table.add_column("share (95 % interval)")
    for title in ways.values():
        table.add_column(title, justify="right")
    for key, name in _ROWS.items():
        cells = [percent_with_interval(estimate_at(measured, way, key)) for way in ways]
        table.add_row(name, *cells, style="bold" if key == "accuracy" else None)
    abnormal = percent_with_interval(estimate_at(measured, "called_abnormal"))
    table.add_row("cells called abnormal", *("" for _ in list(ways)[1:]), abnormal)
    return table


def _caption(measured: Mapping[str, Any]) -> Text:
    """Say what is gained, what was measured and what the decisions rest on."""
    images, cells, tray = (number_at(measured, key) or 0 for key in ("n_images", "n_cells", "tray"))
    lines = [f"gained by deciding together: {_points(estimate_at(measured, 'gain'))}"]
    if isinstance(measured.get("gain_of_sizes"), Mapping):
        lines.append(f"of that by sizes: {_points(estimate_at(measured, 'gain_of_sizes'))}")
    lines.append(f"{images:,.0f} images of {cells:,.0f} cell{'' if cells == 1 else 's'}, {tray:,.0f} placed nowhere")
    temperature, learned = number_at(measured, "temperature"), number_at(measured, "cells_of_sizes")
    rests = [] if temperature is None else [f"temperature {temperature:.2f}"]
    rests += [] if learned is None else [f"usual sizes of {learned:,.0f} training cells"]
    lines += [f"from the run: {', '.join(rests)}"] if rests and not _is_plain(temperature, learned) else []
    resamples = number_at(measured, "resamples")
    if resamples:
        lines.append(f"intervals: {resamples:,.0f} bootstrap resamples of cells; of shares of cells Wilson's")
    else:
        lines.append("no intervals: a bootstrap needs at least two cells")
    return Text("\n".join(lines))


def _is_plain(temperature: float | None, learned: float | None) -> bool:
    return temperature == 1 and learned is None


def _points(gain: Estimate) -> str:
    """Write a gain in percentage points, and whether it can be chance."""
    if gain.value is None:
        return percent(None)
    text = f"{100 * gain.value:+.1f} percentage points"
    if gain.low is None or gain.high is None:
        return text
    text += f" ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
    return f"{text}, {'more than chance' if gain.low > 0 or gain.high < 0 else 'may be chance'}"


def remarks_of(summary: Mapping[str, Any]) -> list[str]:
    """Give the sentences on what one should know of a measurement by cell."""
    remarks = value_at(summary, "by_cell", "remarks")
    return [each for each in remarks if isinstance(each, str)] if isinstance(remarks, list) else []
