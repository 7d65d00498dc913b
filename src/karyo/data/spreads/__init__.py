"""Whole metaphase spreads with one annotated box per chromosome: reading, cutting, and as a data set."""

from karyo.data.spreads.annotation import Annotation, Box, BoxProblem, parse_annotation, read_annotation
from karyo.data.spreads.crops import MASKS, Crop, Spread
from karyo.data.spreads.pairs import Pair, Pairs, find_pairs
from karyo.data.spreads.source import SpreadSource, load_spread, record_name

__all__ = [
    "MASKS",
    "Annotation",
    "Box",
    "BoxProblem",
    "Crop",
    "Pair",
    "Pairs",
    "Spread",
    "SpreadSource",
    "find_pairs",
    "load_spread",
    "parse_annotation",
    "read_annotation",
    "record_name",
]
