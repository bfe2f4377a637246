"""Floats as the numbers that matrix registers hold: bf16, or the sum of two or three of them.

A number is rounded to its high part, what that leaves to its low one, and so on. Decides what is done about
numbers that have no such parts: the largest are cut instead of rounded up to infinity, and what is infinite
or NaN has no low part. Must not know what the matrices are used for.
"""

from __future__ import annotations

import itertools

from sardonyx.kernels.tiles.matrix import MatrixShape, Plane
from sardonyx.kernels.tiles.microkernel import CACHE_LINE, prefetch
from sardonyx.kernels.tiles.pairs import Pairs
from sardonyx.llvm.shuffle import interleave
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, int_

_LANES = 16
_FLOATS, _INTS, _HALVES = vector_of("float", _LANES), vector_of("i32", _LANES), vector_of("i16", _LANES)
PIXELS = _LANES
"""Pixels of few channels that are split at a time."""

_ROWS_AHEAD = 2
"""Where rows lie apart, nothing else asks for the begin of one before it is read."""
_INFINITE, _ROUNDED_UP = 0x7F800000, 0x7F7F8000

_AHEAD_BYTES = 12 << 10
"""How far behind weights that are split those are that are asked for: hardware stops at the end of a page."""


class _Numbers:
    """Writes the split of two vectors, which tells what was met that only a `careful` one splits."""

    def __init__(self, f: Function, shape: MatrixShape, *, careful: bool) -> None:
        self.f, self.shape, self.careful = f, shape, careful

    def parts(self, x: tuple[V, V]) -> dict[Plane, tuple[V, V]]:
        """Each plane of both vectors, in the order of memory: halves as <16 x i16>."""
        f = self.f
        special = None
        fitting = x
        if self.careful:
            fitting = self._cut(x[0]), self._cut(x[1])
            special = self._special(x[0]), self._special(x[1])
        found = {Plane.HIGH: self._rounded(fitting)}
        left, none = x, int_(0, _FLOATS)
        for before, plane in itertools.pairwise(self.shape.held[: self.shape.planes]):
            first, second = (
                f.binary("fsub", v, self._widened(h)) for v, h in zip(left, found[before], strict=True)
            )
            if special is not None and before is Plane.HIGH:
                first, second = (f.select(s, none, v) for s, v in zip(special, (first, second), strict=True))
            left = first, second
            found[plane] = self._rounded(left)
        if special is not None and Plane.FINITE in self.shape.held:
            first, second = (f.select(s, none, v) for s, v in zip(special, fitting, strict=True))
            found[Plane.FINITE] = self._rounded((first, second))
        return found

    def nothing(self) -> V:
        """What `store` tells before anything is met: the largest magnitude."""
        return int_(0, _INTS)

    def store(self, x: tuple[V, V], to: V, plane: V, met: V, *, interleaved: bool = False) -> V:
        """Write each plane of both vectors, `plane` bytes apart: one after the other, or in pairs of both."""
        f = self.f
        for number, halves in enumerate(self.parts(x).values()):
            there = f.gep(to, f.mul(plane, int_(number)), "i8")
            for n, half in enumerate(interleave(f, halves) if interleaved else halves):
                f.store(half, f.gep(there, int_(n * _LANES * self.shape.number_bytes), "i8"))

        return self.meet(met, x)

    def meet(self, met: V, x: tuple[V, V]) -> V:
        """What is told once these are met too."""
        f = self.f
        for vector in x:
            met = f.smax(met, f.binary("and", f.bitcast(vector, _INTS), int_(0x7FFFFFFF, _INTS)))
        return met

    def is_special(self, met: V) -> V:
        """Whether anything met was infinite, NaN, or would be rounded up to infinity."""
        f = self.f
        found = f.call(f"llvm.vector.reduce.smax.v{_LANES}i32", "i32", met)
        return f.convert("zext", f.icmp("sge", found, int_(_ROUNDED_UP, "i32")), "i64")

    def _rounded(self, x: tuple[V, V]) -> tuple[V, V]:
        f = self.f
        both = f.call(self.shape.tile.instruction.narrow, vector_of("bfloat", 32), x[1], x[0])
        halves = f.bitcast(both, vector_of("i16", 32))
        low, high = (f.shuffle(halves, halves, range(n, n + _LANES)) for n in (0, _LANES))
        return low, high

    def _widened(self, half: V) -> V:
        f = self.f
        return f.bitcast(f.binary("shl", f.convert("zext", half, "i32"), int_(16, _INTS)), _FLOATS)

    def _special(self, x: V) -> V:
        f = self.f
        magnitude = f.binary("and", f.bitcast(x, _INTS), int_(0x7FFFFFFF, _INTS))
        return f.icmp("sge", magnitude, int_(_INFINITE, _INTS))

    def _cut(self, x: V) -> V:
        """x, without the lower bits where they would round it up to infinity."""
        f = self.f
        bits = f.bitcast(x, _INTS)
        magnitude = f.binary("and", bits, int_(0x7FFFFFFF, _INTS))
        is_large = f.icmp("sge", magnitude, int_(_ROUNDED_UP, _INTS))
        finite = f.icmp("slt", magnitude, int_(_INFINITE, _INTS))
        cut = f.binary("and", bits, int_(-0x10000, _INTS))
        return f.select(f.binary("and", is_large, finite), f.bitcast(cut, _FLOATS), x)


def define_split_rows(module: Module, shape: MatrixShape, *, careful: bool) -> str:
    """Add `i64 @name(ptr to, ptr from, i64 rows, i64 columns, ptr strides)`; returns the name.

    Each row is written in whole steps, with zeros behind its columns. `strides` holds bytes: between rows of
    `to`, between its planes, and between rows of `from`, whose columns are contiguous floats. Returns whether
    numbers were met that only a `careful` function splits; that writes the plane FINITE too.
    """
    name = f"split_rows_{shape.tile.name}{'_careful' if careful else ''}"
    if module.has(name):
        return name
    params = [("to", "ptr"), ("from", "ptr"), ("rows", "i64"), ("columns", "i64"), ("strides", "ptr")]
    f = Function(module, name, params, "i64", internal=True, attributes="nounwind noinline")
    to, source, rows, columns, strides = f.params
    pitch, plane, row_bytes = (f.word(strides, n) for n in range(3))
    numbers = _Numbers(f, shape, careful=careful)
    whole = f.binary("and", columns, int_(-shape.k_step))

    def step(x: tuple[V, V], into: V, column: V, before: V) -> V:
        at = f.gep(into, f.mul(column, int_(shape.number_bytes)), "i8")
        return numbers.store(x, at, plane, before)

    last = f.sub(rows, int_(1))
    with f.loop(int_(0), rows, 1, [to, source, int_(0, _INTS)]) as row:
        into, out_of, largest = row.carried
        behind = f.sub(f.smin(f.add(row.index, int_(_ROWS_AHEAD)), last), row.index)
        later = f.gep(out_of, f.mul(behind, row_bytes), "i8")
        with f.loop(int_(0), whole, shape.k_step, [largest]) as full:
            at = f.gep(out_of, full.index, "float")
            x = f.load(at, _FLOATS), f.load(f.gep(at, int_(_LANES), "float"), _FLOATS)
            for line in range(0, shape.k_step * 4, CACHE_LINE):
                prefetch(f, f.gep(f.gep(later, full.index, "float"), int_(line), "i8"), 1)
            full.next(step(x, into, full.index, full.carried[0]))
        with f.loop(whole, columns, shape.k_step, full.carried) as tail:
            at = f.gep(out_of, tail.index, "float")
            left = f.sub(columns, tail.index)
            first = f.masked_load(at, _FLOATS, f.tail_mask(left, _LANES))
            behind = f.tail_mask(f.sub(left, int_(_LANES)), _LANES)
            x = first, f.masked_load(f.gep(at, int_(_LANES), "float"), _FLOATS, behind)
            tail.next(step(x, into, tail.index, tail.carried[0]))
        row.next(f.gep(into, pitch, "i8"), f.gep(out_of, row_bytes, "i8"), tail.carried[0])
    f.ret(numbers.is_special(row.carried[2]))
    f.finish()
    return name


def define_split_panel(module: Module, shape: MatrixShape, columns: int, *, careful: bool) -> str:
    """Add `i64 @name(ptr to, ptr from, i64 k, i64 step, i64 plane)`; returns the name.

    `from` holds k rows of `columns` registers' columns of floats, `to` is what a micro-kernel reads of B:
    steps and planes are `step` and `plane` bytes apart, zeros follow the last row. Returns as
    `define_split_rows`.
    """
    name = f"split_panel_{shape.tile.name}_{columns}{'_careful' if careful else ''}"
    if module.has(name):
        return name
    params = [("to", "ptr"), ("from", "ptr"), *((n, "i64") for n in ("k", "step", "plane"))]
    f = Function(module, name, params, "i64", internal=True, attributes="nounwind noinline")
    to, source, k, step, plane = f.params
    numbers = _Numbers(f, shape, careful=careful)
    width = columns * _LANES
    zeros = f.alloca("float", width)
    for n in range(columns):
        f.store(int_(0, _FLOATS), f.gep(zeros, int_(n * _LANES), "float"))
    with f.loop(int_(0), k, shape.k_step, [to, int_(0, _INTS)]) as group:
        into, largest = group.carried
        with f.loop(int_(0), int_(shape.tile.rows), 1, [into, largest]) as pair:
            at, found = pair.carried
            first = f.add(group.index, f.mul(pair.index, int_(shape.depth)))
            rows = []
            for n in range(shape.depth):
                number = f.add(first, int_(n))
                row = f.gep(source, f.mul(number, int_(width)), "float")
                rows.append(f.select(f.icmp("slt", number, k), row, zeros))
            for c in range(columns):
                x = tuple(f.load(f.gep(row, int_(c * _LANES), "float"), _FLOATS) for row in rows)
                there = f.gep(at, int_(c * shape.register_bytes), "i8")
                found = numbers.store((x[0], x[1]), there, plane, found, interleaved=True)
            pair.next(f.gep(at, int_(shape.tile.row_bytes), "i8"), found)
        group.next(f.gep(into, step, "i8"), pair.carried[1])
    f.ret(numbers.is_special(group.carried[1]))
    f.finish()
    return name


def define_split_blocks(module: Module, shape: MatrixShape, block: int, *, careful: bool) -> str:
    """Add `i64 @name(ptr to, ptr from, i64 pixels, ptr words)`; returns the name.

    `from` holds pixels of `block` channels; in each step of `to`, pixels of two blocks are side by side, or
    in pairs of both, with zeros behind the last channel. `words`: bytes between steps of `to` and between its
    planes, between pixels of `from` and between its blocks, then channels and blocks. Returns as
    `define_split_rows`.
    """
    assert block == _LANES
    name = f"conv_split_{shape.tile.name}{'_careful' if careful else ''}"
    params = [("to", "ptr"), ("from", "ptr"), ("pixels", "i64"), ("words", "ptr")]
    f = Function(module, name, params, "i64", internal=True, attributes="nounwind noinline")
    to, source, pixels, words = f.params
    step, plane, pitch, far, channels, blocks = (f.word(words, n) for n in range(6))
    split = (Pairs if shape.in_pairs else _Numbers)(f, shape, careful=careful)
    last = f.sub(blocks, int_(1))
    with f.loop(int_(0), blocks, 2, [to, split.nothing()]) as pair:
        into, met = pair.carried
        beside = f.smin(f.add(pair.index, int_(1)), last)
        at = [f.gep(source, f.mul(far, b), "i8") for b in (pair.index, beside)]
        left = f.sub(channels, f.mul(pair.index, int_(_LANES)))
        masks = f.tail_mask(left, _LANES), f.tail_mask(f.sub(left, int_(_LANES)), _LANES)
        with f.loop(int_(0), pixels, 1, [into, *at, met]) as pixel:
            there, *here, met = pixel.carried
            first, second = (f.masked_load(p, _FLOATS, m) for p, m in zip(here, masks, strict=True))
            met = split.store((first, second), there, plane, met)
            there = f.gep(there, int_(shape.tile.row_bytes), "i8")
            pixel.next(there, *(f.gep(p, pitch, "i8") for p in here), met)
        pair.next(f.gep(into, step, "i8"), pixel.carried[3])
    f.ret(split.is_special(pair.carried[1]))
    f.finish()
    return name


def define_split_weights(module: Module, shape: MatrixShape, columns: int) -> str:
    """Add `void @name(ptr to, ptr from, i64 steps, ptr last)`; returns the name.

    `from` holds finite floats: whole steps of `columns` registers' columns; `to` is what a micro-kernel reads
    of B for A in pairs. What is read later is asked for, up to the cache line at `last`.
    """
    name = f"conv_split_weights_{shape.tile.name}_{columns}"
    params = [("to", "ptr"), ("from", "ptr"), ("steps", "i64"), ("last", "ptr")]
    f = Function(module, name, params, internal=True, attributes="nounwind noinline")
    to, source, steps, last = f.params
    split = Pairs(f, shape, careful=False)
    row, half = columns * _LANES * 4, shape.k_step // 2
    plane = columns * shape.register_bytes
    with f.loop(int_(0), steps, 1, [to, source]) as step:
        with f.loop(int_(0), int_(half), 1, list(step.carried)) as pair:
            into, first = pair.carried
            far = f.gep(first, int_(_AHEAD_BYTES), "i8")
            for line in range(0, 2 * row, CACHE_LINE):
                later = f.gep(far, int_(line // row * half * row + line % row), "i8")
                prefetch(f, f.select(f.icmp("ult", later, last), later, last), 2)
            for column in range(columns):
                at = f.gep(first, int_(column * _LANES * 4), "i8")
                x = f.load(at, _FLOATS), f.load(f.gep(at, int_(half * row), "i8"), _FLOATS)
                there = f.gep(into, int_(column * shape.register_bytes), "i8")
                split.store(x, there, int_(plane), split.nothing())
            pair.next(f.gep(into, int_(shape.tile.row_bytes), "i8"), f.gep(first, int_(row), "i8"))
        behind = f.gep(step.carried[0], int_(plane * shape.planes), "i8")
        step.next(behind, f.gep(step.carried[1], int_(shape.k_step * row), "i8"))
    f.ret()
    f.finish()
    return name


def define_join_blocks(module: Module, shape: MatrixShape, block: int) -> str:
    """Add a function as that of `define_split_blocks`, for blocks of numbers of registers; returns the name.

    It returns 0: none of them needs care.
    """
    assert block == _LANES
    assert shape.planes == 1
    name = f"conv_join_{shape.tile.name}"
    params = [("to", "ptr"), ("from", "ptr"), ("pixels", "i64"), ("words", "ptr")]
    f = Function(module, name, params, "i64", internal=True, attributes="nounwind noinline")
    to, source, pixels, words = f.params
    step, _, pitch, far, channels, blocks = (f.word(words, n) for n in range(6))
    last = f.sub(blocks, int_(1))
    size = _LANES * shape.number_bytes
    with f.loop(int_(0), blocks, 2, [to]) as pair:
        into = pair.carried[0]
        both = pair.index, f.smin(f.add(pair.index, int_(1)), last)
        begin = [f.gep(source, f.mul(far, b), "i8") for b in both]
        left = f.sub(channels, f.mul(pair.index, int_(_LANES)))
        masks = f.tail_mask(left, _LANES), f.tail_mask(f.sub(left, int_(_LANES)), _LANES)
        with f.loop(int_(0), pixels, 1, [into, *begin]) as pixel:
            there, *here = pixel.carried
            for n, (address, mask) in enumerate(zip(here, masks, strict=True)):
                half = f.masked_load(address, _HALVES, mask)
                f.store(half, f.gep(there, int_(n * size), "i8"))
            there = f.gep(there, int_(2 * size), "i8")
            pixel.next(there, *(f.gep(p, pitch, "i8") for p in here))
        pair.next(f.gep(into, step, "i8"))
    f.ret(int_(0))
    f.finish()
    return name


def define_split_pixels(module: Module, shape: MatrixShape, count: int, *, careful: bool) -> str:
    """Add `i64 @name(ptr to, ptr from, i64 pixels, ptr words)`; returns the name.

    `from` holds rows of pixels of one channel each; of `to` each pixel has `count` channels side by side,
    zeros for missing ones, in whole vectors of pixels. `words`: bytes between channels of `from`, then
    channels. Returns as `define_split_rows`.
    """
    assert shape.planes == 1
    name = f"conv_split_{shape.tile.name}_by{count}{'_careful' if careful else ''}"
    params = [("to", "ptr"), ("from", "ptr"), ("pixels", "i64"), ("words", "ptr")]
    f = Function(module, name, params, "i64", internal=True, attributes="nounwind noinline")
    to, source, pixels, words = f.params
    far, channels = (f.word(words, n) for n in range(2))
    numbers = _Numbers(f, shape, careful=careful)
    last = f.sub(channels, int_(1))
    begin = [f.gep(source, f.mul(far, f.smin(int_(n), last)), "i8") for n in range(count)]
    there = [f.icmp("slt", int_(n), channels) for n in range(count)]
    with f.loop(int_(0), pixels, PIXELS, [to, int_(0, _INTS)]) as group:
        into, largest = group.carried
        left = f.sub(pixels, group.index)
        halves: list[V] = []
        for n in range(0, count, 2):
            masks = (f.tail_mask(f.select(t, left, int_(0)), _LANES) for t in there[n : n + 2])
            at = (f.gep(address, group.index, "float") for address in begin[n : n + 2])
            x, y = (f.masked_load(a, _FLOATS, m) for a, m in zip(at, masks, strict=True))
            halves += numbers.parts((x, y))[Plane.HIGH]
            largest = numbers.meet(largest, (x, y))
        size = PIXELS * shape.number_bytes
        for n, half in enumerate(interleave(f, halves)):
            f.store(half, f.gep(into, int_(n * size), "i8"))
        group.next(f.gep(into, int_(count * size), "i8"), largest)
    f.ret(numbers.is_special(group.carried[1]))
    f.finish()
    return name
