"""Tensors are read in every way that a file may hold them, and what does not fit its shape is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from sardonyx.errors import LoadError
from sardonyx.frontend.tensors import TensorReader

TYPES: list[Any] = [
    np.float32,
    np.float64,
    np.float16,
    ml_dtypes.bfloat16,
    np.int8,
    np.uint8,
    np.int16,
    np.uint16,
    np.int64,
    np.uint32,
    np.uint64,
    np.bool_,
]


def reader(folder: Path = Path()) -> TensorReader:
    return TensorReader((folder,))


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("raw", [True, False])
def test_numbers_raw_and_listed(kind: Any, raw: bool) -> None:
    array = np.array([[0, 1, 1], [1, 0, 1]]).astype(kind)
    code = numpy_helper.from_array(array).data_type
    values: Any = (
        array.tobytes()
        if raw
        else array.astype(np.float64 if array.dtype.kind in "fV" else array.dtype).ravel()
    )
    got = reader().dense(helper.make_tensor("t", code, array.shape, values, raw))
    assert (got.dtype, got.tolist()) == (array.dtype, array.tolist())
    if raw:
        assert not got.flags.writeable, "the file's own bytes"


@pytest.mark.parametrize(
    "array",
    [
        np.array([-128, 127], np.int8),
        np.array([0, 255], np.uint8),
        np.array([-1, 1 << 14], np.int16),
        np.array([0, 65535], np.uint16),
        np.array([0, (1 << 32) - 1], np.uint32),
        np.array([1 << 63, (1 << 64) - 1], np.uint64),
        np.array([-0.0, 65504, np.inf], np.float16),
    ],
)
def test_listed_numbers_keep_sign_and_bits(array: Any) -> None:
    code = numpy_helper.from_array(array).data_type
    got = reader().dense(helper.make_tensor("t", code, array.shape, array))
    assert (got.dtype, got.tobytes()) == (array.dtype, array.tobytes())


def test_texts_and_half_bytes() -> None:
    texts = onnx.TensorProto(data_type=8, dims=[2], string_data=[b"a\0", "ä".encode()])
    assert reader().dense(texts).tolist() == ["a\0", "ä"]
    packed = helper.make_tensor("t", onnx.TensorProto.INT4, (3,), [1, -2, 7])
    assert reader().dense(packed).astype(int).tolist() == [1, -2, 7]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data_type": 99}, "unknown element type 99"),
        ({"dims": [-1]}, "negative size -1"),
        ({"dims": [2**62, 0, 8], "raw_data": b""}, "sizes beyond all memory"),
        ({"dims": [1] * 300}, "300 axes; at most 64 are possible"),
        ({"dims": [3]}, "needs 12 bytes, it has 8"),
    ],
)
def test_damage_is_named(change: dict[str, Any], message: str) -> None:
    fields: dict[str, Any] = {"name": "t", "data_type": 1, "dims": [2], "raw_data": bytes(8), **change}
    with pytest.raises(LoadError, match=f'tensor "t".*{message}'):
        reader().dense(onnx.TensorProto(**fields))


def external(location: str, **entries: int | str) -> onnx.TensorProto:
    made = onnx.TensorProto(name="t", data_type=1, dims=[2], data_location=onnx.TensorProto.EXTERNAL)
    for key, value in {"location": location, **entries}.items():
        made.external_data.add(key=key, value=str(value))
    return made


def test_external_data_lies_inside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(np.float32([0, 1, 2, 3]).tobytes())
    assert reader(tmp_path).dense(external("w", offset=4, length=8)).tolist() == [1, 2]
    assert reader(tmp_path).dense(external("w", offset=8)).tolist() == [2, 3]
    for made, message in (
        (external("w", offset=12, length=8), "lie outside of w"),
        (external("w", offset=-4, length=8), "lie outside"),
        (external("w", offset="x"), "is not a number"),
        (external("../w"), "leaves the folder"),
        (external("absent"), "no external data file"),
    ):
        with pytest.raises(LoadError, match=message):
            reader(tmp_path).dense(made)


@pytest.mark.parametrize("indices", [[1, 5], [[0, 1], [1, 2]]])
def test_sparse_tensors_are_written_out(indices: Any) -> None:
    values, places = np.float32([7, 8]), np.array(indices)
    sparse = helper.make_sparse_tensor(
        numpy_helper.from_array(values, "v"), numpy_helper.from_array(places), (2, 3)
    )
    assert reader().sparse(sparse).tolist() == [[0, 7, 0], [0, 0, 8]]
    outside = helper.make_sparse_tensor(sparse.values, numpy_helper.from_array(places + 9), (2, 3))
    with pytest.raises(LoadError, match='sparse tensor "v"'):
        reader().sparse(outside)
    huge = helper.make_sparse_tensor(sparse.values, sparse.indices, (1 << 20, 1 << 20))
    with pytest.raises(LoadError, match="too large to be written out"):
        reader().sparse(huge)
