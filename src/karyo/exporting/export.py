"""From a finished run to one verified file, and a card that says what is in it."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from shutil import copyfile

import numpy as np
from numpy.typing import NDArray

from karyo import __version__
from karyo.data.sizes import learn_sizes
from karyo.errors import DataError, KaryoError, SettingsError
from karyo.exporting.answers import answers_of, with_cells
from karyo.exporting.card import is_card, write_card
from karyo.exporting.facts import training_facts
from karyo.exporting.graph import ExportedGraph
from karyo.exporting.measured import Limits, Measured, clear_images, measure_side, settle
from karyo.exporting.onnx_file import to_onnx, write_onnx
from karyo.exporting.outliers import OutlierDistance, fit_outliers
from karyo.exporting.quantisation import quantise
from karyo.exporting.run import TrainedRun
from karyo.exporting.scope import choose_scope
from karyo.exporting.selection import Selected
from karyo.exporting.torch_file import ProgramEngine, write_program
from karyo.exporting.verification import LIMIT, Verification, verify
from karyo.files import write_beside
from karyo.inference import Passport, Predictor
from karyo.inference.engines import Answer, Engine, OnnxEngine
from karyo.inference.passport import Scope

SUFFIXES = (".onnx", ".pt2")

_LEARNED_FROM, _DISTORTED = 5000, 500
_CALIBRATION_IMAGES = 256
_FARTHEST = 1e12

Writer = Callable[[Passport, Path], None]
Answers = Mapping[str, Answer]


@dataclass(frozen=True)
class Wanted:
    """What to write.

    Attributes:
        out: The file, ``.onnx`` or ``.pt2``.
        int8: Whether to quantise.
        wanted_error: Share of the accepted images that may be wrong, 0..1.
        licence: A note on what the file may be used for; "" where none is known.
        force: Whether to replace a file that is there.

    Raises:
        SettingsError: If they cannot be meant.
    """

    out: Path
    int8: bool = False
    wanted_error: float = 0.01
    licence: str = ""
    force: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.out.suffix not in SUFFIXES:
            raise SettingsError(f"-o {self.out}: the file's name must end in .onnx, or in .pt2 for torch.export")
        if self.int8 and self.out.suffix != ".onnx":
            raise SettingsError(f"-o {self.out}: eight-bit integers go into ONNX files only; choose a name in .onnx")
        if not 0 <= self.wanted_error < 1:
            raise SettingsError(f"--wanted-error must be from 0 to below 1, not {self.wanted_error:g}")

    @property
    def card(self) -> Path:
        """The model card beside the file; that of another format must not stand in its place."""
        return self.out.with_suffix(".md" if self.out.suffix == ".onnx" else f"{self.out.suffix}.md")


@dataclass(frozen=True, eq=False)
class Exported:
    """What was written.

    Attributes:
        wanted: What was asked for; the files are ``wanted.out`` and ``wanted.card``.
        passport: What travels inside the file.
        verification: How the file compares with the checkpoint.
        measured: What it does on ``validation`` and, where the split has one, ``test``.
    """

    wanted: Wanted
    passport: Passport
    verification: Verification
    measured: Mapping[str, Measured]


def export(run: TrainedRun, wanted: Wanted) -> Exported:
    """Write a run's network into one file that holds all that is needed to use it, and verify that.

    Args:
        run: The run.
        wanted: What to write.

    Raises:
        SettingsError: If the place cannot be written to, or holds a file already.
        DataError: If the network has diverged, or the written file does not say what the checkpoint says; then there is
            no file.
    """
    check_place(wanted)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / f"draft{wanted.out.suffix}"
        greys = _as_stored(run)
        graph = ExportedGraph(run.trained.network, learn_distance(run, greys)).eval()
        write, answers, originals = _translate(run, wanted, graph, draft)
        scope = choose_scope(greys, run.trained.preparation.polarity)
        clear = {side: clear_images(run, side, scope) for side in answers}
        if graph.sees_cells and answers["validation"].in_cell is None:
            raise DataError(
                "no validation cell is whole, so what the network sees in cells cannot be calibrated; train it with "
                "data.split_by=cell, or with context=null"
            )
        limits = settle(
            answers["validation"], clear["validation"], scope, run.labels("validation"), wanted.wanted_error
        )
        measured = {
            side: measure_side(run, side, answers[side], originals[side], clear[side], limits) for side in answers
        }
        passport = build_passport(run, wanted, limits, measured)
        write(passport, draft)
        verification = verify(Predictor(open_engine(draft)), run)
        refuse_different(verification, wanted)
        exported = Exported(wanted, passport, verification, measured)
        _put_in_place(exported, draft)
    return exported


def check_place(wanted: Wanted) -> None:
    """Refuse a place that cannot be written to before the work is done, not after it.

    Raises:
        SettingsError: With the reason.
    """
    for path in (wanted.out, wanted.card):
        if path.exists() and not path.is_file():
            raise SettingsError(f"{path} is a folder or no file at all; choose another -o")
        if path.exists() and not wanted.force:
            raise SettingsError(f"{path} is there already; choose another -o, or replace it with --force")
    if wanted.card.exists() and not is_card(wanted.card):
        raise SettingsError(f"{wanted.card} is there and no model card, so it stays; choose another -o")
    try:
        wanted.out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=wanted.out.parent):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise SettingsError(f"cannot write to {wanted.out.parent}: {reason}; choose another -o") from error


def learn_distance(run: TrainedRun, greys: Sequence[NDArray[np.uint8]]) -> OutlierDistance:
    """Learn from the training side what chromosomes look like; ``greys`` are some of its images as stored."""
    images = run.data.images(run.some("train", _LEARNED_FROM))
    aside = run.data.images(run.some("validation", _LEARNED_FROM))
    return fit_outliers(images, aside, greys, run.trained.preparation)


def _as_stored(run: TrainedRun) -> list[NDArray[np.uint8]]:
    """Read some training images without preparing them."""
    return [run.data.source.read(run.data.records[position]) for position in run.some("train", _DISTORTED)]


def _translate(run: TrainedRun, wanted: Wanted, graph: ExportedGraph, draft: Path) -> tuple[Writer, Answers, Answers]:
    """Translate the graph; give what writes it, its answers, and those it gave before quantisation."""
    if wanted.out.suffix == ".pt2":
        write: Writer = partial(write_program, graph)
        answers = _ask(run, write, draft, "measuring")
        return write, answers, answers
    model = to_onnx(graph)
    write = partial(write_onnx, model)
    originals = _ask(run, write, draft, "measuring")
    if not wanted.int8:
        return write, originals, originals
    quantised = quantise(model, run.data.images(run.some("train", _CALIBRATION_IMAGES)))
    write = partial(write_onnx, quantised)
    return write, _ask(run, write, draft, "measuring int8"), originals


def _ask(run: TrainedRun, write: Writer, draft: Path, title: str) -> Answers:
    """Ask a file about the sides that its network was not trained on."""
    network = run.trained.network
    cells = None if network.spec.context is None else 1.0
    scope = Scope(distance=_FARTHEST)
    write(Passport(network.spec.name, run.trained.preparation, scope=scope, cell_temperature=cells), draft)
    engine = open_engine(draft)
    sides = {side: run.sides[side] for side in ("validation", "test") if run.sides[side]}
    answers = {side: answers_of(engine, run.data, rows, f"{title}: {side}") for side, rows in sides.items()}
    if cells is None:
        return answers
    return {
        side: with_cells(engine, run.data, rows, answers[side], f"{title} cells: {side}")
        for side, rows in sides.items()
    }


def open_engine(path: Path) -> Engine:
    """Open a file that was written a moment ago."""
    return ProgramEngine(path) if path.suffix == ".pt2" else OnnxEngine(path)


def build_passport(run: TrainedRun, wanted: Wanted, limits: Limits, measured: Mapping[str, Measured]) -> Passport:
    """Gather what travels inside the file, the usual sizes of the training side's chromosomes among it."""
    selection = {"wanted_error": wanted.wanted_error}
    for side, prefix in (("validation", ""), ("test", "test_")):
        if side in measured:
            selection |= _selection(prefix, measured[side].selected)
            selection |= _selection(f"cell_{prefix}", measured[side].selected_in_cell)
    return Passport(
        model=run.trained.network.spec.name,
        preparation=run.trained.preparation,
        precision="int8" if wanted.int8 else "float32",
        temperature=limits.temperature,
        threshold=limits.threshold,
        selection=selection,
        scope=limits.scope,
        sizes=learn_sizes(run.data.source, run.records("train"), run.trained.preparation.polarity),
        training=training_facts(run, measured),
        data_fingerprint=run.trained.data_fingerprint,
        checkpoint=run.fingerprint,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        karyo=__version__,
        licence=wanted.licence,
        cell_temperature=limits.cell_temperature,
        cell_threshold=limits.cell_threshold,
    )


def _selection(prefix: str, chosen: Selected | None) -> dict[str, float]:
    """Give what limits accept as a passport names it."""
    if chosen is None:
        return {}
    error = {} if chosen.error is None else {f"{prefix}error": chosen.error}
    return {f"{prefix}coverage": chosen.coverage, **error}


def refuse_different(verification: Verification, wanted: Wanted) -> None:
    """Refuse a float file that does not say what its checkpoint says; integers are known to differ.

    Raises:
        DataError: With the difference.
    """
    if wanted.int8 or verification.largest <= LIMIT:
        return
    raise DataError(
        f"the exported probabilities differ from the checkpoint's by up to {verification.largest:.1e} on "
        f"{verification.images} images, more than {LIMIT:.0e} for rounding; nothing was written to {wanted.out}"
    )


def _put_in_place(exported: Exported, draft: Path) -> None:
    out = exported.wanted.out
    try:
        write_beside(out, lambda beside: copyfile(draft, beside))
        write_card(exported.wanted.card, out, exported.passport, exported.verification, exported.measured)
    except OSError as error:
        raise KaryoError(f"{out} cannot be written: {error.strerror or error}") from error
