"""What an image file says of itself, checked before a decoder sees it: PNG, JPEG, BMP and TIFF."""

from karyo.imaging.formats.bmp import read_bmp
from karyo.imaging.formats.essence import BadImageError, Essence
from karyo.imaging.formats.jpeg import read_jpeg
from karyo.imaging.formats.png import read_png
from karyo.imaging.formats.tiff import read_tiff

__all__ = ["BadImageError", "Essence", "read_bmp", "read_jpeg", "read_png", "read_tiff"]
