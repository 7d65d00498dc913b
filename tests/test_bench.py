"""The benchmark runs; what it measures is no test's business."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parent / "bench" / "run.py"


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    # One thread: tiny networks on a busy machine spend their time waiting for each other's threads.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    environment.pop("KARYO_REAL_DATA", None)
    return subprocess.run(
        [sys.executable, RUN, *arguments], capture_output=True, text=True, env=environment, check=False
    )


@pytest.mark.slow
def test_a_quick_run_measures_everything_and_writes_its_table(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    ended = bench("--quick", "--out", str(page))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (names,) = re.findall(r"some of (.+?) --out", " ".join(bench("--help").stdout.split()))
    assert len(names.split(", ")) >= 11
    assert all(f"{name} ..." in ended.stdout for name in names.split(", "))
    text = page.read_text(encoding="utf-8")
    assert "figures mean nothing" in text
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    assert rows[0] == ["what", "ours", "peer", "ratio", "target", "met"]
    measured = [row for row in rows[2:] if not row[1].startswith("not measured")]
    assert len(measured) >= 11
    assert all(re.match(r"[\d,]*\d(\.\d+)? ", row[1]) for row in measured)
    assert all(re.match(r"\d+\.\d\d( |$)", row[3]) for row in measured if row[2] != "–")
    assert str(Path(__file__).parents[1]) not in text
    assert str(Path.home()) not in text


def test_one_measure_alone_writes_no_page() -> None:
    page = RUN.parents[2] / "docs" / "benchmarks.md"
    before = page.read_bytes() if page.is_file() else None
    ended = bench("--quick", "--only", "drawing")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "chromosomes/s" in ended.stdout
    assert (page.read_bytes() if page.is_file() else None) == before


def test_an_unknown_measure_is_refused() -> None:
    ended = bench("--only", "colour")
    assert ended.returncode == 2
    assert "invalid choice: 'colour'" in ended.stderr
