"""Messages are those of the onnx package, loaded with it or without it."""

from __future__ import annotations

import os
import subprocess
import sys

import onnx
import pytest

from sardonyx.frontend import messages
from sardonyx.frontend.messages import ModelProto, TensorProto

ALONE = """
import sys
from sardonyx.frontend.messages import ModelProto, NEWEST_IR_VERSION, TypeProto
assert "onnx" not in sys.modules
is_light = "google.protobuf.text_format" not in sys.modules
m = ModelProto(producer_name="p")
t = TypeProto.Tensor(elem_type=1)
import copy, onnx, pickle
assert onnx.ModelProto.FromString(m.SerializeToString()).producer_name == "p"
assert onnx.ModelProto is ModelProto or onnx.ModelProto.DESCRIPTOR is ModelProto.DESCRIPTOR
assert NEWEST_IR_VERSION >= onnx.IR_VERSION
assert pickle.loads(pickle.dumps(t)) == copy.deepcopy(t) == t
assert repr(TypeProto.Tensor) == "<class 'onnx.onnx_ml_pb2.TypeProto.Tensor'>"
if is_light:
    from onnx import onnx_ml_pb2
    for name, described in ModelProto.DESCRIPTOR.file.message_types_by_name.items():
        assert getattr(onnx_ml_pb2, name) is described._concrete_class
    assert onnx.ModelProto is ModelProto and onnx.TypeProto.Tensor is TypeProto.Tensor
print("light" if is_light else "whole")
"""


def test_the_same_classes_say_the_same() -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 21]> g (float x) => (float y) { y = Exp(x) }'
    )
    assert ModelProto.FromString(model.SerializeToString()).graph.node[0].op_type == "Exp"
    assert TensorProto.EXTERNAL == onnx.TensorProto.EXTERNAL
    assert all(hasattr(messages, name) for name in messages.__all__)


@pytest.mark.parametrize(("implementation", "how"), [("upb", "light"), ("python", "whole")])
def test_they_are_loaded_without_the_package(implementation: str, how: str) -> None:
    code = f"import sys; sys.path[:0] = {sys.path!r}\n{ALONE}"
    variables = {**os.environ, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": implementation}
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [how], "what makes classes in Python is imported for those made natively"
