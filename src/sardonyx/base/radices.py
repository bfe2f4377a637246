"""Which lengths Fourier transforms have few stages for, and which stages."""

from __future__ import annotations

_LEAST, _MOST = 64, 4096
_MULTIPLE = 16
_RADICES = (5, 3, 4, 2)


def is_smooth(length: int) -> bool:
    """Whether spectra of so many real numbers are computed by stages.

    Vectors hold them whole, a cache the numbers of as many frames as these have lanes, and half of them are a
    product of RADICES.
    """
    return _LEAST <= length <= _MOST and length % _MULTIPLE == 0 and bool(radices(length // 2))


def radices(count: int) -> list[int]:
    """The factors of a number as stages of a transform; none if another prime number is one."""
    found = []
    for radix in _RADICES:
        while count % radix == 0:
            found.append(radix)
            count //= radix
    return found if count == 1 else []
