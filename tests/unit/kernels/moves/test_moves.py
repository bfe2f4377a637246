"""Elements are moved as strides say, whatever the sizes, and no byte beside them is touched."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.emit.turn import turns
from sardonyx.kernels.arguments import Move, MoveAxis
from sardonyx.kernels.library import moving
from sardonyx.kernels.moves.driver import MOST_AXES, symbol
from sardonyx.kernels.moves.rows import KEPT_BYTES, Rows
from sardonyx.kernels.moves.weave import FEW
from sardonyx.llvm.vec import Module
from sardonyx.object import executor
from sardonyx.object.link import link
from sardonyx.runtime.image import LoadedImage, load
from tests.runnable import examples, runnable_targets
from tests.unit.kernels.native import execute, guarded
from tests.unit.objects import compiled

SIZES = (1, 2, 4, 8)
EXTENTS = (1, 2, 3, 5, 8, 15, 16, 17, 33, 64, 70)
BESIDE = 64
"""Bytes before what is written that are looked at too; behind it memory ends."""
SCRATCH = np.zeros(64, np.uint8)
Axis = tuple[int, int, int]
"""Extent, step where it is read, step where it is written, in elements."""


@cache
def image(target: Target, size: int) -> LoadedImage:
    (turn,) = (turn for turn in turns(target) if turn.size_bytes == size)
    texts = [executor.ir(target), *(shared.of(Goal(target)) for shared in moving(turn).values())]
    return load(link([compiled(text, target) for text in texts], target))


def span(axes: Sequence[Axis], which: int) -> tuple[int, int]:
    """How many elements lie before the first point, and how many there are in all."""
    if any(axis[0] == 0 for axis in axes):
        return 0, 0
    before = sum(-min(0, axis[which]) * (axis[0] - 1) for axis in axes)
    return before, before + 1 + sum(max(0, axis[which]) * (axis[0] - 1) for axis in axes)


def offsets(axes: Sequence[Axis], which: int) -> Any:
    """The place of every point, counted from the first one."""
    found = np.zeros((), np.int64)
    for axis in axes:
        found = np.add.outer(found, np.arange(axis[0]) * axis[which])
    return found


def check(target: Target, size: int, moves: Sequence[Sequence[Axis]], threads: int = 1) -> None:
    """Run one call of moves between arrays of random bytes, and compare all bytes."""
    rng = np.random.default_rng(len(moves))
    element, words, kept = np.dtype(f"V{size}"), [len(moves)], []
    for axes in moves:
        (first, read), (start, written) = span(axes, 1), span(axes, 2)
        source = guarded(rng.integers(0, 256, read * size, np.uint8))
        start += -(-BESIDE // size)
        to = guarded(rng.integers(0, 256, (start + written) * size, np.uint8))
        expected = to.copy()
        at, places = first + offsets(axes, 1), start + offsets(axes, 2)
        expected.view(element)[places] = source.view(element)[at]
        kept.append((source, to, expected))
        addresses = source.ctypes.data + first * size, 0, to.ctypes.data + start * size
        words += [*addresses, len(axes), *(n for e, r, w in axes for n in (e, r * size, w * size))]
    function = image(target, size).address(symbol(size))
    execute(function, np.array(words, np.int64), SCRATCH, threads)
    for (_, to, expected), axes in zip(kept, moves, strict=True):
        np.testing.assert_array_equal(to, expected, err_msg=f"{axes}")


def drawn(rng: np.random.Generator) -> list[Axis]:
    """Axes in any order, with gaps, read backwards or repeated; columns are mostly contiguous."""
    rank = int(rng.integers(2, 6))
    extents = [int(rng.choice(EXTENTS)) for _ in range(rank)]
    while np.prod(extents) > 40_000:
        extents[int(np.argmax(extents))] = int(rng.choice(EXTENTS[:4]))
    if rng.random() < 0.05:
        extents[int(rng.integers(rank))] = 0
    steps = []
    for _ in range(2):
        step, found = 1 if rng.random() < 0.8 else int(rng.integers(2, 5)), [0] * rank
        for axis in rng.permutation(rank)[::-1] if rng.random() < 0.5 else range(rank)[::-1]:
            found[axis] = step
            step *= max(1, extents[axis])
            step += int(rng.integers(0, 4)) if rng.random() < 0.3 else 0
        steps.append(found)
    reads = [0 if rng.random() < 0.15 else -s if rng.random() < 0.1 else s for s in steps[0]]
    writes = [-s if rng.random() < 0.05 else s for s in steps[1]]
    return list(zip(extents, reads, writes, strict=True))


@pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
@pytest.mark.parametrize("size", SIZES)
def test_any_strides(target: Target, size: int) -> None:
    rng = np.random.default_rng(size)
    for number in range(examples(50, 150)):
        moves = [drawn(rng) for _ in range(1 + number % 3)]
        check(target, size, moves, threads=1 + number % 4)


@pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
@pytest.mark.parametrize("size", SIZES)
def test_rows_of_every_length_are_copied_and_repeated(target: Target, size: int) -> None:
    for columns in (*range(1, 70), 127, 128, 129, 255, 256, 257, 1000, 4095, 4096, 4097, 9000):
        for rows in (1, 3):
            for step in (0, 1):
                check(target, size, [[(rows, columns + 2, columns + 1), (columns, step, 1)]])


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("sides", [(1, 70_000), (70_000, 1), (300, 300), (3, 40_000), (40_000, 3)])
def test_long_moves_are_shared(threads: int, sides: tuple[int, int]) -> None:
    rows, columns = sides
    for target in runnable_targets():
        check(target, 4, [[(rows, 1, columns), (columns, rows, 1)]], threads)
        check(target, 2, [[(rows, columns, columns + 1), (columns, 1, 1)]], threads)


def test_the_most_axes_there_may_be() -> None:
    axes = [(2, 1 << n, 1 << (MOST_AXES - 1 - n)) for n in range(MOST_AXES)]
    for target in runnable_targets():
        check(target, 4, [axes, axes[1:]])


@pytest.mark.parametrize("size", SIZES)
def test_a_value_is_its_own_source(size: int) -> None:
    value = int.from_bytes(bytes(range(1, 9)), "little")
    for target in runnable_targets():
        for rows, columns in ((1, 1), (2, 3), (5, 100)):
            to = guarded(np.zeros(rows * columns * size, np.uint8))
            words = [1, 0, value, to.ctypes.data, 2, rows, 0, columns * size, columns, 0, size]
            assert len(words) == 1 + Move.AXES + 2 * MoveAxis.WORDS
            execute(image(target, size).address(symbol(size)), np.array(words, np.int64), SCRATCH)
            assert to.tobytes() == bytes(range(1, 1 + size)) * (rows * columns)


@pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
@pytest.mark.parametrize("size", SIZES)
def test_few_elements_side_by_side(target: Target, size: int) -> None:
    for count in (*FEW, 5):
        for length in (*range(1, 36), 100):
            woven, apart = [(length, 1, count), (count, length, 1)], [(count, 1, length), (length, count, 1)]
            repeated, wide = [(length, 1, count), (count, 0, 1)], [(length, 1, count + 1), (count, length, 1)]
            stepped = [[(3, length * count, length), (length, step, 1)] for step in (count, -count, -1)]
            check(target, size, [woven, apart, repeated, wide, *stepped])


def test_each_way_is_a_function_of_its_own() -> None:
    (target, *_) = runnable_targets()
    module = Module()
    Rows(module, "matrix", target, turns(target)[0]).write()
    ways = {f"matrix_{way}_{count}" for way in ("woven", "apart", "step") for count in FEW}
    assert all(map(module.has, {"matrix", "matrix_step_back", *ways}))


@pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
def test_rows_that_no_cache_keeps(target: Target) -> None:
    columns = 1031
    rows = -(-KEPT_BYTES // (8 * columns))
    check(target, 8, [[(rows, columns + 5, columns + 2), (columns, 1, 1)]], threads=2)
