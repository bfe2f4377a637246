"""Cases of the newest opset, declared for every older one in which they are valid, mean what they did there.

The judge is onnxruntime, or the case's own expectation where that cannot run it; it begins with opset 7.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import onnx
import pytest

from tests.conformance.cases import Case, load_cases, wrong_output
from tests.conformance.targets import Graph, peer

PEERS_OLDEST = 7
CHANGED_BEFORE = {"Hardmax": 7, "LogSoftmax": 7, "PRelu": 7, "Pow": 7, "Scan": 9, "Selu": 7, "Softmax": 7}
"""Operators whose meaning, defaults, inputs or types were other ones below an opset, where no peer judges."""
WRONG_PEER = {
    "test_maxunpool_export_with_output_shape": "indices are those of the output's shape; it took the input's",
    "test_resize_downsample_scales_cubic_align_corners": "it computes corners from the rounded size",
    "test_resize_downsample_scales_linear_align_corners": "it computes corners from the rounded size",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Cases that are slow are not even made where none is wanted: there are nine times as many."""
    if "opset" in metafunc.fixturenames:
        quick_alone = metafunc.config.option.markexpr == "not slow"
        metafunc.parametrize(("case", "opset"), list(parameters(quick_alone=quick_alone)))


def parameters(*, quick_alone: bool) -> Iterator[Any]:
    """One case of each operator and older version, then all others as slow ones."""
    seen: set[tuple[str, int]] = set()
    for case in load_cases().values():
        model = onnx.load_from_string(case.model)
        if len(model.graph.node) != 1 or case.random or case.name in WRONG_PEER:
            continue
        node = model.graph.node[0]
        for since, opset in older(node.domain, node.op_type, model):
            is_slow = (node.op_type, since) in seen
            if opset < CHANGED_BEFORE.get(node.op_type, 0) or (is_slow and quick_alone):
                continue
            if is_valid(declared(case, node.domain, opset)):
                seen.add((node.op_type, since))
                marks = [pytest.mark.slow] if is_slow else []
                yield pytest.param(case, opset, id=f"{node.op_type}-{since}-{case.name}", marks=marks)


def older(domain: str, name: str, model: onnx.ModelProto) -> Iterator[tuple[int, int]]:
    """Versions of an operator before the one of a model, each with the last of its opsets."""
    current = {i.domain: i.version for i in model.opset_import}.get(domain, 0)
    versions = [since for since in history()[domain, name] if since <= current]
    for since, later in pairwise(versions):
        opsets = {later - 1} if since >= PEERS_OLDEST else {later - 1, min(later, PEERS_OLDEST) - 1}
        yield from ((since, opset) for opset in sorted(opsets))


@functools.cache
def history() -> dict[tuple[str, str], list[int]]:
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for schema in onnx.defs.get_all_schemas_with_history():
        found[schema.domain, schema.name].append(schema.since_version)
    return {key: sorted(versions) for key, versions in found.items()}


def declared(case: Case, domain: str, opset: int) -> onnx.ModelProto:
    model = onnx.load_from_string(case.model)
    for row in model.opset_import:
        if row.domain == domain:
            row.version = opset
    return model


def is_valid(model: onnx.ModelProto) -> bool:
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, RuntimeError):
        return False
    return True


def test_meaning(case: Case, opset: int) -> None:
    model = declared(case, onnx.load_from_string(case.model).graph.node[0].domain, opset).SerializeToString()
    feeds, expected = case.data_sets[0]
    if opset >= PEERS_OLDEST:
        expected = of_peer(model, feeds) or expected
    length = max((v.size for v in feeds.values() if isinstance(v, np.ndarray)), default=1)
    actual = Graph(model).run(None, dict(feeds))
    assert wrong_output(actual, expected, length, case) is None


def of_peer(model: bytes, feeds: dict[str, Any]) -> list[Any] | None:
    """None if onnxruntime lacks the operator or the type, or hands out the type as bytes."""
    try:
        found = peer(model).run(None, dict(feeds))
    except Exception:
        return None
    declared = onnx.load_from_string(model).graph.output
    narrow = any("FLOAT8" in onnx.TensorProto.DataType.Name(o.type.tensor_type.elem_type) for o in declared)
    return None if narrow else found
