"""Archives, good, damaged and evil, unpacked."""

import gzip
import hashlib
import io
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from karyo.data.download import MARKER, Archive, Limits, PublicSet, deliver
from karyo.data.download.archive import unpack
from karyo.errors import DataError, KaryoError

NAME = "origin.tar.gz"
IMAGES = {f"origin/{index}1562828258.0{index}.{index}.tiff": Random(index).randbytes(30_000) for index in range(6)}
LIMITS = Limits(entries=20, total=400_000)


def blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def tar_gz(*members: tuple[tarfile.TarInfo, bytes], kind: str = "w:gz") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=kind) as tar:  # type: ignore[call-overload]
        for member, content in members:
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def member(name: str, content: bytes = b"x", **facts: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for fact, value in facts.items():
        setattr(info, fact, value)
    return info, content


def good_archive() -> bytes:
    return tar_gz(member("origin", b"", type=tarfile.DIRTYPE), *(member(*item) for item in IMAGES.items()))


def by_hand(target: Path, content: bytes) -> tuple[PublicSet, Archive]:
    """Put an archive where one got by hand goes; gives the set as a catalogue would have it."""
    target.mkdir(parents=True, exist_ok=True)
    (target / NAME).write_bytes(content)
    archive = Archive(f"https://data.invalid/master/{NAME}", blob_id(content), 1_000_000, LIMITS)
    return PublicSet("cirnet", "test images", "Nobody, 2020", archive=archive), archive


def quiet(_have: int, _total: int | None) -> None:
    pass


def sentence(attempt: Callable[[], object], kind: type[KaryoError] = DataError) -> str:
    with pytest.raises(kind) as caught:
        attempt()
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    return text


def unpacked(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != MARKER)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


LINK = {"type": tarfile.SYMTYPE, "linkname": "/etc"}
EVIL = {
    "absolute": [member("/tmp/karyo-evil")],
    "climbs out": [member("origin/../../evil")],
    "climbs out at once": [member("../evil")],
    "backslash": [member("..\\evil")],
    "drive": [member("C:/evil")],
    "symbolic link": [member("origin/link", b"", **LINK)],
    "through a link": [member("origin", b"", **LINK), member("origin/evil")],
    "hard link": [member("a"), member("b", b"", type=tarfile.LNKTYPE, linkname="a")],
    "hard link out": [member("b", b"", type=tarfile.LNKTYPE, linkname="../../evil")],
    "device": [member("null", b"", type=tarfile.CHRTYPE, devmajor=1, devminor=3)],
    "block device": [member("disk", b"", type=tarfile.BLKTYPE, devmajor=8)],
    "pipe": [member("pipe", b"", type=tarfile.FIFOTYPE)],
    "too many": [member(f"{index}.tiff") for index in range(LIMITS.entries + 1)],
    "too large": [member("big.tiff", bytes(LIMITS.total + 1))],
    "too large together": [member(f"{index}.tiff", bytes(LIMITS.total // 3)) for index in range(4)],
    "twice": [member("a.tiff"), member("./a.tiff")],
    "twice in another case": [member("a.tiff"), member("A.TIFF")],
    "twice in another accent": [member("\u00e9.tiff"), member("e\u0301.tiff")],
    "folders in two cases": [member("origin/a.tiff"), member("Origin/b.tiff")],
    "below a file": [member("origin"), member("origin/a.tiff")],
    "file over a folder": [member("origin/a.tiff"), member("origin")],
    "no name": [member(".")],
    "long name": [member("a/" * 400 + "a")],
    "endless header": [member("a.tiff", pax_headers={"comment": "x" * 2**21})],
}


@pytest.mark.parametrize("case", EVIL)
def test_an_evil_archive_leaves_nothing_anywhere(tmp_path: Path, case: str) -> None:
    target = tmp_path / "inner" / "target"
    public, archive = by_hand(target, tar_gz(member("first.tiff"), *EVIL[case]))
    text = sentence(lambda: deliver(public, archive, target, quiet))
    assert "is not unpacked" in text
    assert ("special file" in text) == any(info.type != tarfile.REGTYPE for info, _ in EVIL[case])
    assert len(text) < 2_000
    assert [path.name for path in target.iterdir()] == [NAME]
    assert [path.name for path in (tmp_path / "inner").iterdir()] == ["target"]
    assert not Path("/tmp/karyo-evil").exists()


def claim_a_terabyte() -> bytes:
    info = tarfile.TarInfo("huge.tiff")
    info.size = 10**12
    return gzip.compress(info.tobuf() + bytes(10_000))


def sparse_without_end() -> bytes:
    """A sparse file whose map goes on for ever: each block says that one more follows."""
    info = tarfile.TarInfo("sparse.tiff")
    info.type = tarfile.GNUTYPE_SPARSE
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[482] = 1
    block[148:156] = b"%06o\0 " % (256 + sum(block[:148]) + sum(block[156:]))
    more = (b"00000000001\0" * 2) * 21 + b"\1" + bytes(7)
    return gzip.compress(bytes(block) + more * 10_000)


@pytest.mark.parametrize("make", [claim_a_terabyte, sparse_without_end])
def test_a_tar_that_claims_without_end_is_refused_at_once(tmp_path: Path, make: Callable[[], bytes]) -> None:
    public, archive = by_hand(tmp_path, make())
    began = time.monotonic()
    sentence(lambda: deliver(public, archive, tmp_path, quiet))
    assert time.monotonic() - began < 5
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def broken_inside() -> bytes:
    content = bytearray(tar_gz(member("a.tiff", b"some text that repeats " * 10_000)))
    content[len(content) // 2 :] = b"\xff" * 300
    return bytes(content)


DAMAGED = {
    **{f"{keep} bytes": good_archive()[:keep] for keep in (0, 1, 2, 100, 5_000, 100_000, 175_000)},
    "noise": b"noise" * 200,
    "no gzip": b"\x1f\x8b" + b"noise" * 200,
    "no zip": b"PK" + b"noise" * 200,
    "broken inside": broken_inside(),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_cut_or_senseless_archive_is_a_sentence(tmp_path: Path, case: str) -> None:
    public, archive = by_hand(tmp_path, DAMAGED[case])
    assert "damaged" in sentence(lambda: deliver(public, archive, tmp_path, quiet))
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def zipped(*entries: tuple[zipfile.ZipInfo | str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, content in entries:
            archive.writestr(entry, content)
    return stream.getvalue()


def zip_link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    return info


def encrypted() -> bytes:
    content = bytearray(zipped(("a.tiff", b"x")))
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    return bytes(content)


def lying() -> bytes:
    """A zip that says 5 bytes where there are many."""
    content = bytearray(zipped(("a.tiff", bytes(10**6))))
    start = content.index(b"PK\1\2")
    content[start + 24 : start + 28] = (5).to_bytes(4, "little")
    return bytes(content)


def boasting() -> bytes:
    """A zip that says 90,000 bytes where there is one."""
    content = bytearray(zipped(("a.tiff", b"x")))
    start = content.index(b"PK\1\2")
    content[start + 24 : start + 28] = (90_000).to_bytes(4, "little")
    return bytes(content)


EVIL_ZIPS = {
    "absolute": zipped(("/tmp/karyo-evil", b"x")),
    "climbs out": zipped(("../evil", b"x")),
    "link": zipped((zip_link(), b"/etc")),
    "bomb": zipped(("big", bytes(LIMITS.total + 1))),
    "many": zipped(*((f"{index}", b"") for index in range(LIMITS.entries + 1))),
    "case": zipped(("a", b"x"), ("A", b"x")),
    "password": encrypted(),
    "lies": lying(),
    "broken": zipped(("a.tiff", b"text " * 1_000))[:40] + b"\xff" * 10 + zipped(("a.tiff", b"text " * 1_000))[50:],
    "boasts": boasting(),
}


@pytest.mark.parametrize("case", EVIL_ZIPS)
def test_evil_zips_are_refused(tmp_path: Path, case: str) -> None:
    file, folder = tmp_path / "set.zip", tmp_path / "target"
    file.write_bytes(EVIL_ZIPS[case])
    folder.mkdir()
    sentence(lambda: unpack(file, folder, LIMITS))
    assert sum(path.stat().st_size for path in folder.rglob("*")) < LIMITS.total
    assert {path.name for path in tmp_path.iterdir()} == {"set.zip", "target"}


@pytest.mark.parametrize(
    "make", [lambda: zipped(("origin/", b""), *IMAGES.items()), lambda: gzip.decompress(good_archive())]
)
def test_plain_tars_and_zips_unpack_too(tmp_path: Path, make: Callable[[], bytes]) -> None:
    (tmp_path / "set").write_bytes(make())
    (tmp_path / "target").mkdir()
    files = unpack(tmp_path / "set", tmp_path / "target", LIMITS)
    assert files == {name: len(content) for name, content in IMAGES.items()}
    assert unpacked(tmp_path / "target") == IMAGES
