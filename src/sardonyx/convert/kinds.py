"""What kind a source is, seen from its content: magic numbers, members of archives, files of a folder.

Opens no pickle and imports no framework.
"""

from __future__ import annotations

import io
import json
import pickletools
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sardonyx.convert.framework import ConvertError
from sardonyx.convert.frameworks import FRAMEWORKS
from sardonyx.convert.functions import is_function, kind_of_function
from sardonyx.convert.words import KIND
from sardonyx.frontend import mistaken

HEAD_BYTES = 1 << 20
COREML_KINDS = 200
"""The first number of a field in Core ML's Model.proto that holds a kind of model; ONNX has none as high."""
FOLDERS = (
    ("saved_model.pb", "tensorflow"),
    ("model_index.json", "diffusers"),
    ("inference.pdmodel", "paddle"),
    ("coremldata.bin", "coreml"),
)


def kind_of(source: str) -> str:
    """The kind of a file, folder or `module:function`; ConvertError says what it is if that is of no use."""
    path = Path(source)
    if not path.exists():
        if is_function(source):
            return kind_of_function(source)
        raise ConvertError(f"there is no file or folder {source}")
    kind = _of_folder(path) if path.is_dir() else _of_file(path)
    if kind in _ADVICE:
        raise ConvertError(f"{source} {_ADVICE[kind]}")
    return kind


def is_pickle(source: str) -> bool:
    """Whether opening the file runs code that it holds."""
    path = Path(source)
    if not path.is_file():
        return False
    head = _head(path)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("data.pkl") for name in archive.namelist())
    return _by_magic(head) is None and _unpacked(head)[:1] == b"\x80"


_ADVICE = {
    "empty": "is empty",
    "unknown": f"is of an unknown kind; say which with {KIND}, one of " + ", ".join(FRAMEWORKS),
    "weights": "holds weights without the network they belong to; build the model in Python, load them, "
    "and give package.module:function, which returns it",
    "safetensors": "holds weights alone; give the folder with its config.json",
    "coreml": "is a model of Core ML, from which no converter to ONNX is kept (onnxmltools' ended with "
    "coremltools 3.1 and knows no ML programs), and which answers on Apple's systems alone, so that nothing "
    "could be compared; convert the model that it was made of, in PyTorch, TensorFlow or scikit-learn",
    "diffusers": "is a pipeline of several networks; convert the folder of each of them by itself",
    "matlab": "is MATLAB's own format; exportONNXNetwork(net, 'model.onnx') there writes ONNX",
    "pickle": f"is a pickle of an unknown framework; say which with {KIND}",
    **{name: mistaken.ADVICE[name] for name in ("gguf", "pointer", "page")},
}


def _of_folder(path: Path) -> str:
    for name, kind in FOLDERS:
        if (path / name).is_file():
            return kind
    if "itemInfoEntries" in _json(path / "Manifest.json"):
        return "coreml"
    names = {entry.name for entry in path.iterdir()}
    if "config.json" in names:
        config = _json(path / "config.json")
        if "model_type" in config or "architectures" in config:
            return "huggingface"
        if "model.weights.h5" in names:
            return "keras"
    if any(name.endswith("-symbol.json") for name in names):
        return "mxnet"
    if any(name.endswith((".pdmodel", ".pdiparams")) for name in names):
        return "paddle"
    if any(_of_text(_head(entry)) == "paddle" for entry in path.glob("*.json") if entry.is_file()):
        return "paddle"
    return "empty" if not names else "unknown"


def _json(path: Path) -> dict[str, object]:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _of_file(path: Path) -> str:
    head = _head(path)
    if not head:
        return "empty"
    if kind := _by_magic(head):
        return _keras_of(path) if kind == "keras2" else kind
    if zipfile.is_zipfile(path):
        return _of_zip(path)
    if head[:1] in (b"{", b"["):
        return _of_text(head)
    pickled = _unpacked(head)
    if pickled[:1] == b"\x80":
        return _of_pickle(pickled)
    return _of_protobuf(path, head)


_STARTS = (
    (b"CBM1", "catboost"),
    (b"MATLAB", "matlab"),
    (b"tree\n", "lightgbm"),
    (b"tree\r\n", "lightgbm"),
    (b"binf", "xgboost"),
)
_FORMATS = {"hdf5": "keras2", **{name: name for name in ("tflite", "gguf", "pointer", "page")}}
"""The kinds of what readers of models know too; other formats hold several kinds."""


def _keras_of(path: Path) -> str:
    """Which Keras wrote an HDF5 file; `weights` if it holds no network."""
    data = path.read_bytes()
    if b"model_config" not in data:
        return "weights"
    version = re.search(rb"\0(\d)\.\d+\.\d+[\w.+-]*\0", data[data.find(b"GCOL") :])
    return "keras" if version and int(version[1]) >= 3 else "keras2"


def _by_magic(head: bytes) -> str | None:
    for magic, kind in _STARTS:
        if head.startswith(magic):
            return kind
    if known := _FORMATS.get(mistaken.format_of(head)):
        return known
    if head[:1] == b"{" and b"learner" in head[:64]:
        return "xgboost"
    if head[8:9] == b"{" and b'"dtype"' in head[:4096] and b'"data_offsets"' in head[:4096]:
        return "safetensors"
    return None


def _of_zip(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    ends = {name.rpartition("/")[2] for name in names}
    tops = {name.partition("/")[2] for name in names}
    if "schema.json" in names:
        return "sklearn"
    if "Manifest.json" in ends and any(name.endswith(".mlmodel") for name in names):
        return "coreml"
    if {"config.json", "model.weights.h5"} <= set(names):
        return "keras"
    if "constants.pkl" in ends and any(name.startswith("code/") for name in tops):
        return "torchscript"
    if "archive_format" in tops or any(
        name.startswith("models/") and name.endswith(".json") for name in tops
    ):
        return "torch"
    if "data.pkl" in ends:
        return _of_torch_pickle(path, names)
    if all(name.endswith(".npy") for name in names):
        return "weights"
    return "unknown"


def _of_torch_pickle(path: Path, names: list[str]) -> str:
    with zipfile.ZipFile(path) as archive:
        data = archive.read(next(name for name in names if name.endswith("data.pkl")))
    first = next(iter(_globals(data)), "")
    return "weights" if first.startswith(("collections", "torch._utils", "torch ")) or not first else "torch"


def _of_text(head: bytes) -> str:
    if b'"learner"' in head[:4096]:
        return "xgboost"
    if b'"base_code"' in head[:4096] and b'"pir"' in head[:4096]:
        return "paddle"
    if b'"nodes"' in head and b'"arg_nodes"' in head:
        return "mxnet"
    return "mxnet" if b'"nodes"' in head[:256] and b'"op"' in head[:1024] else "unknown"


def _unpacked(head: bytes) -> bytes:
    """The beginning of what a compressed joblib file holds."""
    import bz2
    import lzma

    openers: tuple[tuple[bytes, Callable[[], Any]], ...] = (
        (b"\x1f\x8b", lambda: zlib.decompressobj(31)),
        (b"\x78", zlib.decompressobj),
        (b"BZh", bz2.BZ2Decompressor),
        (b"\xfd7zXZ", lzma.LZMADecompressor),
        (b"\x5d\x00\x00", lzma.LZMADecompressor),
    )
    for magic, opener in openers:
        if head.startswith(magic):
            try:
                return bytes(opener().decompress(head, HEAD_BYTES))
            except (zlib.error, OSError, EOFError, lzma.LZMAError):
                return b""
    return head


def _of_pickle(data: bytes) -> str:
    roots = [name.partition(".")[0] for name in _globals(data)]
    for root in roots:
        for row in FRAMEWORKS.values():
            if root in row.roots:
                return row.kind
    return "weights" if roots and roots[0] == "torch" else "pickle"


def _globals(data: bytes) -> list[str]:
    """Names that a pickle refers to, in order, as far as its beginning can be read without running it."""
    found: list[str] = []
    texts: list[str] = []
    try:
        for code, argument, _ in pickletools.genops(io.BytesIO(data)):
            if code.name == "GLOBAL":
                found.append(str(argument).replace(" ", "."))
            elif code.name == "STACK_GLOBAL" and len(texts) >= 2:
                found.append(f"{texts[-2]}.{texts[-1]}")
            if isinstance(argument, str):
                texts.append(argument)
    except Exception:  # arrays of joblib lie between the codes; what was seen before them is enough
        pass
    return found


def _of_protobuf(path: Path, head: bytes) -> str:
    import onnx
    from google.protobuf.message import DecodeError
    from google.protobuf.unknown_fields import UnknownFieldSet

    if path.suffix == ".pdmodel":
        return "paddle"
    if head[:1] != b"\x08":
        return "unknown"
    try:
        model = onnx.ModelProto.FromString(path.read_bytes())
    except DecodeError:
        return "onnx" if path.suffix == ".onnx" else "unknown"
    if model.HasField("graph") and model.opset_import:
        return "onnx"
    is_coreml = any(field.field_number >= COREML_KINDS for field in UnknownFieldSet(model))
    return "coreml" if is_coreml else "unknown"
