"""`karyo compare` over hundreds of runs: time and memory."""

import sys
import time
from pathlib import Path

from comparison import Comparison
from memory import peak_memory

sys.path.insert(0, str(Path(__file__).parents[1]))

from made_runs import make_grid

SECONDS, GIGABYTES = 20.0, 1.0
_COMPARE = "import sys; from karyo.commands import main; sys.argv = ['karyo', 'compare', 'runs']; main()"


def measure(quick: bool) -> list[Comparison]:
    """Compare the records of many runs, in a process of their own."""
    count = len(make_grid(Path("runs"), seeds=1 if quick else 19, cells=30))
    began = time.monotonic()
    memory = peak_memory(["-c", _COMPARE])
    spent = time.monotonic() - began
    return [
        Comparison(
            what=f"karyo compare over {count} run records, the page and its figures included",
            ours=f"{spent:.1f} s, {memory:.2f} GB",
            target=f"below {SECONDS:.0f} s and {GIGABYTES:.0f} GB",
            met=spent < SECONDS and memory < GIGABYTES,
        )
    ]
