"""Whole chromosomes from clusters: cuts between dents, fragments, and the most plausible way to put them together."""

from karyo.imaging.split.counting import count_chromosomes
from karyo.imaging.split.objects import split_objects
from karyo.imaging.split.part import Part

__all__ = ["Part", "count_chromosomes", "split_objects"]
