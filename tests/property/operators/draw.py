"""What recipes draw: shapes, axes, arrays of every type with special values, and how arrays lie in memory.

Contents come from numbers seeded by a drawn integer, so that only shapes and choices shrink.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import ml_dtypes
import numpy as np
import onnx

from sardonyx.base import dtype as dt
from tests.property.operators.choices import Choices

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]
T = TypeVar("T")

HALF = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))
WORDS = (
    *("", "a", "b", "ab", "Abc", "a b", "ABC", "-0", "naïve", "日本語", "𝛼", "a,b,,c", "1.5", "the", " x "),
    "a\0",
)


class Draw:
    """The choices of one call of an operator at one opset with one element type.

    `element` is drawn from what the schema allows for the type of the first input.
    """

    def __init__(
        self, choices: Choices, operator: str, schema: Any, opset: int, element: np.dtype[Any]
    ) -> None:
        self._choices, self.schema = choices, schema
        self.operator, self.opset, self.element = operator, opset, element

    def integer(self, low: int, high: int) -> int:
        """A number in low..high."""
        return self._choices.integer(low, high)

    def flag(self) -> bool:
        """True or False."""
        return self.one_of(False, True)

    def one_of(self, *options: T) -> T:
        """One of these; simpler ones first."""
        return self._choices.one_of(options)

    def maybe(self, value: T) -> T | None:
        """The value or None."""
        return value if self.flag() else None

    def type(self, parameter: str) -> np.dtype[Any]:
        """An element type that the schema allows for another of its type parameters."""
        return self.one_of(*allowed(self.schema, parameter))

    def shape(self, least: int = 0, most: int = 4, low: int = 0, high: int | None = None) -> Shape:
        """Sizes; `least` and `most` bound their number, `low` and `high` each of them.

        Without `high` they are small, but for at most one that fills registers and leaves a rest.
        """
        small = [n for n in (2, 1, 3, 0, 4, 5, 6, *range(7, (high or 0) + 1)) if low <= n <= (high or 6)]
        sizes = self._choices.some(small, least, most)
        if sizes and high is None and self.integer(0, 5) == 5:
            sizes[self.integer(0, len(sizes) - 1)] = self.one_of(17, 8, 16, 33, 65)
        return tuple(sizes)

    def broadcasting(self, count: int, most: int = 4, low: int = 0) -> list[Shape]:
        """Shapes that broadcast with each other."""
        whole = self.shape(most=most, low=low)
        result = []
        for _ in range(count):
            kept = whole[self.integer(0, len(whole)) :] if self.integer(0, 2) == 0 else whole
            result.append(tuple(1 if self.integer(0, 3) == 3 else n for n in kept))
        return result

    def axis(self, rank: int) -> int:
        """An axis of a tensor of that rank (at least 1), counted from either end."""
        return self.integer(-rank, rank - 1)

    def axes(self, rank: int, least: int = 0) -> list[int]:
        """Different axes in any order, each counted from either end."""
        order = self.order(rank)[: self.integer(least, rank)]
        return [a - rank if self.flag() else a for a in order]

    def order(self, rank: int) -> list[int]:
        """A permutation of the axes."""
        return self._choices.order(rank)

    def factors(self, product: int, most: int = 4) -> list[int]:
        """Sizes whose product is that number."""
        if product == 0:
            sizes = list(self.shape(1, most))
            sizes[self.integer(0, len(sizes) - 1)] = 0
            return sizes
        sizes = []
        while len(sizes) < most - 1 and self.flag():
            sizes.append(self.one_of(*(n for n in range(1, product + 1) if product % n == 0)))
            product //= sizes[-1]
        return [*sizes, product] if product > 1 or self.flag() else sizes

    def random(self) -> np.random.Generator:
        """Random numbers for contents."""
        return np.random.default_rng(self.integer(0, 999))

    def array(self, shape: Sequence[int], dtype: Any = None, specials: str = "all") -> Array:
        """Any content. `specials`: all; `nonfinite` leaves out extreme sizes; `none` is small and finite."""
        dtype = self.element if dtype is None else np.dtype(dtype)
        return content(self.random(), shape, dtype, specials if self.flag() else "none")

    def within(self, shape: Sequence[int], low: float, high: float, dtype: Any = None) -> Array:
        """Finite numbers in low..high (both possible for integers); one type has but 1..2."""
        dtype, random = self.element if dtype is None else np.dtype(dtype), self.random()
        if kind_of(dtype) in "iub":
            return np.asarray(random.integers(int(low), int(high), shape, endpoint=True)).astype(dtype)
        low, high = (1, 2) if dtype == ml_dtypes.float8_e8m0fnu else (low, high)
        return np.asarray(random.uniform(low, high, shape)).astype(dtype)

    def halves(self, shape: Sequence[int], dtype: Any = None) -> Array:
        """Multiples of a half, which every type holds exactly and every text shows alike."""
        dtype = self.element if dtype is None else np.dtype(dtype)
        low = 1 if dtype == ml_dtypes.float8_e8m0fnu else -7
        return np.asarray(self.random().integers(low, 8, shape) / 2).astype(dtype)


def kind_of(dtype: np.dtype[Any]) -> str:
    """f, i, u, b, c or O, for the types of `ml_dtypes` too."""
    return dt.by_numpy(dtype).kind


def allowed(schema: Any, parameter: str) -> list[np.dtype[Any]]:
    """The element types of tensors that a schema allows for a type parameter, float32 first."""
    names = next(
        (c.allowed_type_strs for c in schema.type_constraints if c.type_param_str == parameter), [parameter]
    )
    return [d.numpy for d in dt.ALL if any(f"tensor({d.onnx_name})" in name for name in names)]


def content(random: np.random.Generator, shape: Sequence[int], dtype: np.dtype[Any], specials: str) -> Array:
    """Numbers around 0 of the type, some of them replaced by its special values."""
    kind = kind_of(dtype)
    if kind == "O":
        result = np.empty(tuple(shape), object)
        result.reshape(-1)[:] = random.choice(np.array(WORDS, object), result.size)
        return result
    if kind == "b":
        return np.asarray(random.random(shape) < 0.5)
    if kind == "c":
        parts = [content(random, shape, np.dtype(np.float64), specials) for _ in range(2)]
        with np.errstate(all="ignore"):
            return np.asarray(parts[0] + 1j * parts[1]).astype(dtype)
    if kind == "f":
        plain = (random.normal(size=shape) * 3).round(int(random.integers(0, 6)))
        if dtype == ml_dtypes.float8_e8m0fnu:
            plain = np.abs(plain) + 0.5
    else:
        plain = random.integers(*_small(dtype), shape, endpoint=True)
    result = np.asarray(plain).astype(dtype)
    pool = special_values(dtype, specials)
    if len(pool):
        result = np.where(random.random(shape) < 0.4, pool[random.integers(0, len(pool), shape)], result)
    return np.asarray(result, dtype)


def _small(dtype: np.dtype[Any]) -> tuple[int, int]:
    known = dt.by_numpy(dtype)
    bits = min(known.bits, 5)
    return (0, 2**bits - 1) if known.kind == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def special_values(dtype: np.dtype[Any], specials: str) -> Array:
    """The values of a numeric type that formulas get wrong."""
    if specials == "none" or kind_of(dtype) == "b":
        return np.empty(0, dtype)
    if kind_of(dtype) in "iu":
        if specials == "nonfinite":
            return np.array([0, 1]).astype(dtype)
        info = ml_dtypes.iinfo(dtype)
        return np.array([0, 1, int(info.min), int(info.max), int(info.max) - 1, int(info.max) // 2], dtype)
    info = ml_dtypes.finfo(dtype)
    values = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -2.5]
    if specials == "all":
        extremes = [info.max, info.min, info.smallest_normal, info.smallest_subnormal]
        values += [float(value) for value in extremes] + [-float(info.smallest_subnormal)]
    with np.errstate(all="ignore"):
        return np.array(values).astype(dtype)


LAYOUTS = ("plain", "fortran", "reversed", "strided", "read-only", "unaligned")


def laid_out(array: Array, layout: str) -> Array:
    """The same numbers, lying in memory in another way."""
    if layout == "fortran":
        return np.array(array, order="F")
    if layout == "reversed" and array.ndim:
        backwards = (slice(None, None, -1),) * array.ndim
        return array[backwards].copy()[backwards]
    if layout == "strided" and array.ndim:
        wide = np.zeros(tuple(2 * n + 1 for n in array.shape), array.dtype)
        view = wide[tuple(slice(1, 2 * n + 1, 2) for n in array.shape)]
        view[...] = array
        return view
    if layout == "read-only":
        array = array.copy()
        array.flags.writeable = False
    if layout == "unaligned" and array.dtype != object:
        raw = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
        raw[...] = array
        return raw
    return array


def declared(dtype: np.dtype[Any], shape: Sequence[int | str]) -> Any:
    """The TypeProto of a tensor."""
    return onnx.helper.make_tensor_type_proto(dt.by_numpy(dtype).onnx, list(shape))
