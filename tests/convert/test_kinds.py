"""What a source is, is seen from its content whatever its name; what is of no use is named."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import zipfile
import zlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from sklearn.linear_model import Ridge

from sardonyx.convert import ConvertError, kind_of
from sardonyx.convert.kinds import is_pickle

HDF = b"\x89HDF\r\n\x1a\n"
COREML = b"\x08\x04\x12\x02\x0a\x00" + b"\xa2\x1f\x02\x0a\x00"  # version, description, a neural network
RIDGE = pickle.dumps(Ridge())
MODEL = onnx.parser.parse_model(
    '<ir_version: 8, opset_import: ["" : 17]> a (float[1] x) => (float[1] y) {y = Abs(x)}'
)


def archive(*names: str, data: bytes = b"") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as parts:
        for name in names:
            parts.writestr(name, data)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (RIDGE, "sklearn"),
        (gzip.compress(RIDGE, mtime=0), "sklearn"),
        (zlib.compress(RIDGE), "sklearn"),
        (bz2.compress(RIDGE), "sklearn"),
        (lzma.compress(RIDGE), "sklearn"),
        (pickle.dumps(Ridge(), protocol=2), "sklearn"),
        (archive("schema.json"), "sklearn"),
        (b"tree\nversion=v4\n", "lightgbm"),
        (b'{"learner":{"attributes":{}}}', "xgboost"),
        (b"{L\0\0\0\0\0\0\0\7learner{", "xgboost"),
        (b"binf" + bytes(60), "xgboost"),
        (b"\x1c\0\0\0TFL3" + bytes(8), "tflite"),
        (b" \0\0\0TFL3" + bytes(8), "tflite"),
        (b"CBM1" + bytes(8), "catboost"),
        (HDF + b"model_config GCOL\0\x002.15.0\0", "keras2"),
        (HDF + b"model_config GCOL\0\x003.15.1\0", "keras"),
        (archive("config.json", "metadata.json", "model.weights.h5"), "keras"),
        (archive("m/data.pkl", "m/constants.pkl", "m/code/__torch__.py"), "torchscript"),
        (archive("m/archive_format", "m/models/model.json"), "torch"),
        (MODEL.SerializeToString(), "onnx"),
    ],
)
def test_kind_of_a_file(data: bytes, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    assert kind_of(str(path)) == kind
    assert is_pickle(str(path)) == ((kind == "sklearn" and data[:2] != b"PK") or b"data.pkl" in data)


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (("saved_model.pb",), "tensorflow"),
        (("config.json", "model.safetensors"), "huggingface"),
        (("net-symbol.json", "net-0000.params"), "mxnet"),
        (("inference.json", "inference.pdiparams"), "paddle"),
    ],
)
def test_kind_of_a_folder(names: tuple[str, ...], kind: str, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).write_text(json.dumps({"model_type": "bert"}))
    assert kind_of(str(tmp_path)) == kind


def test_a_program_of_paddle_without_weights_is_seen(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "inference.json").write_text('{"base_code":{"magic":"pir"},"program":{}}')
    assert kind_of(str(tmp_path)) == kind_of(str(tmp_path / "inference.json")) == "paddle"


def test_a_function_is_of_torch() -> None:
    assert kind_of("package.module:make") == "torch"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"hello", "of an unknown kind"),
        (b"GGUF" + bytes(8), "llama"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "page of HTML"),
        (b"\n<!Doctype HTML>", "page of HTML"),
        (b"MATLAB 5.0 MAT-file", "exportONNXNetwork"),
        (COREML, "a model of Core ML, from which no converter to ONNX is kept"),
        (archive("m.mlpackage/Manifest.json", "m.mlpackage/Data/m.mlmodel"), "of Core ML"),
        (pickle.dumps({"a": 1}), "pickle of an unknown framework"),
        (pickle.dumps(np.zeros(2)), "pickle of an unknown framework"),
        (b"\x40\0\0\0\0\0\0\0" + b'{"w":{"dtype":"F32","data_offsets":[0,4]}}', "config.json"),
        (b"<\0\0\0\0\0\0\0" + b'{"w":{"dtype":"F32","data_offsets":[0,4]}}', "config.json"),
        (archive("w.npy"), "weights without the network"),
        (HDF + bytes(8), "weights without the network"),
        (gzip.compress(RIDGE, mtime=0)[:20], "of an unknown"),
    ],
)
def test_what_is_of_no_use_is_named(data: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    with pytest.raises(ConvertError, match=said):
        kind_of(str(path))


@pytest.mark.parametrize(
    ("name", "text"), [("Manifest.json", '{"itemInfoEntries": {}}'), ("coremldata.bin", "\0")]
)
def test_folders_of_core_ml_are_named(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConvertError, match="convert the model that it was made of"):
        kind_of(str(tmp_path))


def test_a_part_of_an_onnx_file_is_told_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(MODEL.SerializeToString()[:-20])
    assert kind_of(str(path)) == "onnx"


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(ConvertError, match="no file or folder"):
        kind_of("nowhere/model.pt")
