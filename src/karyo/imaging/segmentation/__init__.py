"""A whole metaphase spread without annotations: its chromosomes, its dirt, its nuclei, or why it is none."""

from karyo.imaging.segmentation.model import Segmentation, SpreadObject
from karyo.imaging.segmentation.spread import segment_spread

__all__ = ["Segmentation", "SpreadObject", "segment_spread"]
