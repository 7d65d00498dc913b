"""Unbending chromosomes, in two ways, and the axis and centromere found on the way."""

from karyo.imaging.straighten.axis import Axis, find_axis
from karyo.imaging.straighten.medial import straighten_medial, turned_upright
from karyo.imaging.straighten.result import Straightened, kept_standing, object_or, upright
from karyo.imaging.straighten.two_part import straighten_two_part

__all__ = [
    "Axis",
    "Straightened",
    "find_axis",
    "kept_standing",
    "object_or",
    "straighten_medial",
    "straighten_two_part",
    "turned_upright",
    "upright",
]
