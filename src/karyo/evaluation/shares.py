"""How sure a share is that was counted."""

import math

BOTH_ENDS, ONE_END = 1.959964, 1.6448536
"""Deviates of the standard normal distribution: 95 % lie between both ends, or below the upper one."""


def wilson_interval(hits: int, tries: int, deviates: float = BOTH_ENDS) -> tuple[float, float]:
    """Give the 95 % interval of a share (Wilson, "Probable inference", J. Am. Stat. Assoc. 22, 1927).

    It takes tries for independent, which images of one cell are not quite.

    Args:
        hits: 0..tries.
        tries: 0 or more.
        deviates: :data:`BOTH_ENDS`; or :data:`ONE_END` where only one of the ends is used.

    Returns:
        Lower and upper end, 0..1; (0, 1) where nothing was tried.
    """
    if not tries:
        return 0.0, 1.0
    share, square = hits / tries, deviates**2
    middle = (share + square / (2 * tries)) / (1 + square / tries)
    reach = deviates / (1 + square / tries) * math.sqrt(share * (1 - share) / tries + square / (4 * tries**2))
    # Exactly 0 and 1 at the ends, where rounding would miss them by a hair.
    return (0.0 if hits == 0 else middle - reach), (1.0 if hits == tries else middle + reach)
