"""The truth about a spread as a Pascal VOC annotation, as published metaphase data sets have it."""

from xml.etree import ElementTree

from karyo.chromosomes import CLASSES, denver_group
from karyo.data.synthetic.spread import Spread, SpreadChromosome


def voc_name(label: int) -> str:
    """Give a class's name with its Denver group, ``A1`` to ``G22``, ``X``, ``Y``."""
    name = CLASSES[label]
    return name if name in ("X", "Y") else denver_group(label) + name


def spread_annotation(spread: Spread, filename: str) -> str:
    """Write the boxes of a spread as Pascal VOC.

    Args:
        spread: The spread.
        filename: Name of its picture's file.

    Returns:
        XML text. Boxes are in pixels from 0, ``xmax`` and ``ymax`` exclusive; ``occluded`` is 1 where another
        chromosome crosses.
    """
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "folder").text = "images"
    ElementTree.SubElement(root, "filename").text = filename
    size = ElementTree.SubElement(root, "size")
    height, width = spread.image.shape
    for name, value in (("width", width), ("height", height), ("depth", 1)):
        ElementTree.SubElement(size, name).text = str(value)
    ElementTree.SubElement(root, "segmented").text = "1"
    for chromosome in spread.chromosomes:
        _append_object(root, chromosome)
    ElementTree.indent(root, "\t")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _append_object(root: ElementTree.Element, chromosome: SpreadChromosome) -> None:
    """Append one chromosome."""
    item = ElementTree.SubElement(root, "object")
    occluded = str(int(chromosome.relation == "crossing"))
    fields = {
        "name": voc_name(chromosome.label),
        "pose": "Unspecified",
        "truncated": "0",
        "occluded": occluded,
        "difficult": "0",
    }
    for key, value in fields.items():
        ElementTree.SubElement(item, key).text = value
    box = ElementTree.SubElement(item, "bndbox")
    for key, edge in zip(("xmin", "ymin", "xmax", "ymax"), chromosome.box, strict=True):
        ElementTree.SubElement(box, key).text = str(edge)
