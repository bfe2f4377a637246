"""Rearranged registers hold what numpy's reshapes and transposes hold."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.llvm.shuffle import deinterleave, interleave, pick, reverse, transpose
from sardonyx.llvm.vec import Function, V
from tests.unit.llvm.written import run


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.int8])
@pytest.mark.parametrize("lanes", [2, 4, 8, 16])
def test_transpose_gives_columns(dtype: type, lanes: int) -> None:
    square = np.arange(lanes * lanes).reshape(lanes, lanes).astype(dtype)
    assert np.array_equal(run(lambda f, *rows: transpose(f, rows), *square), square.T)


@pytest.mark.parametrize("splats", [(), (0,), (1, 2), (0, 1, 2, 3, 4, 5, 6, 7)])
def test_vectors_of_the_same_lanes_are_written_once(splats: tuple[int, ...]) -> None:
    square = np.arange(64, dtype=np.float32).reshape(8, 8)
    distinct: list[int] = []

    def build(f: Function, *rows: V) -> list[V]:
        mixed = [f.splat(f.extract(row, 3), 8) if n in splats else row for n, row in enumerate(rows)]
        columns = transpose(f, mixed)
        distinct.append(len({column.text for column in columns}))
        assert f.shuffle(columns[0], columns[0], range(8)) is f.shuffle(columns[0], columns[1], range(8))
        return columns

    got = run(build, *square)
    for n in splats:
        square[n] = square[n, 3]
    assert np.array_equal(got, square.T)
    assert distinct == [1 if len(splats) == 8 else 8]


def test_what_may_be_anything_is_not_shuffled() -> None:
    def build(f: Function, row: V) -> list[V]:
        anything = V("poison", row.type)
        assert f.shuffle(anything, anything, range(8)).text == "poison"
        assert f.shuffle(row, anything, [-1] * 8).text == "poison"
        return transpose(f, [row] + [anything] * 7)

    row = np.arange(8, dtype=np.float32)
    assert np.array_equal(np.array(run(build, row))[:, 0], row)


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("lanes", [4, 16])
def test_interleaved_sequences_come_apart_and_together(step: int, lanes: int) -> None:
    memory = np.arange(step * lanes, dtype=np.float32)
    apart = np.array(run(lambda f, *v: deinterleave(f, v), *memory.reshape(step, lanes)))
    assert np.array_equal(apart, memory.reshape(lanes, step).T)
    together = run(lambda f, *v: interleave(f, v), *apart)
    assert np.array_equal(np.ravel(together), memory)


def test_pick_takes_from_any_vector() -> None:
    vectors = np.arange(20, dtype=np.int32).reshape(5, 4)
    indices = [19, 0, -1, 7]
    (got,) = run(lambda f, *v: [pick(f, v, indices)], *vectors)
    assert [got[n] for n in (0, 1, 3)] == [19, 0, 7], "a negative index is any element"
    (got,) = run(lambda f, *v: [pick(f, v, [8, 9])], *vectors)
    assert got.tolist() == [8, 9]


def test_reverse() -> None:
    x = np.arange(8, dtype=np.float32)
    assert np.array_equal(run(lambda f, v: [reverse(f, v)], x)[0], x[::-1])
