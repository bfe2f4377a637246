"""Weights in 4 or 8 bits in blocks, activations as they are: for models that wait for their weights.

A product with a constant matrix becomes MatMulNBits of com.microsoft.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import onnx

from sardonyx.compression.integers import Floats, blocks
from sardonyx.compression.scope import Array, Nodes, Scope, identity, require
from sardonyx.compression.scope import rewrite as rewrite_nodes

BLOCK = 32
KINDS = ("MatMul", "Gemm")
MICROSOFT = "com.microsoft"


def quantized(
    model: onnx.ModelProto,
    leave: Collection[str] = (),
    bits: int = 4,
    block: int = BLOCK,
    symmetric: bool = False,
    kinds: Collection[str] = KINDS,
) -> list[str]:
    """Rewrite a model in place; the identities of the nodes that were rewritten.

    Args:
        model: of any opset.
        leave: identities of nodes to leave alone.
        bits: of a weight, 4 or 8.
        block: how many weights of a column share a scale: a power of two from 16 on.
        symmetric: no zero points; smaller, and a little further off.
        kinds: operators to rewrite, of MatMul and Gemm.
    """
    done: list[str] = []

    def written(scope: Scope, node: onnx.NodeProto) -> Nodes | None:
        if node.domain or node.op_type not in kinds or identity(node) in leave:
            return None
        said = {row.name: onnx.helper.get_attribute_value(row) for row in node.attribute}
        weight = _matrix(scope, node, said)
        if weight is None:
            return None
        done.append(identity(node))

        def packed() -> dict[str, Array]:
            parts = zip(("points", "scale", "zeros"), blocks(weight, block, bits, symmetric), strict=True)
            return {part: value for part, value in parts if value is not None}

        way = f"blocks {said.get('transB', 0)} {said.get('alpha', 1.0)}"
        names = scope.derived(node.input[1], way, packed)
        inputs = [node.input[0], *names, *[""] * (3 - len(names))]
        depth, columns = weight.shape
        facts = {"K": depth, "N": columns, "bits": bits, "block_size": block}
        return _with_bias(scope, node, inputs, facts)

    rewrite_nodes(Scope(model.graph), written)
    if done:
        require(model, MICROSOFT, 1)
    return done


def _matrix(scope: Scope, node: onnx.NodeProto, said: Mapping[str, Any]) -> Floats | None:
    """The constant matrix [depth, columns] of a product that can be packed, or None."""
    weight = scope.bounded_weight(node.input[1])
    if (
        weight is None
        or weight.ndim != 2
        or not weight.size
        or said.get("transA")
        or said.get("beta", 1) != 1
    ):
        return None
    return np.float32(said.get("alpha", 1)) * (weight.T if said.get("transB") else weight)


def _with_bias(scope: Scope, node: onnx.NodeProto, inputs: list[str], facts: dict[str, int]) -> Nodes:
    """The packed product; a bias of one number a column goes into it, another is added after."""
    bias = node.input[2] if len(node.input) > 2 else ""
    row = scope.float_weight(bias)
    inside = row is not None and row.size == facts["N"] and row.shape[-1:] in ((), (row.size,))
    if row is not None and inside:
        inputs += ["", scope.add(row.reshape(-1), f"{bias}_row")]
    while not inputs[-1]:
        inputs.pop()
    result = scope.fresh(f"{node.output[0]}_unbiased") if bias and not inside else node.output[0]
    made = [onnx.helper.make_node("MatMulNBits", inputs, [result], node.name, domain=MICROSOFT, **facts)]
    if result != node.output[0]:
        name = scope.fresh(f"{node.output[0]}_bias")
        made.append(onnx.helper.make_node("Add", [result, bias], list(node.output), name))
    return made
