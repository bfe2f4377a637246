"""Messages are those of the onnx package, loaded with it or without it."""

from __future__ import annotations

import subprocess
import sys

import onnx

from sardonyx.frontend import messages
from sardonyx.frontend.messages import ModelProto, TensorProto

ALONE = """
import sys
from sardonyx.frontend.messages import ModelProto
assert "onnx" not in sys.modules
m = ModelProto(producer_name="p")
import onnx
assert onnx.ModelProto.FromString(m.SerializeToString()).producer_name == "p"
assert onnx.ModelProto is ModelProto or onnx.ModelProto.DESCRIPTOR is ModelProto.DESCRIPTOR
"""


def test_the_same_classes_say_the_same() -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 21]> g (float x) => (float y) { y = Exp(x) }'
    )
    assert ModelProto.FromString(model.SerializeToString()).graph.node[0].op_type == "Exp"
    assert TensorProto.EXTERNAL == onnx.TensorProto.EXTERNAL
    assert all(hasattr(messages, name) for name in messages.__all__)


def test_they_are_loaded_without_the_package() -> None:
    subprocess.run([sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{ALONE}"], check=True)
