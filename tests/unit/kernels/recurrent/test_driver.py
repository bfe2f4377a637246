"""A layer's module has its kernel, a step for each phase, and quantises where weights have 8 bits."""

from __future__ import annotations

import re

import pytest

from sardonyx import targets
from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.kernels.recurrent.driver import layer_ir
from sardonyx.kernels.recurrent.layer import Layer
from sardonyx.object import engine

S, T = ("Sigmoid", 0.0, 0.0), ("Tanh", 0.0, 0.0)
GOAL = Goal(targets.detect())
LAYERS = [
    Layer("lstm", dt.F32, (S, T, T)),
    Layer("lstm", dt.F32, (S, T, T), quantised=True),
    Layer("gru", dt.F64, (S, T)),
    Layer("gru_reset", dt.F16, (S, T), clip=3.0),
    Layer("rnn", dt.F32, (T,), ragged=True),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.symbol)
def test_a_module_is_whole(layer: Layer) -> None:
    text = layer_ir(layer, GOAL)
    defined = re.findall(r"^define .*?@(\w+)\(", text, re.M)
    public = re.findall(r"^define void @(\w+)\(", text, re.M)
    assert public == [layer.symbol]
    assert sum("quantise" in name for name in defined) == layer.quantised
    steps = [
        name for name in defined if (name.startswith(layer.symbol) and "step" in name) or "phase" in name
    ]
    assert len(steps) >= len(layer.panels(GOAL)) - 1
    assert engine.compile_object(text, GOAL.target)


def test_every_field_makes_another_kernel() -> None:
    changes = [
        Layer("lstm", dt.F32, (S, T, T)),
        Layer("lstm", dt.F64, (S, T, T)),
        Layer("lstm", dt.F32, (S, S, T)),
        Layer("lstm", dt.F32, (S, T, T), clip=1.0),
        Layer("lstm", dt.F32, (S, T, T), extra=True),
        Layer("lstm", dt.F32, (S, T, T), ragged=True),
        Layer("lstm", dt.F32, (S, T, T), input_forget=True),
        Layer("lstm", dt.F32, (S, T, T), quantised=True),
    ]
    assert len({layer.symbol for layer in changes}) == len(changes)
