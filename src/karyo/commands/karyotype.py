"""``karyo karyotype``: whole cells through an exported model, to karyograms, records and ISCN text."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from karyo.inference import Predictor
    from karyo.karyotype.batch import Judged
    from karyo.karyotype.inputs.cell_files import CellFiles
    from karyo.karyotype.outcome import OutcomeFolder

EXAMPLES = """Examples:

karyo karyotype chromosome.onnx cell/ — one cell, an image per chromosome

karyo karyotype chromosome.onnx spread.jpg --format pdf --ideograms — a whole metaphase spread

karyo karyotype chromosome.onnx spreads/ --annotations xml/ — boxes given; their names are the truth

karyo karyotype chromosome.onnx cells/ --cases-by folder — patient/cell/image files; the cells of a patient vote

karyo karyotype chromosome.onnx set/ --pattern '(?P<cell>.+)/(?P<label>\\d+|X|Y).?\\.png' — names say the truth
"""


def karyotype(
    model: Annotated[Path, typer.Argument(help="A file that karyo export wrote.", show_default=False)],
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT...",
            help="A folder with the images of one cell's chromosomes, a folder of such folders, spreads, or folders "
            "of spreads.",
            show_default=False,
        ),
    ],
    annotations: Annotated[
        Path | None,
        typer.Option(
            help="Folder of Pascal VOC files named like the spreads: their boxes are cut.", show_default=False
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")] = Path("karyotypes"),
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", help="Kind of karyogram: png, svg or pdf; may be repeated.  [default: png]"),
    ] = None,
    ideograms: Annotated[bool, typer.Option("--ideograms", help="Draw ideograms beside the chromosomes.")] = False,
    no_pictures: Annotated[
        bool, typer.Option("--no-pictures", help="Draw no karyograms and keep no pictures in the records.")
    ] = False,
    kind: Annotated[
        str, typer.Option(help="What an image shows: cell (one chromosome of a cell), spread, or auto to look.")
    ] = "auto",
    pattern: Annotated[
        str | None,
        typer.Option(
            help="Regular expression for the paths of single chromosomes within a folder; its groups label, cell and "
            "case say what is known of each.",
            show_default=False,
        ),
    ] = None,
    case: Annotated[str | None, typer.Option(help="All cells are of this case.", show_default=False)] = None,
    cases_by: Annotated[
        str | None,
        typer.Option(
            help="Which case a cell is of: folder for the folder it lies in, or a regular expression for its name.",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="Threads of the network; one per core if not given.", min=1, max=256)
    ] = None,
) -> None:
    """Decide which chromosomes a cell has, all of them together, and draw its karyogram.

    Each cell gets OUT/<cell>.karyogram.png and OUT/<cell>.json. Of one cell the ISCN text is printed; of several a
    table, and OUT/cells.csv and, where cases are named, OUT/cases.csv are written. Where names are known, accuracy of
    each chromosome alone and of all together is printed and written to OUT/accuracy.json.

    Stopped half-way, the same command goes on where it was. What a person has reviewed is never written over. The exit
    code is 1 if no cell could be decided. Only the numbers of chromosomes are judged, not their structure.
    """
    from karyo.commands.filling import stoppable
    from karyo.commands.karyotyped import gather, print_results, write_tables
    from karyo.inference import load
    from karyo.karyotype.inputs.pairing import in_cases
    from karyo.karyotype.inputs.search import find_cells
    from karyo.karyotype.outcome import OutcomeFolder

    drawn = () if no_pictures else tuple(dict.fromkeys(formats or ["png"]))
    _check_out(out)
    found = in_cases(find_cells(inputs, kind, annotations, pattern, without=out.absolute()), case, cases_by)
    predictor = load(model, threads)
    folder = OutcomeFolder(out, predictor.passport, drawn, ideograms)
    folder.refuse_inputs(found.cells)
    began = time.monotonic()
    with stoppable(out):
        judged = _judged(predictor, found.cells, folder)
        results = gather(judged, found.left_out, folder)
        written = write_tables(results)
    print_results(results, written, time.monotonic() - began)
    if all(each.karyotype is None for each in judged):
        raise typer.Exit(1)


def _check_out(out: Path) -> None:
    """Refuse a place that can be no folder, before anything is done.

    Raises:
        SettingsError: Naming it.
    """
    from karyo.errors import SettingsError

    if out.exists() and not out.is_dir():
        raise SettingsError(f"{out} is no folder; name another one with -o")


def _judged(predictor: "Predictor", cells: "Sequence[CellFiles]", folder: "OutcomeFolder") -> "list[Judged]":
    from karyo.karyotype.batch import karyotype_all
    from karyo.karyotype.karyotyper import Karyotyper
    from karyo.progress import progress_bar

    judged = []
    with progress_bar("karyotyping", len(cells), only_on_terminals=True) as advance:
        for each in karyotype_all(Karyotyper(predictor), cells, folder):
            judged.append(each)
            advance()
    return judged
