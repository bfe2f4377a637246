"""One operator beside onnxruntime: the same node, the same feeds, both results."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper

from sardonyx.frontend import specialise
from sardonyx.ir.run import run

Array = np.ndarray[Any, Any]
FATAL_ONLY = 4


def both(
    op: str,
    domain: str,
    feeds: Mapping[str, Array | None],
    attributes: Mapping[str, Any] | None = None,
    outputs: Sequence[str] = ("y",),
    constants: Sequence[str] = (),
    opset: int = 17,
    types: Mapping[str, int] | None = None,
) -> tuple[list[Any], list[Any]]:
    """Results of the graph run by numpy and of onnxruntime; an input of None is left out.

    `types` are the ONNX types of results that cannot be inferred.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = FATAL_ONLY
    model, live = _model(op, domain, feeds, attributes or {}, outputs, constants, opset, types or {})
    return _run(model, live), list(onnxruntime.InferenceSession(model, options).run(None, live))


def ours(
    op: str,
    domain: str,
    feeds: Mapping[str, Array | None],
    attributes: Mapping[str, Any] | None = None,
    outputs: Sequence[str] = ("y",),
    constants: Sequence[str] = (),
) -> list[Any]:
    """Results of the graph run by numpy alone, where onnxruntime is not a judge.

    Its sums of 8-bit products saturate on some CPUs.
    """
    return _run(*_model(op, domain, feeds, attributes or {}, outputs, constants, 17, {}))


def _model(
    op: str,
    domain: str,
    feeds: Mapping[str, Array | None],
    attributes: Mapping[str, Any],
    outputs: Sequence[str],
    constants: Sequence[str],
    opset: int,
    types: Mapping[str, int],
) -> tuple[bytes, dict[str, Array]]:
    """A model of one node, and what it is fed."""
    given = {name: np.asarray(array) for name, array in feeds.items() if array is not None}
    live = {name: array for name, array in given.items() if name not in constants}
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in live.items()
    ]
    known = [onnx.numpy_helper.from_array(given[name], name) for name in constants if name in given]
    names = [name if name in given else "" for name in feeds]
    node = helper.make_node(op, names, list(outputs), domain=domain, **attributes)
    results = [onnx.ValueInfoProto(name=name) for name in outputs if name]
    for result in results:
        if result.name in types:
            result.type.tensor_type.elem_type = types[result.name]
    graph = helper.make_graph([node], "g", inputs, results, known)
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 4)]
    imports.append(helper.make_opsetid("com.microsoft", 1))
    return helper.make_model(graph, opset_imports=imports, ir_version=8).SerializeToString(), live


def _run(model: bytes, live: Mapping[str, Array]) -> list[Any]:
    loaded, _ = specialise(model, live)
    assert not loaded.fallbacks
    return run(loaded.graph, [live[info.name] for info in loaded.inputs])


def assert_agree(ours: Sequence[Any], theirs: Sequence[Any], rtol: float = 1e-4) -> None:
    """Equal types and shapes; floats within `rtol` of the largest, points of 8 bits within one."""
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        if isinstance(b, list):
            assert a == b
            continue
        y, expected = np.asarray(a), np.asarray(b)
        assert y.shape == expected.shape
        if expected.dtype.kind in "OU":
            assert y.tolist() == expected.tolist()
            continue
        assert y.dtype == expected.dtype
        step = 1 if expected.dtype.itemsize == 1 else 0
        if expected.dtype.kind == "f":
            step = rtol * max(1e-9, np.abs(expected[np.isfinite(expected)]).max(initial=0))
        np.testing.assert_allclose(y.astype(np.float64), expected.astype(np.float64), rtol=0, atol=step)
