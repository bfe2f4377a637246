"""An OrtValue shares the memory of what it is made from, and says what it holds."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from sardonyx.ort.ortvalue import OrtValue, array_dtype, is_dlpack_uint8_tensor


def test_an_array_is_shared() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    value = OrtValue.ortvalue_from_numpy(array)
    assert value.data_ptr() == array.ctypes.data
    assert (value.shape(), value.data_type(), value.element_type()) == ([2, 3], "tensor(float)", 1)
    assert (value.tensor_size_in_bytes(), value.device_name()) == (24, "cpu")
    assert (value.is_tensor(), value.is_sparse_tensor(), value.is_tensor_sequence()) == (True, False, False)
    value.update_inplace(np.zeros(6))
    assert not array.any()
    assert OrtValue(value).numpy() is array
    with pytest.raises(RuntimeError, match="does not match the size"):
        value.update_inplace(np.zeros(5))


def test_other_layouts_are_copied() -> None:
    array = np.arange(6).reshape(2, 3).T
    value = OrtValue.ortvalue_from_numpy(array)
    assert value.numpy().flags.c_contiguous
    assert value.numpy().tolist() == array.tolist()


@pytest.mark.parametrize("bad", [np.array(["a"]), np.array(["a"], object), [1.0], 3])
def test_only_numbers_are_shared(bad: Any) -> None:
    with pytest.raises(RuntimeError, match="non-string numpy arrays"):
        OrtValue.ortvalue_from_numpy(bad)


def test_types_by_onnx_code() -> None:
    assert array_dtype(7) == np.int64
    assert array_dtype(np.float16) == np.float16
    bits = np.array([0x3F80, 0xC000], np.uint16)
    value = OrtValue.ortvalue_from_numpy_with_onnx_type(bits, 16)
    assert value.numpy().dtype == ml_dtypes.bfloat16
    assert value.numpy().astype(float).tolist() == [1, -2]
    assert value.data_ptr() == bits.ctypes.data
    with pytest.raises(RuntimeError, match="element size"):
        OrtValue.ortvalue_from_numpy_with_onnx_type(bits, 1)


def test_new_tensors_are_of_the_cpu() -> None:
    assert OrtValue.ortvalue_from_shape_and_type([2, 0], np.int8).shape() == [2, 0]
    with pytest.raises(RuntimeError, match="CPU only"):
        OrtValue.ortvalue_from_shape_and_type([2], np.int8, "cuda")
    with pytest.raises(RuntimeError, match="non-string"):
        OrtValue.ortvalue_from_shape_and_type([2], 8)


def test_dlpack_goes_both_ways() -> None:
    array = np.array([1, 0, 3], np.uint8)
    assert OrtValue.from_dlpack(array).data_ptr() == array.ctypes.data
    again = OrtValue.from_dlpack(OrtValue(array).to_dlpack())
    assert again.data_ptr() == array.ctypes.data
    flags = OrtValue.from_dlpack(np.array([1, 0], np.uint8), is_bool_tensor=True)
    assert flags.numpy().tolist() == [True, False]
    assert flags.data_type() == "tensor(bool)"
    assert is_dlpack_uint8_tensor(OrtValue(array).to_dlpack())
    assert not is_dlpack_uint8_tensor(OrtValue(array.view(np.int8)).to_dlpack())
    assert np.asarray(OrtValue(array)).tolist() == [1, 0, 3]


def test_lists_and_nothing() -> None:
    rows = OrtValue([np.zeros(2, np.int64)])
    assert (rows.data_type(), rows.is_tensor_sequence()) == ("seq(tensor(int64))", True)
    assert OrtValue([]).data_type() == "seq(tensor(float))"
    with pytest.raises(RuntimeError, match="hold a tensor"):
        rows.numpy()
    with pytest.raises(RuntimeError, match="does not contain SparseTensor"):
        rows.as_sparse_tensor()
    assert not OrtValue(None).has_value()
    assert rows.has_value()


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ([-1, 2], "a size is negative"),
        ([2**31, 2**31], "takes more memory than there is"),
        ([2**70], "takes more memory than there is"),
        ([1] * 300, "cannot have 300 axes, at most 64"),
    ],
)
def test_shapes_that_no_tensor_has(shape: list[int], message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        OrtValue.ortvalue_from_shape_and_type(shape, np.float32)


def test_a_view_of_more_than_all_memory_is_not_copied() -> None:
    view = np.broadcast_to(np.float32(1), (2**30, 2**30))
    for make in (OrtValue.ortvalue_from_numpy, lambda v: OrtValue.ortvalue_from_numpy_with_onnx_type(v, 1)):
        with pytest.raises(RuntimeError, match="takes more memory than there is"):
            make(view)
