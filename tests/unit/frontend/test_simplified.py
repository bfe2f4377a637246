"""A model is written back simpler, and computes the same."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from sardonyx.frontend.simplified import simplified

TEXT = """<ir_version: 10, opset_import: ["" : 21]>
g (float[N] x, int64[1] t) => (float[N] y) {
  a = Cast<to = 1>(x)  b = Exp(a)  c = Exp(a)  d = Add(b, c)  dead = Sin(x)
  e = CastLike(t, x)  f = Add(d, e)  y = Identity(f)
}"""


def test_repeats_dead_nodes_and_idle_casts_go() -> None:
    model = onnx.parser.parse_model(TEXT)
    simple = simplified(deepcopy(model))
    assert sorted(node.op_type for node in simple.graph.node) == ["Add", "Add", "Cast", "Exp"]
    feeds = {"x": np.float32([1, 2]), "t": np.array([3])}
    got, expected = (ReferenceEvaluator(m).run(None, feeds)[0] for m in (simple, model))
    np.testing.assert_allclose(got, expected)


def test_large_weights_come_back_as_they_were() -> None:
    model = onnx.parser.parse_model("""<ir_version: 10, opset_import: ["" : 21]>
    g (float[600] x) => (float[600] y) { y = Add(x, w) }""")
    weight = np.arange(600, dtype=np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    simple = simplified(model)
    (found,) = simple.graph.initializer
    assert not found.external_data
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(found), weight)


def test_equal_weights_become_one_unless_a_caller_knows_them() -> None:
    model = onnx.parser.parse_model("""<ir_version: 10, opset_import: ["" : 21, "com.unused" : 1]>
    g (float[600] x, float[600] fed) => (float[600] y, float[600] z, float[600] w) {
      a = Add(x, u)  b = Add(x, v)  y = Mul(a, b)  z = Mul(fed, t)
    }""")
    weight = np.arange(600, dtype=np.float32)
    names = {"u": weight, "v": weight, "w": weight, "fed": weight, "t": -weight}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(w, name) for name, w in names.items())
    simple = simplified(model)
    assert {tensor.name for tensor in simple.graph.initializer} == {"u", "w", "fed", "t"}
    assert sorted(node.op_type for node in simple.graph.node) == ["Add", "Mul", "Mul"]
    assert [row.domain for row in simple.opset_import] == [""]
    y, z, w = ReferenceEvaluator(simple).run(None, {"x": weight, "fed": weight})
    np.testing.assert_array_equal(y, (2 * weight) ** 2)
    np.testing.assert_array_equal(z, -(weight**2))
    np.testing.assert_array_equal(w, weight)
