"""What multiplies in attention, by machine, precision and sizes; how much memory it takes."""

from __future__ import annotations

import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal, Policy
from sardonyx.base.target import Target
from sardonyx.ir.value import Value, placeholder
from sardonyx.kernels.attention.layout import Layout
from sardonyx.targets.x86_64 import isa

AMX = isa.with_features(isa.V4, {f for tile in isa.V4.matrices for f in tile.features})
N = dims.symbol("n")


def operands(m: Dim, t: Dim, d: Dim, e: Dim) -> tuple[Value, Value, Value]:
    shapes = (2, m, d), (2, d, t), (2, t, e)
    q, k, v = (placeholder(name, dt.F32, shape) for name, shape in zip("qkv", shapes, strict=True))
    return q, k, v


@pytest.mark.parametrize(
    ("precision", "symbol", "named"),
    [
        ("fp32", "sdx_attention_bf16x6_f32", "bf16x6"),
        ("bf16", "sdx_attention_bf16_f32", "bf16"),
        ("strict", "sdx_attention_f32", None),
    ],
)
def test_products_are_as_exact_as_can_be(precision: str, symbol: str, named: str | None) -> None:
    layout = Layout.of(Goal(AMX, Policy(precision)), *operands(N, N, 64, 64))
    assert layout.symbol == symbol
    assert (layout.tile and layout.tile.name) == named


@pytest.mark.parametrize("sizes", [(1, N, 64, 64), (N, 15, 64, 64), (N, N, 8, 64), (N, N, 64, 8)])
def test_few_rows_keys_or_features_are_left_to_vectors(sizes: tuple[Dim, Dim, Dim, Dim]) -> None:
    goal = Goal(AMX)
    assert Layout.of(goal, *operands(*sizes)) == Layout.of_vectors(goal)


@pytest.mark.parametrize("target", isa.TARGETS, ids=lambda target: target.name)
def test_levels_multiply_by_vectors(target: Target) -> None:
    layout = Layout.of(Goal(target), *operands(N, N, 64, 64))
    assert layout.tile is None
    assert layout.arithmetic == ""


@pytest.mark.parametrize("precision", ["fp32", "bf16", "strict"])
def test_memory_grows_with_what_is_kept_of_a_head(precision: str) -> None:
    layout = Layout.of(Goal(AMX, Policy(precision)), *operands(N, N, 64, 64))
    one, two = (layout.scratch_bytes(AMX, total, 64, 64) for total in (512, 1024))
    assert isinstance(one, int)
    assert isinstance(two, int)
    assert two - one == 512 * (64 * 2 * layout.number_bytes + 4 * layout.rows)
    larger = replace(AMX, l2_bytes=AMX.l2_bytes + 1024)
    assert layout.scratch_bytes(larger, 512, 64, 64) == one + (2048 if layout.tile else 2048 + 256)
