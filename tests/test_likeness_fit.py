"""Fitting the splitter's weights: a small fit tells chromosomes from pieces, and the splitter reads what is written."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from karyo.commands.measure import measure_app
from karyo.data.synthetic import write_spreads
from karyo.errors import DataError, SettingsError
from karyo.evaluation import likeness_evidence, likeness_fit
from karyo.evaluation.likeness_evidence import annotated_evidence, annotated_pairs, drawn_evidence
from karyo.evaluation.likeness_fit import fit_likeness
from karyo.evaluation.likeness_ways import ClusterEvidence, Way, weigh_ways
from karyo.imaging.split.likeness import Likeness, load_likeness, read_likeness, write_likeness
from karyo.imaging.split.objects import fragments_of

KINDS = (("normal", 0.25, 0.3),)


@pytest.fixture(scope="module")
def clusters() -> list[ClusterEvidence]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(likeness_evidence, "DRAWN", KINDS)
        return drawn_evidence(2, 5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data") / "Präparate"
    write_spreads(out, 2, 8)
    return out


@pytest.fixture(scope="module")
def annotated(folder: Path) -> list[ClusterEvidence]:
    return annotated_evidence(annotated_pairs(folder), 0)


def cost(likeness: Likeness, cluster: ClusterEvidence, way: Way) -> float:
    objects = sum(likeness.object_cost(cluster.objects[place]) for place in way.objects)
    return objects + sum(likeness.shared_cost(cluster.shared[index]) for index in way.shared)


def lead(likeness: Likeness, clusters: list[ClusterEvidence]) -> float:
    """By how much the cheapest way to put a cluster together is better than one taken blindly, on average."""
    gains = [
        min(cluster.ways, key=lambda way: cost(likeness, cluster, way)).quality
        - np.mean([way.quality for way in cluster.ways])
        for cluster in clusters
    ]
    return float(np.mean(gains))


def test_a_small_fit_tells_right_from_wrong_on_other_spreads(clusters: list[ClusterEvidence], tmp_path: Path) -> None:
    third = 2 * len(clusters) // 3
    fitted = fit_likeness([clusters[:third]], 40)
    write_likeness(tmp_path / "neue Gewichte.csv", fitted)
    likeness = read_likeness(tmp_path / "neue Gewichte.csv")
    assert lead(likeness, clusters[third:]) > 0.2
    flipped = Likeness(
        likeness.centre, likeness.scale, -likeness.direct, likeness.hidden, -likeness.output, -likeness.shared
    )
    assert lead(flipped, clusters[third:]) < 0
    assert (likeness.centre[0], likeness.scale[0]) == (0, 1), "the constant evidence is taken as it is"
    assert likeness.direct[0] != 0, "it has the bias for its weight"


def test_the_weights_that_come_with_the_program_survive_writing(tmp_path: Path) -> None:
    write_likeness(tmp_path / "likeness.csv", load_likeness())
    shipped = Path(likeness_evidence.__file__).parents[1] / "imaging" / "split" / "likeness.csv"
    assert (tmp_path / "likeness.csv").read_bytes() == shipped.read_bytes()


def test_the_same_seed_gives_the_same_weights(clusters: list[ClusterEvidence]) -> None:
    first, again, other = (fit_likeness([clusters[:20]], 5, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.hidden, again.hidden)
    assert not np.array_equal(first.hidden, other.hidden)


def two_fragments() -> np.ndarray:
    mask = np.zeros((80, 120), np.uint8)
    cv2.line(mask, (20, 20), (20, 60), 1, 12)
    cv2.line(mask, (26, 40), (90, 40), 1, 12)
    return mask > 0


def test_ways_are_right_as_far_as_their_objects_are() -> None:
    fragments = fragments_of(two_fragments(), None, 13.0)
    assert fragments.count == 2

    def overlap(sets: list[frozenset[int]]) -> np.ndarray:
        return np.array([[one == {0}, one == {1}] for one in sets], np.float64)

    cluster = weigh_ways(fragments, 13.0, overlap, 0.68, 150, np.random.default_rng(0))
    assert cluster is not None
    assert cluster.chromosomes == 2
    assert {len(way.objects): way.quality for way in cluster.ways} == pytest.approx({2: 1.0, 1: -0.125})


def best_quality(clusters: list[ClusterEvidence]) -> float:
    return float(np.mean([max(way.quality for way in cluster.ways) for cluster in clusters]))


def test_evidence_of_annotated_spreads(folder: Path, annotated: list[ClusterEvidence]) -> None:
    assert len(annotated_pairs(folder)) == 1, "every second one is left to measure on"
    assert max(cluster.chromosomes for cluster in annotated) > 1
    worst = [min(way.quality for way in cluster.ways) for cluster in annotated]
    assert best_quality(annotated) > 0.5 > np.mean(worst) + 0.2


def test_boxes_drawn_wide_are_as_good(folder: Path, annotated: list[ClusterEvidence], tmp_path: Path) -> None:
    (pair,) = annotated_pairs(folder)
    (tmp_path / pair.image.name).write_bytes(pair.image.read_bytes())
    text = pair.annotation.read_text(encoding="utf-8")
    for edge, shift in (("xmin", -5), ("ymin", -5), ("xmax", 5), ("ymax", 5)):
        text = re.sub(rf"(?<=<{edge}>)\d+", lambda match, shift=shift: str(int(match[0]) + shift), text)
    (tmp_path / pair.annotation.name).write_text(text, encoding="utf-8")
    wide = annotated_evidence(annotated_pairs(tmp_path), 0)
    assert best_quality(wide) > best_quality(annotated) - 0.05


def test_nothing_to_fit_to() -> None:
    with pytest.raises(DataError, match="take more spreads"):
        fit_likeness([[], []])


def test_a_table_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    for text in ("", "a,b\n1,2\n", "evidence\nconstant,x\n"):
        path.write_text(text)
        with pytest.raises(DataError, match=r"other\.csv is no table"):
            read_likeness(path)
    with pytest.raises(DataError, match=r"none\.csv is no table"):
        read_likeness(tmp_path / "none.csv")


def test_command_writes_weights(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness_evidence, "DRAWN", (("easy", 0.0, 0.0),))
    monkeypatch.setattr(likeness_fit, "STEPS", 3)
    out = tmp_path / "new" / "likeness.csv"
    result = CliRunner().invoke(measure_app, ["fit-splitting", str(out), "--count", "1", "--spreads", str(folder)])
    assert result.exit_code == 0, result.output
    assert "annotated clusters" in result.stdout
    assert np.isfinite(read_likeness(out).hidden).all()
    assert [path.name for path in out.parent.iterdir()] == ["likeness.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["out.csv", "--spreads", "nowhere"], "the folder of annotated spreads .*nowhere does not exist"),
        (["out.csv", "--spreads", "."], "no spread found"),
        (["out.txt"], r"must be named \*\.csv"),
        (["out.csv", "--count", "0"], "count must be 1 or more"),
        (["out.csv", "--seed", "-1"], "seed 0 or more"),
        (["file/out.csv"], "cannot write"),
    ],
)
def test_command_says_what_is_wrong(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(likeness_evidence, "DRAWN", (("easy", 0.0, 0.0),))
    monkeypatch.setattr(likeness_fit, "STEPS", 2)
    Path("file").touch()
    extra = ["--count", "1"] if arguments == ["file/out.csv"] else []
    error = CliRunner().invoke(measure_app, ["fit-splitting", *arguments, *extra]).exception
    assert isinstance(error, SettingsError)
    with pytest.raises(SettingsError, match=message):
        raise error
