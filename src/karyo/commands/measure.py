"""``karyo measure``: how well the image steps, and a model's refusals and counts, do where the truth is known."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from karyo.commands.draw import read_difficulty
from karyo.commands.measure_numbers import numbers
from karyo.progress import progress_bar

if TYPE_CHECKING:
    from rich.table import Table

    from karyo.evaluation.detection import DetectionMeasures
    from karyo.evaluation.instances import SplittingMeasures
    from karyo.evaluation.rejecting import Refusals
    from karyo.evaluation.straightness import Straightness

measure_app = typer.Typer(
    name="measure",
    help="Measure the image steps, or a model's refusals, where the truth is known.",
    no_args_is_help=True,
)

measure_app.command()(numbers)

Count = Annotated[int, typer.Option(help="Number of pictures to draw.")]
Seed = Annotated[int, typer.Option(help="0 or more; another seed draws other cells.")]
Difficulty = Annotated[str, typer.Option(help="easy, normal, hard, or a number from 0 (easy) to 1 (hard).")]


@measure_app.command()
def splitting(
    count: Count = 20,
    seed: Seed = 0,
    difficulty: Difficulty = "normal",
    touching: Annotated[float, typer.Option(help="Share of the chromosomes laid against another one.")] = 0.15,
    crossing: Annotated[float, typer.Option(help="Share of the chromosomes laid across another one.")] = 0.1,
) -> None:
    """Measure how many chromosomes of drawn spreads are found whole: isolated, touching and crossing ones."""
    from rich.console import Console

    from karyo.data.synthetic import CellSettings, SpreadSettings
    from karyo.evaluation.instances import measure_splitting

    settings = SpreadSettings(cell=CellSettings(read_difficulty(difficulty)), touching=touching, crossing=crossing)
    with progress_bar("measuring spreads", max(count, 0)) as advance:
        measures = measure_splitting(count, settings, seed, advance=advance)
    Console().print(_splitting_table(measures, f"{count} spreads, difficulty {difficulty}, seed {seed}"))


@measure_app.command()
def segmentation(
    spreads: Annotated[
        Path | None, typer.Option(help="Folder of real spreads whose chromosomes have boxes.", show_default=False)
    ] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="Folder of their Pascal VOC boxes; else the same folder.", show_default=False)
    ] = None,
    synthetic: Annotated[int, typer.Option(help="Number of spreads to draw; 0 where real ones are given.")] = 0,
    seed: Seed = 0,
    difficulty: Difficulty = "normal",
    margin: Annotated[
        int, typer.Option(help="Pixels that drawn boxes keep from their chromosomes, for the widened measures.")
    ] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, each spread's score among it.")] = False,
) -> None:
    """Measure how many chromosomes of whole spreads are found without annotations, and how much else is."""
    from rich.console import Console

    from karyo.data.spreads import find_pairs
    from karyo.data.spreads.pairs import existing_folder
    from karyo.data.synthetic import CellSettings, SpreadSettings
    from karyo.errors import SettingsError
    from karyo.evaluation.detection import measure_annotated, measure_drawn

    if (spreads is None) == (synthetic == 0):
        raise SettingsError("give either --spreads with a folder of annotated spreads or --synthetic with a number")
    if spreads is not None:
        images = existing_folder(spreads, "the folder of spreads")
        boxes = images if annotations is None else existing_folder(annotations, "the folder of annotations")
        pairs = find_pairs(images, boxes).pairs
        with progress_bar("measuring spreads", len(pairs)) as advance:
            found = measure_annotated(pairs, margin, seed, advance)
    else:
        settings = SpreadSettings(cell=CellSettings(read_difficulty(difficulty)))
        with progress_bar("measuring spreads", max(synthetic, 0)) as advance:
            found = measure_drawn(synthetic, settings, seed, advance)
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=2))
    else:
        title = f"{len(found.spreads)} spreads" if spreads else f"{synthetic} drawn spreads, {difficulty}, seed {seed}"
        Console(width=None if sys.stdout.isatty() else 120).print(_detection_table(found, title, spreads is not None))


@measure_app.command()
def straightening(
    count: Annotated[int, typer.Option(help="Number of chromosomes, the classes in turn.")] = 200,
    seed: Seed = 0,
    difficulty: Difficulty = "normal",
    bend: Annotated[
        float | None, typer.Option(help="Typical turn between the tips of chromosome 1, radians; that of spreads.")
    ] = None,
) -> None:
    """Straighten bent chromosomes in two ways and compare them with the same chromosomes drawn unbent."""
    from rich.console import Console

    from karyo.data.synthetic import CellSettings
    from karyo.evaluation.straightness import measure_straightening

    settings = CellSettings(read_difficulty(difficulty))
    with progress_bar("measuring chromosomes", max(count, 0)) as advance:
        result = measure_straightening(count, settings, seed, bend, advance)
    Console().print(_straightening_table(result))


@measure_app.command()
def fit_splitting(
    out: Annotated[Path, typer.Argument(help="The CSV to write: the weights by which objects are told from pieces.")],
    count: Annotated[int, typer.Option(help="Number of spreads to draw of each of four kinds.")] = 10,
    seed: Seed = 0,
    spreads: Annotated[
        Path | None,
        typer.Option(
            help="Folder of real spreads and their Pascal VOC boxes; every second one is taken.", show_default=False
        ),
    ] = None,
) -> None:
    """Fit the splitter to drawn spreads and, if given, to real annotated ones: some seconds for each spread."""
    from karyo.errors import SettingsError
    from karyo.evaluation.likeness_evidence import DRAWN, annotated_evidence, annotated_pairs, drawn_evidence
    from karyo.evaluation.likeness_fit import STEPS, fit_likeness
    from karyo.imaging.split.likeness import write_likeness

    if out.suffix.lower() != ".csv":
        raise SettingsError(f"{out} must be named *.csv")
    pairs = () if spreads is None else annotated_pairs(spreads)
    with progress_bar("measuring drawn spreads", max(count, 0) * len(DRAWN)) as advance:
        drawn = drawn_evidence(count, seed, advance)
    with progress_bar("measuring annotated spreads", len(pairs)) as advance:
        annotated = annotated_evidence(pairs, seed, advance)
    with progress_bar("measuring steps of the fit", STEPS) as advance:
        likeness = fit_likeness([annotated, drawn], STEPS, seed, advance)
    try:
        write_likeness(out, likeness)
    except OSError as error:
        raise SettingsError(f"cannot write {out}: {error.strerror}; choose another place") from error
    typer.echo(f"weights fitted to {len(drawn)} drawn and {len(annotated)} annotated clusters: {out}")


@measure_app.command()
def rejecting(
    model: Annotated[Path, typer.Argument(help="A file that karyo export wrote.", show_default=False)],
    images: Annotated[
        list[Path] | None,
        typer.Option(help="Single chromosomes that the model was not trained on; may be given again. Else drawn."),
    ] = None,
    strangers: Annotated[
        list[Path] | None, typer.Option(help="Your own pictures that it should refuse; may be given again.")
    ] = None,
    count: Annotated[int, typer.Option(help="Pictures of each kind to make.")] = 200,
    seed: Seed = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure how often a model refuses nuclei, noise, text, pairs of chromosomes ..., and how often a chromosome."""
    from rich.console import Console

    from karyo.evaluation.rejecting import images_in_all, measure_rejecting, read_places
    from karyo.inference import load

    predictor = load(model)
    known, unknown = read_places(images or []), read_places(strangers or [])
    with progress_bar("showing images", images_in_all(len(known), len(unknown), count)) as advance:
        found = measure_rejecting(predictor, known, unknown, count, seed, advance)
    if as_json:
        typer.echo(json.dumps([each.to_dict() for each in found], indent=2))
    else:
        Console(width=None if sys.stdout.isatty() else 120).print(_refusals_table(found, drawn=not known))


def _refusals_table(found: "list[Refusals]", drawn: bool) -> "Table":
    """Lay out what was refused, a row for each kind; the chromosomes, which should be accepted, first."""
    from rich.table import Table

    unreadable = sum(each.unreadable for each in found)
    table = Table(
        title="What the model refuses" + (", with drawn chromosomes" if drawn else ""),
        caption="In brackets the 95 % interval (Wilson). Low confidence alone is counted apart."
        + (f" {unreadable} images could not be read." if unreadable else ""),
    )
    for column in ("kind", "images", "refused", "unsure", "reasons"):
        table.add_column(column, justify="right" if column in ("images", "refused", "unsure") else "left")
    for each in found:
        low, high = (100 * end for end in each.interval)
        refused = f"{100 * each.share:.1f} % ({low:.1f} .. {high:.1f})" if each.images else "-"
        unsure = f"{100 * each.unsure / each.images:.1f} %" if each.images else "-"
        reasons = ", ".join(f"{name} {times}" for name, times in each.reasons.items() if name != "low_confidence")
        table.add_row(each.kind, str(each.images), refused, unsure, reasons)
        if each.kind == "chromosomes":
            table.add_section()
    return table


def _detection_table(found: "DetectionMeasures", title: str, boxes: bool) -> "Table":
    """Lay out how well chromosomes are found, a row for each measure."""
    from rich.table import Table

    true, given = (sum(getattr(each, name) for each in found.spreads) for name in ("true", "found"))
    table = Table(
        title=f"{title}: {true} chromosomes, {given} found",
        caption=f"Overlap (IoU) of {'boxes' if boxes else 'outlines'} at least 0.5. Intervals: 95 %, by spread. "
        f"Median {found.seconds:.2f} s of processor time.",
    )
    table.add_column("measure")
    for column in ("value", "from", "to"):
        table.add_column(column, justify="right")
    for name, measure in found.measures.items():
        if boxes or not name.endswith("widened"):
            form = "{:.2f}" if name.startswith("count") else "{:.1%}"
            ends = (measure.value, measure.low, measure.high)
            table.add_row(name, *("-" if end is None else form.format(end) for end in ends))
    return table


def _splitting_table(measures: "dict[str, SplittingMeasures]", title: str) -> "Table":
    """Lay the measures out, a row for each relation and way of splitting."""
    from rich.table import Table

    table = Table(title=title)
    for column in ("relation", "way", "objects", "mean IoU", "IoU ≥ 0.5", "IoU ≥ 0.75", "spurious"):
        named = column in ("relation", "way")
        table.add_column(column, justify="left" if named else "right", no_wrap=named)
    for relation in next(iter(measures.values())).by_relation:
        for way, measured in measures.items():
            score = measured.by_relation[relation]
            shares = (
                f"{100 * share:.1f} %" if share is not None else "-" for share in (score.right_50, score.right_75)
            )
            mean = f"{score.mean_iou:.3f}" if score.mean_iou is not None else "-"
            spurious = str(measured.spurious) if relation == "all" else ""
            table.add_row(relation, way, str(score.objects), mean, *shares, spurious)
        table.add_section()
    return table


def _straightening_table(result: "Straightness") -> "Table":
    """Lay out the comparison, a row for each way; what is said of the bent chromosomes stands in brackets."""
    from rich.table import Table

    from karyo.evaluation.straightness import ALIKE, BENT

    table = Table(
        title=f"{result.count} drawn, seed {result.seed}, difficulty {result.difficulty:g}, bend {result.bend:.2f}",
        caption="Medians. Bands: correlation of the profile with that of the same chromosome drawn unbent. "
        f"In brackets: the {result.bent} that turn by {BENT:g} degrees or more.",
    )
    table.add_column("")
    for column in ("centromere off, px", "bands", f"bands > {ALIKE:g}", "length off", "unbent", "ms each"):
        table.add_column(column, justify="right")
    for way in result.ways:
        table.add_row(
            way.name,
            f"{way.centromere_error:.2f}" + _in_brackets(way.bent_centromere_error, 2),
            f"{way.correlation:.3f}" + _in_brackets(way.bent_correlation, 3),
            f"{way.alike:.0%}",
            f"{way.length_error:.1f} %",
            f"{way.changed:.0%}",
            f"{way.milliseconds:.1f}",
        )
    return table


def _in_brackets(value: float | None, digits: int) -> str:
    """Write a number that may be missing behind another one."""
    return "" if value is None else f" ({value:.{digits}f})"
