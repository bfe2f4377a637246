"""Versions fit if one request may suit both; what is not known fits."""

from __future__ import annotations

import pytest

from sardonyx.protocol.records import Signature, TensorSpec
from sardonyx.registry.fits import misfit


def takes(*inputs: tuple[str, str, list[int | str | None] | None]) -> Signature:
    return Signature(inputs=[TensorSpec(name=name, type=kind, shape=shape) for name, kind, shape in inputs])


ROWS = takes(("x", "tensor(float)", ["batch", 8]))


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (ROWS, ""),
        (Signature(), ""),
        (takes(("x", "tensor(float)", [1, 8])), ""),
        (takes(("x", "tensor(float)", [None, "features"])), ""),
        (takes(("x", "tensor(float)", None)), ""),
        (
            takes(("x", "tensor(float)", ["batch", 64])),
            "takes x tensor(float) [batch, 64] in place of x tensor(float) [batch, 8]",
        ),
        (takes(("x", "tensor(float)", [8])), "takes x tensor(float) [8] in place of"),
        (takes(("x", "tensor(double)", ["batch", 8])), "takes x tensor(double) [batch, 8] in place of"),
        (takes(("rows", "tensor(float)", ["batch", 8])), "takes rows in place of x"),
        (
            takes(("x", "tensor(float)", ["n", 8]), ("y", "tensor(float)", ["n", 8])),
            "takes x, y in place of x",
        ),
    ],
)
def test_what_no_request_suits(other: Signature, why: str) -> None:
    assert misfit(ROWS, other).startswith(why) and bool(misfit(ROWS, other)) == bool(why)
    assert bool(misfit(other, ROWS)) == bool(why)
