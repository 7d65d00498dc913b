"""A running `karyo serve` for tests: a process of its own on a free port of the loopback, stopped by its id."""

import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

PROGRAM = (sys.executable, "-c", "from karyo.commands import main; main()", "serve")
_PATIENCE = 60.0


@dataclass
class Serving:
    """A server's process."""

    process: "subprocess.Popen[str]"
    url: str
    port: int
    log: list[str] = field(default_factory=list)
    """What it wrote to standard error so far, by lines."""

    def stop(self) -> int:
        """Tell it to stop, wait for it, and give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_PATIENCE)


def command(model: Path, **settings: object) -> list[str]:
    """The command line that serves a model; settings by the names of the options, `port=0` unless another is given."""
    flags = [
        part for name, value in ({"port": 0} | settings).items() for part in (f"--{name.replace('_', '-')}", str(value))
    ]
    return [*PROGRAM, str(model), *flags]


@contextmanager
def running(model: Path, environment: dict[str, str] | None = None, **settings: object) -> Iterator[Serving]:
    """Start the server, wait until it says that it is ready, and stop it at the end."""
    process = subprocess.Popen(
        command(model, **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
    )
    log: list[str] = []
    reader = threading.Thread(target=_keep, args=(process.stderr, log), daemon=True)
    reader.start()
    try:
        url = _announced(process, log)
        yield Serving(process, url, int(url.rpartition(":")[2]), log)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        reader.join()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


@contextmanager
def serving(model: Path, **settings: object) -> Iterator[str]:
    """Serve a model and give the server's address, `http://127.0.0.1:PORT`."""
    with running(model, **settings) as server:
        yield server.url


def _keep(stream: IO[str] | None, log: list[str]) -> None:
    log.extend(stream or ())


def _announced(process: "subprocess.Popen[str]", log: list[str]) -> str:
    """Wait for the line that names the address."""
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    stdout = process.stdout
    threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
    line = lines.get(timeout=_PATIENCE)
    found = re.search(r"http://\S+", line)
    if found is None:
        raise RuntimeError(f"the server did not start: {line}{''.join(log)}")
    return found[0]
