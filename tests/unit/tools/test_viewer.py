"""The viewer's page names what it shows without trusting it."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx.parser

import sardonyx
from sardonyx.tools.viewer import application

TEXT = """<ir_version: 10, opset_import: ["" : 21]>
net (float[N, 64] x) => (float[N, 64] y) { ["<b>end"] y = Relu(x) }"""


def test_routes_and_escapes(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(TEXT.replace('"<b>end"', "end"))
    model.graph.node[0].name = "<b>end"
    path = tmp_path / "<i>net.onnx"
    onnx.save(model, path)
    served = application(path, sardonyx.InferenceSession(str(path)), {"N": 4})
    assert [route.path for route in served.routes] == ["/", "/kernels.json", "/model.onnx", "/netron"]
    show = served.routes[0].endpoint
    try:
        show(None).send(None)
    except StopIteration as answer:
        body = answer.value.body.decode()
    assert "<b>end" not in body and "&lt;b&gt;end" in body and "<i>net" not in body
