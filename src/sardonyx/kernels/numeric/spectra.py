"""Spectra of the frames of a signal: windowed transforms of real numbers, of lengths that have few stages.

A lane is a frame, so no lane reads another's numbers. A transform of N real numbers is one of N / 2 complex
ones, in place; one more step takes the spectra of even and odd samples apart. Must not know ONNX.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum, auto

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.abi import Context
from sardonyx.base.dtype import DType
from sardonyx.base.policy import Goal
from sardonyx.base.radices import radices
from sardonyx.base.target import Target
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place, Storage
from sardonyx.ir.value import const
from sardonyx.kernels.call import Address, Argument, Calls, NativeCall, in_order
from sardonyx.kernels.share import ceil_div, split
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.shuffle import transpose
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, int_

Array = np.ndarray
Complex = tuple[Lanes, Lanes]


class Word(IntEnum):
    """Argument words: X [LINES, SAMPLES] and Y [LINES, 2, bins, FRAMES] without gaps; STEP between frames.

    WINDOW is half of the weights of samples, PLACES i32 the byte of the buffer that each pair of samples goes
    to, TURNS what the stages multiply by and HALVES what the last step does, each real and imaginary.
    """

    X = 0
    Y = auto()
    LINES = auto()
    SAMPLES = auto()
    FRAMES = auto()
    STEP = auto()
    WINDOW = auto()
    PLACES = auto()
    TURNS = auto()
    HALVES = auto()
    WORDS = auto()


def spectra_calls(group: Group, places: Mapping[int, Place], goal: Goal) -> Calls:
    """The call that transforms all frames of all lines."""
    root, place, target = group.root, group.place, goal.target
    assert place is not None
    x, window = root.args
    assert window.data is not None
    length, frames, lines = len(window.data), root.shape[-1], dims.product(x.shape[:-1])
    source = places[x.id]
    tables = {
        Word.WINDOW: _stored(window.data / 2, dt.F32),
        Word.PLACES: _stored(_places(length // 2) * (8 * target.lanes), dt.I32),
        Word.TURNS: _stored(_turns(length // 2), dt.F32),
        Word.HALVES: _stored(_parts(np.arange(length // 4) / length), dt.F32),
    }
    words: dict[int, Argument] = {
        Word.X: Address.of(source),
        Word.Y: Address.of(place),
        Word.LINES: lines,
        Word.SAMPLES: x.shape[-1],
        Word.FRAMES: frames,
        Word.STEP: root.attrs["step"],
    }
    words |= {word: Address(storage) for word, storage in tables.items()}
    symbol = f"sdx_spectra_{length}"
    flops = lines * frames * round(length * math.log2(length) * 5 / 2)
    call = NativeCall(
        symbol,
        in_order(words, Word.WORDS),
        (source.storage, *tables.values()),
        (place.storage,),
        root.origins,
        work=flops,
        flops=flops,
        scratch_bytes=length * target.lanes * 4,
        kind="spectra",
        plan=f"{frames} frames of {length}",
    )
    yield call, {symbol: lambda: spectra_ir(symbol, length, target)}


def spectra_ir(symbol: str, length: int, target: Target) -> str:
    """The module with `void @symbol(ptr args, ptr ctx)`."""
    module = Module()
    _Writer(module, symbol, length, target).write()
    return module.text()


class _Writer:
    """Writes the kernel: each thread's blocks of as many frames as a vector has lanes."""

    def __init__(self, module: Module, symbol: str, length: int, target: Target) -> None:
        f = self.f = Function(module, symbol, [("args", "ptr"), ("ctx", "ptr")])
        self.length, self.count, self.lanes = length, length // 2, target.lanes
        self.vector = vector_of("float", target.lanes)
        self.vector_bytes = 4 * target.lanes
        args, self.ctx = f.params
        numbers = (Word.LINES, Word.SAMPLES, Word.FRAMES, Word.STEP)
        self.word = {
            w: f.word(args, w, "i64" if w in numbers else "ptr") for w in Word if w is not Word.WORDS
        }
        self.buffer = f.word(self.ctx, Context.SCRATCH, "ptr")

    def write(self) -> None:
        """Add the function to its module."""
        f, frames = self.f, self.word[Word.FRAMES]
        blocks = ceil_div(f, f.smax(frames, int_(0)), int_(self.lanes))
        tid, threads = f.word(self.ctx, Context.TID), f.word(self.ctx, Context.NTHREADS)
        with f.loop(*split(f, f.mul(self.word[Word.LINES], blocks), tid, threads)) as block:
            line, number = (f.binary(op, block.index, blocks) for op in ("udiv", "urem"))
            first = f.mul(number, int_(self.lanes))
            self._load(line, first)
            self._transform()
            self._store(line, first)
        f.ret()
        f.finish()

    def _load(self, line: V, first: V) -> None:
        """Put the weighted samples of a block into the buffer; behind the last frame it is read again."""
        f, word = self.f, self.word
        signal = f.gep(word[Word.X], f.mul(line, word[Word.SAMPLES]), "float")
        last = f.sub(word[Word.FRAMES], int_(1))
        frames = [f.smin(f.add(first, int_(n)), last) for n in range(self.lanes)]
        places = [f.gep(signal, f.mul(frame, word[Word.STEP]), "float") for frame in frames]
        with f.loop(int_(0), int_(self.length), self.lanes) as loop:
            rows = [f.load(f.gep(at, loop.index, "float"), self.vector, 4) for at in places]
            weights = f.gep(word[Word.WINDOW], loop.index, "float")
            pairs = f.gep(word[Word.PLACES], f.binary("lshr", loop.index, int_(1)), "i32")
            for n, samples in enumerate(transpose(f, rows)):
                if n % 2 == 0:
                    offset = f.load(f.gep(pairs, int_(n // 2), "i32"), "i32")
                    to = f.gep(self.buffer, f.convert("zext", offset, "i64"), "i8")
                weighted = Lanes(f, samples) * self._splat(weights, n)
                f.store(weighted.v, f.gep(to, int_(n % 2 * self.vector_bytes), "i8"), self.vector_bytes)

    def _splat(self, table: V, number: int) -> Lanes:
        f = self.f
        return Lanes(f, f.splat(f.load(f.gep(table, int_(number), "float"), "float"), self.lanes))

    # ---- the transform

    def _transform(self) -> None:
        size, table = 1, self.word[Word.TURNS]
        for radix in radices(self.count):
            self._stage(radix, size, table)
            table = self.f.gep(table, int_(2 * (radix - 1) * size if size > 1 else 0), "float")
            size *= radix

    def _stage(self, radix: int, size: int, table: V) -> None:
        """Transforms of `size` numbers become such of `radix` times as many."""
        f = self.f
        with f.loop(int_(0), int_(size)) as loop:
            row = f.gep(table, f.mul(loop.index, int_(2 * (radix - 1))), "float")
            turns = [(self._splat(row, 2 * n), self._splat(row, 2 * n + 1)) for n in range(radix - 1)]
            with f.loop(loop.index, int_(self.count), radix * size) as group:
                places = [self._place(group.index, n * size) for n in range(radix)]
                first, *others = [self._get(at) for at in places]
                if size > 1:
                    others = [self._turned(*pair) for pair in zip(others, turns, strict=True)]
                for at, number in zip(places, self._joined(first, *others), strict=True):
                    self._put(at, number)

    def _joined(self, a: Complex, *others: Complex) -> Iterator[Complex]:
        """The transform of two, of four or of an odd number of them."""
        if len(others) == 1:
            yield from (_sum(a, *others), _difference(a, *others))
        elif len(others) == 3:
            b, c, d = others
            even, odd, over, across = _sum(a, c), _sum(b, d), _difference(a, c), _difference(b, d)
            yield from (_sum(even, odd), _behind(over, across))
            yield from (_difference(even, odd), _ahead(over, across))
        else:
            yield from self._odd(a, others)

    def _odd(self, a: Complex, others: Sequence[Complex]) -> Iterator[Complex]:
        """That of an odd number: sums of two times cosines, differences times sines."""
        radix = len(others) + 1
        pairs = list(zip(others[: radix // 2], reversed(others), strict=False))
        sums, differences = [_sum(*pair) for pair in pairs], [_difference(*pair) for pair in pairs]
        total = a
        for pair in sums:
            total = _sum(total, pair)
        yield total
        found = []
        for number in range(1, radix // 2 + 1):
            angles = [2 * math.pi * number * (n + 1) / radix for n in range(len(pairs))]
            zero = (a[0].like(0.0), a[0].like(0.0))
            middle = self._weighted(a, sums, [math.cos(angle) for angle in angles])
            found.append((middle, self._weighted(zero, differences, [math.sin(angle) for angle in angles])))
        yield from (_behind(*pair) for pair in found)
        yield from (_ahead(*pair) for pair in reversed(found))

    def _weighted(self, total: Complex, numbers: Sequence[Complex], factors: Sequence[float]) -> Complex:
        """total + numbers . factors."""
        re, im = total
        for (x, y), factor in zip(numbers, factors, strict=True):
            by = x.like(factor).v
            re, im = (Lanes(self.f, self.f.fma(n.v, by, to.v)) for n, to in ((x, re), (y, im)))
        return re, im

    def _turned(self, a: Complex, turn: Complex) -> Complex:
        """a * turn."""
        f, (re, im), (cos, sin) = self.f, a, turn
        return Lanes(f, f.fma(re.v, cos.v, (-(im * sin)).v)), Lanes(f, f.fma(re.v, sin.v, (im * cos).v))

    def _place(self, number: V, further: int = 0) -> V:
        """Where a complex number of the buffer is."""
        f, size = self.f, 2 * self.vector_bytes
        return f.gep(f.gep(self.buffer, f.mul(number, int_(size)), "i8"), int_(further * size), "i8")

    def _get(self, at: V) -> Complex:
        f = self.f
        re, im = (f.load(f.gep(at, int_(n * self.vector_bytes), "i8"), self.vector) for n in range(2))
        return Lanes(f, re), Lanes(f, im)

    def _put(self, at: V, number: Complex) -> None:
        for n, part in enumerate(number):
            self.f.store(part.v, self.f.gep(at, int_(n * self.vector_bytes), "i8"), self.vector_bytes)

    # ---- the spectra of even and odd samples

    def _store(self, line: V, first: V) -> None:
        """Take the spectra apart, join them to that of all samples and write it."""
        f, half = self.f, self.count // 2
        at = f.mul(f.mul(line, int_(2 * (self.count + 1))), self.word[Word.FRAMES])
        self.to = f.gep(self.word[Word.Y], f.add(at, first), "float")
        self.mask = f.tail_mask(f.sub(self.word[Word.FRAMES], first), self.lanes)
        re, im = self._get(self.buffer)
        self._write(int_(0), (_twice(re + im), re.like(0.0)))
        self._write(int_(self.count), (_twice(re - im), re.like(0.0)))
        re, im = self._get(self._place(int_(half)))
        self._write(int_(half), (_twice(re), -_twice(im)))
        with f.loop(int_(1), int_(half)) as loop:
            table = f.gep(self.word[Word.HALVES], f.mul(loop.index, int_(2)), "float")
            mirrored = f.sub(int_(self.count), loop.index)
            (a, b), (c, d) = self._get(self._place(loop.index)), self._get(self._place(mirrored))
            even, odd = (a + c, b - d), (b + d, c - a)
            odd = self._turned(odd, (self._splat(table, 0), self._splat(table, 1)))
            self._write(loop.index, _sum(even, odd))
            self._write(mirrored, (even[0] - odd[0], odd[1] - even[1]))

    def _write(self, bin_: V, number: Complex) -> None:
        f, frames = self.f, self.word[Word.FRAMES]
        for part, value in enumerate(number):
            row = f.add(bin_, int_(part * (self.count + 1)))
            f.masked_store(value.v, f.gep(self.to, f.mul(row, frames), "float"), self.mask)


def _sum(a: Complex, b: Complex) -> Complex:
    return a[0] + b[0], a[1] + b[1]


def _difference(a: Complex, b: Complex) -> Complex:
    return a[0] - b[0], a[1] - b[1]


def _behind(a: Complex, b: Complex) -> Complex:
    """A - ib."""
    return a[0] + b[1], a[1] - b[0]


def _ahead(a: Complex, b: Complex) -> Complex:
    """A + ib."""
    return a[0] - b[1], a[1] + b[0]


def _twice(x: Lanes) -> Lanes:
    return x + x


def _places(count: int) -> Array:
    """Where the numbers of a transform are before its stages."""
    rest, place, size = np.arange(count), np.zeros(count, np.int64), count
    for radix in reversed(radices(count)):
        size //= radix
        place += rest % radix * size
        rest //= radix
    return place


def _turns(count: int) -> Array:
    """What the stages after the first multiply all but the first of their numbers by."""
    tables: list[Array] = [np.zeros((0, 2))]
    size = 1
    for radix in radices(count):
        if size > 1:
            tables.append(_parts(np.outer(np.arange(size), np.arange(1, radix)).ravel() / (radix * size)))
        size *= radix
    return np.concatenate(tables)


def _parts(turns: Array) -> Array:
    """Real and imaginary parts of e^(-2 pi i t)."""
    return np.stack([np.cos(2 * np.pi * turns), -np.sin(2 * np.pi * turns)], -1)


def _stored(array: Sequence[float] | Array, dtype: DType) -> Storage:
    value = const(np.ascontiguousarray(array, dtype.numpy).ravel())
    return Storage("const", dtype, value.data.size if value.data is not None else 0, 0, value)
