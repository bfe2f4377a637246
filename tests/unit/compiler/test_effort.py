"""What takes little of a run is estimated by sizes, and computes the same bits however it is compiled."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest

import sardonyx as sx
from sardonyx import targets
from sardonyx.base.policy import Goal
from sardonyx.base.trace import Trace
from sardonyx.compiler import build
from sardonyx.compiler.compile import simplify
from sardonyx.compiler.effort import shares
from sardonyx.fuse.partition import partition
from sardonyx.kernels.library import Shared, Text
from sardonyx.targets.x86_64.backend import X86Backend
from tests.unit.passes.graphs import parse

MAPS = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N,37] x, int64[N] at)
=> (float[N,37] a, float[37,N] b, float[N,37] c, float[N,40] d, int32[N,37] e, float[1,1] f) {
    t = Tanh(x) l = Erf(x) a = Add(t, l)
    b = Transpose<perm = [1, 0]>(x)
    f = ReduceSum<keepdims = 1>(x) g = Gather(x, at) c = Exp(g)
    k = Constant<value = int64[4] {0, 1, 0, 2}>() d = Pad(x, k)
    e = Cast<to = 6>(x)
}"""


def shares_of(text: str) -> Mapping[str, float]:
    backend = X86Backend(Goal(targets.detect()))
    fusion = partition(simplify(parse(text), backend, Trace.off()), backend.native)
    return {group.root.prim: share for group, share in shares(fusion).items()}


def test_the_estimate_follows_sizes() -> None:
    text = "g (float[N,512] x, float[N,512] y, float[8] z) => (float a, float w) {{ {} w = Exp(z) }}"
    small = shares_of(text.format("a = Add(x, y)"))
    assert 0 < small["exp"] < small["add"] < 1
    assert sum(small.values()) == pytest.approx(1)
    dot = "t = Transpose(y) a = MatMul(x, t)"
    found = shares_of(text.format(dot))
    assert 0 < found["exp"] < small["exp"], "products take more than sums"
    (end,) = (share for prim, share in found.items() if prim == "dot")
    assert 0 < end < 0.2, "only what is written around the products counts"
    more = shares_of(text.format(dot.replace("a =", "m =") + " a = Tanh(m)"))
    assert more["tanh"] > end


def test_an_algorithm_of_its_own_has_no_estimate() -> None:
    text = "g (float[N,16] x) => (float y, float z, int64 i) { y = Relu(x) z = CumSum(x, axis) }"
    text = text.replace("{", "{ axis = Constant<value = int64 {1}>() ", 1).replace(", int64 i", "")
    assert set(shares_of(text)) == {"max"}


@pytest.mark.parametrize("rows", [1, 3, 64])
def test_quick_code_computes_the_same_bits(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = onnx.parser.parse_model(MAPS).SerializeToString()
    rng = np.random.default_rng(rows)
    feeds = {"x": rng.standard_normal((rows, 37), np.float32), "at": rng.integers(0, rows, rows)}
    full = results(model, feeds, 0)
    add = build.Build.add

    def without_share(self: build.Build, name: str, text: Text, share: float = 1.0) -> None:
        add(self, name, text, share if isinstance(text, Shared) else 0.0)

    monkeypatch.setattr(build.Build, "add", without_share)
    for a, b in zip(full, results(model, feeds, 4), strict=True):
        assert a.tobytes() == b.tobytes()


def results(model: bytes, feeds: Mapping[str, Any], least: int) -> list[npt.NDArray[Any]]:
    """Of a session without a cache, of which so many kernels at least are compiled quickly."""
    options = sx.SessionOptions()
    options.add_session_config_entry("sardonyx.cache", "off")
    session = sx.InferenceSession(model, options)
    assert session.report.counters.get("quick_kernels", 0) >= least
    return list(session.run(None, dict(feeds)))


def test_sizes_that_contradict_what_is_assumed_of_free_ones_refuse_no_model() -> None:
    model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 17]>
        g (float[N] x, float[M] w) => (float[K] y) <int64[1] zero = {0}, int64[1] four = {4}> {
            n = Shape(x) k = Div(n, four) part = Slice(x, zero, k) s = Add(part, w) y = Exp(s) }""")
    session = sx.InferenceSession(model.SerializeToString())
    feeds = {"x": np.zeros(8, np.float32), "w": np.ones(2, np.float32)}
    np.testing.assert_allclose(session.run(None, feeds)[0], np.exp([1, 1]), rtol=1e-6)


SPREAD = '''
import numpy as np, onnx, sys
sys.path[:] = {path}
import sardonyx as sx
from sardonyx.compiler import build
build._QUICK_SHARE = float("inf")
for width in (3, 8, 9, 10, 11, 12, 17):
    text = """<ir_version: 10, opset_import: ["" : 21]>
        g (float[B,1,W] x, float[B,N,1] z) => (float[B,N,W] y) {{
            s = Shape(z) e = Expand(x, s) y = Identity(e) }}"""
    model = onnx.parser.parse_model(text.replace("W]", f"{{width}}]"))
    options = sx.SessionOptions()
    options.add_session_config_entry("sardonyx.cache", "off")
    options.add_session_config_entry("sardonyx.target", "x86_64-v3")
    x = np.random.default_rng(0).random((2, 1, width), np.float32)
    session = sx.InferenceSession(model.SerializeToString(), options)
    (y,) = session.run(None, {{"x": x, "z": np.zeros((2, 37, 1), "f4")}})
    np.testing.assert_array_equal(y, np.broadcast_to(x, (2, 37, width)))
'''


def test_the_quickest_generator_compiles_rows_of_one_number_each() -> None:
    """It ended the process where several rows were made of the same neighbouring numbers."""
    subprocess.run([sys.executable, "-c", SPREAD.format(path=sys.path)], check=True)
