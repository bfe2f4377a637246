"""Dot products of small integers are exact, at the ends of their range too, by whatever instruction."""

from __future__ import annotations

import re

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.instruction import MultiplyAdd
from sardonyx.base.policy import Goal, Policy
from sardonyx.base.target import Target
from sardonyx.base.tile import RegisterTile
from sardonyx.kernels.library import library_ir
from sardonyx.kernels.recurrent.driver import layer_ir
from sardonyx.kernels.recurrent.layer import Layer
from sardonyx.llvm.products import add_products, add_steps
from sardonyx.object import engine
from sardonyx.targets.x86_64 import isa
from tests.runnable import need
from tests.unit.kernels.native import integer_cases, most_weight
from tests.unit.llvm.dots import modelled, vpdpbusd
from tests.unit.llvm.registers import rounded_halves, vdpbf16ps, widened
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
        most = most_weight(target, operand)
        b = b.clip(-most, most) if tile.limit else b
        (got,) = run(
            lambda f, t, x, y: [add_steps(f, t, [(x, y)] * tile.instruction.steps, tile.instruction)],
            total,
            a.view(np.int32).ravel(),
            b.view(np.int32).ravel(),
            target=target,
        )
        exact = total + tile.instruction.steps * (a.astype(np.int64) * b).sum(1)
        assert np.array_equal(got, exact.astype(np.int32))


@pytest.mark.parametrize("level", [isa.V3, isa.V4], ids=lambda level: level.name)
@pytest.mark.parametrize("extra", [None, "avxvnni", "avx512vnni"])
def test_products_of_bytes_are_those_of_the_model(level: Target, extra: str | None) -> None:
    """In IR, and where this machine has it by the instruction itself."""
    if extra and extra not in isa.EXTRAS[level.name]:
        pytest.skip(f"{level.name} knows no {extra}")
    target = isa.with_features(level, [extra]) if extra else modelled(level)
    need(target)
    instruction = Goal(target).tile("i8").instruction
    assert instruction.mnemonic == "vpdpbusd"
    rng, lanes = np.random.default_rng(7), target.lanes
    for _ in range(50):
        total = rng.integers(-(2**31), 2**31 - 1, lanes, np.int32)
        a = rng.integers(0, 255, (lanes, 4), np.uint8, endpoint=True)
        b = rng.integers(-128, 127, (lanes, 4), np.int8, endpoint=True)
        words = (x.view(np.int32).ravel() for x in (a, b))
        (got,) = run(lambda f, t, x, y: [add_products(f, t, x, y, instruction)], total, *words, target=target)
        np.testing.assert_array_equal(got, vpdpbusd(total, a, b))


ROUNDED = isa.with_features(isa.V4, ["avx512bf16"])


def drawn_pairs(rng: np.random.Generator, lanes: int) -> np.ndarray:
    """Pairs of bfloat16 bits of all sizes, with zeros, infinities, NaN and numbers that are not normal."""
    bits = rng.integers(0, 1 << 16, (lanes, 2), np.uint16)
    usual = rng.standard_normal((lanes, 2)).astype(np.float32).view(np.uint32) >> 16
    return np.where(rng.random((lanes, 2)) < 0.8, usual, bits).astype(np.uint16)


def rounded_products_of(total: np.ndarray, a: np.ndarray, b: np.ndarray, target: Target) -> np.ndarray:
    tile = Goal(ROUNDED, Policy("bf16")).tile("bf16")
    numbers = (x.view(np.float32).ravel() for x in (a, b))
    (got,) = run(
        lambda f, t, x, y: [add_products(f, t, x, y, tile.instruction)], total, *numbers, target=target
    )
    return got


def test_products_of_bfloat16_are_those_of_the_model() -> None:
    need(ROUNDED)
    rng = np.random.default_rng(5)
    for _ in range(200):
        total = rng.standard_normal(16).astype(np.float32)
        a, b = drawn_pairs(rng, 16), drawn_pairs(rng, 16)
        expected = vdpbf16ps(total, a, b)
        np.testing.assert_array_equal(rounded_products_of(total, a, b, ROUNDED), expected)


def test_products_of_bfloat16_are_near_exact_ones() -> None:
    rng = np.random.default_rng(6)
    x, y = (rng.standard_normal((16, 2)).astype(np.float32) for _ in range(2))
    a, b = (rounded_halves(v) for v in (x, y))
    total = np.zeros(16, np.float32)
    exact = (widened(a).astype(np.float64) * widened(b)).sum(1)
    assert np.abs(vdpbf16ps(total, a, b) - exact).max() <= 1e-6
    assert np.abs(exact - (x.astype(np.float64) * y).sum(1)).max() < 0.05


@pytest.mark.parametrize(("operand", "mnemonic", "gate"), [("f32", "fmla", 2), ("i8", "usdot", 0)])
def test_another_processor_brings_its_own_for_tiles(operand: str, mnemonic: str, gate: int) -> None:
    """Each sum takes four in a turn of the loop, one in a step of what is left of it, and those of a gate."""
    for text in library_ir(Goal(ARM), operand):
        assembly = engine.assembly(text, ARM)
        for rows, vectors, body in re.findall(
            r"^brgemm_\w+?_(\d+)x(\d)(?:p\d)?:(.*?)^\.Lfunc_end", assembly, re.M | re.S
        ):
            assert len(re.findall(rf"\b{mnemonic}\tv", body)) == (5 + gate) * int(rows) * int(vectors)


def test_another_processor_brings_its_own_for_recurrent_layers() -> None:
    functions = (("Sigmoid", 0.0, 0.0), ("Tanh", 0.0, 0.0), ("Tanh", 0.0, 0.0))
    text = layer_ir(Layer("lstm", dt.F32, functions, quantised=True), Goal(ARM))
    assert "usdot" in engine.assembly(text, ARM)
