"""What each step of a chain did to an image, as small pictures."""

import textwrap
from collections import Counter
from dataclasses import dataclass

import numpy as np

from karyo.imaging.crop import object_mask
from karyo.imaging.split import split_objects
from karyo.imaging.steps import Chain, State, Step
from karyo.imaging.steps.objects import COUNTED, Extract, LargestObject, Separate
from karyo.imaging.steps.posture import Straighten
from karyo.reports.panels import Panel, Picture, count_components, paint_components, paint_kept, paint_parts

_PLAIN_NAMES = {
    "non_local_means": "Non-Local Means",
    "clahe": "CLAHE",
    "otsu": "Otsu's threshold",
    "extract": "mask cut out",
    "adaptive": "adaptive threshold",
    "fixed": "fixed threshold",
}


@dataclass(frozen=True, slots=True)
class View:
    """How arrays with a dark background are shown: with the background that the file has.

    Attributes:
        bright: Whether that is bright.
    """

    bright: bool

    def __call__(self, grey: Picture) -> Picture:
        """Give the picture as it shall be seen, uint8 (H, W)."""
        return 255 - grey if self.bright else grey


def chain_panels(chain: Chain, grey: Picture, view: View) -> list[Panel]:
    """Draw an image as stored, and what each step made of it.

    Args:
        chain: The steps.
        grey: uint8 (H, W), background dark.
        view: How to show it.

    Returns:
        The panels: the image, then one or two for each step.
    """
    states = chain.stages(grey)
    panels = [Panel("as stored", view(grey), note=size_of(grey))]
    for step, before, after in zip(chain.steps, states, states[1:], strict=False):
        panels.extend(_step_panels(step, before, after, view))
    return panels


def size_of(grey: Picture) -> str:
    """Write a picture's size, width first."""
    return f"{grey.shape[1]} × {grey.shape[0]} px"


def plain_name(step: type[Step]) -> str:
    """Give a step's name as a person says it."""
    return _PLAIN_NAMES.get(step.name(), step.name().replace("_", " "))


def count_objects(count: int) -> str:
    """Write ``1 object`` or ``3 objects``."""
    return f"{count} object{'' if count == 1 else 's'}"


def _step_panels(step: Step, before: State, after: State, view: View) -> list[Panel]:
    name = plain_name(type(step))
    outline = None if after.mask is None else after.mask > 0
    result = Panel(name, view(after.picture), outline, note=_note(before, after))
    if isinstance(step, Straighten):
        found = step.straightened(before)
        mask = None if before.mask is None else before.mask > 0
        axis = Panel("axis, centromere", view(before.picture), mask, found.axis)
        return [axis, Panel(f"straight: {step.method.replace('_', '-')}", result.picture, note=result.note)]
    if isinstance(step, Extract):
        return [Panel(name, view(after.picture), note=_note(before, after))]
    if isinstance(step, Separate):
        return [
            parts_panel(before.picture, view),
            Panel(name, view(after.picture), outline, note="the one whose box\nfills the image most"),
        ]
    if isinstance(step, LargestObject):
        return [_components_panel(np.where(object_mask(before.picture), 255, 0).astype(np.uint8)), result]
    if after.mask is None or after.mask is before.mask:
        return [result]
    if before.mask is None or step.makes_mask:
        return [result, _components_panel(after.mask)]
    return [Panel(name, paint_kept(before.mask, after.mask), note=_mask_note(after))]


def parts_panel(grey: Picture, view: View) -> Panel:
    """Draw the chromosomes that splitting finds in an image, uint8 (H, W), background dark."""
    parts = sorted(split_objects(object_mask(grey), grey), key=lambda part: -int(part.mask.sum()))
    large = [part for part in parts if part.mask.sum() >= COUNTED * parts[0].mask.sum()]
    kinds = Counter(part.relation for part in large) + Counter({"small": len(parts) - len(large)})
    note = "\n".join(f"{count} {kind}" for kind, count in kinds.items())
    return Panel("chromosomes found", paint_parts(view(grey), parts), note=note or "none")


def _components_panel(mask: Picture) -> Panel:
    large, specks = count_components(mask)
    return Panel("components", paint_components(mask), note=f"{large} large" + (f", {specks} small" if specks else ""))


def _mask_note(after: State) -> str:
    assert after.mask is not None
    kept = f"{int((after.mask > 0).sum()):,} px kept"
    return kept if after.objects is None else f"{kept}\nof {count_objects(after.objects)}"


def _note(before: State, after: State) -> str:
    """Say what cannot be seen: a new size, a remark, that nothing changed."""
    if after.remarks != before.remarks:
        return "\n".join(["not straightened:", *textwrap.wrap(after.remarks[-1], 26)[:2]])
    if after.picture.shape != before.picture.shape:
        return size_of(after.picture)
    same = np.array_equal(after.picture, before.picture) and after.mask is before.mask
    return "no change" if same else ""
