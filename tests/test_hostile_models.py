"""Model files from anywhere: damaged, another program's, or made to hurt. Refused in one sentence, nothing run."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hostile import NAMES
from hostile_models import network as make_network
from hostile_models import refused, refused_texts, settings, whole, with_passport

import karyo
from karyo.errors import DataError, KaryoError, SettingsError

LOAD_ALL = """
import sys, time, pathlib, karyo
sys.path.insert(0, sys.argv[2])
from hostile import peak_mb
from karyo.errors import DataError
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    before, started = peak_mb(), time.monotonic()
    try:
        karyo.load(path, threads=1)
        print("opened", path.name)
    except DataError:
        grown = peak_mb() - before
        print("refused", path.name, round(grown), round(time.monotonic() - started, 1))
"""


def assert_refused(path: Path, words: str = "") -> None:
    with pytest.raises(DataError) as caught:
        karyo.load(path, threads=1)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert words in message
    assert message.isprintable()
    assert len(message) < 600


def test_the_whole_one_opens(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(whole())
    predictor = karyo.load(path, threads=1)
    prediction = predictor.predict(np.zeros((40, 30), np.uint8))
    assert prediction.rejected
    assert prediction.probabilities.sum() == pytest.approx(1)


@pytest.mark.parametrize("name", refused())
def test_a_bad_file_is_refused(tmp_path: Path, name: str) -> None:
    content, words = refused()[name]
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert_refused(path, words)


@pytest.mark.parametrize("name", refused_texts())
def test_bad_metadata_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.onnx"
    path.write_bytes(with_passport(make_network(), refused_texts()[name]))
    assert_refused(path)
    assert [each.name for each in tmp_path.iterdir()] == ["model.onnx"]


def test_unknown_notes_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(with_passport(make_network(), json.dumps(settings(later="thing", __class__="os.system"))))
    assert karyo.load(path, threads=1).passport.model == "tiny"


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    content, path = whole(), tmp_path / "model.onnx"
    for length in [*range(0, len(content), 97), len(content) - 1]:
        path.write_bytes(content[:length])
        assert_refused(path)


def test_a_file_changed_anywhere_opens_or_is_refused(tmp_path: Path) -> None:
    random, content, path = np.random.default_rng(0), np.frombuffer(whole(), np.uint8), tmp_path / "model.onnx"
    outcomes = set()
    for _ in range(300):
        changed = content.copy()
        changed[random.integers(0, len(changed), 3)] = random.integers(0, 256, 3)
        path.write_bytes(changed.tobytes())
        try:
            karyo.load(path, threads=1)
            outcomes.add("opened")
        except DataError as error:
            outcomes.add("refused" if str(error).isprintable() else "unprintable")
    assert outcomes == {"opened", "refused"}


def test_refusing_takes_neither_memory_nor_time(tmp_path: Path) -> None:
    for number, (content, _) in enumerate(refused().values()):
        (tmp_path / f"file-{number}.onnx").write_bytes(content)
    for number, text in enumerate(refused_texts().values()):
        (tmp_path / f"text-{number}.onnx").write_bytes(with_passport(make_network(), text))
    (tmp_path / "a-first.onnx").write_bytes(whole())
    # A constant of a terabyte must fail at once, also where the system would lend that much.
    done = subprocess.run(
        [sys.executable, "-c", LOAD_ALL, str(tmp_path), str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30)),
    )
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["opened", "a-first.onnx"]
    assert len(lines) == len(refused()) + len(refused_texts()) + 1
    assert {line[0] for line in lines[1:]} == {"refused"}
    # The longest file is read whole, 100 MB; nothing else may take more than its own size.
    assert [line for line in lines[1:] if float(line[2]) > 130 or float(line[3]) > 5] == []
    assert done.stderr == ""


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_file_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(KaryoError) as caught:
        karyo.load(f"/nowhere/at all/{name}", threads=1)
    assert str(caught.value).isprintable()


def test_a_device_or_a_pipe_is_not_read(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.onnx")
    for path in (tmp_path / "pipe.onnx", Path("/dev/zero")):
        with pytest.raises(SettingsError, match="is no file"):
            karyo.load(path, threads=1)
