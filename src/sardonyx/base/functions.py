"""The integer functions that sizes may contain besides sums and products, over known numbers."""

from __future__ import annotations

import marshal
import struct
from collections.abc import Callable


class Refused(ValueError):  # noqa: N818
    """The sizes do not pass the check of this number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"check {number}")
        self.number = number


def refuse(number: int) -> int:
    """Raise Refused."""
    raise Refused(number)


def truncdiv(a: int, b: int) -> int:
    """The quotient of a and b rounded toward zero, as integer Div does."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def broadcast(a: int, b: int) -> int:
    """The common size of two sizes broadcast together. Raises ValueError if there is none."""
    if a == b or b == 1:
        return a
    if a == 1:
        return b
    raise ValueError(f"sizes {a} and {b} do not broadcast")


def broadcast_stride(size: int, result: int, stride: int) -> int:
    """`stride`, or 0 for a repeated axis. Raises ValueError if `size` is neither 1 nor `result`."""
    if size not in (1, result):
        raise ValueError(f"sizes {size} and {result} do not broadcast")
    return 0 if size == 1 else stride


def scaled(size: int, bits: int) -> int:
    """floor(size * scale), the product rounded to float32; `bits` are those of the scale as a float64."""
    product = struct.unpack("<d", struct.pack("<q", bits))[0] * size
    return int(struct.unpack("<f", struct.pack("<f", product))[0])


FUNCTIONS: dict[str, Callable[..., int]] = {
    "floordiv": lambda a, b: a // b,
    "truncdiv": truncdiv,
    "max": max,
    "min": min,
    "broadcast": broadcast,
    "bstride": broadcast_stride,
    "where": lambda c, a, b: a if c else b,
    "less": lambda a, b: int(a < b),
    "equal": lambda a, b: int(a == b),
    "scaled": scaled,
    "refuse": refuse,
}
"""How a function in a size is evaluated, by name."""


def load(code: bytes) -> Callable[..., list[int]]:
    """The function that `Evaluator.code` compiled."""
    scope: dict[str, object] = {"F": FUNCTIONS}
    exec(marshal.loads(code), scope)
    return scope["evaluate"]  # type: ignore[return-value]
