"""Public data sets: fetched with resume, verified, unpacked safely."""

from karyo.data.download.catalogue import PUBLIC_SETS, Archive, Limits, PublicSet, find_public_set
from karyo.data.download.delivery import MARKER, MIRROR_VARIABLE, Delivery, deliver, git_blob_id

__all__ = [
    "MARKER",
    "MIRROR_VARIABLE",
    "PUBLIC_SETS",
    "Archive",
    "Delivery",
    "Limits",
    "PublicSet",
    "deliver",
    "find_public_set",
    "git_blob_id",
]
