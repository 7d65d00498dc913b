"""The model card: what an exported file was made from, what it reaches and where its limits are, for people.

Its headings follow Mitchell et al., "Model cards for model reporting", FAT* 2019, as far as they fit.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from karyo.evaluation.measure import Estimate
from karyo.exporting.facts import RANDOM_WEIGHTS
from karyo.exporting.measured import Measured
from karyo.exporting.verification import LIMIT, Verification
from karyo.files import write_text
from karyo.inference import REASONS, Passport
from karyo.reports.fields import magnitude, percent, percent_with_interval

_WEAKEST = 5
_FEW_CELLS, _FEW_IMAGES = 10, 10
_UNKNOWN = "not known"
_TITLE = "chromosome classifier"

_USE = """\
```python
import karyo  # pip install 'karyo[inference]': onnxruntime and OpenCV, no torch

model = karyo.load("{name}")
answer = model.predict("chromosome.tiff")  # a path, a file's bytes or an array; or a list of them
print(answer.label, answer.probability, answer.top(3))
if answer.rejected:
    print("ask a person:", answer.reason)
```"""

_USE_TORCH = """\
```python
import torch  # a .pt2 file is a program: load none whose origin you do not know

network = torch.export.load("{name}").module()
logits, features, *others = network(images)  # uint8 (N, 1, {size}, {size}), prepared as the passport says
passport = {{"karyo": ""}}  # filled by torch.export.load("{name}", extra_files=passport): JSON, the key "preparation"
```"""

_USE_CELLS = (
    "It can also see each chromosome beside the others of its cell, which changes how often it is right (below): "
    "give it all chromosomes of one cell at once, `model.predict_cell(images)`. `karyo karyotype` does so by itself."
)

_USE_TORCH_CELLS = (
    "`cell` are the images of one cell, prepared alike, and the last output is what each is when seen beside the "
    "others; where that is not asked, give one blank image."
)


def is_card(path: Path) -> bool:
    """Whether a file is a model card, by its first line: only such a one may be replaced."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        return _TITLE in lines.readline()


def write_card(
    path: Path, model: Path, passport: Passport, verification: Verification, measured: Mapping[str, Measured]
) -> None:
    """Write the model card in Markdown.

    Args:
        path: The file to write.
        model: The exported file that it stands beside.
        passport: What travels inside the model.
        verification: How the model compares with its checkpoint.
        measured: What it does on ``validation`` and, where there is one, ``test``.

    Raises:
        OSError: If it cannot be written.
    """
    sections = {
        "How to use it": _use(model, passport),
        "What it was trained on": _origin(passport),
        "What it reaches": _reached(measured),
        "When it is sure": _certainty(passport, measured),
        "Where it is weak": _weak(measured),
        "Known limits": _limits(passport, measured),
        "What may be done with it": [passport.licence or _no_licence(passport)],
        "Where it comes from": _provenance(passport, verification),
    }
    head = f"# {model.stem}: {_TITLE} ({passport.model}, {passport.precision})\n\n"
    intro = "From an image of one human chromosome to one of 24 classes: 1 to 22, X and Y.\n\n"
    text = "\n\n".join(f"## {title}\n\n" + "\n".join(lines) for title, lines in sections.items())
    write_text(path, head + intro + text + "\n")


def _use(model: Path, passport: Passport) -> list[str]:
    if model.suffix == ".pt2":
        use = _USE_TORCH.format(name=model.name, size=passport.preparation.size)
        return (
            [use]
            if passport.cell_temperature is None
            else [use.replace("(images)", "(images, cell)"), "", _USE_TORCH_CELLS]
        )
    commands = f"From a shell: `karyo predict {model.name} images/`; as a page and an API: `karyo serve {model.name}`."
    cells = [] if passport.cell_temperature is None else ["", _USE_CELLS]
    return [_USE.format(name=model.name), "", commands, *cells]


def _origin(passport: Passport) -> list[str]:
    facts = passport.training
    sides = [
        [side["side"], *(f"{side[key]:,}" if key in side else _UNKNOWN for key in ("images", "cells", "cases"))]
        for side in facts.get("sides", ())
    ]
    divided = {"image": "image: chromosomes of one cell stand on both sides, which makes results look better"}
    by = facts.get("split_by", _UNKNOWN)
    preparation = passport.preparation
    steps = ", ".join(name for name, _ in preparation.steps.to_settings()) or "none"
    lines = {
        "data": facts.get("dataset", _UNKNOWN),
        "divided by": divided.get(by, by),
        "network": f"{passport.model}, {magnitude(facts.get('parameters'))} weights, from {facts.get('started_from')}",
        "training": _training(facts),
        "input": f"{preparation.size} x {preparation.size} pixels, canvas {preparation.canvas}, steps {steps}",
    }
    return [*_bullets(lines), "", *_table(("side", "images", "cells", "cases"), sides)]


def _training(facts: Mapping[str, Any]) -> str:
    spoken = {"optimizer": "{}", "lr": "lr {:g}", "epochs": "{:g} epochs", "augmentation": "augmentation {}"}
    known = [text.format(facts[name]) for name, text in spoken.items() if name in facts]
    known += [f"taught by {facts['teachers']} other networks as well"] if facts.get("teachers") else []
    if facts.get("members"):
        return ", ".join([*known, "the mean probability of networks that were trained one by one"])
    return ", ".join([*known, f"weights of epoch {facts.get('epoch', _UNKNOWN)}"])


def _reached(measured: Mapping[str, Measured]) -> list[str]:
    shares = ("accuracy", "balanced_accuracy", "macro_f1", "top2_accuracy")
    rows = [[name.replace("_", " "), *(_share(it, name) for it in measured.values())] for name in shares]
    if all(it.in_cell for it in measured.values()):
        found = [percent_with_interval(it.in_cell.accuracy) for it in measured.values() if it.in_cell]
        rows.insert(1, ["accuracy, seen in its cell", *found])
    rows.append(["macro AUROC", *(_number(it.measures.macro_auroc) for it in measured.values())])
    rows.append(["log loss, nats", *(_number(it.measures.log_loss) for it in measured.values())])
    rows.append(["images", *(f"{it.measures.n_images:,}" for it in measured.values())])
    rows.append(
        ["cells", *(f"{it.measures.n_cells:,}" if it.measures.n_cells else _UNKNOWN for it in measured.values())]
    )
    note = (
        f"Measured on this file, with 95 % intervals from a bootstrap over {_resampled(measured)}. "
        "The validation side has chosen the "
        "temperature and the threshold, often the epoch and the run among others: its figures are a little too good. "
        + ("The test side had no part in any of it." if "test" in measured else "There was no test side.")
    )
    return [note, "", *_table(("", *measured), rows)]


def _resampled(measured: Mapping[str, Measured]) -> str:
    return "cells" if all(it.measures.n_cells for it in measured.values()) else "images, because cells are not known"


def _certainty(passport: Passport, measured: Mapping[str, Measured]) -> list[str]:
    rows = [
        ["calibration error before", *(percent(it.uncalibrated) for it in measured.values())],
        ["calibration error after", *(percent(it.measures.calibration_error.value) for it in measured.values())],
        ["accepted (coverage)", *(percent(it.selected.coverage) for it in measured.values())],
        ["wrong among the accepted", *(percent(it.selected.error) for it in measured.values())],
        ["... at most (95 %)", *(percent(it.selected.error_at_most) for it in measured.values())],
    ]
    in_cell = [it.selected_in_cell for it in measured.values() if it.selected_in_cell]
    if len(in_cell) == len(measured):
        rows += [
            ["accepted, seen in its cell", *(percent(each.coverage) for each in in_cell)],
            ["wrong among these", *(percent(each.error) for each in in_cell)],
        ]
    wanted = percent(passport.selection.get("wanted_error"))
    fitted = (
        f"Logits are divided by the temperature {passport.temperature:.3f}, fitted on the validation side (Guo et al., "
        "ICML 2017)."
    )
    note = f"{fitted} {_threshold(passport.threshold, wanted)}"
    if passport.cell_temperature is not None and passport.cell_threshold is not None:
        note += (
            f" Where it sees a whole cell the temperature is {passport.cell_temperature:.3f}. "
            f"{_threshold(passport.cell_threshold, wanted)}"
        )
    return [note, "", *_table(("", *measured), rows)]


def _threshold(threshold: float, wanted: str) -> str:
    """Say from where on answers are accepted, and why; a threshold of 1 says that none may be."""
    if threshold == 1:
        return f"No threshold keeps the wrong ones among the accepted at {wanted}, so every answer is rejected."
    return (
        f"An answer below the probability {threshold:.3f} is rejected: the lowest threshold at which at most {wanted} "
        "of the accepted validation images were wrong. This was observed there, and is no guarantee; the test column "
        "shows what became of it on unseen images."
    )


def _weak(measured: Mapping[str, Measured]) -> list[str]:
    side = "test" if "test" in measured else "validation"
    scores = [score for score in measured[side].measures.per_class if score.recall is not None]
    weakest = sorted(scores, key=lambda score: (score.recall or 0.0, score.name))[:_WEAKEST]
    rows = [[each.name, percent(each.recall), percent(each.precision), str(each.support)] for each in weakest]
    few = [score.name for score in measured[side].measures.per_class if score.support < _FEW_IMAGES]
    note = f"The {len(weakest)} classes that are recognised least often, on the {side} side:"
    rare = [f"Fewer than {_FEW_IMAGES} images speak for each of: {', '.join(few)}."] if few else []
    return [note, "", *_table(("class", "recall", "precision", "images"), rows), *([""] if rare else []), *rare]


def _limits(passport: Passport, measured: Mapping[str, Measured]) -> list[str]:
    facts = passport.training
    limits = [
        "It knows single chromosomes only; it neither divides clusters nor counts.",
        "It always means one of the 24 classes: rearranged, marker and ring chromosomes are no class of their own.",
        f"It was trained on {facts.get('dataset', _UNKNOWN)}. Images of another staining, microscope, resolution or "
        "laboratory may be recognised far less often than the tables say; measure it on your own before relying on it.",
        "It is for research. It is no medical device, and no finding may rest on it alone.",
        f"{_doubted(measured)}, each of a single chromosome, are rejected for their pixels ({', '.join(_looks())}).",
    ]
    cells = min((it.measures.n_cells for it in measured.values() if it.measures.n_cells), default=0)
    if 0 < cells < _FEW_CELLS:
        limits.append(f"Intervals rest on as few as {cells} cells and are too narrow.")
    if facts.get("split_by") == "image":
        limits.append("Sides were divided by image, so the same cell was seen in training and in testing.")
    if passport.precision == "int8":
        limits.append(
            "Speed and rounding of eight-bit integers depend on the processor: without VNNI instructions (x86 before "
            "about 2019) sums may saturate, and the accuracy be lower than the tables say."
        )
    return [f"- {limit}" for limit in limits]


def _doubted(measured: Mapping[str, Measured]) -> str:
    shares = (f"{percent(it.doubted)} of {it.selected.images:,} {side} images" for side, it in measured.items())
    return " and ".join(shares)


def _looks() -> list[str]:
    return [name.replace("_", " ") for name in REASONS if name not in ("low_confidence", "not_a_chromosome")]


def _no_licence(passport: Passport) -> str:
    start = passport.training.get("started_from", _UNKNOWN)
    other = "" if start == RANDOM_WEIGHTS else f" and from {start}"
    return (
        "No licence was given when it was exported. The weights are derived from the data set "
        f"{passport.training.get('dataset', _UNKNOWN)}{other}, whose terms may limit what they may be used for; ask "
        "whoever trained it."
    )


def _provenance(passport: Passport, verification: Verification) -> list[str]:
    facts = passport.training
    same = f"{percent(verification.agreeing)} of them with the same class"
    way = f"largest difference of two probabilities {verification.largest:.1e}, {same}"
    allowed = "quantised, so it is reported and not limited" if passport.precision == "int8" else f"allowed {LIMIT:.0e}"
    sizes = ", ".join(map(str, verification.batches))
    return _bullets(
        {
            "run": f"{facts.get('run', _UNKNOWN)}, begun {facts.get('started', _UNKNOWN)}",
            "code": f"karyo {passport.karyo}; trained at revision {facts.get('git_revision', _UNKNOWN)}",
            **_recorded(facts),
            "checkpoint": f"SHA-256 `{passport.checkpoint}`{' of the list of theirs' if facts.get('members') else ''}",
            "training data": f"SHA-256 `{passport.data_fingerprint}`" if passport.data_fingerprint else _UNKNOWN,
            "exported": passport.created,
            "verified": f"against the checkpoint, from image file to probability, on {verification.images} validation "
            f"images in batches of {sizes}: {way} ({allowed})",
        }
    )


def _recorded(facts: Mapping[str, Any]) -> dict[str, str]:
    """Say what the run's own record states, or that of each of several runs."""

    def states(recorded: Mapping[str, Any]) -> str:
        accuracies = (percent(recorded.get(f"{side}_accuracy")) for side in ("validation", "test"))
        return "validation {}, test {}".format(*accuracies)

    if not facts.get("members"):
        return {"the run's record states": states(facts.get("recorded", {}))}
    return {
        f"the record of {each['run']} states": f"{states(each)}; {each['model']}, epoch {each['epoch']}, checkpoint "
        f"SHA-256 `{each['checkpoint']}`"
        for each in facts["members"]
    }


def _share(measured: Measured, name: str) -> str:
    return percent_with_interval(getattr(measured.measures, name))


def _number(estimate: Estimate) -> str:
    if estimate.value is None:
        return "–"
    interval = "" if estimate.low is None else f" ({estimate.low:.3f}–{estimate.high:.3f})"
    return f"{estimate.value:.3f}{interval}"


def _bullets(lines: Mapping[str, str]) -> list[str]:
    return [f"- {name}: {text}" for name, text in lines.items()]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
