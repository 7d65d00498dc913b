"""One row per chromosome image."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one chromosome image besides its pixels.

    Attributes:
        path: Path relative to the data set's folder, with ``/``, or a virtual name; unique within a data set.
        label: Class, 0..23.
        cell: Metaphase that the chromosome is from, unique within the data set; None where it is not known.
        case: Patient or specimen that the cell is from; None where it is not known.
        homolog: Which of a pair, as the data set writes it; None where it is not known.
    """

    path: str
    label: int
    cell: str | None = None
    case: str | None = None
    homolog: str | None = None
