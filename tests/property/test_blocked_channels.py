"""Channels that are shuffled, split, joined and grouped in all orders keep their numbers, bit for bit.

Weights are -1, 0 and 1 and values are clipped, so that every sum is exact in whatever order.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import sardonyx
from sardonyx import passes
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal, Policy
from sardonyx.frontend import load
from sardonyx.ir.run import run
from sardonyx.ir.verify import verify
from sardonyx.targets.x86_64 import isa

SIZE = (5, 6)
CHANNELS = (12, 24, 34, 48, 60)
MATRICES = isa.with_features(isa.V4, ["avx512bf16", "amx-tile", "amx-bf16"])
GOALS = (Goal(isa.V3), Goal(replace(isa.V3, channel_block=8)), Goal(MATRICES, Policy("bf16")))


@dataclass
class Network:
    """A model under construction: names of tensors [N, C, 5, 6] and their channels."""

    draw: random.Random
    half: bool
    tensors: dict[str, int] = field(default_factory=dict)
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def pick(self) -> tuple[str, int]:
        """A tensor, most often a late one."""
        name = self.draw.choice([*self.tensors, *list(self.tensors)[-2:] * 4])
        return name, self.tensors[name]

    def constant(self, data: np.ndarray) -> str:
        if self.half and data.dtype == np.float32:
            data = data.astype(np.float16)
        self.constants.append(numpy_helper.from_array(data, f"c{len(self.constants)}"))
        return str(self.constants[-1].name)

    def signs(self, *shape: int) -> np.ndarray:
        seed = self.draw.randrange(1 << 32)
        return np.random.default_rng(seed).integers(-1, 2, shape).astype(np.float32)

    def node(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        made = [f"t{len(self.nodes)}_{n}" for n in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, made, **attributes))
        return made

    def conv(self, x: str, channels: int, outputs: int, taps: int, group: int = 1) -> None:
        """A convolution, its results clipped, and sometimes 8-bit."""
        data = self.signs(outputs, channels // group, taps, taps)
        if not self.half and self.draw.random() < 0.25:
            scale, zero = self.constant(np.float32(1)), self.constant(np.uint8(100))
            (points,) = self.node("QuantizeLinear", x, scale, zero)
            (x,) = self.node("DequantizeLinear", points, scale, zero)
            (w,) = self.node("DequantizeLinear", self.constant(data.astype(np.int8)), scale)
        else:
            w = self.constant(data)
        (y,) = self.node("Conv", x, w, self.constant(self.signs(outputs)), pads=[taps // 2] * 4, group=group)
        low, high = (self.constant(np.float32(n)) for n in (self.draw.choice((-4, 0)), 4))
        (y,) = self.node("Clip", y, low, high)
        self.tensors[y] = outputs

    def step(self) -> None:
        """One more tensor, or two."""
        x, channels = self.pick()
        kind = self.draw.choice(KINDS)
        divisors = [g for g in (2, 3, 4, 6) if channels % g == 0] or [1]
        group = self.draw.choice(divisors)
        if kind == "dense":
            self.conv(x, channels, self.draw.choice(CHANNELS), self.draw.choice((1, 3)))
        elif kind == "grouped":
            outputs = group * self.draw.choice((3, 8, 12, 16, 17))
            self.conv(x, channels, outputs, self.draw.choice((1, 3)), group)
        elif kind == "depthwise":
            self.conv(x, channels, channels, 3, channels)
        elif kind == "shuffle":
            self.shuffle(x, channels, group)
        elif kind == "split":
            halves = self.node("Split", x, outputs=group, num_outputs=group, axis=1)
            self.tensors |= dict.fromkeys(halves, channels // group)
        elif kind == "slice":
            step = self.draw.choice((1, 2, -1))
            start = self.draw.randint(0, channels // 2)
            begin, end = (start, channels) if step > 0 else (channels - 1 - start, -channels - 1)
            words = (self.constant(np.array([n])) for n in (begin, end, 1, step))
            (y,) = self.node("Slice", x, *words)
            self.tensors[y] = len(range(channels)[begin : end if step > 0 else None : step])
        elif kind == "concat":
            other, more = self.pick()
            (y,) = self.node("Concat", x, other, axis=1)
            self.tensors[y] = channels + more
        elif kind == "add":
            others = [name for name, count in self.tensors.items() if count == channels]
            (y,) = self.node("Add", x, self.draw.choice(others))
            (y,) = self.node("Clip", y, *(self.constant(np.float32(n)) for n in (-4, 4)))
            self.tensors[y] = channels
        elif kind == "attend":
            data = self.signs(1, channels, 3, 3)
            (weight,) = self.node("Conv", x, self.constant(data), pads=[1] * 4)
            (y,) = self.node("Mul", *self.draw.sample((x, weight), 2))
            (y,) = self.node("Clip", y, *(self.constant(np.float32(n)) for n in (-4, 4)))
            self.tensors[y] = channels
        elif kind == "scale":
            (y,) = self.node("Mul", x, self.constant(self.signs(channels, 1, 1)))
            self.tensors[y] = channels
        elif kind == "pool":
            (y,) = self.node("MaxPool", x, kernel_shape=[3, 3], pads=[1] * 4)
            self.tensors[y] = channels
        else:
            (peak,) = self.node("ReduceMax", x, self.constant(np.array([2, 3])))
            (y,) = self.node("Min", x, peak)
            self.tensors[y] = channels

    def shuffle(self, x: str, channels: int, group: int) -> None:
        open_size = self.draw.random() < 0.5
        split = np.array([0 if open_size else 2, group, channels // group, *SIZE])
        (y,) = self.node("Reshape", x, self.constant(split))
        (y,) = self.node("Transpose", y, perm=[0, 2, 1, 3, 4])
        (y,) = self.node("Reshape", y, self.constant(np.array([0, -1, *SIZE])))
        self.tensors[y] = channels


OFTEN = ("dense", "grouped", "shuffle", "depthwise")
KINDS = (*OFTEN * 2, "split", "slice", "concat", "add", "attend", "scale", "pool", "peak")


def drawn(draw: random.Random) -> tuple[bytes, np.ndarray]:
    """A model of one input and some outputs, and a feed."""
    half, channels, batch = draw.random() < 0.25, draw.choice(CHANNELS), draw.choice(("N", 2))
    network = Network(draw, half, {"x": channels})
    network.conv("x", channels, draw.choice(CHANNELS), 3)
    for _ in range(draw.randint(3, 12)):
        if max(network.tensors.values()) <= 200:
            network.step()
    names = list(network.tensors)[1:]
    outputs = dict.fromkeys([names[-1], *draw.sample(names, draw.randint(0, 2))])
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    graph = helper.make_graph(
        network.nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, [batch, channels, *SIZE])],
        [helper.make_tensor_value_info(n, kind, [batch, network.tensors[n], *SIZE]) for n in outputs],
        network.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.checker.check_model(model)
    feed = np.random.default_rng(draw.randrange(1 << 32)).integers(-4, 5, (2, channels, *SIZE))
    return model.SerializeToString(), feed.astype(np.float16 if half else np.float32)


def check(seed: int) -> None:
    model, feed = drawn(random.Random(seed))
    graph = load(model).graph
    expected = run(graph, [feed])
    for goal in GOALS:
        changed = graph
        for run_pass in passes.PIPELINE:
            changed = run_pass(changed, goal)
        verify(changed)
        equal(run(changed, [feed]), expected)
    equal(sardonyx.InferenceSession(model).run(None, {"x": feed}), expected)


def equal(results: list[Any], expected: list[Any]) -> None:
    for got, value in zip(results, expected, strict=True):
        np.testing.assert_array_equal(got, value)


@pytest.mark.parametrize("seed", [pytest.param(n, marks=[pytest.mark.slow] * (n >= 12)) for n in range(40)])
def test_numbers_stay(seed: int) -> None:
    check(seed)


@pytest.mark.slow
def test_numbers_stay_in_many_networks() -> None:
    for seed in range(40, 1000):
        check(seed)
