"""What a finished run tells its user: how good it is on what it has not seen."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from karyo.evaluation.measure import Estimate
from karyo.reports.fields import estimate_at, number_at, percent, percent_with_interval, text_at

_UNSEEN = {"case": "cases", "cell": "cells", "image": "images"}
_TITLES = {
    "test": "Result on the test set",
    "all": "Result on all images",
    "train": "Result on the images it was trained on",
    "validation": "Result on the validation set",
}
_SHARES = {
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro-F1",
    "top2_accuracy": "top-2 accuracy",
}
_NUMBERS = {"macro_auroc": "macro AUROC", "log_loss": "log loss (nats)", "calibration_error": "calibration error"}


def print_pairs(console: Console, title: str, pairs: Mapping[str, str]) -> None:
    """Print texts below a title, each beside its name: files, or commands to type next; nothing for none."""
    if not pairs:
        return
    console.print(f"\n[bold]{title}[/bold]")
    width = max(map(len, pairs))
    for name, text in pairs.items():
        console.print(f"  {name:<{width}}  {text}", soft_wrap=True, highlight=False, markup=False)


def outcome_table(summary: Mapping[str, Any]) -> Table:
    """Show one run's result on the test set.

    Args:
        summary: Content of ``summary.json``: ``test`` as ``Measures.to_dict`` gives it, and the level of the split
            under ``split_by`` (``case``, ``cell`` or ``image``). ``part`` names what was measured (``test``, ``all``,
            ``train``, ``validation``) and ``unseen`` whether the network had not seen it; both as on a test side where
            they are missing. What is missing otherwise is shown as a dash.

    Returns:
        A table: accuracy on unseen cells (or cases, or images) with its interval first, then the other measures; its
        caption says how many images and cells were measured and what the intervals come from.
    """
    unseen = _UNSEEN.get(text_at(summary, "split_by"), "images")
    first = f"accuracy on unseen {unseen}" if summary.get("unseen", True) else "accuracy"
    table = Table(
        title=_TITLES.get(text_at(summary, "part"), _TITLES["test"]),
        title_justify="left",
        caption=_caption(summary),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("measure")
    table.add_column("value", justify="right")
    table.add_column("95 % interval", justify="right")
    table.add_row(*_share_row(first, estimate_at(summary, "test", "accuracy")), style="bold")
    validation = number_at(summary, "validation", "accuracy")
    if validation is not None:
        table.add_row("validation accuracy", percent(validation), "–")
    for key, name in _SHARES.items():
        table.add_row(*_share_row(name, estimate_at(summary, "test", key)))
    for key, name in _NUMBERS.items():
        table.add_row(*_number_row(name, estimate_at(summary, "test", key)))
    return table


def _share_row(name: str, estimate: Estimate) -> tuple[str, str, str]:
    """Write a share and its interval in per cent."""
    interval = percent_with_interval(estimate).partition("(")[2].rstrip(")")
    return name, percent(estimate.value), interval or "–"


def _number_row(name: str, estimate: Estimate) -> tuple[str, str, str]:
    """Write a plain number and its interval."""
    value = "–" if estimate.value is None else f"{estimate.value:.4f}"
    has_interval = estimate.low is not None and estimate.high is not None
    return name, value, f"{estimate.low:.4f}–{estimate.high:.4f}" if has_interval else "–"


def _caption(summary: Mapping[str, Any]) -> Text:
    """Say what was measured and where the intervals come from."""
    images, cells = (number_at(summary, "test", key) for key in ("n_images", "n_cells"))
    parts = [f"{images:,.0f} images" if images is not None else "unknown number of images"]
    if cells:
        parts.append(f"of {cells:,.0f} cell{'s' if cells > 1 else ''}")
    level = text_at(summary, "split_by")
    split = f", split by {level}" if level in _UNSEEN else ""
    resampled, resamples = text_at(summary, "test", "resampled"), number_at(summary, "test", "resamples")
    if resampled and resamples:
        source = f"; intervals: {resamples:,.0f} bootstrap resamples of {resampled}"
    else:
        source = "; no intervals: a bootstrap needs at least two cells" if images else ""
    return Text(" ".join(parts) + split + source)
