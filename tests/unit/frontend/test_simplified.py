"""A model is written back simpler, and computes the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from sardonyx.frontend.load import open_model
from sardonyx.frontend.simplified import write_simplified

TEXT = """<ir_version: 10, opset_import: ["" : 21]>
g (float[N] x, int64[1] t) => (float[N] y) <float[600] w> {
  a = Cast<to = 1>(x)  b = Exp(a)  c = Exp(a)  d = Add(b, c)  dead = Sin(x)
  e = CastLike(t, x)  f = Add(d, e)  y = Identity(f)
}"""


def test_repeats_dead_nodes_and_idle_casts_go(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(TEXT.replace(" <float[600] w>", ""))
    path = tmp_path / "m.onnx"
    write_simplified(open_model(model.SerializeToString()), path)
    simple = onnx.load(path)
    assert sorted(node.op_type for node in simple.graph.node) == ["Add", "Add", "Cast", "Exp"]
    feeds = {"x": np.float32([1, 2]), "t": np.array([3])}
    got, expected = (ReferenceEvaluator(m).run(None, feeds)[0] for m in (simple, model))
    np.testing.assert_allclose(got, expected)


def test_large_weights_go_to_the_file_that_is_named(tmp_path: Path) -> None:
    text = """<ir_version: 10, opset_import: ["" : 21]>
    g (float[4] x) => (float[4] y) <float[4] w = {1,2,3,4}> { y = Add(x, w) }"""
    source = open_model(onnx.parser.parse_model(text).SerializeToString())
    write_simplified(source, tmp_path / "m.onnx", "w.bin", 8)
    assert (tmp_path / "w.bin").stat().st_size >= 16
    assert onnx.load(tmp_path / "m.onnx", load_external_data=False).graph.initializer[0].external_data
    whole = onnx.load(tmp_path / "m.onnx")
    assert onnx.numpy_helper.to_array(whole.graph.initializer[0]).tolist() == [1, 2, 3, 4]
