"""Dot products of small integers are exact, at the ends of their range too, by whatever instruction."""

from __future__ import annotations

import re

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.instruction import MultiplyAdd
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.base.tile import RegisterTile
from sardonyx.kernels.library import library_ir
from sardonyx.kernels.recurrent.driver import layer_ir
from sardonyx.kernels.recurrent.layer import Layer
from sardonyx.llvm.products import add_products
from sardonyx.object import engine
from tests.unit.kernels.native import integer_cases
from tests.unit.llvm.written import run

NUMBERS = {"i8": (np.uint8, np.int8), "i16": (np.int16, np.int16)}

USDOT = MultiplyAdd("usdot v", "llvm.aarch64.neon.usdot.v4i32.v16i8", "<16 x i8>")
FMLA = MultiplyAdd("fmla v")
ARM = Target(
    "armv8",
    "aarch64-unknown-none-elf",
    "generic",
    ("neon", "i8mm"),
    lanes=4,
    tiles=(
        RegisterTile("f32", "f32", rows=8, vectors=2, k_step=1, instruction=FMLA),
        RegisterTile("i8", "i32", rows=8, vectors=2, k_step=4, instruction=USDOT),
    ),
)
"""A second processor, as its own folder would describe it."""


@pytest.mark.parametrize(
    ("target", "operand"), [case for case in integer_cases() if case.values[1] in NUMBERS]
)
def test_sums_are_exact(target: Target, operand: str) -> None:
    tile = Goal(target).tile(operand)
    left, right = NUMBERS[operand]
    lanes, rng = target.lanes, np.random.default_rng(tile.k_step)
    total = rng.integers(-(2**20), 2**20, lanes, dtype=np.int32)
    for low in (False, True):
        a = rng.integers(np.iinfo(left).min, np.iinfo(left).max, (lanes, tile.k_step), left, endpoint=True)
        b = rng.integers(np.iinfo(right).min, np.iinfo(right).max, (lanes, tile.k_step), right, endpoint=True)
        if low:
            a[:], b[:] = np.iinfo(left).max, np.iinfo(right).min
        (got,) = run(
            lambda f, t, x, y: [add_products(f, t, x, y, tile.instruction)],
            total,
            a.view(np.int32).ravel(),
            b.view(np.int32).ravel(),
            target=target,
        )
        exact = total + (a.astype(np.int64) * b).sum(1)
        assert np.array_equal(got, exact.astype(np.int32))


@pytest.mark.parametrize(("operand", "mnemonic"), [("f32", "fmla"), ("i8", "usdot")])
def test_another_processor_brings_its_own_for_tiles(operand: str, mnemonic: str) -> None:
    for text in library_ir(Goal(ARM), operand):
        assembly = engine.assembly(text, ARM)
        for rows, vectors, body in re.findall(
            r"^brgemm_\w+?_(\d+)x(\d)(?:p\d)?:(.*?)^\.Lfunc_end", assembly, re.M | re.S
        ):
            assert len(re.findall(rf"\b{mnemonic}\tv", body)) == 5 * int(rows) * int(vectors)


def test_another_processor_brings_its_own_for_recurrent_layers() -> None:
    functions = (("Sigmoid", 0.0, 0.0), ("Tanh", 0.0, 0.0), ("Tanh", 0.0, 0.0))
    text = layer_ir(Layer("lstm", dt.F32, functions, quantised=True), Goal(ARM))
    assert "usdot" in engine.assembly(text, ARM)
