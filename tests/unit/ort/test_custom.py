"""Operators of the user's own: formulas are compiled and fused, functions of arrays run in Python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import sardonyx
from sardonyx import Value
from sardonyx.base import custom
from sardonyx.capi.onnxruntime_pybind11_state import Fail
from sardonyx.ops import table
from sardonyx.ort.custom import op
from tests.unit.runtime.programs import f32

HEAD = '<ir_version: 10, opset_import: ["" : 21, "my.ops" : 3]>\n'
X = f32(4, 7)


@pytest.fixture(autouse=True)
def own() -> Iterator[None]:
    """Operators that a test adds are gone after it."""
    yield
    while custom.ADDED:
        table.withdraw(*custom.ADDED.pop())


def session(text: str, fallback: str = "allow") -> Any:
    options = sardonyx.SessionOptions()
    options.add_session_config_entry("sardonyx.fallback", fallback)
    model = onnx.parser.parse_model(HEAD + text)
    return sardonyx.InferenceSession(model.SerializeToString(), options)


def test_a_formula_is_compiled_and_fused() -> None:
    @op("Cube", domain="my.ops")
    def cube(x: Value, shift: Value | None = None, *, scale: float = 2.0) -> Value:
        y = x * x * x * scale
        return y if shift is None else y + shift

    made = session(
        """g (float[N,7] x, float[7] s) => (float[N,7] y) {
            e = Exp(x) c = my.ops.Cube<scale = 3.0>(e, s) d = my.ops.Cube(c) y = Neg(d)
        }""",
        fallback="error",
    )
    e, s = np.exp(X).astype(np.float64), f32(7)
    for rows in (4, 1, 3):
        (y,) = made.run(None, {"x": X[:rows], "s": s})
        np.testing.assert_allclose(y, -2 * (3 * e[:rows] ** 3 + s) ** 3, rtol=1e-5)
    assert len(made.report.kernels) == 1


def test_a_function_of_arrays_runs_between_kernels() -> None:
    @op("Median", domain="my.ops", results=lambda x, keep: (x.dtype, (*x.shape[:-1], *[1] * keep)))
    def median(x: np.ndarray, *, keep: int = 0) -> Any:
        return np.median(x, axis=-1, keepdims=bool(keep))

    made = session("g (float[N,M] x) => (float[N] y) { a = Abs(x) m = my.ops.Median(a) y = Neg(m) }")
    for x in (X, X[:1], X[:, :2]):
        np.testing.assert_array_equal(made.run(None, {"x": x})[0], -np.median(np.abs(x), axis=-1))
    (note,) = made.report.fallbacks
    assert note.op == "my.ops.Median-1"
    with pytest.raises(Exception, match=r"my\.ops\.Median-1 .* does not run native"):
        session("g (float[N,M] x) => (float[N] y) { y = my.ops.Median(x) }", fallback="error")


def test_sizes_that_only_the_result_knows() -> None:
    @op("Positive", domain="my.ops", results=lambda x: [(x.dtype, [None]), (np.int64, [None, len(x.shape)])])
    def positive(x: np.ndarray) -> Any:
        return x[x > 0], np.argwhere(x > 0)

    made = session("g (float[N,M] x) => (float[K] y, int64[?,?] i) { p, i = my.ops.Positive(x) y = Sqrt(p) }")
    for x in (X, X[:2]):
        y, i = made.run(None, {"x": x})
        np.testing.assert_allclose(y, np.sqrt(x[x > 0]), rtol=1e-6)
        np.testing.assert_array_equal(i, np.argwhere(x > 0))


def test_a_result_never_shares_memory_and_inputs_cannot_be_written() -> None:
    @op("Same", domain="my.ops", results=lambda x: x)
    def same(x: np.ndarray) -> np.ndarray:
        assert not x.flags.writeable
        return x[::-1][::-1]

    made = session(
        "g (float[N,7] x) => (float[N,7] y, float[N,7] z) { a = Exp(x) y = my.ops.Same(a) z = Exp(y) }"
    )
    y, z = made.run(None, {"x": X})
    np.testing.assert_allclose(z, np.exp(y), rtol=1e-6)
    np.testing.assert_allclose(y, np.exp(X), rtol=1e-6)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x[:-1], r"here: my\.ops\.Wrong-1 gives shape \[3, 7\], \[4, 7\] was expected"),
        (lambda x: x[0], r"gives shape \[7\], \[4, 7\] was expected"),
        (lambda x: (x, x), "gives 2 results, 1 were expected"),
        (lambda x: x / {}, r"here.*raised TypeError: unsupported operand"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(function: Any, message: str) -> None:
    op("Wrong", domain="my.ops", results=lambda x: x)(function)
    made = session("g (float[N,7] x) => (float[N,7] y) { a = Exp(x) [here] b = my.ops.Wrong(a) y = Exp(b) }")
    for _ in range(2):
        with pytest.raises(Fail, match=message):
            made.run(None, {"x": X})


def test_a_wrong_call_names_the_node() -> None:
    op("One", domain="my.ops")(lambda x: x)
    with pytest.raises(Fail, match=r"here.*2 inputs, at most 1"):
        session("g (float[N] x) => (float[N] y) { [here] y = my.ops.One(x, x) }")


def test_the_newest_version_that_the_model_imports_counts() -> None:
    for since, factor in ((1, 10), (3, 30), (4, 40)):
        op("Times", domain="my.ops", since=since)(lambda x, factor=factor: x * float(factor))
    made = session("g (float[N] x) => (float[N] y) { y = my.ops.Times(x) }")
    np.testing.assert_array_equal(made.run(None, {"x": X[0]})[0], X[0] * 30)


def test_adding_again_replaces_and_leaves_sessions_alone(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(onnx.parser.parse_model(HEAD + "g (float[N] x) => (float[N] y) { y = my.ops.Times(x) }"), path)
    made = []
    for factor in (2.0, 5.0):
        op("Times", domain="my.ops")(lambda x, *, by=factor: x * by)
        made += [sardonyx.InferenceSession(path), sardonyx.InferenceSession(path.read_bytes())]
    found = [s.run(None, {"x": X[0]})[0] / X[0] for s in made]
    np.testing.assert_allclose([f[0] for f in found], [2, 2, 5, 5], rtol=1e-6)


def test_operators_of_sardonyx_are_not_replaced() -> None:
    for domain, name in (("", "Relu"), ("ai.onnx", "Relu"), ("com.microsoft", "Gelu")):
        with pytest.raises(ValueError, match=f"has an operator {name} already"):
            op(name, domain=domain)
