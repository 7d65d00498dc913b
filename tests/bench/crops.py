"""From whole spreads to cleaned chromosomes: two processes against one, and against a script that goes step by step."""

import subprocess
import sys
import time
from pathlib import Path

from comparison import Comparison, shown
from memory import peak_memory
from plain_script import crop_and_clean

from karyo.data.synthetic import SpreadSettings, write_spreads

_KARYO = "import sys; from karyo.commands import main; sys.argv[0] = 'karyo'; main()"
TARGET_CORES, TARGET_SCRIPT, TARGET_MEMORY = 1.8, 2.0, 1.2


def measure(quick: bool) -> list[Comparison]:
    """Crop and clean the boxes of 150 spreads of 640 x 640 pixels, the size of the published ones."""
    count = 2 if quick else 150
    settings = SpreadSettings(width=640, height=640)
    write_spreads(Path("spreads"), count, settings=settings)
    write_spreads(Path("few"), max(count // 10, 1), settings=settings)
    # What both find in the operating system's cache by then is the same.
    script = _script()
    one, two = _seconds("one", 1), _seconds("two", 2)
    many, few = _peak("spreads"), _peak("few")
    what = f"`karyo crop` and `karyo preprocess --preset report`, {count} spreads of 46 chromosomes"
    return [
        _faster(f"{what}: two processes", two, "one process", one, TARGET_CORES),
        _faster(
            what,
            two,
            "a script, one image at a time, each step from file to file, OpenCV's own threads",
            script,
            TARGET_SCRIPT,
        ),
        Comparison(
            what=f"Peak memory of both, {count} spreads",
            ours=f"{1000 * many:.0f} MB",
            peer=f"{max(count // 10, 1)} spreads: {1000 * few:.0f} MB",
            ratio=shown([few / many]),
            target=f"at most {TARGET_MEMORY} times",
            met=many <= TARGET_MEMORY * few,
        ),
    ]


def _faster(what: str, ours: float, peer: str, seconds: float, target: float) -> Comparison:
    ratio = seconds / ours
    return Comparison(
        what=what,
        ours=f"{ours:.1f} s",
        peer=f"{peer}: {seconds:.1f} s",
        ratio=shown([ratio]),
        target=f"at least {target}",
        met=ratio >= target,
    )


def _commands(spreads: str, out: str, workers: int) -> list[list[str]]:
    """Both commands. Neighbours stay in the crops, as the script leaves them."""
    crop = ["crop", f"{spreads}/images", f"{spreads}/annotations", f"{out}/crops", "--mask", "none"]
    clean = ["preprocess", f"{out}/crops", f"{out}/clean", "--preset", "report"]
    return [["-c", _KARYO, *command, "--workers", str(workers)] for command in (crop, clean)]


def _seconds(out: str, workers: int) -> float:
    start = time.perf_counter()
    for command in _commands("spreads", out, workers):
        subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def _peak(spreads: str) -> float:
    """Give the most memory in GB that either command held, all its processes together."""
    return max(peak_memory(command) for command in _commands(spreads, f"{spreads}-peak", 2))


def _script() -> float:
    start = time.perf_counter()
    crop_and_clean(Path("spreads"), Path("script"))
    return time.perf_counter() - start
