"""Matrix registers multiply as their model does, bit for bit; without them, the model is asked alone."""

from __future__ import annotations

import ctypes
import re
from typing import Any

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base.target import Target
from sardonyx.base.tile import MatrixTile
from sardonyx.llvm import matrix
from sardonyx.llvm.vec import Function, Module, int_
from sardonyx.object import engine
from sardonyx.targets.x86_64 import isa
from tests.runnable import need
from tests.unit.llvm import registers
from tests.unit.objects import loaded

ROW = isa.V4.matrices[0]
BY = ROW.instruction
WITH = isa.with_features(isa.V4, ROW.features)
Array = registers.Array


def product(
    row: MatrixTile = ROW, rows: dict[int, int] | None = None, size: dict[int, int] | None = None
) -> str:
    """Text of `product(a, b, sums)` of registers 1, 2 and 0, some of fewer rows, or of rows of some bytes."""
    module = Module()
    f = Function(module, "product", [(n, "ptr") for n in ("a", "b", "sums")])
    a, b, sums = f.params
    stride, by = int_(row.row_bytes), row.instruction
    few, short = ({n: int_(count) for n, count in (told or {}).items()} for told in (rows, size))
    matrix.configure(f, by, few, short)
    for register, operand in enumerate((sums, a, b)):
        matrix.load(f, by, register, operand, stride)
    matrix.add_product(f, by, 0, 1, 2)
    matrix.store(f, by, 0, sums, stride)
    matrix.release(f, by)
    f.ret()
    f.finish()
    return module.text()


def executed(text: str, target: Target, *arrays: Array) -> None:
    image = loaded([engine.compile_object(text, target)], target)
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(arrays))(image.address("product"))
    function(*(array.ctypes.data for array in arrays))


def drawn(kind: str) -> tuple[Array, Array, Array]:
    """A and B as bfloat16 bits, and sums."""
    rng = np.random.default_rng(len(kind))
    a, b = rng.integers(0, 1 << 16, (2, 16, 32), np.uint16)
    sums = rng.standard_normal((16, 16)).astype(np.float32)
    if kind != "any bits":
        spread = {"alike": 1, "small": 30, "wide": 60}[kind]
        exponents = 127 + rng.integers(-spread, spread, (2, 16, 32), endpoint=True)
        exponents -= 64 if kind == "small" else 0
        a, b = ((x & 0x807F) | (e << 7).astype(np.uint16) for x, e in zip((a, b), exponents, strict=True))
    return a, b, sums


@pytest.mark.parametrize("kind", ["alike", "wide", "small", "any bits"])
def test_the_model_is_the_instruction(kind: str) -> None:
    a, b, sums = drawn(kind)
    expected = registers.tdpbf16ps(sums, a, b)
    keep: list[Any] = []
    by_model, by_machine = sums.copy(), sums.copy()
    executed(registers.modelled(product(), keep), targets.detect(), a, b, by_model)
    assert np.array_equal(by_model, expected, equal_nan=True)
    executed(product(), need(WITH), a, b, by_machine)
    assert np.array_equal(by_machine, expected, equal_nan=True)
    assert np.array_equal(np.signbit(by_machine[by_machine == 0]), np.signbit(expected[expected == 0]))


@pytest.mark.parametrize("extreme", [False, True])
def test_sums_of_bytes_wrap_and_never_saturate(extreme: bool) -> None:
    (row,) = (row for row in isa.V4.matrices if row.operand == "i8")
    rng = np.random.default_rng(1)
    a = rng.integers(255 if extreme else 0, 256, (16, 64)).astype(np.uint8)
    b = rng.integers(-128, -127 if extreme else 128, (16, 64)).astype(np.int8)
    sums = rng.integers(-(2**31), 2**31 - 1, (16, 16)).astype(np.int32)
    sums[0] = -(2**31)
    columns = b.reshape(16, 16, 4).transpose(0, 2, 1).reshape(64, 16).astype(object)
    wrapped = (sums.astype(object) + a.astype(object) @ columns + 2**31) % 2**32 - 2**31
    expected = wrapped.astype(np.int32)
    by_model, by_machine = sums.copy(), sums.copy()
    executed(registers.modelled(product(row), keep := []), targets.detect(), a, b, by_model)  # type: ignore[var-annotated]
    assert np.array_equal(by_model, expected) and keep
    executed(product(row), need(isa.with_features(isa.V4, row.features)), a, b, by_machine)
    assert np.array_equal(by_machine, expected)


@pytest.mark.parametrize(("rows", "numbers"), [(16, 2), (16, 28), (5, 22), (1, 32)])
def test_registers_that_are_not_whole(rows: int, numbers: int) -> None:
    a, b, sums = drawn("alike")
    a[rows:], a[:, numbers:], b[numbers // 2 :] = 0x7FC0, 0x7FC0, 0x7FC0
    expected = sums.copy()
    expected[:rows] = registers.tdpbf16ps(sums[:rows], a[:rows, :numbers], b[: numbers // 2])
    text = product(rows={0: rows, 1: rows, 2: numbers // 2}, size={1: 2 * numbers})
    by_model, by_machine = sums.copy(), sums.copy()
    executed(registers.modelled(text, keep := []), targets.detect(), a, b, by_model)  # type: ignore[var-annotated]
    assert np.array_equal(by_model, expected) and keep
    executed(text, need(WITH), a, b, by_machine)
    assert np.array_equal(by_machine, expected)


def test_instructions_stand_as_they_are_written() -> None:
    text = engine.assembly(product(), WITH)
    found = re.findall(r"^\s+(ldtilecfg|tile\w+|tdp\w+)", text, re.M)
    assert found == ["ldtilecfg", *["tileloadd"] * 3, "tdpbf16ps", "tilestored", "tilerelease"]


@pytest.mark.parametrize(("largest", "least"), [(3.0e38, 1.1e-38)])
def test_products_that_a_sum_cannot_hold(largest: float, least: float) -> None:
    a, b = (np.zeros((16, 32), np.uint16) for _ in range(2))
    sums = np.zeros((16, 16), np.float32)
    a[0, 0] = b[0, 0] = registers.rounded_halves(np.array([largest], np.float32))[0]
    a[1, 0], b[0, 2] = registers.rounded_halves(np.array([least, 0.5], np.float32))
    expected = registers.tdpbf16ps(sums, a, b)
    assert (expected[0, 0], expected[1, 1]) == (np.inf, 0)
    executed(product(), need(WITH), a, b, sums)
    assert np.array_equal(sums, expected, equal_nan=True)
