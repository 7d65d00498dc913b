"""How long `train` takes to answer, beside Python itself and beside importing torch."""

import os
import subprocess
import sys
import time
from pathlib import Path

from comparison import Comparison, medians, ratios, shown

TARGET = 1.0
_TRAIN = str(Path(__file__).parents[2] / "src" / "train.py")
_OURS = (("--help",), ("--cfg", "job"))
_PEERS = ("pass", "import torch")


def measure(quick: bool) -> list[Comparison]:
    """Compare wall seconds of whole processes, with byte code and files in caches."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    # Byte code of its own, made in the first round: what an installation has or lacks makes no difference.
    environment["PYTHONPYCACHEPREFIX"] = str(Path("bytecode").absolute())
    commands = [[_TRAIN, *arguments] for arguments in _OURS] + [["-c", code] for code in _PEERS]
    rounds = [[_seconds(command, environment) for command in commands] for _ in range(2 if quick else 6)][1:]
    return [_compared(rounds, ours, peer) for ours in range(len(_OURS)) for peer in range(len(_PEERS))]


def _compared(rounds: list[list[float]], ours: int, peer: int) -> Comparison:
    pairs = [(row[ours], row[len(_OURS) + peer]) for row in rounds]
    seconds, peer_seconds = medians(pairs)
    return Comparison(
        what=f"`python src/train.py {' '.join(_OURS[ours])}`",
        ours=f"{seconds:.2f} s",
        peer=f'`python -c "{_PEERS[peer]}"`: {peer_seconds:.2f} s',
        ratio=shown(ratios(pairs)),
        target=f"at most {TARGET:.0f} s",
        met=seconds <= TARGET,
    )


def _seconds(command: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - start
