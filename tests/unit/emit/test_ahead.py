"""Rows that several passes read are asked for one row early, and nothing beside them."""

from __future__ import annotations

import re
from itertools import count

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.dim import Dim
from sardonyx.emit.ahead import SHORTEST
from sardonyx.emit.nest import emit
from sardonyx.loops.nest import Affine, Apply, Axis, Buffer, Expr, Kernel, Load, Reduce, Reduced, Store
from sardonyx.targets.x86_64 import isa
from tests.unit.emit import alone

X, Y = Buffer("x", dt.F32, "in"), Buffer("y", dt.F32, "out")
ASK = "call void @llvm.prefetch"


def normed(rows: int, length: Dim, passes: int = 2) -> Kernel:
    """Rows less their maximum; of one pass: plain copies."""
    row, axis = Axis("row", rows), Axis("i", length)
    at = Affine(0, ((row, length), (axis, 1)))
    largest = Reduced("r", dt.F32, frozenset([row]))
    x: Expr = Load(X, at, dt.F32)
    if passes == 1:
        return Kernel("k", (row,), (Store(Y, at, (axis,), x),), (), vector=axis)
    body = (
        Reduce(largest, "rmax", (axis,), x),
        Store(Y, at, (axis,), Apply("sub", (x, largest), dt.F32)),
    )
    return Kernel("k", (row,), body, (), vector=axis)


def test_rows_that_are_read_once_or_short_or_long_are_not_asked_for() -> None:
    def asks(kernel: Kernel) -> bool:
        return ASK in emit(kernel, isa.V4).ir

    assert asks(normed(9, SHORTEST))
    assert asks(normed(9, dims.symbol("n")))
    assert not asks(normed(9, 300, passes=1))
    assert not asks(normed(9, SHORTEST - 1))
    assert not asks(normed(9, 1 << 20))


@pytest.mark.parametrize("rows", [1, 2, 3, 4])
@pytest.mark.parametrize("length", [263, 1500])
def test_what_is_asked_for_may_be_read(rows: int, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = count()

    def reading(kernel: Kernel, target: object) -> object:
        emitted = emit(kernel, target)  # type: ignore[arg-type]
        ir, found = re.subn(
            rf"{ASK}\.p0\((ptr %\w+).*\)",
            lambda m: f"%ask{next(numbers)} = load volatile i8, {m[1]}",
            emitted.ir,
        )
        assert found
        return replace(emitted, ir=ir)

    monkeypatch.setattr(alone, "emit", reading)
    x = np.random.default_rng(rows).standard_normal(rows * length).astype(np.float32)
    alone.check(normed(rows, length), {X: x, Y: np.zeros_like(x)})
