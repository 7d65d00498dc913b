"""The karyogram: a cell's chromosomes in the order and the manner of a cytogenetics lab, on one page."""

from karyo.karyotype.karyogram.draw import FORMATS, draw_karyogram, karyogram_bytes

__all__ = ["FORMATS", "draw_karyogram", "karyogram_bytes"]
