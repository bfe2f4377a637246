"""A drawn call as a one-node model, run on every target and judged.

What is drawn here: which inputs are initialisers, whether sizes are declared, how feeds lie in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import helper, numpy_helper

import sardonyx
from sardonyx.base.dim import evaluate, symbols
from sardonyx.base.knobs import CompileOptions
from sardonyx.capi import onnxruntime_pybind11_state as state
from sardonyx.errors import SardonyxError
from sardonyx.frontend import Loaded, specialise
from sardonyx.ir.run import run as run_graph
from sardonyx.passes.widen import widen
from tests.property.operators.choices import ByHypothesis, Choices
from tests.property.operators.draw import LAYOUTS, declared, kind_of, laid_out
from tests.property.operators.judges import Law
from tests.property.operators.recipe import Call, Fed, Fixed, Recipe
from tests.tolerance import MATRIX_BOUNDS, difference, difference_of_matrices
from tests.unit.passes.graphs import GOAL

Runner = Callable[[bytes, dict[str, Any]], list[Any]]
REFUSALS = (SardonyxError, *(cls for cls, _, _ in state.STATUS))


@dataclass(frozen=True)
class Case:
    """A call made into a model with feeds."""

    call: Call
    model: Any
    feeds: dict[str, Any]

    def __str__(self) -> str:
        """The model's text and the feeds: enough to repeat it."""
        lines = [onnx.printer.to_text(self.model)]
        lines += [f"{name} = {_shown(value)}" for name, value in self.feeds.items()]
        return "\n".join(lines)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if not isinstance(value, np.ndarray):
        return repr(value)
    return f"{value.dtype}{list(value.shape)} strides {list(value.strides)}: {value.tolist()}"


@st.composite
def cases(draw: st.DrawFn, recipe: Recipe) -> Case:
    """Calls of a recipe in any form that a model can have, by Hypothesis."""
    return drawn(ByHypothesis(draw), recipe)


def drawn(choices: Choices, recipe: Recipe) -> Case:
    """A call of a recipe in any form that a model can have."""
    opset, call = recipe.drawn(choices)
    open_sizes, layout = choices.one_of((False, True)), choices.one_of(LAYOUTS)
    graph = onnx.GraphProto(name="drawn")
    feeds: dict[str, Any] = {}
    names = []
    for number, given in enumerate(call.inputs):
        value = call.values[number]
        names.append("" if value is None and not isinstance(given, Fed) else f"x{number}")
        if not names[-1]:
            continue
        fixed = isinstance(given, Fixed)
        if isinstance(value, np.ndarray) and not isinstance(given, Fed | Fixed):
            fixed = choices.integer(0, 3) == 3 and _may_be_fixed(call, open_sizes)
        if fixed:
            graph.initializer.append(numpy_helper.from_array(value, names[-1]))
        else:
            proto = given.type if isinstance(given, Fed) and given.type is not None else None
            graph.input.append(_info(names[-1], value, proto, open_sizes))
            feeds[names[-1]] = laid_out(value, layout) if isinstance(value, np.ndarray) else value
    outputs = [f"y{i}" if wanted else "" for i, wanted in enumerate(call.outputs)]
    node = helper.make_node(recipe.name, names, outputs, domain=recipe.domain)
    node.attribute.extend(_attribute(name, value) for name, value in call.attributes.items())
    graph.node.append(node)
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs if name)
    imports = {recipe.domain: opset, "": opset if not recipe.domain else 21}
    opsets = [helper.make_opsetid(domain, version) for domain, version in imports.items()]
    return Case(call, helper.make_model(graph, opset_imports=opsets, ir_version=10), feeds)


def _may_be_fixed(call: Call, open_sizes: bool) -> bool:
    """Whether an input can be an initialiser and the judge still be right.

    A free size is taken to be no 0, which a constant made for an empty input may contradict.
    """
    return not (open_sizes and any(isinstance(v, np.ndarray) and v.size == 0 for v in call.values))


def _attribute(name: str, value: Any) -> Any:
    empty = isinstance(value, list) and not value
    return helper.make_attribute(name, value, attr_type=onnx.AttributeProto.INTS if empty else None)


def _info(name: str, value: Any, proto: Any, open_sizes: bool) -> Any:
    if proto is None:
        first = value[0] if isinstance(value, list) else value
        sizes = [f"{name}_{axis}" if open_sizes else n for axis, n in enumerate(first.shape)]
        proto = declared(first.dtype, sizes)
        if isinstance(value, list):
            proto = helper.make_sequence_type_proto(declared(first.dtype, [None] * first.ndim))
    return helper.make_value_info(name, proto)


def _zeros_among(feeds: dict[str, Any]) -> dict[str, int]:
    """Free sizes that are 0, which graphs have to know."""
    arrays = {name: v for name, v in feeds.items() if isinstance(v, np.ndarray)}
    return {f"{name}_{axis}": 0 for name, v in arrays.items() for axis, n in enumerate(v.shape) if n == 0}


def _beyond_bounds(loaded: Loaded, feeds: dict[str, Any]) -> dict[str, int]:
    """Free sizes that a graph took for larger than they are."""
    names = [str(v.attrs["name"]) for v in loaded.graph.inputs]
    sizes = {s: feeds[names[n]].shape[axis] for s, (n, axis) in loaded.graph.symbols().items()}
    found: dict[str, int] = {}
    for dim, low in loaded.least_sizes.items():
        with suppress(ValueError):
            if symbols(dim) <= sizes.keys() and evaluate(dim, sizes) < low:
                found |= {name: sizes[name] for name in symbols(dim)}
    return found


def graph(model: bytes, feeds: dict[str, Any]) -> list[Any]:
    """The graph as loaded, in numpy; half precision is computed in single, as kernels do."""
    arrays = {name: np.asarray(v) if isinstance(v, np.generic) else v for name, v in feeds.items()}
    dims = _zeros_among(feeds)
    loaded, _ = specialise(model, arrays, CompileOptions(dims=dims))
    if beyond := _beyond_bounds(loaded, arrays):
        loaded, _ = specialise(model, arrays, CompileOptions(dims=dims | beyond))
    return run_graph(widen(loaded.graph, GOAL), [arrays[info.name] for info in loaded.inputs])


def native(threads: int, precision: str = "fp32") -> Runner:
    """The engine as users meet it, on a number of threads."""

    def run(model: bytes, feeds: dict[str, Any]) -> list[Any]:
        options = sardonyx.SessionOptions()
        options.intra_op_num_threads = threads
        return list(sardonyx.InferenceSession(model, options, precision=precision).run(None, feeds))

    return run


GRAPH: dict[str, Runner] = {"graph": graph}
NATIVE: dict[str, Runner] = {"native, 1 thread": native(1), "native, 2 threads": native(2)}
strict = native(1, "strict")


def check(case: Case, targets: dict[str, Runner]) -> None:
    """Fail, naming the target, where a result is not what the judge says.

    What is beyond the bound of float sums must be within that of the matrix registers that multiplied, and
    sums of floats in `strict`.
    """
    call, data = case.call, case.model.SerializeToString()
    if call.invalid:
        for target, run in targets.items():
            _refuses(target, run, data, case)
        return
    expected = call.judge(case.model, case.feeds, call.values)
    for target, run in targets.items():
        actual = run(data, dict(case.feeds))
        assert len(actual) == len(expected), f"{target}: {len(actual)} results, expected {len(expected)}"
        for number, pair in enumerate(zip(actual, expected, strict=True)):
            wrong = _difference(*pair, call)
            if wrong and target in NATIVE and (tile := _matrix_tile(data)):
                wrong = _beyond_tile(*pair, call, tile)
                wrong = wrong or _difference(strict(data, dict(case.feeds))[number], pair[1], call)
            assert wrong is None, f"{target}, result {number}: {wrong}"


def _matrix_tile(model: bytes) -> str:
    """By which matrix registers floats are multiplied in the default precision, if by any."""
    said = " ".join(kernel.arithmetic for kernel in sardonyx.InferenceSession(model).report.kernels)
    return next((name for name in MATRIX_BOUNDS if f" as {name} by " in said), "")


def _beyond_tile(actual: Any, expected: Any, call: Call, tile: str) -> str | None:
    if not isinstance(actual, np.ndarray) or actual.dtype != np.float32:
        return _difference(actual, expected, call)
    return difference_of_matrices(
        actual, np.asarray(expected), tile, call.magnitude / max(call.length, 1) ** 0.5
    )


def _refuses(target: str, run: Runner, data: bytes, case: Case) -> None:
    try:
        result = run(data, dict(case.feeds))
    except REFUSALS:
        return
    raise AssertionError(f"{target}: {result} although {case.call.invalid}")


def _difference(actual: Any, expected: Any, call: Call) -> str | None:
    if isinstance(expected, Law):
        return expected.broken_by(actual)
    if expected is None or actual is None:
        return None if actual is expected else f"{actual!r}, expected {expected!r}"
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            return f"{actual!r}, expected a sequence of {len(expected)}"
        pairs = zip(actual, expected, strict=True)
        return next((w for a, e in pairs if (w := _difference(a, e, call))), None)
    if isinstance(expected, dict):
        if not isinstance(actual, dict) or actual.keys() != expected.keys():
            return f"{actual!r}, expected a map of {sorted(expected)}"
        values = ([np.asarray(m[k], np.float32) for k in sorted(m)] for m in (actual, expected))
        return _difference(*values, call)
    if not isinstance(actual, np.ndarray):
        return f"{type(actual).__name__}, expected an array"
    expected = np.asarray(expected)
    if expected.dtype.kind in "UT":
        expected = expected.astype(object)
    wrong = difference(actual, expected, call.length, largest=call.magnitude, points=call.points)
    return wrong or (_zeros(actual, expected) if call.zeros else None)


def _zeros(actual: Any, expected: Any) -> str | None:
    """What is wrong with the signs of zeros."""
    if kind_of(expected.dtype) != "f":
        return None
    both = (actual == 0) & (expected == 0)
    wrong = np.argwhere(both & (np.signbit(actual) != np.signbit(expected)))
    return f"{len(wrong)} zeros with the other sign, first at {wrong[0].tolist()}" if len(wrong) else None
