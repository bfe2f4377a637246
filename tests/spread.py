"""Which tests of a product of options are quick: as few as meet every option, each with others in turn.

Decides by the numbers of options alone; must not know what is tested.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence


def spread(options: Sequence[Sequence[Hashable]]) -> list[bool]:
    """For each test, given its option on each axis, whether it is kept: every option that occurs is met.

    Axes that change together count as one. Where no two of them vary, all tests are kept; else one in as
    many as the second longest axis has options, so that any two options of shorter axes meet too.
    """
    axes = {tuple(map(list(dict.fromkeys(axis)).index, axis)) for axis in zip(*options, strict=True)}
    varying = sorted((axis for axis in axes if any(axis)), key=max)
    if len(varying) < 2:
        return [True] * len(options)
    apart, met, kept = max(varying[-2]) + 1, set[tuple[int, int]](), list[bool]()
    points = list(zip(*varying, strict=True))
    for point in points:
        kept.append(sum(point) % apart == 0)
        met.update(enumerate(point) if kept[-1] else ())
    for number, point in enumerate(points):
        if not met.issuperset(enumerate(point)):
            kept[number] = True
            met.update(enumerate(point))
    return kept
