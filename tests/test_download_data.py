"""Public data sets, downloaded from a server of the test's own and unpacked."""

import fcntl
import gzip
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import typer
from test_archive import IMAGES, LIMITS, NAME, blob_id, good_archive, quiet, sentence, unpacked
from typer.testing import CliRunner

from karyo.commands.download import download
from karyo.data.download import MARKER, PUBLIC_SETS, Archive, PublicSet, deliver, git_blob_id
from karyo.errors import SettingsError


@dataclass
class Server:
    """One file, and how the server misbehaves."""

    address: str = ""
    content: bytes = b""
    etag: str = '"one"'
    ranges: bool = True  # answers Range with 206
    honest: bool = True  # gives the part that was asked for
    judges: bool = True  # looks at If-Range
    length: bool = True  # says how long it is
    cut: int | None = None  # drops the connection after this many bytes
    stalls: bool = False  # stands still instead of dropping
    status: int = 200
    asked: list[str] = field(default_factory=list)  # Range header of each request
    conditions: list[str] = field(default_factory=list)  # If-Range header of each request
    sent: int = 0
    closing: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    state: Server

    def do_GET(self) -> None:
        state = self.state
        wanted = self.headers.get("Range", "")
        state.asked.append(wanted)
        state.conditions.append(self.headers.get("If-Range", ""))
        if state.status != 200 or self.path != f"/sets/{NAME}":
            self.send_error(state.status if state.status != 200 else 404)
            return
        size, start = len(state.content), int(wanted[6:-1]) if wanted else 0
        same = not state.judges or self.headers.get("If-Range", state.etag) == state.etag
        if not (wanted and state.ranges and same):
            self._answer(200, {}, 0)
        elif start >= size:
            self._answer(416, {"Content-Range": f"bytes */{size}"}, size)
        else:
            start = start if state.honest else start - 1
            self._answer(206, {"Content-Range": f"bytes {start}-{size - 1}/{size}"}, start)

    def _answer(self, status: int, headers: dict[str, str], start: int) -> None:
        state = self.state
        body = state.content[start:]
        self.send_response(status)
        if state.etag:
            headers["ETag"] = state.etag
        if state.length:
            headers["Content-Length"] = str(len(body))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        body = body[: state.cut]
        state.sent += len(body)
        with suppress(ConnectionError):  # Whoever asked may have had enough.
            self.wfile.write(body)
            self.wfile.flush()
        if state.stalls:
            state.closing.wait(20)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"state": state}))
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    state.address = f"http://127.0.0.1:{http.server_port}/sets"
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KARYO_DATA_MIRROR", state.address)
    yield state
    state.closing.set()
    http.shutdown()
    http.server_close()
    thread.join()


def publish(server: Server, content: bytes | None = None) -> tuple[PublicSet, Archive]:
    """Put an archive on the server; gives the set as a catalogue would have it."""
    server.content = good_archive() if content is None else content
    archive = Archive(f"https://data.invalid/master/{NAME}", blob_id(server.content), 1_000_000, LIMITS)
    return PublicSet("cirnet", "test images", "Nobody, 2020", archive=archive), archive


def test_the_blob_id_is_that_of_git(tmp_path: Path) -> None:
    for content, known in (
        (b"", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
        (b"hello\n", "ce013625030ba8dba906f756967f9e9ca394464a"),
    ):
        (tmp_path / "file").write_bytes(content)
        assert git_blob_id(tmp_path / "file") == known


def test_a_set_comes_whole_and_only_once(server: Server, tmp_path: Path) -> None:
    public, archive = publish(server)
    told: list[tuple[int, int | None]] = []
    target = tmp_path / "Bild er" / "染色体"
    first = deliver(public, archive, target, lambda have, total: told.append((have, total)))
    assert (first.came, first.files, first.folder) == ("downloaded", len(IMAGES), target / "cirnet")
    assert unpacked(first.folder) == IMAGES
    assert told == sorted(told)
    assert told[0] == (0, len(server.content))
    assert told[-1] == (len(server.content), len(server.content))
    assert deliver(public, archive, target, quiet).came == "present"
    assert server.asked == [""]
    assert sorted(path.name for path in target.iterdir()) == ["cirnet", NAME]


def test_a_broken_download_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    public, archive = publish(server)
    server.cut = half = len(server.content) // 2
    text = sentence(lambda: deliver(public, archive, tmp_path, quiet))
    assert f"{half:,} of {len(server.content):,}" in text
    assert "goes on" in text
    assert (tmp_path / f"{NAME}.part").read_bytes() == server.content[:half]
    assert not (tmp_path / "cirnet").exists()
    server.cut = None
    told: list[int] = []
    delivery = deliver(public, archive, tmp_path, lambda have, _: told.append(have))
    assert unpacked(delivery.folder) == IMAGES
    assert told[0] == half
    assert server.asked == ["", f"bytes={half}-"]
    assert server.conditions == ["", '"one"']
    assert server.sent == len(server.content)
    assert not list(tmp_path.glob("*.part*"))


def break_off(server: Server, public: PublicSet, archive: Archive, target: Path) -> None:
    server.cut = 50_000
    sentence(lambda: deliver(public, archive, target, quiet))
    server.cut = None


def test_a_server_without_ranges_sends_it_all_again(server: Server, tmp_path: Path) -> None:
    public, archive = publish(server)
    server.ranges = False
    break_off(server, public, archive, tmp_path)
    assert unpacked(deliver(public, archive, tmp_path, quiet).folder) == IMAGES
    assert server.sent == 50_000 + len(server.content)


@pytest.mark.parametrize("judges", [True, False], ids=["server compares tags", "server ignores If-Range"])
def test_a_file_changed_between_is_fetched_anew(server: Server, tmp_path: Path, judges: bool) -> None:
    public, archive = publish(server, b"an older archive" * 10_000)
    break_off(server, public, archive, tmp_path)
    public, archive = publish(server)
    server.etag, server.judges = '"two"', judges
    assert unpacked(deliver(public, archive, tmp_path, quiet).folder) == IMAGES


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_a_change_that_no_tag_tells_is_found_by_the_id(server: Server, tmp_path: Path, etag: str) -> None:
    server.etag = etag
    public, archive = publish(server, b"an older archive" * 10_000)
    break_off(server, public, archive, tmp_path)
    public, archive = publish(server)
    assert "start over" in sentence(lambda: deliver(public, archive, tmp_path, quiet))
    assert server.conditions == ["", ""]
    assert list(tmp_path.iterdir()) == []
    assert unpacked(deliver(public, archive, tmp_path, quiet).folder) == IMAGES


def test_a_complete_part_is_only_verified(server: Server, tmp_path: Path) -> None:
    public, archive = publish(server)
    (tmp_path / f"{NAME}.part").write_bytes(server.content)
    assert unpacked(deliver(public, archive, tmp_path, quiet).folder) == IMAGES
    assert server.asked == [f"bytes={len(server.content)}-"]


def test_a_part_longer_than_the_file_is_dropped(server: Server, tmp_path: Path) -> None:
    public, archive = publish(server)
    (tmp_path / f"{NAME}.part").write_bytes(bytes(len(server.content) + 5))
    assert unpacked(deliver(public, archive, tmp_path, quiet).folder) == IMAGES
    assert server.asked[1:] == [""]


def test_a_server_that_sends_another_part_is_asked_for_all(server: Server, tmp_path: Path) -> None:
    public, archive = publish(server)
    break_off(server, public, archive, tmp_path)
    server.honest = False
    assert unpacked(deliver(public, archive, tmp_path, quiet).folder) == IMAGES
    assert server.asked == ["", "bytes=50000-", ""]


def test_a_damaged_file_is_removed_and_not_unpacked(server: Server, tmp_path: Path) -> None:
    public, archive = publish(server)
    server.content = server.content[:-9] + b"x" + server.content[-8:]
    text = sentence(lambda: deliver(public, archive, tmp_path, quiet))
    assert archive.blob in text
    assert blob_id(server.content) in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [True, False])
def test_a_file_without_end_is_cut_short(server: Server, tmp_path: Path, length: bool) -> None:
    public, archive = publish(server)
    server.content, server.length = bytes(archive.size + 2**20), length
    told = [0]
    text = sentence(lambda: deliver(public, archive, tmp_path, lambda have, _: told.append(have)))
    assert "1,000,000" in text
    assert max(told) <= (0 if length else archive.size)
    assert list(tmp_path.iterdir()) == []


def test_offline_says_where_a_file_got_by_hand_goes(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public, archive = publish(server)
    monkeypatch.setenv("KARYO_DATA_MIRROR", "http://127.0.0.1:9")
    text = sentence(lambda: deliver(public, archive, tmp_path, quiet))
    for part in ("Connection refused", f"http://127.0.0.1:9/{NAME}", str(tmp_path / NAME), "by hand"):
        assert part in text
    (tmp_path / NAME).write_bytes(server.content)
    delivery = deliver(public, archive, tmp_path, quiet)
    assert (delivery.came, unpacked(delivery.folder)) == ("by hand", IMAGES)
    assert server.asked == []


@pytest.mark.parametrize("status", [403, 404, 416, 500, 503])
def test_a_server_without_the_file_is_a_sentence(server: Server, tmp_path: Path, status: int) -> None:
    public, archive = publish(server)
    server.status = status
    assert str(status) in sentence(lambda: deliver(public, archive, tmp_path, quiet))
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_falls_silent_is_a_sentence(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public, archive = publish(server)
    monkeypatch.setattr("karyo.data.download.fetch.PATIENCE", 0.2)
    server.cut, server.stalls = 70_000, True
    assert "timed out" in sentence(lambda: deliver(public, archive, tmp_path, quiet))
    assert (tmp_path / f"{NAME}.part").stat().st_size == 70_000


def test_a_mirror_may_be_a_folder(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    public, archive = publish(server)
    (tmp_path / NAME).write_bytes(server.content)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / f"{NAME}.part").write_bytes(b"a beginning")
    monkeypatch.setenv("KARYO_DATA_MIRROR", tmp_path.as_uri())
    assert unpacked(deliver(public, archive, tmp_path / "new", quiet).folder) == IMAGES
    monkeypatch.setenv("KARYO_DATA_MIRROR", "somewhere")
    assert "no address" in sentence(lambda: deliver(public, archive, tmp_path / "other", quiet), SettingsError)


def test_a_wrong_file_put_there_by_hand_is_named_and_left(server: Server, tmp_path: Path) -> None:
    public, archive = publish(server)
    (tmp_path / NAME).write_bytes(b"<html>Sign in</html>")
    text = sentence(lambda: deliver(public, archive, tmp_path, quiet))
    assert str(tmp_path / NAME) in text
    assert archive.blob in text
    assert (tmp_path / NAME).read_bytes() == b"<html>Sign in</html>"
    assert server.asked == []


def test_an_unpacked_folder_is_looked_through(server: Server, tmp_path: Path) -> None:
    public, archive = publish(server)
    folder = deliver(public, archive, tmp_path, quiet).folder
    (folder / "mine.txt").write_text("a note")
    assert deliver(public, archive, tmp_path, quiet).came == "present"
    lost, short = sorted(IMAGES)[2:4]
    (folder / lost).unlink()
    (folder / short).write_bytes(b"short")
    text = sentence(lambda: deliver(public, archive, tmp_path, quiet))
    assert "2 of 6 files" in text
    assert lost in text
    assert (folder / "mine.txt").exists()


@pytest.mark.parametrize("marker", [None, "", "[]", '{"blob": "0"}', '{"blob": "0", "files": {}}', "file"])
def test_a_folder_of_someone_else_is_left_alone(server: Server, tmp_path: Path, marker: str | None) -> None:
    public, archive = publish(server)
    folder = tmp_path / "cirnet"
    if marker == "file":
        folder.write_text("mine")
    else:
        folder.mkdir()
        (folder / "mine.txt").write_text("mine")
        if marker is not None:
            (folder / MARKER).write_text(marker)
    assert str(folder) in sentence(lambda: deliver(public, archive, tmp_path, quiet))
    assert "mine" in {path.read_text() for path in (folder, folder / "mine.txt") if path.is_file()}
    assert server.asked == []


def test_leftovers_of_a_killed_run_and_an_empty_folder_do_not_hurt(server: Server, tmp_path: Path) -> None:
    public, archive = publish(server)
    (tmp_path / "cirnet").mkdir()
    (tmp_path / ".cirnet.unpacking" / "origin").mkdir(parents=True)
    (tmp_path / ".cirnet.unpacking" / "origin" / "half.tiff").write_bytes(b"half")
    assert unpacked(deliver(public, archive, tmp_path, quiet).folder) == IMAGES
    assert not (tmp_path / ".cirnet.unpacking").exists()


def test_two_downloads_do_not_mix(server: Server, tmp_path: Path) -> None:
    public, archive = publish(server)
    handle = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert "another download" in sentence(lambda: deliver(public, archive, tmp_path, quiet))
    finally:
        os.close(handle)
    assert deliver(public, archive, tmp_path, quiet).files == len(IMAGES)


@pytest.mark.parametrize("room", [10_000, 150_000, 15_000])
def test_a_full_disk_is_a_sentence_and_leaves_nothing_half_unpacked(server: Server, tmp_path: Path, room: int) -> None:
    public, archive = publish(server)
    if room == 15_000:  # The archive is there, but none of its files fits.
        (tmp_path / NAME).write_bytes(server.content)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))  # Python ignores the signal and gets an error.
    try:
        text = sentence(lambda: deliver(public, archive, tmp_path, quiet))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "File too large" in text
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
    assert deliver(public, archive, tmp_path, quiet).files == len(IMAGES)


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_place_that_cannot_be_a_folder_is_named(server: Server, tmp_path: Path, place: str) -> None:
    public, archive = publish(server)
    (tmp_path / "file").write_text("in the way")
    assert str(tmp_path / "file") in sentence(lambda: deliver(public, archive, tmp_path / place, quiet), SettingsError)


def test_a_read_only_target_is_a_sentence(server: Server, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    public, archive = publish(server)
    tmp_path.chmod(0o500)
    try:
        assert str(tmp_path) in sentence(lambda: deliver(public, archive, tmp_path, quiet))
    finally:
        tmp_path.chmod(0o700)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, server: Server) -> Callable[..., tuple[str, str]]:
    """The command line, with a catalogue whose cirnet is the server's; gives stdout and stderr."""
    public, archive = publish(server, gzip.decompress(good_archive()) + bytes(750_000))
    known = [replace(each, archive=archive) if each.name == public.name else each for each in PUBLIC_SETS]
    monkeypatch.setattr("karyo.data.download.catalogue.PUBLIC_SETS", tuple(known))
    app = typer.Typer()
    app.command()(download)

    def call(*arguments: str) -> tuple[str, str]:
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0
        return result.stdout, result.stderr

    return call


def test_the_command_says_what_comes_next(command: Callable[..., tuple[str, str]], tmp_path: Path) -> None:
    shown, progress = command("cirnet", str(tmp_path / "my data"))
    assert f"6 files in {tmp_path}/my data/cirnet" in shown
    assert f"python src/train.py data=cirnet 'data.root={tmp_path}/my data/cirnet'" in shown
    assert "doi:10.1109/TCBB.2020.3003445" in shown
    assert f"{NAME}: 0.9 of 0.9 MB" in progress
    assert len(progress.splitlines()) <= 11
    again, progress = command("CIRNET", str(tmp_path / "my data"))
    assert "already there" in again
    assert progress == ""


@pytest.mark.parametrize("arguments", [(), ("--list",), ("cirnet", "--list")])
def test_the_sets_are_listed(command: Callable[..., tuple[str, str]], arguments: tuple[str, ...]) -> None:
    shown, _ = command(*arguments)
    assert "karyo download cirnet FOLDER" in shown
    assert "non-commercial" in shown
    assert "karyo download bioimlab" not in shown


@pytest.mark.parametrize(
    ("arguments", "hint"), [(("mnist", "x"), "cirnet"), (("bioimlab", "x"), "Poletti"), (("cirnet",), "FOLDER")]
)
def test_what_cannot_be_downloaded_is_a_sentence(
    command: Callable[..., tuple[str, str]], arguments: tuple[str, ...], hint: str
) -> None:
    assert hint in sentence(lambda: command(*arguments), SettingsError)


def test_ctrl_c_keeps_what_has_come(server: Server, tmp_path: Path) -> None:
    publish(server)
    server.cut, server.stalls = 100_000, True
    script = "import typer; from karyo.commands.download import download; typer.run(download)"
    process = subprocess.Popen(
        [sys.executable, "-c", script, "cirnet", str(tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src")},
    )
    part = tmp_path / f"{NAME}.part"
    deadline = time.monotonic() + 20
    while not (part.exists() and server.sent == 100_000) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, shown = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "goes on" in shown
    assert "Traceback" not in shown
    assert part.read_bytes() == server.content[:100_000]
