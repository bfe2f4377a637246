"""When elements that data picks are read side by side, as rows of their last axis.

Must not know what picks them, nor how they come to lie side by side.
"""

from __future__ import annotations

from sardonyx.base.dim import Dim

_VECTOR = 8
"""Elements of a row that are worth reading side by side."""
_TURNING = 16
"""Elements that are laid side by side in the time that one takes to be picked from where it lies alone."""


def is_row(size: Dim) -> bool:
    """Whether so many elements are worth reading side by side: a known number, a vector or more."""
    return isinstance(size, int) and size >= _VECTOR


def picks_many(picked: Dim, source: Dim) -> bool:
    """Whether so much is picked of `source` that to lay rows side by side first takes less than it saves.

    Of sizes that are not known much is picked.
    """
    return not isinstance(picked, int) or not isinstance(source, int) or picked * _TURNING >= source
