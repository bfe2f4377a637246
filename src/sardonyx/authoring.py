"""Writes ONNX graphs node by node. Decides how nodes and constants are named; must not know what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

Tensors = Mapping[str, tuple[int, Sequence[Any]]]
"""Names of tensors with their element type (of `onnx.TensorProto`) and sizes: numbers, names, or unknown."""


class GraphWriter:
    """Nodes and constants so far; every method takes and gives names of values."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: Any) -> str:
        """A tensor that the model holds, under a name of its own."""
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def unnamed(self, value: Any) -> str:
        """The same, numbered."""
        return self.constant(f"constant{len(self.constants)}", value)

    def node(self, kind: str, inputs: Sequence[str], output: str = "", /, **attributes: Any) -> str:
        """A node of one output, after which it is named; numbered without one."""
        output = output or f"{kind.lower()}{len(self.nodes)}"
        return self.several(kind, inputs, [output], **attributes)[0]

    def several(
        self, kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any
    ) -> list[str]:
        """A node of several outputs, named like the first."""
        self.nodes.append(helper.make_node(kind, list(inputs), list(outputs), name=outputs[0], **attributes))
        return list(outputs)

    def model(
        self, name: str, inputs: Tensors, outputs: Tensors, opsets: Mapping[str, int], ir_version: int
    ) -> onnx.ModelProto:
        """The graph as a model; `opsets` by domain."""
        infos = (
            [helper.make_tensor_value_info(n, kind, list(shape)) for n, (kind, shape) in tensors.items()]
            for tensors in (inputs, outputs)
        )
        graph = helper.make_graph(self.nodes, name, *infos, self.constants)
        imports = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
        model: onnx.ModelProto = helper.make_model(graph, opset_imports=imports, ir_version=ir_version)
        return model
