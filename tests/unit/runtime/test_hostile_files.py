"""Files that are damaged, no models, or point where they must not."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import onnx
import pytest

from sardonyx import InferenceSession
from sardonyx.capi.onnxruntime_pybind11_state import STATUS, Fail, InvalidProtobuf, RuntimeException
from tests.unit.runtime.hostile import HEAD, floats

DOCUMENTED = tuple(cls for cls, _, _ in STATUS if cls is not RuntimeException)


def linear() -> onnx.ModelProto:
    model = onnx.parser.parse_model(
        HEAD + "(float[N, 4] x) => (float[N, 2] y) { h = MatMul(x, w)  y = Relu(h) }"
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(floats(4, 2), "w"))
    return model


def refused(model: bytes | Path) -> str:
    """The error; a session that can be made after all may also be run."""
    try:
        session = InferenceSession(model)
        session.run(None, {info.name: floats(1, 4) for info in session.get_inputs()})
    except (*DOCUMENTED, ValueError) as error:
        return str(error)
    return ""


def test_truncated_anywhere() -> None:
    data = linear().SerializeToString()
    assert not refused(data)
    for length in range(0, len(data), 3):
        refused(data[:length])


@pytest.mark.parametrize("seed", range(4))
def test_a_changed_byte_anywhere(seed: int) -> None:
    chance = random.Random(seed)
    data = linear().SerializeToString()
    for _ in range(25):
        spoiled = bytearray(data)
        spoiled[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        refused(bytes(spoiled))


@pytest.mark.parametrize(
    ("data", "error", "match"),
    [
        (b"\xff" * 40, InvalidProtobuf, "parsing failed"),
        (b"\x3a\xff\xff\xff\xff\x0f", InvalidProtobuf, "parsing failed"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), InvalidProtobuf, "parsing failed"),
        (b"\x08\x00\x00\x00ORTM" + bytes(16), Fail, "ORT format"),
    ],
)
def test_what_is_no_model(data: bytes, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        InferenceSession(data)


def test_deeply_nested_protobuf() -> None:
    """A graph in a graph in a graph, ten thousand times: the parser gives up, nothing else does."""
    inner = b""
    for _ in range(10_000):
        attribute = b"\x32" + _varint(len(inner)) + inner
        node = b"\x2a" + _varint(len(attribute)) + attribute
        inner = b"\x0a" + _varint(len(node)) + node
    with pytest.raises(InvalidProtobuf, match="parsing failed"):
        InferenceSession(b"\x3a" + _varint(len(inner)) + inner)


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


@pytest.mark.parametrize("name", ["missing.onnx", "", "."])
def test_paths_that_are_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(DOCUMENTED):
        InferenceSession(tmp_path / name)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="the system has no such device")
def test_a_device_is_no_model() -> None:
    with pytest.raises(DOCUMENTED, match="not a regular file"):
        InferenceSession("/dev/zero")


# ---- external data


def stored(folder: Path, **entries: str) -> Path:
    """A model whose weights lie in another file, as the entries say."""
    model = linear()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": "weights.bin", **entries}.items():
        tensor.external_data.add(key=key, value=value)
    folder.mkdir(exist_ok=True)
    (folder / "weights.bin").write_bytes(floats(4, 2).tobytes())
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder / "model.onnx"


@pytest.mark.parametrize("location", ["weights.bin", "./weights.bin", ".//weights.bin", "sub/../weights.bin"])
def test_external_data_beside_the_model(location: str, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    assert not refused(stored(tmp_path, location=location, offset="0", length="32"))


@pytest.mark.parametrize(
    ("entries", "match"),
    [
        ({"location": "missing.bin"}, "no external data file"),
        ({"location": ""}, "names no file"),
        ({"location": "."}, "no external data file"),
        ({"location": ".."}, "leaves the folder"),
        ({"location": "weights.bin/"}, "no external data file"),
        ({"location": "weights.bin/."}, "no external data file"),
        ({"location": "weights.bin/../weights.bin"}, "no external data file"),
        ({"location": "missing/../weights.bin"}, "no external data file"),
        ({"location": "a\\..\\weights.bin"}, "no external data file"),
        ({"location": "weights.bin\n"}, "no external data file"),
        ({"location": "\0"}, "names no file"),
        ({"location": "../secret.bin"}, "leaves the folder"),
        ({"location": "a/../../secret.bin"}, "leaves the folder"),
        ({"location": "/etc/hostname"}, "leaves the folder"),
        ({"location": "weights.bin\0"}, "leaves the folder"),
        ({"length": "64"}, "lie outside"),
        ({"length": "16"}, "needs 32 bytes"),
        ({"length": "-1"}, "lie outside"),
        ({"offset": "-8"}, "lie outside"),
        ({"offset": "4"}, "needs 32 bytes"),
        ({"offset": "64"}, "lie outside"),
        ({"offset": str(2**63), "length": str(2**63)}, "lie outside"),
        ({"offset": "one"}, "not a number"),
        ({"length": ""}, "not a number"),
    ],
    ids=str,
)
def test_external_data_out_of_place(tmp_path: Path, entries: dict[str, str], match: str) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(32))
    model = stored(tmp_path / "models", **entries)
    with pytest.raises(Fail, match=match):
        InferenceSession(model)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_external_data_behind_a_link(tmp_path: Path, kind: str) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "weights.bin").write_bytes(floats(4, 2).tobytes())
    model = stored(tmp_path / "models", location="link.bin" if kind == "file" else "link/weights.bin")
    if kind == "file":
        (model.parent / "link.bin").symlink_to(tmp_path / "secret" / "weights.bin")
    else:
        (model.parent / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(Fail, match="leaves the folder"):
        InferenceSession(model)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_external_data_that_never_comes(tmp_path: Path) -> None:
    model = stored(tmp_path, location="pipe")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Fail, match="no external data file"):
        InferenceSession(model)


def test_external_data_of_bytes_stays_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = stored(tmp_path / "elsewhere", location="../elsewhere/weights.bin").read_bytes()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(Fail, match="leaves the folder"):
        InferenceSession(data)


def test_a_good_session_goes_on_while_others_fail(tmp_path: Path) -> None:
    session = InferenceSession(linear().SerializeToString())
    x = floats(3, 4)
    for entries in ({"location": "../x"}, {"length": "64"}):
        with pytest.raises(Fail):
            InferenceSession(stored(tmp_path / "models", **entries))
        np.testing.assert_array_equal(session.run(None, {"x": x})[0], np.maximum(x @ floats(4, 2), 0))
