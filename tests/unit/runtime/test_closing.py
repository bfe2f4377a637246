"""Host steps behind all native calls: the same results in every way of a run, made when asked for."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np
import pytest

import sardonyx
from sardonyx.runtime import interpreter
from sardonyx.runtime.closing import closed
from sardonyx.runtime.segments import SegmentRun
from tests.unit.compiler.test_closing import IN_A_ROW, NAMED, ZIPPED
from tests.unit.runtime.programs import f32, model
from tests.ways import WAYS, going, knows

BOTH = """g (float[N,3] x) => (string[N] c, seq(map(string, float)) z, float[N,3] s)
    <string[3] n = {"a", "b", "c"}> {
    s = Softmax(x) i = ArgMax<axis = 1, keepdims = 0>(s) c = Gather(n, i)
    z = ai.onnx.ml.ZipMap<classlabels_strings = ["a", "b", "c"]>(s) }"""
SEQUENCE = "g (float[N] x) => (seq(float[N]) q, float[N] e) { e = Exp(x) q = SequenceConstruct(e, x) }"
OPTIONAL = "g (float[N] x) => (optional(float[N]) o) { e = Exp(x) o = Optional(e) }"
ENCODED = """g (string[N,2] x) => (seq(map(int64, float)) z) <int64[2] p = {-1, 2}> {
    a = ai.onnx.ml.LabelEncoder<keys_strings = ["u", "v"], values_floats = [1.0, 2.0], default_float = 0.0>(x)
    s = Softmax(a) z = ai.onnx.ml.ZipMap<classlabels_int64s = [0, 1]>(s) }"""
X = f32(5, 3)


def session(text: str) -> sardonyx.InferenceSession:
    options = sardonyx.SessionOptions()
    options.intra_op_num_threads = 1
    return sardonyx.InferenceSession(model(text), options)


def scores(x: Any) -> Any:
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def check(found: dict[str, Any], x: Any) -> None:
    s = scores(x)
    if "c" in found:
        assert found["c"].tolist() == ["abc"[i] for i in s.argmax(1)]
        assert found["c"].dtype == object
    if "z" in found:
        assert [list(row) for row in found["z"]] == [["a", "b", "c"]] * len(x)
        values = [v for row in found["z"] for v in row.values()]
        assert all(type(v) is float for v in values)
        assert np.allclose(values, s.ravel())
    if "s" in found:
        assert np.allclose(found["s"], s)


def test_results_are_made_of_all_that_is_known() -> None:
    assert closed((1, lambda *known: sum(known)), (3, 5), (1, 0)) == [8, 5]


@pytest.mark.parametrize("way", WAYS)
def test_any_choice_of_results(way: str) -> None:
    with going(way):
        made = session(BOTH)
        for wanted in (None, ["c"], ["z"], ["s"], ["z", "c"], ["s", "z"], ["c", "z", "s"]):
            for x in (X, X[:1], X[:0], X[::-1].copy()):
                found = made.run(wanted, {"x": x})
                check(dict(zip(wanted or ["c", "z", "s"], found, strict=True)), x)
        assert knows(made) == (2 if way == "shortcut" and interpreter.words() is not None else 0)
        one, other = made.run(["z", "z"], {"x": X})
        assert one == other


def test_a_run_is_one_native_call(monkeypatch: pytest.MonkeyPatch) -> None:
    long_ways: list[int] = []
    run = SegmentRun.run
    monkeypatch.setattr(SegmentRun, "run", lambda *args: long_ways.append(1) or run(*args))
    for text, feed in ((BOTH, X), (ZIPPED, X), (NAMED, X), (SEQUENCE, X[0]), (IN_A_ROW, X[0])):
        session(text).run(None, {"x": feed})
    words = np.array([["u", "v"], ["w", "u"]], object)
    (z,) = session(ENCODED).run(None, {"x": words})
    assert [max(row, key=row.get) for row in z] == [1, 1]
    assert not long_ways


@pytest.mark.parametrize("way", WAYS)
def test_results_share_no_memory(way: str) -> None:
    with going(way):
        made, x = session(SEQUENCE), f32(4)
        q, e = made.run(None, {"x": x})
        expected = np.exp(x)
        e[:] = 0
        assert np.allclose(q[0], expected)
        q[1][:] = 9
        assert not (x == 9).any()
        (y,) = session(OPTIONAL).run(None, {"x": x})
        assert np.allclose(y, expected)
        c, n = session(NAMED), {"x": X}
        c.run(None, n)[0][:] = "changed"
        assert set(c.run(None, n)[0]) <= {"a", "b", "c"}


def test_profile_and_other_ways_to_run() -> None:
    made = session(BOTH)
    results, times = made._program.profile([X])
    check(dict(zip(["c", "z", "s"], results, strict=True)), X)
    assert sum(time.name == "host" for time in times) == 2
    value = sardonyx.OrtValue.ortvalue_from_numpy(X)
    (z,) = made.run_with_ort_values(["z"], {"x": value})
    assert len(z.to_map_list() if hasattr(z, "to_map_list") else z._value) == len(X)
    binding = made.io_binding()
    binding.bind_cpu_input("x", X)
    binding.bind_output("s")
    made.run_with_iobinding(binding)
    check({"s": binding.copy_outputs_to_cpu()[0]}, X)
    again = sardonyx.InferenceSession(model(BOTH))
    check(dict(zip(["c", "z", "s"], again.run(None, {"x": X}), strict=True)), X)


def test_steps_that_fail_say_so() -> None:
    wrong = "g (float[N] x, int64[M] i) => (string[M] y) { e = Exp(x) t = Cast<to = 8>(e) y = Gather(t, i) }"
    with going("shortcut"):
        made = session(wrong)
        feed = {"x": f32(3), "i": np.array([0, 2])}
        assert len(made.run(None, feed)[0]) == 2
        with pytest.raises(Exception, match="out of range"):
            made.run(None, {"x": f32(3), "i": np.array([0, 3])})
        assert len(made.run(None, feed)[0]) == 2


def test_threads_and_forks() -> None:
    with going("shortcut"):
        made, wrong = session(BOTH), []

        def work(rows: int) -> None:
            x = f32(rows, 3, seed=rows)
            for _ in range(40):
                try:
                    check(dict(zip("czs", made.run(None, {"x": x}), strict=True)), x)
                except Exception as error:
                    wrong.append(error)

        threads = [threading.Thread(target=work, args=(1 + n % 2,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        if hasattr(os, "fork"):
            child = os.fork()
            if not child:
                code = 1
                try:
                    work(1)
                    code = len(wrong)
                finally:
                    os._exit(code)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
