"""Models whose products of few rows read weights of 24 bits: how they are reported, and what they compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import sardonyx
from sardonyx import targets
from sardonyx.base import policy
from sardonyx.base.policy import Goal
from sardonyx.kernels.short.call import short_call
from sardonyx.kernels.short.choose import most_rows
from tests.runnable import runnable_targets
from tests.tolerance import difference_of_short

K, N = 512, 528
RNG = np.random.default_rng(3)
W, B = RNG.standard_normal((K, N)).astype(np.float32), RNG.standard_normal(N).astype(np.float32)
GROWING = f"float[N, T, {N}] y, float[N, U, {K}] all"
SHORT = "weights of 24 bits"


def session(
    rows: str = "M",
    short: str = "on",
    outputs: str = "",
    nodes: str = "",
    threads: int = 1,
    name: str = "net",
    **options: str,
) -> Any:
    """A model of a name of its own is compiled whatever is kept, of kernels that are."""
    outputs = outputs or f"float[{rows}, {N}] y"
    past = f", float[N, P, {K}] past" if nodes else ""
    text = f"{name} (float[{rows}, {K}] x{past}) => ({outputs}) {{ a = MatMul(x, w) y = Add(a, b) {nodes} }}"
    proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 20]> {text}')
    proto.graph.initializer.extend(numpy_helper.from_array(a, name) for name, a in (("w", W), ("b", B)))
    made = sardonyx.SessionOptions()
    made.intra_op_num_threads = threads
    for name, value in {"short_weights": short, **options}.items():
        made.add_session_config_entry(f"sardonyx.{name}", value)
    return sardonyx.InferenceSession(proto.SerializeToString(), made)


def told(made: Any) -> tuple[str, str]:
    (note,) = (note for note in made.report.kernels if note.kind == "gemm")
    return note.arithmetic, note.plan


@pytest.mark.parametrize("target", [t.name for t in runnable_targets()])
@pytest.mark.parametrize("strassen", ["off", "on"])
@pytest.mark.parametrize("threads", [1, 2])
def test_one_program_for_every_number_of_rows(target: str, strassen: str, threads: int) -> None:
    made = session(target=target, strassen=strassen, threads=threads)
    most = most_rows(Goal(targets.by_name(target)))
    assert told(made)[1].endswith(f"{SHORT} up to {most} rows")
    assert ("strassen" in told(made)[1]) == (strassen == "on")
    whole = session(short="off", target=target, strassen=strassen, threads=threads)
    assert short_call.__doc__
    for rows in (0, 1, 2, 3, 4, 5, 65):
        x = RNG.standard_normal((rows, K)).astype(np.float32)
        (y,), (direct,) = made.run(None, {"x": x}), whole.run(None, {"x": x})
        assert np.array_equal(y, direct) == (rows > most or not rows), rows
        if rows:
            assert difference_of_short(y, x.astype(np.float64) @ W + B) is None, rows


@pytest.mark.parametrize("rows", [1, 2])
def test_weights_of_few_rows_are_kept_in_24_bits_alone(rows: int) -> None:
    made, whole = (session(str(rows), short) for short in ("on", "off"))
    assert told(made)[0].endswith(SHORT)
    assert SHORT not in told(whole)[0]
    x = RNG.standard_normal((rows, K)).astype(np.float32)
    assert difference_of_short(made.run(None, {"x": x})[0], x.astype(np.float64) @ W + B) is None
    sizes = [session_.report.counters["weight_bytes"] for session_ in (made, whole)]
    assert 0.74 < sizes[0] / sizes[1] < 0.78


def test_what_is_exact_in_24_bits_is_exact() -> None:
    """In whatever order: no sum of these numbers is rounded."""
    x = np.round(4 * RNG.standard_normal((2, K))).astype(np.float32) / 4
    half = np.round(16 * W) / np.float32(16)
    found = []
    for short in ("on", "off"):
        text = f"net (float[2, {K}] x) => (float[2, {N}] y) {{ y = MatMul(x, w) }}"
        proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 20]> {text}')
        proto.graph.initializer.append(numpy_helper.from_array(half, "w"))
        options = sardonyx.SessionOptions()
        options.add_session_config_entry("sardonyx.short_weights", short)
        made = sardonyx.InferenceSession(proto.SerializeToString(), options)
        assert (SHORT in told(made)[0]) == (short == "on")
        found += made.run(None, {"x": x})
    assert np.array_equal(*found)


@pytest.mark.parametrize("precision", ["fp32", "strict"])
def test_strict_keeps_all_bits(precision: str) -> None:
    assert (SHORT in told(session(precision=precision))[1]) == (precision == "fp32")


def test_it_is_done_where_the_models_weights_are_larger_than_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SHORT not in told(session(short="auto"))[1]
    monkeypatch.setattr(policy, "_IN_CACHES", 1 << 20)
    assert SHORT in told(session(short="auto", name="larger"))[1]
    monkeypatch.setattr(policy, "_KEPT_TWICE", (1 << 20) + 1)
    assert SHORT not in told(session(short="auto", name="twice"))[1]


def test_tokens_are_few_where_results_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "_IN_CACHES", 1 << 20)
    assert SHORT not in told(session("N, T", "auto", f"float[N, T, {N}] y", name="growing"))[1]
    nodes = "all = Concat<axis = 1>(past, x)"
    assert SHORT in told(session("N, T", "auto", GROWING, nodes, name="grown"))[1]
