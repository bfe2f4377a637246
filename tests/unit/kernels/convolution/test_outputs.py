"""Pixels lie where the strides of a call say, and strips of sums get there: by blocks, or by channels."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.kernels import scratch
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.convolution.outputs import Channels, Outputs
from sardonyx.kernels.share import new_words
from sardonyx.kernels.tiles.repack import define_copy
from sardonyx.llvm.vec import Function, V, int_
from tests.unit.kernels.tiles.made import shape_of
from tests.unit.llvm.written import run

SHAPE = shape_of("f32")
PIXELS, LINE, PIXEL, SAMPLE = 3, 2, 1, 1
STRIDES = {"BATCH": 700, "BLOCK": 200, "LINE": 16 * 4, "PIXEL": 16, "CHANNEL": 1}
PLAIN = {"BATCH": 700, "BLOCK": 0, "LINE": 4, "PIXEL": 1, "CHANNEL": 13}
LAST = {**PLAIN, "CHANNEL": 1, "PIXEL": 16}


def outputs(f: Function, y: V, plain: int, strides: dict[str, int]) -> Outputs:
    """The outputs of a call without an end."""
    words: dict[int, V] = {Conv.PLAIN: int_(plain), Conv.Y: y}
    words |= {Conv[f"{o}_{name}"]: int_(stride) for o in "YR" for name, stride in strides.items()}
    args = new_words(f, words, Conv.EPILOGUE_WORDS)
    word = {w: f.word(args, w) for w in Conv if w > Conv.EPILOGUE}
    turned = f.alloca("i8", scratch.TURNED_BYTES)
    return Outputs(f, SHAPE, args, word, int_(SAMPLE), define_copy(f.module, SHAPE), turned)


@pytest.mark.parametrize(("plain", "strides"), [(0, STRIDES), (1, PLAIN)])
@pytest.mark.parametrize("channel", [0, 5, 16, 37])
def test_places(plain: int, strides: dict[str, int], channel: int) -> None:
    def write(f: Function, base: V) -> list[V]:
        y = f.value("ptr", f"inttoptr {base} to ptr")
        place = outputs(f, y, plain, strides).place("Y", int_(LINE), int_(PIXEL), int_(channel))
        return [f.sub(f.convert("ptrtoint", place.address, "i64"), base), place.row, place.lane]

    at = strides["BATCH"] * SAMPLE + strides["LINE"] * LINE + strides["PIXEL"] * PIXEL
    at += channel * strides["CHANNEL"] if plain else channel // 16 * strides["BLOCK"] + channel % 16
    found = [int(v[0]) for v in run(write, np.array([1 << 40]))]
    assert found == [4 * at, strides["PIXEL"], strides["CHANNEL"]]


@pytest.mark.parametrize(("plain", "strides"), [(0, STRIDES), (1, PLAIN), (1, LAST)])
@pytest.mark.parametrize("first", [0, 8])
def test_a_strip_gets_to_its_place(plain: int, strides: dict[str, int], first: int) -> None:
    count, size = SHAPE.lanes, 1600

    def write(f: Function, numbers: V) -> list[V]:
        sums, y = f.alloca("float", PIXELS * SHAPE.columns), f.alloca("float", size)
        for p in range(PIXELS):
            for c in range(count):
                value = f.convert("sitofp", int_(100 * p + c + 1), "float")
                f.store(value, f.gep(sums, int_(p * SHAPE.columns + c), "float"))
        with f.loop(int_(0), int_(size)) as cell:
            f.store(int_(0, "i32"), f.gep(y, cell.index, "float"))
        into = outputs(f, y, plain, strides)
        into.pass_on(sums, Channels(int_(first), int_(count)), int_(LINE), int_(PIXEL), int_(PIXELS))
        with f.loop(int_(0), int_(size), 1, [int_(0)]) as cell:
            stored = f.load(f.gep(y, cell.index, "float"), "float")
            is_set = f.convert("zext", f.fcmp("une", stored, f.convert("sitofp", int_(0), "float")), "i64")
            cell.next(f.add(cell.carried[0], is_set))
        found = []
        for p in range(PIXELS):
            for c in range(count):
                place = into.place("Y", int_(LINE), int_(PIXEL + p), int_(first + c))
                found.append(f.convert("fptosi", f.load(place.address, "float"), "i64"))
        return [cell.carried[0], *found]

    written, *found = (int(v[0]) for v in run(write, np.array([0])))
    assert found == [100 * p + c + 1 for p in range(PIXELS) for c in range(count)]
    assert written == PIXELS * count, "and nothing else"
