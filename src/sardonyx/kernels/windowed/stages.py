"""The two calls of a strip: their words, and how the addresses among these move from one strip to the next.

Must not know how strips are cut or shared out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.ir.place import Storage
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.call import Address, Argument, NativeCall
from sardonyx.loops.nest import Affine, Kernel, Load, Position, Store

_OUTER = 3
"""Sample, block and line."""


@dataclass(frozen=True, slots=True)
class Displacement:
    """What is added to an address, in bytes: the buffer if it lies there, the others for each of theirs."""

    buffer: int = 0
    sample: Dim = 0
    block: Dim = 0
    line: Dim = 0
    row: Dim = 0


@dataclass(frozen=True, slots=True)
class Stage:
    """A call whose words are those of the first strip, an address in the buffer an offset."""

    call: NativeCall
    words: tuple[Argument, ...]
    shifts: Mapping[int, Displacement]


class Steps:
    """By how many elements the accesses of a kernel move with sample, block and line.

    None if words do not tell of them all: indices are data, numbers depend on where a strip is, or two
    accesses that share an address move apart.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._outer = kernel.outer[:_OUTER]
        self._found: dict[tuple[Storage, Dim], tuple[Dim, ...]] = {}
        self.are_told = not any(self._depends(e) for s in kernel.body for e in s.exprs)
        for storage, at in _addresses(kernel):
            steps = tuple(at.factor(axis) for axis in self._outer)
            if self._found.setdefault((storage, at.const), steps) != steps:
                self.are_told = False

    def _depends(self, expr: object) -> bool:
        if isinstance(expr, Load):
            return bool(expr.picks)
        return isinstance(expr, Position) and not expr.axes.isdisjoint(self._outer)

    def of(self, word: Address) -> tuple[Dim, ...] | None:
        """Those of the accesses of an address, in bytes."""
        steps = self._found.get((word.storage, word.offset))
        return steps and tuple(step * word.storage.dtype.size_bytes for step in steps)


def _addresses(kernel: Kernel) -> Iterator[tuple[Storage, Affine]]:
    for statement in kernel.body:
        found: list[Load | Store] = [e for e in statement.exprs if isinstance(e, Load)]
        if isinstance(statement, Store):
            found.append(statement)
        yield from ((access.buffer.key, access.at) for access in found if access.buffer.key is not None)


def convolution(call: NativeCall, end: Kernel, lines: int, pixels: int, buffer: Storage) -> Stage | None:
    """The call of a convolution with that end, which stores so many lines and pixels in the buffer.

    Panels and groups have their own words, so that blocks move what lies in the buffer alone. None if it is
    no sum over taps, or its lines are not those of the image.
    """
    if not call.symbol.startswith("sdx_conv_"):
        return None
    words, steps = list(call.words), Steps(end)
    flat = {Conv.LINES: 1, Conv.PIXELS: lines * pixels, Conv.WRAP: pixels}
    sizes = flat if words[Conv.WRAP] else {Conv.LINES: lines, Conv.PIXELS: pixels}
    expected = {**sizes, Conv.PLAIN: 0}
    if any(words[n] != size for n, size in expected.items()):
        return None
    words[Conv.BATCH], words[Conv.HEIGHT] = 1, 0
    shifts: dict[int, Displacement] = {}
    for operand in ("X", "Y", "R"):
        at = Conv.RESIDUAL if operand == "R" else Conv[operand]
        word = words[at]
        if not isinstance(word, Address):
            continue
        size = word.storage.dtype.size_bytes
        sample, line = (words[Conv[f"{operand}_{name}"]] * size for name in ("BATCH", "LINE"))  # type: ignore[operator]
        if word.storage is buffer:
            shifts[at] = Displacement(1, block=words[Conv.Y_BLOCK] * -size, row=line)  # type: ignore[operator]
        else:
            shifts[at] = Displacement(sample=sample, line=line)
    tail = slice(Conv.EPILOGUE_WORDS, None)
    for number, word in list(enumerate(words))[tail]:
        if not isinstance(word, Address):
            continue
        found = steps.of(word)
        if found is None or not steps.are_told:
            return None
        sample, block, line = found
        if word.storage is buffer:
            shifts[number] = Displacement(1, block=block * -1, row=line)
        else:
            shifts[number] = Displacement(sample=sample, line=line)
    return _stage(call, words, shifts, buffer)


def windows(call: NativeCall, nest: Kernel, buffer: Storage) -> Stage | None:
    """The call of a loop nest, emitted from `nest`, that reads the buffer."""
    steps, shifts = Steps(nest), dict[int, Displacement]()
    for number, word in enumerate(call.words):
        if not isinstance(word, Address):
            continue
        found = steps.of(word)
        if found is None:
            return None
        shifts[number] = Displacement(1) if word.storage is buffer else Displacement(0, *found)
    return _stage(call, call.words, shifts, buffer) if steps.are_told else None


def _stage(
    call: NativeCall, words: Sequence[Argument], shifts: Mapping[int, Displacement], buffer: Storage
) -> Stage:
    size = buffer.dtype.size_bytes
    there = tuple(
        word.offset * size if isinstance(word, Address) and word.storage is buffer else word for word in words
    )
    return Stage(call, there, {n: move for n, move in shifts.items() if move != Displacement()})


def reads_strips(nest: Kernel, buffer: Storage, pitches: Sequence[Dim], step: int) -> bool:
    """Whether all accesses of a buffer move with block and line as windows `step` lines apart do.

    `pitches` are the elements between samples, blocks and lines.
    """
    outer = nest.outer
    if len(outer) != 5:
        return False
    expected = (pitches[0], pitches[1], pitches[2] * step)
    found = [at for storage, at in _addresses(nest) if storage is buffer]
    return all(at.const == 0 and tuple(map(at.factor, outer[:_OUTER])) == expected for at in found)
