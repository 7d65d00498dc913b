"""Standing chromosomes up, straightening them, and bringing them to a size."""

from dataclasses import dataclass, replace

import numpy as np

from karyo.imaging.align import align_to_axis
from karyo.imaging.canvas import Pad as PadCanvas
from karyo.imaging.canvas import Stretch
from karyo.imaging.steps.step import Grey, PictureStep, State, one_of, within
from karyo.imaging.straighten import (
    Straightened,
    kept_standing,
    object_or,
    straighten_medial,
    straighten_two_part,
    upright,
)

_METHODS = {"medial": straighten_medial, "two_part": straighten_two_part}


@dataclass(frozen=True)
class Straighten(PictureStep):
    """Straighten a bent chromosome and stand it up.

    See :mod:`karyo.imaging.straighten` for how it is done, and when an image is left as it is.

    Attributes:
        method: ``medial`` (along the centre line, any bend) or ``two_part`` (one hinge, Roshtkhari & Setarehdan 2008).
        upright: Whether to turn the short arm up, where the centromere is clear enough to tell.
        standing: Whether the images stand upright already, as those cut from karyograms do: then only what is clearly
            bent or leans is straightened, everything else is left as it is, and the end that is up stays up.
    """

    method: str = one_of("medial", "two_part")
    upright: bool = False
    standing: bool = False

    def __call__(self, grey: Grey) -> Grey:
        """Give the straight chromosome, vertical, on a picture of its own."""
        return self.apply(State(grey)).picture

    def apply(self, state: State) -> State:
        """Straighten the object of the mask, or the largest one; where that fails, turn it onto its long axis."""
        found = self.straightened(state)
        remarks = (*state.remarks, found.reason) if found.reason else state.remarks
        if found.axis is None:
            picture = found.image if self.standing else align_to_axis(found.image)
            return replace(state, picture=picture, mask=state.mask if self.standing else None, remarks=remarks)
        mask = np.where(found.mask, 255, 0).astype(np.uint8)
        return replace(state, picture=found.image, mask=mask, remarks=remarks)

    def straightened(self, state: State) -> Straightened:
        """Give all that straightening finds out: axis, centromere, arm ratio, confidence."""
        mask = object_or(state.picture, None if state.mask is None else state.mask > 0)
        found = _METHODS[self.method](state.picture, mask)
        if self.standing:
            found = kept_standing(found, state.picture, mask)
        return upright(found) if self.upright else found


@dataclass(frozen=True)
class Pad(PictureStep):
    """Put the picture into the middle of a square of its background; a larger picture is shrunk until it fits.

    Attributes:
        size: Side of the square in pixels, 8..4096.
    """

    size: int = within(224, 8, 4096)

    def __call__(self, grey: Grey) -> Grey:
        """Give the square, uint8 (size, size)."""
        return PadCanvas(self.size)(grey, self.size)


@dataclass(frozen=True)
class Resize(PictureStep):
    """Stretch the picture to a square.

    Attributes:
        size: Side of the square in pixels, 8..4096.
    """

    size: int = within(224, 8, 4096)

    def __call__(self, grey: Grey) -> Grey:
        """Give the square, uint8 (size, size)."""
        return Stretch()(grey, self.size)
