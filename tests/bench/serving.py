"""`karyo serve` beside the web API of the report: one request's time, and how many clients it can bear."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from comparison import Comparison, medians, ratios, shown
from exported import write_images, write_models

_HERE = Path(__file__).parent
_KARYO = (sys.executable, "-c", "from karyo.commands import main; main()")
LATENCY = {"float": 0.45, "int8": 0.22}
THROUGHPUT = {"float": 2.5, "int8": 6.0}
READY, MEMORY = 2.0, 400e6
_MANY = 16


def measure(quick: bool) -> list[Comparison]:
    """Serve the same network three ways, on the same machine, clients included."""
    seconds, rounds = (0.5, 1) if quick else (8.0, 5)
    models = dict(zip(("float", "int8"), write_models(Path.cwd(), 64 if quick else 224), strict=True))
    image = write_images(Path.cwd(), 1)[0]
    found = [_start(models["float"])]
    for clients in (1, _MANY):
        figures = _turns(models, image, clients, seconds, rounds)
        found += [_comparison(name, clients, figures) for name in models]
    return found


def _turns(models: dict[str, Path], image: Path, clients: int, seconds: float, rounds: int) -> dict[str, list[float]]:
    """Give milliseconds of a request (one client) or of the server's time for one (many), by server and round.

    The servers take turns and none runs while another is measured.
    """
    figures: dict[str, list[float]] = {name: [] for name in ("peer", *models)}
    for number in range(rounds + 1):
        for name in figures:
            with _peer() if name == "peer" else _ours(models[name]) as url:
                _clients(url, image, clients, seconds / 4)
                requests, elapsed, p50 = _clients(url, image, clients, seconds)
            if number or rounds == 1:
                figures[name].append(p50 if clients == 1 else 1000 * elapsed / requests)
    return figures


def _comparison(name: str, clients: int, figures: dict[str, list[float]]) -> Comparison:
    pairs = list(zip(figures[name], figures["peer"], strict=True))
    ours, peer = medians(pairs)
    times_better = ratios(pairs)
    middle = peer / ours
    kind = "float" if name == "float" else "eight-bit integers"
    if clients == 1:
        return Comparison(
            what=f"`karyo serve`, one ResNet18 request at 224 px, {kind}, one client (median)",
            ours=f"{ours:.1f} ms",
            peer=f"the report's app (Flask's development server, PyTorch eager, PIL): {peer:.1f} ms",
            ratio=shown(times_better),
            target=f"at most {LATENCY[name]} of it",
            met=ours / peer <= LATENCY[name],
        )
    return Comparison(
        what=f"`karyo serve`, {clients} clients at once, ResNet18 at 224 px, {kind}",
        ours=f"{1000 / ours:.0f} requests/s",
        peer=f"the report's app: {1000 / peer:.1f} requests/s",
        ratio=shown(times_better),
        target=f"at least {THROUGHPUT[name]}",
        met=middle >= THROUGHPUT[name],
    )


def _start(model: Path) -> Comparison:
    """Start it cold once and warm three times; take the warm ones, and the memory after a few requests."""
    seconds, memory = [], 0
    for _ in range(4):
        began = time.perf_counter()
        with _ours(model):
            seconds.append(time.perf_counter() - began)
            memory = _resident()
    middle = sorted(seconds[1:])[1]
    return Comparison(
        what="`karyo serve` of ResNet18 at 224 px: from the command to ready; resident memory then",
        ours=f"{middle:.2f} s; {memory / 1e6:.0f} MB",
        target=f"within {READY:.0f} s; under {MEMORY / 1e6:.0f} MB",
        met=middle <= READY and memory < MEMORY,
    )


def _resident() -> int:
    """Give the bytes of this process's only serving child."""
    (server,) = (child for child in psutil.Process().children() if "serve" in child.cmdline())
    return int(server.memory_info().rss)


def _clients(url: str, image: Path, clients: int, seconds: float) -> tuple[float, float, float]:
    done = subprocess.run(
        [sys.executable, str(_HERE / "clients.py"), url, str(image), str(clients), str(seconds)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    requests, elapsed, p50 = map(float, done.stdout.split())
    return requests, elapsed, p50


@contextmanager
def _ours(model: Path) -> Iterator[str]:
    command = [*_KARYO, "serve", str(model), "--port", "0"]
    with _process(command, r"http://\S+") as found:
        yield f"{found}/api/v1/predict"


@contextmanager
def _peer() -> Iterator[str]:
    with _process([sys.executable, str(_HERE / "report_app.py")], r"http://\S+") as found:
        yield f"{found}/getChromosome/"


@contextmanager
def _process(command: list[str], says: str) -> Iterator[str]:
    """Run a server until the block ends; give what it says once it is ready."""
    with Path("server.txt").open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.search(says, line):
                    yield found[0].rstrip("/.")
                    break
            else:
                raise RuntimeError(Path("server.txt").read_text(encoding="utf-8"))
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()
