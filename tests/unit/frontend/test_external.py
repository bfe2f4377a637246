"""Other files of a model are named once each, and tensors of files that a caller holds are read from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from sardonyx.errors import LoadError
from sardonyx.frontend import load
from sardonyx.frontend.external import external_files, tensors_in, tensors_of
from sardonyx.frontend.load import Source, open_model
from sardonyx.frontend.summary import summarize

TEXT = """<ir_version: 10, opset_import: ["" : 21]>
g (bool c) => (float[2] y) { y = If (c) <
    then_branch = t () => (float[2] a) { k = Constant <value = float[2] {1, 2}> () a = Exp(k) },
    else_branch = e () => (float[2] b) <float[2] w = {3, 4}> { b = Exp(w) }
> }"""


def outside(location: str, **entries: int) -> onnx.TensorProto:
    made = onnx.TensorProto(name="v", data_type=1, dims=[2], data_location=onnx.TensorProto.EXTERNAL)
    for key, value in {"location": location, **entries}.items():
        made.external_data.add(key=key, value=str(value))
    return made


def source(*tensors: onnx.TensorProto) -> Source:
    model = onnx.parser.parse_model(TEXT)
    model.graph.initializer.extend(tensors)
    return open_model(model.SerializeToString())


def test_tensors_of_every_depth_are_found() -> None:
    found = [(t.name, dense) for t, dense in tensors_of(source(outside("w.bin")).proto) if t.data_type]
    assert ("v", True) in found
    assert ("w", True) in found
    assert sum(not dense for _, dense in found) == 1, "a constant node's is not an initialiser"


def test_files_are_named_once() -> None:
    many = source(outside("b.bin"), outside("a.bin"), outside("b.bin", offset=8))
    assert external_files(many) == ("a.bin", "b.bin")
    assert external_files(source()) == ()


@pytest.mark.parametrize("others", [[], ["a.bin"]])
def test_a_file_whose_name_is_not_text_is_not_there(others: list[str], tmp_path: Path) -> None:
    """Protobuf has bytes in place of such a text."""
    model = onnx.parser.parse_model(TEXT)
    model.graph.initializer.extend(outside(name) for name in ["four", *others])
    for number, tensor in enumerate(model.graph.initializer):
        tensor.name = f"v{number}"
    data = model.SerializeToString().replace(b"four", b"\xff\xfe.b")
    assert external_files(open_model(data)) == summarize(data).external_files == (r"\xff\xfe.b", *others)
    (tmp_path / "model.onnx").write_bytes(data)
    with pytest.raises(LoadError, match=r"no external data file .*\\xff\\xfe\.b"):
        load(tmp_path / "model.onnx")


def test_contents_that_are_given() -> None:
    content = np.float32([1, 2, 3, 4]).tobytes()
    found = tensors_in(source(outside("./w.bin", offset=8, length=8)), {"w.bin": content})
    assert found["v"].tolist() == [3, 4]
    assert tensors_in(source(outside("other.bin")), {"w.bin": content}) == {}
    with pytest.raises(LoadError, match="lie outside of w.bin"):
        tensors_in(source(outside("w.bin", offset=12, length=8)), {"w.bin": content})
