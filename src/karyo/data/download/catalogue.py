"""Public chromosome data sets: where they are, what they are, and who asks to be cited."""

from dataclasses import dataclass

from karyo.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may hold at most; more is not the archive that was meant.

    Attributes:
        entries: Files and folders.
        total: Bytes of all files together, unpacked.
    """

    entries: int
    total: int


@dataclass(frozen=True, slots=True)
class Archive:
    """One published file with a whole data set in it.

    Attributes:
        url: Where it is published.
        blob: Its git blob id, 40 hexadecimal digits: SHA-1 over ``blob <size>``, a zero byte and the content.
        size: Bytes that it can have at most.
        limits: What it may hold.
    """

    url: str
    blob: str
    size: int
    limits: Limits

    @property
    def file(self) -> str:
        """Its file name."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class PublicSet:
    """A published data set.

    Attributes:
        name: As in ``data=NAME``.
        content: What it holds, one line.
        citation: The paper that its users cite.
        terms: What its authors allow, in short; "" where it is not known here.
        archive: The file to fetch; None where no address of one is known here.
    """

    name: str
    content: str
    citation: str
    terms: str = ""
    archive: Archive | None = None


_CIRNET_IMAGES = 2990
_MEBIBYTE = 2**20

PUBLIC_SETS: tuple[PublicSet, ...] = (
    PublicSet(
        name="cirnet",
        content=f"{_CIRNET_IMAGES:,} G-banded chromosomes, one image each, 224 x 224, black background",
        citation=(
            "Lin et al., CIR-Net: Automatic Classification of Human Chromosome Based on Inception-ResNet "
            "Architecture, IEEE/ACM TCBB 19(3):1285-1293, 2022, doi:10.1109/TCBB.2020.3003445"
        ),
        terms="free for research and non-commercial use, with citation",
        archive=Archive(
            url="https://raw.githubusercontent.com/CloudDataLab/CIR-Net/master/data/origin.tar.gz",
            blob="2d93c688ba378d8ece6813c72e27711dc1b25a63",
            # GitHub takes no file above 100 MiB into a repository.
            size=100 * _MEBIBYTE,
            # Twice what it is known to hold, at four bytes a pixel and 16 KiB of header an image.
            limits=Limits(entries=2 * _CIRNET_IMAGES, total=2 * _CIRNET_IMAGES * (224 * 224 * 4 + 16 * 1024)),
        ),
    ),
    PublicSet(
        name="bioimlab",
        content="Q-banded prometaphase chromosomes, University of Padova",
        citation=("Poletti, Grisan, Ruggeri, Automatic classification of chromosomes in Q-band images, EMBC 2008"),
    ),
    PublicSet(
        name="24_chromosomes_object",
        content="whole G-banded metaphase spreads, one box for each chromosome",
        citation="Tseng et al., Scientific Data 10:104, 2023",
    ),
)
"""The sets by name; only those with an archive can be downloaded."""


def find_public_set(name: str) -> tuple[PublicSet, Archive]:
    """Give a set that can be downloaded, and its archive.

    Args:
        name: As in ``data=NAME``; upper or lower case.

    Raises:
        SettingsError: If there is no such set, or no address of it is known here.
    """
    known = {public.name: public for public in PUBLIC_SETS}
    loadable = ", ".join(public.name for public in PUBLIC_SETS if public.archive)
    public = known.get(name.lower())
    if public is None:
        raise SettingsError(f"{name!r} is no data set that can be downloaded; there is: {loadable}.")
    if public.archive is None:
        raise SettingsError(
            f"no address is known here from which {public.name} can be downloaded; get it from its authors "
            f"({public.citation}), unpack it and give its folder as data.root; what can be downloaded: {loadable}."
        )
    return public, public.archive
