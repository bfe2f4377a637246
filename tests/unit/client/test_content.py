"""A version is its model and the files that it names or that lie beside it, none from outside its folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from sardonyx.client.content import content_of
from sardonyx.protocol.errors import Code, ServeError


def model(path: Path, location: str = "") -> Path:
    made = onnx.parser.parse_model("""<ir_version: 10, opset_import: ["" : 21]>
    g (float[2] x) => (float[2] y) { y = Add(x, w) }""")
    weight = onnx.numpy_helper.from_array(np.zeros(2, np.float32), "w")
    if location:
        weight.ClearField("raw_data")
        weight.data_location = onnx.TensorProto.EXTERNAL
        weight.external_data.add(key="location", value=location)
    made.graph.initializer.append(weight)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(made.SerializeToString())
    return path


def test_a_file_and_what_it_names(tmp_path: Path) -> None:
    source = model(tmp_path / "any.onnx", "data/w.bin")
    with pytest.raises(ServeError, match=r"needs the file 'data/w\.bin'"):
        content_of(source)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "w.bin").write_bytes(bytes(8))
    (tmp_path / "other.txt").write_text("no part of it")
    found = content_of(source)
    assert {name: path.name for name, path in found.items()} == {
        "model.onnx": "any.onnx",
        "data/w.bin": "w.bin",
    }


def test_a_folder_with_all_its_files(tmp_path: Path) -> None:
    model(tmp_path / "only.onnx")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "words.txt").write_text("w")
    (tmp_path / ".hidden").write_text("h")
    assert sorted(content_of(tmp_path)) == ["model.onnx", "sub/words.txt"]
    model(tmp_path / "second.onnx")
    with pytest.raises(ServeError, match=r"2 \.onnx files"):
        content_of(tmp_path)
    model(tmp_path / "model.onnx")
    found = content_of(tmp_path)
    assert found["model.onnx"].name == "model.onnx"
    assert {"only.onnx", "second.onnx"} < set(found)


@pytest.mark.parametrize("way", ["name", "link", "backslash"])
def test_files_outside_are_refused(way: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(8))
    folder = tmp_path / "m"
    location = {"name": "../secret", "link": "w.bin", "backslash": "..\\secret"}[way]
    source = model(folder / "m.onnx", location)
    if way == "link":
        (folder / "w.bin").symlink_to(tmp_path / "secret")
    for given in (source, folder):
        with pytest.raises(ServeError, match="outside of its folder"):
            content_of(given)


@pytest.mark.parametrize("location", ["w.bin\0", "w" * 5000, "w/" * 3000])
def test_a_name_that_no_file_can_have_is_not_found(location: str, tmp_path: Path) -> None:
    source = model(tmp_path / "model.onnx", location)
    for given in (source, tmp_path):
        with pytest.raises(ServeError, match="not beside it") as caught:
            content_of(given)
        assert caught.value.code is Code.INVALID_ARGUMENT


def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ServeError, match="no such file"):
        content_of(tmp_path / "none")
    (tmp_path / "m.onnx").write_text("no model")
    with pytest.raises(ServeError, match="is not an ONNX model"):
        content_of(tmp_path / "m.onnx")
