"""The benchmark: `make bench`, or `python tests/bench/run.py --quick` to see whether it works."""

import argparse
import importlib
import multiprocessing
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from comparison import Comparison
from machine import describe
from report import page, screen_table
from rich.console import Console

MEASURES = (
    "startup",
    "drawing",
    "loader",
    "memory",
    "folder_peer",
    "epoch",
    "gpu",
    "crops",
    "straightening",
    "sweeps",
    "comparing",
    "predicting",
    "serving",
)
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
_BUSY = 0.5


def main() -> int:
    """Measure, print the table and write the page; 1 if something could not be measured."""
    arguments = _arguments()
    console = Console(width=None if sys.stdout.isatty() else 160)
    machine = describe()
    if os.getloadavg()[0] > _BUSY and not arguments.quick:
        console.print(
            f"[yellow]The machine is busy ({os.getloadavg()[0]:.1f} processes): figures will suffer.[/yellow]"
        )
    comparisons, failed = [], 0
    for name in arguments.only or MEASURES:
        console.print(f"{name} ...", end=" ")
        start = time.monotonic()
        try:
            comparisons += isolated(name, arguments.quick)
        except Exception as error:
            failed += 1
            console.print(f"[red]failed[/red]: {error}", markup=True, soft_wrap=True)
        else:
            console.print(f"{time.monotonic() - start:.0f} s")
    console.print(screen_table(comparisons))
    if arguments.out and not failed:
        arguments.out.write_text(page(comparisons, machine, arguments.quick), encoding="utf-8")
        console.print(f"written to {arguments.out}")
    return 1 if failed else 0


def isolated(name: str, quick: bool) -> list[Comparison]:
    """Run one measure in a fresh process and an empty working directory."""
    with (
        tempfile.TemporaryDirectory(prefix="karyo-bench-") as folder,
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool,
    ):
        try:
            return pool.submit(measured, name, quick, folder).result()
        except Exception as error:
            output = Path(folder, "output.txt").read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"{error}\n{output[-2000:]}") from error


def measured(name: str, quick: bool, folder: str) -> list[Comparison]:
    """Measure in this process; what the measured programs print goes into a file."""
    os.chdir(folder)
    with Path("output.txt").open("w", encoding="utf-8") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    found: list[Comparison] = importlib.import_module(name).measure(quick)
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Speed and memory against named peers.")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does the benchmark work?")
    parser.add_argument("--only", nargs="+", choices=MEASURES, metavar="NAME", help=f"some of {', '.join(MEASURES)}")
    parser.add_argument("--out", type=Path, help="the page to write; docs/benchmarks.md for a complete, real run")
    arguments = parser.parse_args()
    if arguments.out is None and not arguments.quick and not arguments.only:
        arguments.out = PAGE
    return arguments


if __name__ == "__main__":
    sys.exit(main())
