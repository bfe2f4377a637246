"""EfficientNet-Lite as ONNX, written from its published weights: no framework is needed.

Decides the network's graph; batch normalisation is folded into the convolutions. Inputs are pictures
[batch, 3, side, side] as (value - 127) / 128; outputs are `logits` [batch, 1000], `features` [batch, 1280].
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx

from sardonyx.authoring import GraphWriter
from sardonyx.zoo.maker import Array
from sardonyx.zoo.torch_file import tensors

OPSET, IR_VERSION = 20, 10
FLOAT = onnx.TensorProto.FLOAT
EPSILON = 1e-3
STRIDES = (1, 2, 2, 2, 1, 2, 1)
SIDES = {(16, 320): 224, (21, 320): 240, (21, 352): 260}  # by blocks and the channels of the last


class _Network(GraphWriter):
    """The layers so far, of pictures of `side`."""

    def __init__(self, weights: dict[str, Array], side: int) -> None:
        super().__init__()
        self._weights, self.side = weights, side

    def convolution(self, name: str, norm: str, source: str, stride: int = 1) -> str:
        """A convolution with the normalisation behind it in its weights, padded as TensorFlow does."""
        weight = self._weights[f"{name}.weight"]
        of_norm = {part: self._weights[f"{norm}.{part}"] for part in ("weight", "bias")}
        mean, variance = self._weights[f"{norm}.running_mean"], self._weights[f"{norm}.running_var"]
        scale = of_norm["weight"].astype(np.float64) / np.sqrt(variance.astype(np.float64) + EPSILON)
        bias = of_norm["bias"] - mean * scale
        folded = (weight * scale[:, None, None, None]).astype(np.float32)
        kernel, out = weight.shape[2], -(-self.side // stride)
        missing = max((out - 1) * stride + kernel - self.side, 0)
        self.side = out
        return self.node(
            "Conv",
            [
                source,
                self.constant(f"{name}.weight", folded),
                self.constant(f"{name}.bias", bias.astype(np.float32)),
            ],
            name,
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[missing // 2] * 2 + [missing - missing // 2] * 2,
            group=weight.shape[0] if weight.shape[1] == 1 else 1,
        )

    def clipped(self, source: str) -> str:
        return self.node("Clip", [source, "zero", "six"], f"{source}.clipped")

    def block(self, name: str, source: str, stride: int) -> str:
        """Widened, each channel convolved by itself, narrowed; added to what came in if it fits."""
        value = source
        if f"{name}._expand_conv.weight" in self._weights:
            value = self.clipped(self.convolution(f"{name}._expand_conv", f"{name}._bn0", value))
        value = self.clipped(self.convolution(f"{name}._depthwise_conv", f"{name}._bn1", value, stride))
        value = self.convolution(f"{name}._project_conv", f"{name}._bn2", value)
        first = self._weights.get(
            f"{name}._expand_conv.weight", self._weights[f"{name}._depthwise_conv.weight"]
        )
        comes = first.shape[1] if first.shape[1] > 1 else first.shape[0]
        fits = stride == 1 and comes == self._weights[f"{name}._project_conv.weight"].shape[0]
        return self.node("Add", [value, source], f"{name}.sum") if fits else value


def efficientnet_lite(weights: Path) -> bytes:
    """The ONNX file of a file of weights of EfficientNet-Lite0, 1 or 2."""
    known = tensors(weights)
    blocks = sorted({int(found[1]) for name in known if (found := re.match(r"_blocks\.(\d+)\.", name))})
    side = SIDES[len(blocks), known[f"_blocks.{blocks[-1]}._project_conv.weight"].shape[0]]
    graph = _Network(known, side)
    graph.constant("zero", np.array(0, np.float32))
    graph.constant("six", np.array(6, np.float32))
    value = graph.clipped(graph.convolution("_conv_stem", "_bn0", "picture", 2))
    for at, stride in zip(blocks, _strides(known, len(blocks)), strict=True):
        value = graph.block(f"_blocks.{at}", value, stride)
    value = graph.clipped(graph.convolution("_conv_head", "_bn1", value))
    graph.node("ReduceMean", [value, graph.constant("plane", np.array([2, 3]))], "features", keepdims=0)
    head = [graph.constant(name, known[name]) for name in ("_fc.weight", "_fc.bias")]
    graph.node("Gemm", ["features", *head], "logits", transB=1)
    picture = {"picture": (FLOAT, ["batch", 3, side, side])}
    outputs = {"logits": (FLOAT, ["batch", 1000]), "features": (FLOAT, ["batch", 1280])}
    model = graph.model("efficientnet_lite", picture, outputs, {"": OPSET}, IR_VERSION)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _strides(known: dict[str, Array], count: int) -> list[int]:
    """A stage begins where the channels of the output change; its first block has the stage's stride."""
    outs = [known[f"_blocks.{at}._project_conv.weight"].shape[0] for at in range(count)]
    stage, strides = -1, []
    for at, out in enumerate(outs):
        begins = at == 0 or out != outs[at - 1]
        stage += begins
        strides.append(STRIDES[stage] if begins else 1)
    return strides
