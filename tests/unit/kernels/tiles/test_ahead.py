"""What is asked for ahead lies in weights that are still to be read: own run, next run, or their end."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.dataclass import replace
from sardonyx.base.target import Prefetch
from sardonyx.kernels.tiles.ahead import Ahead, Run
from sardonyx.kernels.tiles.microkernel import CACHE_LINE, UNROLL, TileWords
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Function, V, int_
from tests.unit.kernels.tiles.made import shape_of
from tests.unit.llvm.written import run

FETCH = Prefetch(1, alone_bytes=12 << 10, few_bytes=8 << 10)
SHAPE = replace(shape_of("f32"), prefetch=FETCH)
TURN = SHAPE.columns * UNROLL * SHAPE.element


def looked(
    tiles: int, few: bool, own: int, following: int, gap: int, shape: TileShape = SHAPE
) -> tuple[int, ...]:
    """Address, last, step and bytes of a tile, relative to the run; sizes and gap in turns."""

    def write(f: Function, base: V) -> list[V]:
        begin = f.value("ptr", f"inttoptr {base} to ptr")
        first = Run(begin, int_(own * TURN))
        after = Run(f.gep(begin, int_((own + gap) * TURN), "i8"), int_(following * TURN))
        ahead = Ahead.of(f, shape, int_(tiles), int_(int(few), "i1"), int_(SHAPE.columns), first, after)
        assert set(ahead.words) == {TileWords.AHEAD_STEP, TileWords.AHEAD_LAST}
        places = [f.convert("ptrtoint", p, "i64") for p in (ahead.address, ahead.last)]
        return [*(f.sub(p, base) for p in places), ahead.step, ahead.per_tile]

    return tuple(int(v[0]) for v in run(write, np.array([1 << 40])))


@pytest.mark.parametrize("few", [False, True])
def test_a_lone_tile_looks_a_fixed_distance_on(few: bool) -> None:
    address, last, step, _ = looked(1, few, 8, 8, 0)
    assert address == (FETCH.few_bytes if few else FETCH.alone_bytes)
    assert last == 15 * TURN, "the next run lies behind its own"
    assert step == TURN
    long = 2 * FETCH.alone_bytes // TURN + 1
    assert looked(1, few, long, long, 5)[1] == (long - 1) * TURN, "a run elsewhere is not reached"


@pytest.mark.parametrize("few", [False, True])
def test_a_lone_tile_with_a_short_run_fetches_one_that_lies_elsewhere(few: bool) -> None:
    address, last, step, per_tile = looked(1, few, 8, 8, 5)
    assert (address, last) == (13 * TURN, 20 * TURN)
    assert (step, per_tile) == (TURN, 8 * TURN)
    assert looked(1, few, 8, 0, 5)[1] == 7 * TURN, "nothing follows"


def test_a_lone_tile_asks_for_nothing_new_where_streams_are_followed() -> None:
    followed = replace(SHAPE, prefetch=Prefetch(1, streams=4))
    address, last, _, _ = looked(1, False, 8, 8, 5, followed)
    assert address == last == 7 * TURN


@pytest.mark.parametrize("tiles", [2, 3, 8])
def test_tiles_share_the_run_that_follows(tiles: int) -> None:
    address, last, step, per_tile = looked(tiles, False, 8, 8, 2)
    assert (address, last) == (10 * TURN, 17 * TURN)
    assert step % CACHE_LINE == 0
    assert per_tile * tiles >= 8 * TURN, "together they bring all of it"
    assert per_tile == 8 * step


def test_where_nothing_follows_the_own_end_is_asked_for() -> None:
    address, last, _, _ = looked(4, False, 8, 0, 0)
    assert address == last == 7 * TURN
