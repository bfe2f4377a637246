"""The end of a convolution is words where bias, residual and bounds say it all, else a function."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.fuse.partition import partition
from sardonyx.ir.graph import Graph
from sardonyx.ir.value import Value, const, make, map_, placeholder
from sardonyx.kernels.arguments import Conv, Winograd
from sardonyx.kernels.call import Address, Entry
from sardonyx.kernels.convolution.end import EndWords, end_words
from sardonyx.kernels.loops import Emissions
from sardonyx.loops.lower import lower
from sardonyx.targets.x86_64 import isa

WORDS = pytest.mark.parametrize("words", [Conv, Winograd], ids=lambda w: w.__name__)


def end_of(make_end: Any, words: Any) -> EndWords:
    x = placeholder("x", dt.F32, (2, 1, 10, 12, 16))
    w = const(np.ones((32, 16, 3, 3), np.float32))
    attrs = {"strides": (1, 1), "dilations": (1, 1), "group": 1, "channels": 32, "block": 16}
    y = make_end(make("conv_blocked", (x, w), attrs, dt.F32, (2, 2, 8, 10, 16)))
    fusion = partition(Graph((x,), (("y", y),)), frozenset())
    group = next(g for g in fusion.groups if g.kind == "contract")
    kernel = lower(group, fusion.places)[0]
    count = 5 if words is Conv else 4
    return end_words(kernel, dt.F32, words, kernel.outer[:count], Emissions(isa.V4))


@WORDS
def test_bias_and_relu_stay_in_registers(words: Any) -> None:
    bias = const(np.arange(32, dtype=np.float32).reshape(1, 2, 1, 1, 16))
    end = end_of(lambda y: relu(y + bias), words)
    assert (end.plan, end.tail, end.modules) == ("in registers", (), {})
    assert end.words[words.FINISH] == 1
    assert isinstance(end.words[words.BIAS], Address)
    assert [end.words[words.Y_BATCH + n] for n in range(4)] == [2560, 1280, 160, 16]
    assert words.EPILOGUE not in end.words


@WORDS
def test_what_is_more_is_a_function(words: Any) -> None:
    end = end_of(lambda y: map_("tanh", y), words)
    assert end.plan == "per tile"
    entry = end.words[words.EPILOGUE]
    assert isinstance(entry, Entry)
    assert list(end.modules) == [entry.symbol]
    assert end.tail


def relu(x: Value) -> Value:
    return map_("max", x, const(np.float32(0)))
