"""Tiles are written in order, and strips of them passed on: whole lines at the most, and a few tiles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from sardonyx.kernels.share import new_words
from sardonyx.kernels.tiles.ahead import Ahead
from sardonyx.kernels.tiles.shape import STRIP_TILES
from sardonyx.kernels.tiles.strips import Lines, Strip, Strips
from sardonyx.llvm.vec import Function, V, int_
from tests.unit.kernels.tiles.made import shape_of
from tests.unit.llvm.written import run

SHAPE = shape_of("f32")
ROWS, SHARE = 3, 5
TILE = ROWS * SHAPE.panel_row_bytes
Event = tuple[int, ...]


def written(
    low: int, high: int, lines: tuple[int, int] | None, kept: bool, passes_on: bool, most: int = STRIP_TILES
) -> list[Event]:
    """What a walk of tiles did: (0, number, index, line, ahead, sums) and (1, sums, first, end, line, 0).

    `lines` are the tiles of a line and how far lines are apart.
    """

    def write(f: Function, base: V) -> list[V]:
        start = f.value("ptr", f"inttoptr {base} to ptr")
        log, count = new_words(f, {}, 6 * room), new_words(f, {}, 1)

        def note(*words: V) -> None:
            at = f.word(count, 0)
            for n, word in enumerate(words):
                f.store(word, f.gep(log, f.add(f.mul(at, int_(6)), int_(n)), "i64"))
            f.store(f.add(at, int_(1)), count)

        def offset(address: V) -> V:
            return f.sub(f.convert("ptrtoint", address, "i64"), base)

        def tile(number: V, position: Sequence[V], later: V, into: V) -> V:
            line = position[1] if lines else int_(0)
            note(int_(0), number, position[0], line, offset(later), offset(into))
            return int_(ROWS)

        def pass_on(strip: Strip, end: V) -> None:
            note(int_(1), offset(strip.sums), strip.first[0], end, strip.first[1] if lines else int_(0))

        begin = [low % lines[0], low // lines[0] * lines[1]] if lines else [low]
        whole = int_(low), int_(high), [int_(n) for n in begin], start
        flags = int_(int(kept), "i1"), int_(int(passes_on), "i1")
        apart = Lines(int_(lines[0]), int_(lines[1])) if lines else None
        ahead = Ahead.apart(start, int_(SHARE))
        Strips(*whole, *flags, apart, int_(most)).write(f, SHAPE, ahead, tile, pass_on)
        return [f.word(count, 0), *(f.word(log, n) for n in range(6 * room))]

    room = 2 * (high - low)
    count, *words = (int(v[0]) for v in run(write, np.array([1 << 40])))
    return [tuple(words[6 * n : 6 * n + 6]) for n in range(count)]


def expected(
    low: int, high: int, lines: tuple[int, int] | None, kept: bool, passes_on: bool, most: int = STRIP_TILES
) -> list[Event]:
    """The same in plain words."""
    events: list[Event] = []
    strip: list[tuple[int, int, int]] = []
    sums = 0
    for number in range(low, high):
        index, line = (number % lines[0], number // lines[0] * lines[1]) if lines else (number, 0)
        events.append((0, number, index, line, SHARE * (number - low), sums))
        strip.append((sums, index, line))
        sums += TILE
        ends_line = lines is not None and index + 1 == lines[0]
        if ends_line or len(strip) == most or number + 1 == high:
            first_sums, first, first_line = strip[0]
            if passes_on:
                events.append((1, first_sums, first, index + 1, first_line, 0))
            strip, sums = [], sums if kept else 0
    return events


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("lines", [None, (1, 1), (3, 2), (STRIP_TILES, 1), (STRIP_TILES + 2, 2)])
@pytest.mark.parametrize(("low", "high"), [(0, 1), (2, 7), (5, 5 + 2 * STRIP_TILES), (1, 14)])
def test_strips_end_with_lines_and_are_short(
    low: int, high: int, lines: tuple[int, int] | None, kept: bool
) -> None:
    assert written(low, high, lines, kept, True) == expected(low, high, lines, kept, True)


def test_nothing_is_passed_on_before_sums_are_complete() -> None:
    assert written(0, 9, None, True, False) == expected(0, 9, None, True, False)


@pytest.mark.parametrize("most", [1, 2, 3])
@pytest.mark.parametrize("kept", [False, True])
def test_strips_may_be_shorter(most: int, kept: bool) -> None:
    assert written(2, 9, None, kept, True, most) == expected(2, 9, None, kept, True, most)
