"""Words of a stage move by the strides of what they address; what words cannot tell keeps a stage whole."""

from __future__ import annotations

import pytest

from sardonyx.base import dtype as dt
from sardonyx.ir.place import Storage
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.call import Address, Argument, NativeCall
from sardonyx.kernels.windowed.stages import Displacement, convolution, reads_strips, windows
from sardonyx.loops.nest import Affine, Apply, Axis, Buffer, Expr, Kernel, Load, Position, Store

N, C, H, W, L = OUTER = tuple(Axis(name, size) for name, size in zip("nchwl", (2, 3, 8, 9, 16), strict=True))
BUFFER, OUT, OTHER = (Storage("arena", dt.F32, 10_000) for _ in range(3))


def at(*factors: int, const: int = 0) -> Affine:
    return Affine(const, tuple((a, n) for a, n in zip(OUTER, factors, strict=False) if n))


def load(storage: Storage, where: Affine) -> Load:
    return Load(Buffer("b", dt.F32, "in", storage), where, dt.F32)


def nest(*exprs: Expr) -> Kernel:
    """A kernel that stores the sum of some expressions."""
    total = exprs[0]
    for expr in exprs[1:]:
        total = Apply("add", (total, expr), dt.F32)
    store = Store(Buffer("y", dt.F32, "out", OUT), at(9999, 1152, 144, 16, 1), (), total)
    return Kernel("k", OUTER, (store,), ())


def call(words: list[Argument], symbol: str = "sdx_conv_f32") -> NativeCall:
    return NativeCall(symbol, tuple(words), (), (BUFFER,))


READ = load(BUFFER, at(0, 1000, 2 * 160, 16, 1))


def test_addresses_of_a_nest_move_but_for_the_buffer() -> None:
    stage = windows(
        call([Address(BUFFER), Address(OUT), 7, Address(OTHER, 5)]),
        nest(READ, load(OTHER, at(0, 16, const=5))),
        BUFFER,
    )
    assert stage is not None
    assert stage.words[0] == 0
    assert stage.shifts == {
        0: Displacement(1),
        1: Displacement(0, 9999 * 4, 1152 * 4, 144 * 4),
        3: Displacement(0, 0, 64, 0),
    }


@pytest.mark.parametrize(
    "expr",
    [Position(at(0, 0, 1), dt.I64), load(OTHER, at(0, 16))],
    ids=["a number of the line", "two strides at one address"],
)
def test_what_words_do_not_tell(expr: Expr) -> None:
    words: list[Argument] = [Address(BUFFER), Address(OUT), Address(OTHER)]
    assert windows(call(words), nest(READ, load(OTHER, at(0, 32)), expr), BUFFER) is None


def conv_words(**changed: int) -> list[Argument]:
    words: list[Argument] = [0] * Conv.EPILOGUE_WORDS
    words[Conv.X], words[Conv.Y] = Address(OTHER), Address(BUFFER, 16)
    known = {
        "LINES": 8,
        "PIXELS": 9,
        "GROUPS": 1,
        "X_BATCH": 500,
        "X_LINE": 100,
        "Y_BLOCK": 2000,
        "Y_LINE": 160,
    }
    for name, value in {**known, **changed}.items():
        words[Conv[name]] = value
    return words


def test_a_convolution_stores_rows_of_the_buffer() -> None:
    stage = convolution(call(conv_words(BATCH=5)), nest(READ), 8, 9, BUFFER)
    assert stage is not None
    assert (stage.words[Conv.Y], stage.words[Conv.BATCH]) == (64, 1)
    assert stage.shifts == {
        Conv.X: Displacement(sample=2000, line=400),
        Conv.Y: Displacement(1, block=-8000, row=640),
    }


@pytest.mark.parametrize("changed", [{"LINES": 1, "PIXELS": 72}, {"PLAIN": 1}])
def test_a_convolution_of_other_lines_stays_whole(changed: dict[str, int]) -> None:
    assert convolution(call(conv_words(**changed)), nest(READ), 8, 9, BUFFER) is None
    assert convolution(call(conv_words(), "sdx_winograd_f4_f32"), nest(READ), 8, 9, BUFFER) is None


def test_windows_are_lines_apart() -> None:
    pitches = (0, 1000, 160)
    assert reads_strips(nest(READ), BUFFER, pitches, 2)
    assert not reads_strips(nest(READ), BUFFER, pitches, 1)
    assert not reads_strips(nest(load(BUFFER, at(0, 1000, 320, 16, 1, const=160))), BUFFER, pitches, 2)
