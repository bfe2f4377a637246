"""Which tests of a product of options are quick: as few as meet every option, each with others in turn.

Decides by the numbers of options alone; must not know what is tested.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import lcm


def spread(options: Sequence[Sequence[Hashable]]) -> list[bool]:
    """For each test, given its option on each axis, whether it is kept: every option that occurs is met.

    Axes that change together count as one. Where no two of them vary, all tests are kept; else as many as the
    longest axis has options, in which any two options of shorter axes meet as far as there is room.
    """
    axes = {tuple(map(list(dict.fromkeys(axis)).index, axis)) for axis in zip(*options, strict=True)}
    varying = sorted((axis for axis in axes if any(axis)), key=lambda axis: (-max(axis), axis))
    if len(varying) < 2:
        return [True] * len(options)
    sizes = [max(axis) + 1 for axis in varying]
    shifts = [lcm(*sizes[1 : place + 1]) for place in range(len(sizes))]
    turns = {
        (n, *((n + n // shifts[place] * (place - 1)) % sizes[place] for place in range(1, len(sizes))))
        for n in range(sizes[0])
    }
    points = list(zip(*varying, strict=True))
    kept = [point in turns for point in points]
    met = {place for point in turns.intersection(points) for place in enumerate(point)}
    for number, point in enumerate(points):
        if not met.issuperset(enumerate(point)):
            kept[number] = True
            met.update(enumerate(point))
    return kept
