"""Numbers cut into three: their sum is the number, and each fits the upper half of a float."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.kernels.share import new_words
from sardonyx.kernels.tiles.matrix import ACROSS, MatrixShape
from sardonyx.kernels.tiles.parts import LANES, PARTS, ROW_BYTES, define_cut_rows, define_cut_step, step_bytes
from sardonyx.llvm.vec import Function, Module, V
from sardonyx.object import engine
from sardonyx.targets.x86_64 import isa
from tests.runnable import need
from tests.unit.kernels.native import Array, execute, guarded
from tests.unit.objects import compiled_alone, loaded

(TILE,) = (tile for tile in isa.V4.matrices if tile.name == "bf16x6")
SHAPE = MatrixShape(TILE)
ORDER = [n // 2 + n % 2 * LANES for n in range(2 * LANES)]


def run(name: str, module: Module, *arguments: Array | int) -> None:
    """Call a function of the module with addresses and numbers."""
    f = Function(module, "sdx_test", [("args", "ptr"), ("ctx", "ptr")])
    values: list[V] = []
    for n, argument in enumerate(arguments):
        values.append(f.word(f.params[0], n, "ptr" if isinstance(argument, np.ndarray) else "i64"))
    if name.startswith("cut_rows"):
        values = [*values[:4], new_words(f, dict(enumerate(values[4:])), 3)]
    f.call(name, "void", *values)
    f.ret()
    f.finish()
    target = need(isa.V4)
    image = loaded([compiled_alone(module.text(), target)], target)
    words = np.array([a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments], np.int64)
    execute(image.address("sdx_test"), words, np.zeros(64, np.uint8), 1)


def floats(halves: Array) -> Array:
    """What upper halves of floats stand for."""
    wide: Array = (halves.astype(np.uint32) << 16).view(np.float32)
    return wide


@pytest.mark.parametrize("scale", [1.0, 1e-20, 3e38])
def test_a_step_of_a_panel_is_the_sum_of_its_parts(scale: float, rng: np.random.Generator) -> None:
    module = Module()
    name = define_cut_step(module, SHAPE)
    panel = guarded((rng.uniform(-1, 1, (SHAPE.k_step, ROW_BYTES // 4)) * scale).astype(np.float32), align=64)
    assert panel.nbytes == step_bytes(SHAPE)
    to = guarded(np.zeros((PARTS, ACROSS, LANES, LANES, 2), np.uint16), align=64)
    run(name, module, to, panel)
    parts = floats(to).astype(np.float64)
    got = parts.sum(0).transpose(1, 3, 0, 2).reshape(SHAPE.k_step, -1)
    assert np.array_equal(got, panel[ORDER].astype(np.float64))


def test_what_is_not_finite_is_so_in_its_first_part(rng: np.random.Generator) -> None:
    module = Module()
    name = define_cut_step(module, SHAPE)
    panel = guarded(rng.uniform(-1, 1, (SHAPE.k_step, ROW_BYTES // 4)).astype(np.float32), align=64)
    panel[0, :3] = np.inf, -np.inf, np.nan
    to = guarded(np.zeros((PARTS, ACROSS, LANES, LANES, 2), np.uint16), align=64)
    run(name, module, to, panel)
    first = floats(to)[:, 0, 0, :3, 0]
    assert np.array_equal(first[0], panel[0, :3], equal_nan=True)
    assert np.isnan(first[1:]).all()


@pytest.mark.parametrize("columns", [1, 16, 31, 32, 33, 80])
def test_rows_are_cut_in_whole_steps_with_zeros_behind(columns: int, rng: np.random.Generator) -> None:
    module = Module()
    name = define_cut_rows(module, SHAPE)
    rows, steps = 3, -(-columns // SHAPE.k_step)
    x = guarded(rng.standard_normal((rows, columns)).astype(np.float32))
    plane = steps * TILE.row_bytes
    to = guarded(np.full((rows, PARTS, steps, SHAPE.k_step), 7, np.uint16), align=64)
    run(name, module, to, x, rows, columns, to.strides[0], plane, x.strides[0])
    whole = np.zeros((rows, steps * SHAPE.k_step), np.float32)
    whole[:, :columns] = x
    expected = whole.reshape(rows, steps, -1)[..., ORDER].astype(np.float64)
    assert np.array_equal(floats(to).astype(np.float64).sum(1), expected)


def test_texts_compile_for_the_level() -> None:
    module = Module()
    names = define_cut_rows(module, SHAPE), define_cut_step(module, SHAPE)
    assert len(set(names)) == 2
    assert "(%rsp)" not in engine.assembly(module.text(), isa.V4), "numbers stay in registers"
