"""Real clusters on this machine's loopback, gone afterwards: a Slurm of one node, a Ray of two; and a sweep on one."""

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY

DAEMONS = ("munged", "slurmctld", "slurmd")
_PATIENCE_S = 60.0

# Nothing here needs systemd, cgroups, a database or another user's rights. cred_expire is how long a job that was put
# back into the queue waits there: two minutes by default.
_SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,batch_sched_delay=0
MpiDefault=none
ReturnToService=2
InactiveLimit=0
KillWait=5
MinJobAge=300
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


TRAIN = Path(__file__).parents[1] / "src/train.py"
EPOCHS = 40
_SWEEP_PATIENCE_S = 180


@dataclass
class Sweep:
    """A sweep over learning rates in a process of its own, with runs long enough for something to happen meanwhile.

    Attributes:
        process: What the user started.
        directory: Of the sweep.
    """

    process: "subprocess.Popen[str]"
    directory: Path

    @classmethod
    def start(cls, folder: Path, *arguments: str) -> "Sweep":
        settings = [*TINY, f"epochs={EPOCHS}", "callbacks=no_early_stopping", "sweep=s", *arguments]
        process = subprocess.Popen(
            [sys.executable, str(TRAIN), "-m", *settings],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return cls(process, folder / "multirun/s")

    def records(self) -> dict[str, dict[str, Any]]:
        """Give the records of the runs by their learning rates."""
        found = [json.loads(path.read_text()) for path in self.directory.glob("*/summary.json")]
        return {str(record["lr"]): record for record in found}

    def wait_for(self, *rates: str, count: int = 3) -> list[dict[str, Any]]:
        """Wait until the runs of these learning rates have finished some epochs; give their records."""
        self.wait_until(lambda: all(len(epochs(self.records().get(lr, {}))) >= count for lr in rates))
        return [self.records()[lr] for lr in rates]

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        end = time.monotonic() + _SWEEP_PATIENCE_S
        while not is_so():
            if self.process.poll() is not None or time.monotonic() > end:
                self.process.kill()
                pytest.fail(f"the sweep did not come so far:\n{self.process.communicate()[0]}")
            time.sleep(0.05)

    def end(self) -> str:
        """Wait for its end; give what it said."""
        return self.process.communicate(timeout=_SWEEP_PATIENCE_S)[0]


def epochs(record: dict[str, Any]) -> list[str]:
    """Give the rows of a run's epoch log; how long each epoch took makes them unlike those of any other run."""
    path = Path(record.get("directory", ""), "epochs.csv")
    return path.read_text().splitlines()[1:] if path.is_file() else []


@contextmanager
def slurm_cluster() -> Iterator[Path]:
    """Run Slurm for as long as the context lasts; ``SLURM_CONF`` leads its commands to it.

    Yields:
        The folder with its settings and logs.
    """
    missing = [name for name in (*DAEMONS, "sbatch") if _program(name) is None]
    if missing:
        pytest.skip(f"no Slurm here ({', '.join(missing)}): apt-get install slurmctld slurmd slurm-client munge")
    # Not pytest's folder: the name of a socket is short, and munged trusts no folder that others may write to.
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    before = os.environ.get("SLURM_CONF")
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.callback(_restore, "SLURM_CONF", before)
        os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
        _settings(folder)
        socket_file, owner = folder / "munge.socket", _munge_user()
        places = {"key": "key", "socket": "socket", "pid": "pid", "log": "log", "seed": "seed"}
        files = [f"--{name}-file={folder}/munge.{end}" for name, end in places.items() if name != "socket"]
        munged = ["munged", "--foreground", "--num-threads=2", f"--socket={socket_file}", *files]
        stack.enter_context(_daemon(munged, folder, user=owner))
        _wait(socket_file.exists, "munged", folder)
        stack.enter_context(_daemon(["slurmctld", "-D"], folder))
        _wait(lambda: _says(["scontrol", "ping"], " is UP"), "slurmctld", folder)
        stack.enter_context(_daemon(["slurmd", "-D"], folder))
        _wait(lambda: _says(["sinfo", "--noheader", "--format=%T"], "idle"), "slurmd", folder)
        # Before the daemons are stopped: nobody would end the processes of a job that still runs.
        stack.callback(_empty_queue)
        yield folder


@contextmanager
def ray_cluster() -> Iterator[Any]:
    """Run Ray on two nodes of one core each.

    Yields:
        The ``ray.cluster_utils.Cluster``.
    """
    if find_spec("ray") is None:
        pytest.skip("no Ray here: pip install 'karyo[ray]'")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        cluster.shutdown()


def _empty_queue() -> None:
    subprocess.run(["scancel", "--user", _user()], check=False, capture_output=True)
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end and _says(["squeue", "--noheader", "--format=job %A"], "job"):
        time.sleep(0.5)


def _settings(folder: Path) -> None:
    folder.chmod(0o755)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    text = _SLURM_CONF.format(
        host=socket.gethostname().partition(".")[0],
        controller_port=_free_port(),
        node_port=_free_port(),
        user=_user(),
        folder=folder,
        cpus=os.cpu_count(),
    )
    (folder / "slurm.conf").write_text(text)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(64))
    key.chmod(0o400)
    if owner := _munge_user():
        shutil.chown(key, owner)
        shutil.chown(folder, owner)


@contextmanager
def _daemon(command: list[str], folder: Path, user: str | None = None) -> Iterator[None]:
    name = command[0]
    with (folder / f"{name}.out").open("w") as output:
        # A group of its own: Ctrl-C at a test reaches the test alone, which then stops the daemons in order.
        process = subprocess.Popen(
            [str(_program(name)), *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            user=user,
            group=user,
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(is_ready: Any, name: str, folder: Path) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not is_ready():
        if time.monotonic() > end:
            pytest.fail(f"{name} does not start: {(folder / f'{name}.out').read_text()[-2000:]}")
        time.sleep(0.2)


def _says(command: list[str], words: str) -> bool:
    return words in subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def _munge_user() -> str | None:
    """Give the user that munged must be where the tests run as root: it refuses to be root itself."""
    return "munge" if os.getuid() == 0 else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
