"""An installation without torch: what a laboratory's own program needs to classify chromosomes."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from exported import tiny_model

from karyo.data.synthetic import SyntheticSource
from karyo.imaging.write import write_png

REPOSITORY = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder)],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        timeout=300,
    )
    return next(folder.glob("*.whl"))


def installed(folder: Path, wheel: Path, extra: str) -> Path:
    """Install the wheel with an extra, and what it asks for from the package index, into an environment of its own."""
    venv.create(folder, with_pip=True)
    # The versions that are tested together, so that tomorrow's release of another package changes nothing here.
    versions = ["--constraint", str(REPOSITORY / "requirements.txt")]
    subprocess.run(
        [folder / "bin" / "python", "-m", "pip", "install", "--quiet", *versions, f"karyo[{extra}] @ {wheel.as_uri()}"],
        check=True,
        timeout=600,
    )
    return folder / "bin"


def clean() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


def test_karyo_inference_predicts_without_torch(tmp_path: Path, wheel: Path) -> None:
    binaries = installed(tmp_path / "environment", wheel, "inference")
    model = tiny_model(tmp_path)
    source = SyntheticSource(cells=1)
    write_png(tmp_path / "a.png", source.read(source.records[0]))
    code = (
        "import importlib.util, karyo\n"
        "print([name for name in ('torch', 'hydra', 'matplotlib', 'flask') if importlib.util.find_spec(name)])\n"
        "print(karyo.load('chromosome.onnx').predict('a.png').label)\n"
        "print(karyo.__file__)\n"
    )
    done = subprocess.run(
        [binaries / "python", "-c", code], cwd=tmp_path, env=clean(), capture_output=True, text=True, check=True
    )
    absent, label, place = done.stdout.splitlines()
    assert absent == "[]"
    assert str(tmp_path) in place
    listed = subprocess.run(
        [binaries / "karyo", "predict", model, "a.png", "--csv", "-"],
        cwd=tmp_path,
        env=clean(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout.splitlines()[1].startswith(f"a.png,{label},")
    assert subprocess.run([binaries / "karyo", "--help"], env=clean(), capture_output=True, check=True).stdout
    refused = subprocess.run(
        [binaries / "karyo", "train"], cwd=tmp_path, env=clean(), capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "pip install 'karyo[train]'" in refused.stderr
