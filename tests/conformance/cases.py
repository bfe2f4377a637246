"""ONNX's own cases, of operators and of whole models, and how one is run and judged. Knows no engine.

cases = load_cases()                       # about 2050; 7 seconds when first made, then stored
wrong = run_case(cases["test_softmax_axis_0"], TARGETS["native"])   # None, or what differs
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import ml_dtypes
import numpy as np
import onnx

from sardonyx.base import dtype as dt
from tests.conformance.extra import extra_cases
from tests.conformance.shipped import shipped_cases
from tests.conformance.stored import stored
from tests.tolerance import difference

# Expectations that ONNX wrote by hand, and with how many decimals.
DECIMALS = {
    "test_averagepool_2d_ceil_last_window_starts_on_pad": 4,
    "test_gridsample_bicubic": 4,
    "test_roialign_aligned_false": 4,
    "test_roialign_aligned_true": 4,
}
RANDOM_OPERATORS = {"Bernoulli", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}


class Runnable(Protocol):
    """What a target makes of a model; run has the signature of InferenceSession.run."""

    def run(self, output_names: None, feeds: dict[str, Any]) -> list[Any]:
        """All outputs in graph order."""


Target = Callable[[bytes], Runnable]


@dataclass(frozen=True)
class Case:
    """One model with feeds and the outputs ONNX expects.

    Attributes:
        name: as ONNX calls it, e.g. ``test_softmax_axis_0``.
        model: the serialised ModelProto.
        operators: the operator types in it, the one under test first.
        data_sets: pairs of feeds by input name and expected outputs in graph order. A value is an array,
            a list for a sequence, or None for an empty optional.
    """

    name: str
    model: bytes
    operators: tuple[str, ...]
    data_sets: tuple[tuple[dict[str, Any], list[Any]], ...]

    @property
    def random(self) -> bool:
        """True if only the types and shapes of the outputs are determined."""
        return bool(RANDOM_OPERATORS & set(self.operators)) or self.name.startswith("test_training_dropout")


@functools.cache
def load_cases() -> dict[str, Case]:
    """All cases of the installed onnx package, made or shipped, and those of extra.py, by name."""
    return stored(_made_cases)


def _made_cases() -> dict[str, Case]:
    from onnx.backend.test.case.node import collect_testcases

    np.random.seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = collect_testcases(None)
    return {raw.name: _case(raw) for raw in [*made, *shipped_cases(), *extra_cases()]}


@functools.cache
def quick_names() -> frozenset[str]:
    """The first case of every operator, and the first of its function body: the set of `make test`."""
    first: dict[tuple[str, bool], str] = {}
    for case in load_cases().values():
        first.setdefault((case.operators[0], case.name.endswith("_expanded")), case.name)
    return frozenset(first.values())


def run_case(case: Case, target: Target) -> str | None:
    """Run every data set of a case; None if all outputs are right, else what is wrong with the first."""
    session = target(case.model)
    for feeds, expected in case.data_sets:
        length = max((v.size for v in feeds.values() if isinstance(v, np.ndarray)), default=1)
        if wrong := wrong_output(session.run(None, dict(feeds)), expected, length, case):
            return wrong
    return None


def wrong_output(actual: list[Any], expected: list[Any], length: int, case: Case) -> str | None:
    """What is wrong with the first output that is not as expected; None if all are right."""
    if len(actual) != len(expected):
        return f"{len(actual)} outputs, expected {len(expected)}"
    for index, (a, e) in enumerate(zip(actual, expected, strict=True)):
        if wrong := _difference(a, e, length, case):
            return f"output {index}: {wrong}"
    return None


def _difference(actual: Any, expected: Any, length: int, case: Case) -> str | None:
    if expected is None or actual is None:
        return None if actual is expected else f"{actual!r}, expected {expected!r}"
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            return f"a sequence of {len(expected)} expected"
        pairs = zip(actual, expected, strict=True)
        return next((w for a, e in pairs if (w := _difference(a, e, length, case))), None)
    if not isinstance(actual, np.ndarray):
        return f"{type(actual).__name__}, expected an array"
    if case.random and (actual.shape, actual.dtype) == (expected.shape, expected.dtype):
        return None
    return difference(actual, expected, length, DECIMALS.get(case.name))


def _case(raw: Any) -> Case:
    graph = raw.model.graph
    weights = {tensor.name for tensor in graph.initializer}
    names = [value.name for value in graph.input if value.name not in weights]
    sets = tuple(
        (dict(zip(names, map(_value, inputs), strict=False)), [_value(output) for output in outputs])
        for inputs, outputs in raw.data_sets
    )
    operators = tuple(dict.fromkeys([_operator_of(raw), *(node.op_type for node in graph.node)]))
    if raw.name.startswith("test_cast"):
        for feeds, (cast,) in sets:
            first = next(iter(feeds))
            feeds[first] = _in_range(feeds[first], cast)
    return Case(raw.name, raw.model.SerializeToString(), operators, sets)


def _in_range(x: np.ndarray, cast: np.ndarray) -> np.ndarray:
    """x, with 0 for what a cast of floats to integers leaves undefined, in `cast` too."""
    if not (dt.by_numpy(x.dtype).is_float and dt.by_numpy(cast.dtype).is_int):
        return x
    limits = ml_dtypes.iinfo(cast.dtype)  # type: ignore[no-untyped-call]
    beyond = ~((x.astype(np.float64) > limits.min - 1) & (x.astype(np.float64) < limits.max + 1))
    cast[beyond] = 0
    return np.where(beyond, np.zeros_like(x), x)


def _operator_of(raw: Any) -> str:
    """The operator under test: the only node's, or the one whose function body the nodes are."""
    nodes = raw.model.graph.node
    if raw.name.endswith("_expanded") or "_expanded_" in raw.name:
        return f"function body of {raw.name.split('_')[1]}"
    return str(nodes[0].op_type) if nodes else "none"


def _value(raw: Any) -> Any:
    if raw is None:
        return None
    if isinstance(raw, list):
        return [_value(item) for item in raw]
    if isinstance(raw, onnx.TensorProto):
        return onnx.numpy_helper.to_array(raw)
    if isinstance(raw, onnx.SequenceProto):
        return [_value(item) for item in onnx.numpy_helper.to_list(raw)]
    if isinstance(raw, onnx.OptionalProto):
        return _value(onnx.numpy_helper.to_optional(raw))
    return np.asarray(raw)
