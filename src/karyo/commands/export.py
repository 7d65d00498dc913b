"""``karyo export``: the best run as one verified file."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from karyo.exporting.export import Exported
    from karyo.exporting.measured import Measured
    from karyo.exporting.selection import Selected

_MANY_DOUBTED, _FEW_ACCEPTED, _MUCH_LOST = 0.02, 50, 0.005


def export(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="A run, a checkpoint inside it, or a sweep to take the best run of; several runs of one split (other "
            "seeds, other networks) answer as one, with their mean probability.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The file to write: .onnx, or .pt2 for programs with torch.")
    ] = Path("chromosome.onnx"),
    int8: Annotated[bool, typer.Option("--int8", help="Quantise to eight-bit integers: smaller and faster.")] = False,
    wanted_error: Annotated[
        float, typer.Option(help="How many of the accepted images may be wrong: 0.01 is one in a hundred.")
    ] = 0.01,
    data_root: Annotated[
        Path | None, typer.Option(help="Where the images are now, if they have moved.", show_default=False)
    ] = None,
    licence: Annotated[str, typer.Option(help="A note on what the file may be used for.", show_default=False)] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a trained network into one file that holds all that is needed to use it, and a model card beside it.

    Probabilities are calibrated and the reject threshold is chosen on the run's validation images; the file is then
    compared with the checkpoint on them, and refused if they differ. `karyo predict` and `karyo serve` take .onnx.
    """
    from rich.console import Console

    from karyo.exporting.export import Wanted, check_place
    from karyo.exporting.export import export as write
    from karyo.exporting.run import open_runs

    wanted = Wanted(out, int8, wanted_error, licence, force)
    check_place(wanted)
    console = Console(width=None if sys.stdout.isatty() else 120)
    exported = write(open_runs([_chosen(console, source) for source in sources], data_root), wanted)
    _print_result(console, exported)


def _chosen(console: "Console", source: Path) -> Path:
    """Give the run or checkpoint to export; of a sweep the best run by its validation side, and say so."""
    from karyo.training.locations import SUMMARY

    if not source.is_dir() or (source / SUMMARY).is_file():
        return source
    from karyo.commands.compare import check_runs
    from karyo.reports.comparing.choice import choose, settings_in_words
    from karyo.reports.comparison import compare

    check_runs([source])
    choice = choose(compare([source]))
    among = settings_in_words(choice.candidates)
    head = f"{choice.contender.label}: best validation accuracy of {among}, {choice.run.directory}"
    console.print(head, soft_wrap=True, markup=False, highlight=False)
    for note in choice.notes:
        console.print(f"Note: {note}", style="yellow", markup=False, highlight=False)
    return choice.run.directory


def _print_result(console: "Console", exported: "Exported") -> None:
    """Print what was written, what it reaches, and what to type next."""
    from karyo.reports.outcome import print_pairs

    out = exported.wanted.out
    console.print(f"\n{out}", style="bold", markup=False, highlight=False, soft_wrap=True)
    for name, text in _facts(exported).items():
        console.print(f"  {name:<20}{text}", soft_wrap=True, markup=False, highlight=False)
    console.print()
    console.print(_table(exported))
    for note in _notes(exported):
        console.print(f"Note: {note}", style="yellow", markup=False, highlight=False)
    if out.suffix == ".onnx":
        file = shlex.quote(str(out))
        commands = {"classify images": f"karyo predict {file} images/", "as a page and an API": f"karyo serve {file}"}
        print_pairs(console, "Next", commands)


def _facts(exported: "Exported") -> dict[str, str]:
    from karyo.reports.fields import megabytes, percent

    passport, verification = exported.passport, exported.verification
    sizes = ", ".join(map(str, verification.batches))
    return {
        "model card": str(exported.wanted.card),
        "size": megabytes(exported.wanted.out.stat().st_size),
        "network": f"{passport.model}, {passport.preparation.size} px, {passport.precision}",
        "against checkpoint": f"largest difference of a probability {verification.largest:.1e} on "
        f"{verification.images} images, batches of {sizes}; same class {percent(verification.agreeing)}",
        "temperature": f"{passport.temperature:.3f}",
        "reject threshold": f"{passport.threshold:.3f}, for {percent(passport.selection['wanted_error'])} wrong",
    }


def _table(exported: "Exported") -> "Table":
    """Lay out what the file does on each side."""
    from rich.table import Table

    from karyo.reports.fields import percent, percent_with_interval

    table = Table("", *exported.measured, box=None, header_style="bold", pad_edge=False, padding=(0, 3, 0, 0))
    sides = exported.measured.values()
    quantised = exported.passport.precision == "int8"
    if quantised:
        table.add_row("  accuracy in float", *(percent(it.original) for it in sides))
    name = "  accuracy in int8" if quantised else "  accuracy"
    table.add_row(name, *(percent_with_interval(it.measures.accuracy) for it in sides))
    table.add_row("  calibration error", *(_calibration(it) for it in sides))
    table.add_row("  accepted", *(percent(it.selected.coverage) for it in sides))
    table.add_row("  wrong of accepted", *(_error(it.selected) for it in sides))
    in_cell = [(it.in_cell, it.selected_in_cell) for it in sides if it.in_cell and it.selected_in_cell]
    if len(in_cell) == len(sides):
        table.add_row("in its cell: accuracy", *(percent_with_interval(each.accuracy) for each, _ in in_cell))
        table.add_row("  accepted", *(percent(each.coverage) for _, each in in_cell))
        table.add_row("  wrong of accepted", *(_error(each) for _, each in in_cell))
    return table


def _calibration(measured: "Measured") -> str:
    from karyo.reports.fields import percent

    return f"{percent(measured.uncalibrated)} before, {percent(measured.measures.calibration_error.value)} after"


def _error(selected: "Selected") -> str:
    from karyo.reports.fields import percent

    most = percent(selected.error_at_most)
    return f"{percent(selected.error)} ({selected.wrong} of {selected.accepted}; at most {most})"


def _notes_on_acceptance(kind: str, chosen: "Selected") -> list[str]:
    from karyo.reports.fields import percent

    if not chosen.accepted:
        return [
            f"{kind}no threshold keeps the error that low, so every image will be rejected; choose a larger "
            "--wanted-error"
        ]
    if chosen.accepted < _FEW_ACCEPTED:
        return [
            f"{kind}only {chosen.accepted} of {chosen.images} validation images are accepted, too few to know how many "
            f"are wrong: up to {percent(chosen.error_at_most)} may be; choose a larger --wanted-error, or train longer"
        ]
    return []


def _notes(exported: "Exported") -> list[str]:
    """Say what makes the file less useful than it looks."""
    from karyo.reports.fields import percent

    notes = _notes_on_acceptance("", exported.measured["validation"].selected)
    if (in_cell := exported.measured["validation"].selected_in_cell) is not None:
        notes += _notes_on_acceptance("seen in its cell: ", in_cell)
    lost = exported.measured["validation"].original - (exported.measured["validation"].measures.accuracy.value or 0.0)
    if lost > _MUCH_LOST:
        notes.append(f"eight-bit integers cost {percent(lost)} of the validation images; export without --int8")
    doubted = exported.measured["validation"].doubted
    if doubted > _MANY_DOUBTED:
        notes.append(f"{percent(doubted)} of the validation images are rejected for what they look like")
    return notes
