"""From whole spreads to cleaned chromosomes: two processes against one, and against a script that goes step by step."""

import os
import subprocess
import sys
import time
from pathlib import Path

from comparison import Comparison, shown
from plain_script import crop_and_clean

from karyo.data.synthetic import SpreadSettings, write_spreads

TARGET_CORES, TARGET_SCRIPT, TARGET_MEMORY = 1.8, 2.0, 1.2


def measure(quick: bool) -> list[Comparison]:
    """Crop and clean the boxes of 150 spreads of 640 x 640 pixels, the size of the published ones."""
    count = 2 if quick else 150
    settings = SpreadSettings(width=640, height=640)
    write_spreads(Path("spreads"), count, settings=settings)
    write_spreads(Path("few"), max(count // 10, 1), settings=settings)
    one, two = _ours("one", "spreads", 1), _ours("two", "spreads", 2)
    script = _script()
    few = _ours("little", "few", 2)
    what = f"`karyo crop` and `karyo preprocess --preset report`, {count} spreads of 46 chromosomes"
    return [
        _faster(f"{what}: two processes", two, "one process", one[0], TARGET_CORES),
        _faster(
            what,
            two,
            "a script, one image at a time, each step from file to file, OpenCV's own threads",
            script,
            TARGET_SCRIPT,
        ),
        Comparison(
            what=f"Peak memory of a process of it, {count} spreads",
            ours=f"{two[1] / 1e6:.0f} MB",
            peer=f"a tenth of the spreads: {few[1] / 1e6:.0f} MB",
            ratio=shown([few[1] / two[1]]),
            target=f"at most {TARGET_MEMORY} times",
            met=two[1] <= TARGET_MEMORY * few[1],
        ),
    ]


def _faster(what: str, ours: tuple[float, int], peer: str, seconds: float, target: float) -> Comparison:
    ratio = seconds / ours[0]
    return Comparison(
        what=what,
        ours=f"{ours[0]:.1f} s",
        peer=f"{peer}: {seconds:.1f} s",
        ratio=shown([ratio]),
        target=f"at least {target}",
        met=ratio >= target,
    )


def _ours(name: str, spreads: str, workers: int) -> tuple[float, int]:
    """Wall seconds of both commands, and the largest resident bytes of any process."""
    crop = ["crop", f"{spreads}/images", f"{spreads}/annotations", f"{name}/crops", "--mask", "none"]
    clean = ["preprocess", f"{name}/crops", f"{name}/clean", "--preset", "report"]
    start = time.perf_counter()
    peak = max(_run([*command, "--workers", str(workers)]) for command in (crop, clean))
    return time.perf_counter() - start, peak


def _run(arguments: list[str]) -> int:
    code = "import sys; from karyo.commands import main; sys.argv[0] = 'karyo'; main()"
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"karyo {' '.join(arguments)} ended with {process.returncode}")
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _script() -> float:
    start = time.perf_counter()
    crop_and_clean(Path("spreads"), Path("script"))
    return time.perf_counter() - start
