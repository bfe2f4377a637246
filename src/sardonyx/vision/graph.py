"""ONNX graphs while they are written: nodes, constants, a picture scaled, a network of the zoo in it.

Knows neither features nor heads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from sardonyx.authoring import GraphWriter, Tensors
from sardonyx.zoo import pull

OPSET, OPSET_ML, IR_VERSION = 20, 3, 10
PICTURE = "picture"
MEAN, SCALE = 127.0, 128.0


class Graph(GraphWriter):
    """A graph from one picture; methods take and give names of values. Constants of one name are one."""

    def constant(self, name: str, value: Any) -> str:
        """A tensor that the model holds."""
        known = any(tensor.name == name for tensor in self.constants)
        return name if known else super().constant(name, value)

    def batch(self, pixels: str) -> str:
        """Pixels uint8 [height, width, 3] as float32 [1, 3, height, width]."""
        wide = self.node("Cast", [pixels], "pixels", to=TensorProto.FLOAT)
        planes = self.node("Transpose", [wide], "planes", perm=[2, 0, 1])
        return self.node("Unsqueeze", [planes, self.constant("first axis", np.array([0]))], "batch")

    def scaled(self, network: str, side: int, batch: str) -> str:
        """Pictures stretched to `side`, as (pixel - 127) / 128, which networks of the zoo take."""
        small = self.node(
            "Resize",
            [batch, "", "", self.constant(f"{network}/side", np.array([side] * 2))],
            f"{network}/small",
            mode="linear",
            antialias=1,
            axes=[2, 3],
            coordinate_transformation_mode="half_pixel",
        )
        mean = self.constant(f"{network}/mean", np.float32(MEAN))
        centred = self.node("Sub", [small, mean], f"{network}/centred")
        scale = self.constant(f"{network}/scale", np.float32(1 / SCALE))
        return self.node("Mul", [centred, scale], f"{network}/scaled")

    def grafted(self, network: str, source: str, wanted: Sequence[str]) -> list[str]:
        """The zoo's network fed by `source`, as far as the values `wanted` need it; their new names."""
        model = onnx.load(pull(network, quiet=True))
        makers = {output: node for node in model.graph.node for output in node.output}
        asked, kept = list(wanted), set()
        while asked:
            node = makers.get(asked.pop())
            if node is not None and node.output[0] not in kept:
                kept.add(node.output[0])
                asked += node.input
        (entry,) = (value.name for value in model.graph.input)
        used = set()
        for node in model.graph.node:
            if node.output[0] in kept:
                copy = onnx.NodeProto()
                copy.CopyFrom(node)
                copy.input[:] = [source if one == entry else f"{network}/{one}" for one in node.input]
                copy.output[:] = [f"{network}/{one}" for one in node.output]
                copy.name = copy.output[0]
                used |= set(node.input)
                self.nodes.append(copy)
        for tensor in model.graph.initializer:
            if tensor.name in used:
                tensor.name = f"{network}/{tensor.name}"
                self.constants.append(tensor)
        return [f"{network}/{name}" for name in wanted]

    def rooted(self, value: str, axis: int) -> str:
        """sign(x) sqrt(|x|), scaled to length 1 along an axis: so few large features do not rule."""
        size = self.node("Sqrt", [self.node("Abs", [value], f"{value}.abs")], f"{value}.sqrt")
        root = self.node("Mul", [size, self.node("Sign", [value], f"{value}.sign")], f"{value}.root")
        along = self.constant(f"axis {axis}", np.array([axis]))
        length = self.node("ReduceL2", [root, along], f"{value}.length", keepdims=1)
        least = self.constant("least length", np.float32(1e-12))
        return self.node(
            "Div", [root, self.node("Max", [length, least], f"{value}.divisor")], f"{value}.unit"
        )

    def finished(self, name: str, outputs: Tensors, about: Mapping[str, str]) -> onnx.ModelProto:
        """The checked model from `picture` uint8 [height, width, 3] to outputs of types and sizes."""
        inputs = {PICTURE: (TensorProto.UINT8, ["height", "width", 3])}
        opsets = {"": OPSET, "ai.onnx.ml": OPSET_ML}
        model = self.model(name, inputs, outputs, opsets, IR_VERSION)
        helper.set_model_props(model, dict(about))
        onnx.checker.check_model(model, full_check=True)
        return model
