"""What mutation starts from: models made in memory, with feeds. Knows no engine and no mutation."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

from tests.conformance.cases import load_cases
from tests.fuzz.seed_models import MODELS

_LARGEST_BYTES = 20_000


@dataclass(frozen=True)
class Seed:
    """A model as bytes, feeds by input name, and the files beside it if it has external data."""

    name: str
    model: bytes
    feeds: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)


@functools.cache
def seeds() -> tuple[Seed, ...]:
    """All of them: those written in this repository, then ONNX's operator cases."""
    return (*text_seeds(), *_case_seeds())


@functools.cache
def text_seeds() -> tuple[Seed, ...]:
    """Those that are written in this repository."""
    return tuple(_text_seeds())


def _text_seeds() -> Iterator[Seed]:
    for name, text in MODELS.items():
        model = onnx.parser.parse_model(text)
        feeds = feeds_of(model)
        for info in [info for info in model.graph.input if info.name.startswith("w_")]:
            model.graph.initializer.append(onnx.numpy_helper.from_array(feeds.pop(info.name), info.name))
            model.graph.input.remove(info)
        yield Seed(name, model.SerializeToString(), feeds)
    yield _sparse()
    yield _external()
    yield _forest("forest", trees=9, depth=4)
    yield _forest("deep_forest", trees=2, depth=7)


def _case_seeds() -> Iterator[Seed]:
    for case in load_cases().values():
        if len(case.model) <= _LARGEST_BYTES:
            yield Seed(case.name, case.model, case.data_sets[0][0] if case.data_sets else {})


def feeds_of(model: onnx.ModelProto) -> dict[str, Any]:
    """Small values for the tensor inputs; a size without a number is 3."""
    chance = np.random.default_rng(len(model.graph.node))
    initialised = {t.name for t in model.graph.initializer}
    found: dict[str, Any] = {}
    for info in model.graph.input:
        if info.name in initialised or not info.type.HasField("tensor_type"):
            continue
        shape = [d.dim_value if d.HasField("dim_value") else 3 for d in info.type.tensor_type.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
        found[info.name] = drawn(dtype, shape, chance)
    return found


def drawn(dtype: Any, shape: Any, chance: np.random.Generator) -> Any:
    """A tensor of small values."""
    dtype = np.dtype(dtype)
    if dtype.kind in "OUS":
        words = np.array(["", "a", "b c", "naïve", "42"], object)
        return chance.choice(words, size=shape)
    if dtype.kind == "b":
        return chance.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        return chance.integers(0, 3, shape).astype(dtype)
    if dtype.kind == "c":
        return (chance.normal(size=shape) + 1j * chance.normal(size=shape)).astype(dtype)
    return chance.normal(size=shape).astype(dtype)


def _sparse() -> Seed:
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 21]> g (float[N, 4] x) => (float[N, 3] y) { y = MatMul(x, w) }'
    )
    values = onnx.helper.make_tensor("w", 1, [3], [1.0, -2.0, 3.0])
    indices = onnx.helper.make_tensor("w_indices", 7, [3], [0, 5, 11])
    model.graph.sparse_initializer.append(onnx.helper.make_sparse_tensor(values, indices, [4, 3]))
    return Seed("sparse_initialiser", model.SerializeToString(), feeds_of(model))


def _external() -> Seed:
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 21]> g (float[N, 4] x) => (float[N, 3] y) '
        "{ h = MatMul(x, w) y = Add(h, b) }"
    )
    data = np.arange(16, dtype=np.float32).tobytes() + bytes(64)
    for name, dims, offset, length in (("w", [4, 3], 0, 48), ("b", [3], 64, 12)):
        tensor = model.graph.initializer.add(name=name, data_type=1, dims=dims, data_location=1)
        for key, value in (("location", "weights.bin"), ("offset", str(offset)), ("length", str(length))):
            tensor.external_data.add(key=key, value=value)
    return Seed("external_data", model.SerializeToString(), feeds_of(model), {"weights.bin": data})


def _forest(name: str, trees: int, depth: int) -> Seed:
    """An ensemble of full trees for three targets. Nodes are numbered as in a heap."""
    chance = np.random.default_rng(depth)
    tree, node = np.divmod(np.arange(trees * ((2 << depth) - 1)), (2 << depth) - 1)
    is_leaf = node >= (1 << depth) - 1
    modes = chance.choice(["BRANCH_LEQ", "BRANCH_GT"], len(node))
    attributes = {
        "nodes_treeids": tree,
        "nodes_nodeids": node,
        "nodes_featureids": chance.integers(0, 5, len(node)),
        "nodes_modes": np.where(is_leaf, "LEAF", modes),
        "nodes_values": chance.normal(size=len(node)),
        "nodes_truenodeids": np.where(is_leaf, 0, 2 * node + 1),
        "nodes_falsenodeids": np.where(is_leaf, 0, 2 * node + 2),
        "target_treeids": tree[is_leaf],
        "target_nodeids": node[is_leaf],
        "target_ids": chance.integers(0, 3, is_leaf.sum()),
        "target_weights": chance.normal(size=is_leaf.sum()),
    }
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 21, "ai.onnx.ml" : 3]> g (float[N, 5] x) => (float[N, 3] y) '
        "{ y = ai.onnx.ml.TreeEnsembleRegressor<n_targets = 3>(x) }"
    )
    for key, values in attributes.items():
        model.graph.node[0].attribute.append(onnx.helper.make_attribute(key, values.tolist()))
    return Seed(name, model.SerializeToString(), feeds_of(model))
