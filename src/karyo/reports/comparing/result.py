"""What a comparison says: runs, settings with their repetitions, boards of what may be ranked together, duels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from karyo.reports.comparing.crossed import Ablation, CrossValidation
from karyo.reports.fields import number_at, share_at

STATUSES = ("finished", "running", "interrupted", "pruned", "unknown", "failed")
"""How far a run came, the most hopeful first."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """One run, as its directory tells of it.

    Attributes:
        record: Content of ``summary.json``; every key may be missing or hold nonsense, so it is read with
            `karyo.reports.fields`.
        directory: Where it was found.
        name: Of its directory.
        status: One of :data:`STATUSES`; ``unknown`` where the record says nothing of the kind.
        settings: What makes it the run that it is, by dotted name (`karyo.identity.settings_of_config`); {} where the
            record holds no configuration.
        epochs: Rows of ``epochs.csv`` in order, each with ``epoch`` (from 1) and of ``train_loss``,
            ``train_accuracy`` (0..1), ``validation_loss``, ``validation_accuracy`` (0..1), ``lr`` and ``seconds`` those
            that could be read; a diverged training has NaN. () if the file is missing or damaged altogether.
        error: Last line of the error; "" if there was none.
        split: Says which images it trained, validated and tested on: equal for runs on the same three sides; "" where
            that is unknown.
        by_cell: What an evaluation by cell of its test side has measured; {} where there was none. As unchecked as
            ``record``.
    """

    record: Mapping[str, Any]
    directory: Path
    name: str
    status: str
    settings: Mapping[str, Any]
    epochs: tuple[Mapping[str, float], ...] = ()
    error: str = ""
    split: str = ""
    by_cell: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_ensemble(self) -> bool:
        """Whether several runs answered as one: measured, not trained, without a checkpoint of its own."""
        return "members" in self.record

    @property
    def validation_accuracy(self) -> float | None:
        """On the validation side in the epoch whose weights were kept, 0..1; None where it is not recorded."""
        return share_at(self.record, "validation", "accuracy")

    @property
    def validation_loss(self) -> float | None:
        """On the validation side in the epoch whose weights were kept, nats; None where it is not recorded."""
        return number_at(self.record, "validation", "loss")


@dataclass(frozen=True, slots=True)
class Mean:
    """A measure of a setting: its mean over repetitions, and a 95 % interval.

    Attributes:
        value: The mean; None if no repetition has the measure.
        low: Lower end of the interval; None where there is none.
        high: Upper end of the interval; None where there is none.
        count: Repetitions behind the mean.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    count: int = 0


@dataclass(frozen=True, slots=True)
class Contender:
    """One setting with all its repetitions (seeds, folds). Measures are means over the finished ones.

    Attributes:
        key: Equal for all its repetitions (`karyo.identity.setting_key`).
        label: Its values in short, ``resnet18 · adam · 1e-4``; unique on its board. See ``label_of``.
        values: By the board's names of settings that differ, ``{"model": "resnet18", "lr": "1e-4"}``; "" where the
            setting is not known.
        rank: 1 for the best mean validation accuracy, equals share a rank; None if no repetition has finished, or if
            it is not known which images it saw.
        runs: Its repetitions, whatever became of them, in the order of seed and fold.
        validation: Accuracy on the validation side, 0..1. Several repetitions have a t-interval; one has none. Where
            no repetition has finished, of what the others reached.
        test: Accuracy on the test side, 0..1. One repetition: its bootstrap interval over cells, which says how much
            depends on the cells that happened to be tested. Several: a t-interval over repetitions, which says how much
            depends on the seed, on the fold, and on the split where the seed draws it; it knows nothing of other cells
            than those tested. Folds share most of their training images, so that their interval is somewhat too narrow
            (Bengio & Grandvalet, J. Mach. Learn. Res. 5, 2004).
        macro_f1: Like ``test``.
        parameters: Weights of the network; None where it is not recorded, as with all that follow.
        checkpoint_bytes: Size of the best checkpoint.
        seconds_per_epoch: Mean over repetitions.
        latency_ms: One image through the network, milliseconds, on the machine that measured.
        seconds: From start to end, mean over repetitions.
        expected: Repetitions of the board's most repeated contender, so that "4 of 5" can be said.
        assigned: Like ``test``, with each cell decided together; no value unless every repetition behind ``test`` was
            measured by cell, or the two would not be of the same images.
        cells_right: Share of cells of which every image is right then, under the same condition.
    """

    key: str
    label: str
    values: Mapping[str, str]
    rank: int | None
    runs: tuple[RunResult, ...]
    validation: Mean
    test: Mean
    macro_f1: Mean
    parameters: int | None
    checkpoint_bytes: int | None
    seconds_per_epoch: float | None
    latency_ms: float | None
    seconds: float | None
    expected: int
    assigned: Mean = Mean()
    cells_right: Mean = Mean()

    @property
    def finished(self) -> tuple[RunResult, ...]:
        """Its repetitions that finished."""
        return tuple(run for run in self.runs if run.status == "finished")

    @property
    def status(self) -> str:
        """The most hopeful status of its repetitions, one of :data:`STATUSES`."""
        return min((run.status for run in self.runs), key=STATUSES.index)

    @property
    def error(self) -> str:
        """Last line of the error of its first repetition that has one; "" if none has."""
        return next((run.error for run in self.runs if run.error), "")

    @property
    def best_run(self) -> RunResult:
        """The repetition of highest validation accuracy, of the finished ones if there are any; the first of equals."""
        return max(self.finished or self.runs, key=lambda run: -1.0 if (it := run.validation_accuracy) is None else it)


@dataclass(frozen=True, slots=True)
class Duel:
    """Two contenders on the same test images.

    Images of one cell are right and wrong together, so that McNemar's test, which takes each image for independent, is
    too sure of a difference. The interval from resampling cells decides; the test is there because readers ask for it.

    Attributes:
        first: Label of the one.
        second: Label of the other.
        first_key: Key of the one.
        second_key: Key of the other.
        images: Different test images that both have answered.
        cells: Different cells among them (images, where cells are unknown).
        difference: Accuracy of the first minus that of the second, -1..1; each image counts once, with the share of
            the repetitions that recognised it.
        low: Lower end of the difference's 95 % interval (paired bootstrap over cells); None with a single cell.
        high: Its upper end.
        p_mcnemar: Probability of so uneven a number of images, or a more uneven one, if both were equally good
            (McNemar 1947; Edwards 1948), 0..1.
        p_holm: The same, corrected for the number of duels of the board (Holm 1979), 0..1.
        only_first: Images that the first recognised and the second did not; with several repetitions, more often.
        only_second: The other way round.
        real: Whether the difference is more than chance: 0 is outside the interval, and ``p_holm`` below 0.05.
        verdict: What it comes to, in one sentence.
    """

    first: str
    second: str
    first_key: str
    second_key: str
    images: int
    cells: int
    difference: float
    low: float | None
    high: float | None
    p_mcnemar: float
    p_holm: float
    only_first: int
    only_second: int
    real: bool
    verdict: str


@dataclass(frozen=True, slots=True)
class Board:
    """Contenders that may be ranked together: the same images, split in the same way.

    Attributes:
        title: Name of the data, split, number of images.
        fingerprint: Of the images, as the records have it; "" where it is not recorded, and then nobody has a rank.
        names: Names of the settings that differ; model, optimizer and lr first. Where nothing differs, those three.
        contenders: Those that finished by mean validation accuracy, best first; the others after them, failed last.
        duels: The best against each of the next four.
        crossed: Of each setting with several folds, in the board's order, what these say together.
        ablation: Its settings as changes of one of them; None where they are no such thing.
    """

    title: str
    fingerprint: str
    names: tuple[str, ...]
    contenders: tuple[Contender, ...]
    duels: tuple[Duel, ...] = ()
    crossed: tuple[CrossValidation, ...] = ()
    ablation: Ablation | None = None

    @property
    def by_cell(self) -> bool:
        """Whether an evaluation by cell has measured any contender."""
        return any(it.assigned.value is not None or it.cells_right.value is not None for it in self.contenders)


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that was found.

    Attributes:
        boards: Each run is on one of them; most contenders first.
        failed: Runs that failed.
        unfinished: Runs that are under way, interrupted, pruned, or whose record does not say.
        problems: What was damaged or could not be compared, one sentence each.
        sources: The directories that were searched.
    """

    boards: tuple[Board, ...]
    failed: tuple[RunResult, ...]
    unfinished: tuple[RunResult, ...]
    problems: tuple[str, ...]
    sources: tuple[str, ...]
