"""OrtValue: a tensor, a sparse one or a list of tensors in CPU memory, backed by numpy.

Must not know sessions.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sardonyx.base import dtype as dtypes
from sardonyx.base.signature import MOST_AXES
from sardonyx.errors import RunError
from sardonyx.ort.device import OrtDevice, require_cpu
from sardonyx.ort.sparse import SparseTensor
from sardonyx.runtime import allocate

Array = npt.NDArray[Any]

_DLPACK_DTYPE = 20
"""Where a DLTensor says its element type: after an address, a device and a rank."""
_DLPACK_UNSIGNED = 1


class _Capsule:
    """A DLPack capsule of CPU memory in the form that numpy reads."""

    def __init__(self, capsule: Any) -> None:
        self._capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0


def is_dlpack_uint8_tensor(capsule: Any) -> bool:
    """Whether a DLPack capsule holds bytes, as which some libraries pass flags."""
    read = ctypes.pythonapi.PyCapsule_GetPointer
    read.restype, read.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    kind, bits = (ctypes.c_uint8 * 2).from_address(read(capsule, b"dltensor") + _DLPACK_DTYPE)
    return (kind, bits) == (_DLPACK_UNSIGNED, 8)


def array_dtype(element_type: Any) -> np.dtype[Any]:
    """The numpy dtype of a numpy type or of an ONNX type code. Raises RuntimeError if ONNX has none such."""
    try:
        if isinstance(element_type, int):
            return dtypes.by_onnx(element_type).numpy
        dtype: np.dtype[Any] = np.dtype(element_type)
        dtypes.by_numpy(dtype)
        return dtype
    except KeyError:
        raise RuntimeError(f"tensor type {element_type} is not supported: ONNX has no such type") from None


def new_array(shape: Sequence[int], dtype: np.dtype[Any]) -> Array:
    """An array with undefined content. Raises RuntimeError if there is none of these sizes, or no memory."""
    sizes = tuple(shape)
    if len(sizes) > MOST_AXES:
        raise RuntimeError(f"a tensor cannot have {len(sizes)} axes, at most {MOST_AXES} are possible")
    what = f"a tensor of {dtype} with the shape {list(sizes)}"
    if any(n < 0 for n in sizes):
        raise RuntimeError(f"{what} cannot be made: a size is negative")
    try:
        return np.empty(sizes, dtype)
    except (MemoryError, ValueError):
        raise RuntimeError(f"{what} takes more memory than there is") from None


def side_by_side(array: Any) -> Array:
    """The array if its elements lie side by side, else a copy. Raises RuntimeError for want of memory."""
    try:
        if not array.flags.c_contiguous:
            allocate.ask(array.nbytes)
        return np.asarray(array, order="C")
    except (MemoryError, RunError):
        what = f"an array of {array.dtype} with the shape {list(array.shape)}"
        raise RuntimeError(f"a copy of {what} takes more memory than there is") from None


class OrtValue:
    """A value that can be fed, bound and read without a copy."""

    def __init__(self, value: Any) -> None:
        self._value: Any = value._value if isinstance(value, OrtValue) else value

    def _unwrap(self) -> Any:
        return self._value

    def _get_c_value(self) -> OrtValue:
        return self

    _ortvalue = property(_get_c_value)

    @property
    def _array(self) -> Array:
        if not isinstance(self._value, np.ndarray):
            raise RuntimeError(
                f"Only OrtValues that hold a tensor are supported here; this one holds {self.data_type()}."
            )
        return self._value

    @classmethod
    def ortvalue_from_numpy(
        cls,
        numpy_obj: Array,
        /,
        device_type: str | OrtDevice = "cpu",
        device_id: int = 0,
        vendor_id: int = -1,
    ) -> OrtValue:
        """A value that shares the memory of a C-contiguous array; other layouts are copied."""
        require_cpu(device_type, device_id)
        if not isinstance(numpy_obj, np.ndarray) or numpy_obj.dtype.kind in "OUST":
            raise RuntimeError(
                "Creation of OrtValues is currently only supported from non-string numpy arrays"
            )
        array_dtype(numpy_obj.dtype)
        return cls(side_by_side(numpy_obj))

    @classmethod
    def ortvalue_from_numpy_with_onnx_type(cls, data: Array, /, onnx_element_type: int) -> OrtValue:
        """A value over the memory of `data`, read as an ONNX type of the same element size."""
        dtype = array_dtype(onnx_element_type)
        if dtype.itemsize != data.dtype.itemsize:
            raise RuntimeError(
                f"The element size of {data.dtype} and of ONNX type {onnx_element_type} ({dtype}) differ."
            )
        return cls(side_by_side(data).view(dtype))

    @classmethod
    def ortvalue_from_shape_and_type(
        cls,
        shape: Sequence[int],
        element_type: Any,
        device_type: str | OrtDevice = "cpu",
        device_id: int = 0,
        vendor_id: int = -1,
        memory_info: Any = None,
    ) -> OrtValue:
        """A new tensor with undefined content; the type is a numpy type or an ONNX type code.

        Raises RuntimeError for strings and for memory that is not the CPU's.
        """
        if memory_info is not None and memory_info.name != "Cpu":
            raise RuntimeError(f"No shared allocator found for {memory_info.name}: there is only CPU memory.")
        require_cpu(device_type, device_id)
        dtype = array_dtype(element_type)
        if dtype.kind in "OUST":
            raise RuntimeError(
                "Creation of OrtValues is currently only supported from non-string numpy arrays"
            )
        return cls(new_array(shape, dtype))

    ortvalue_from_shape_and_onnx_type = ortvalue_from_shape_and_type

    @classmethod
    def from_dlpack(cls, data: Any, /, is_bool_tensor: bool = False) -> OrtValue:
        """A value that shares the memory of a tensor of another library, or of the capsule of one.

        Libraries without a type for flags pass them as bytes; `is_bool_tensor` tells that these are some.
        """
        array = np.from_dlpack(data if hasattr(data, "__dlpack__") else _Capsule(data))
        value = side_by_side(array)
        return cls(value.view(np.bool_) if is_bool_tensor and value.itemsize == 1 else value)

    def data_ptr(self) -> int:
        """The address of the first element."""
        return self._array.ctypes.data

    def device_name(self) -> str:
        """Always cpu."""
        return "cpu"

    def shape(self) -> list[int]:
        """The sizes of the tensor."""
        if isinstance(self._value, SparseTensor):
            return self._value.dense_shape()
        return list(self._array.shape)

    def data_type(self) -> str:
        """The ONNX type, e.g. `tensor(int64)`."""
        if isinstance(self._value, np.ndarray):
            return f"tensor({dtypes.by_numpy(self._value.dtype).onnx_name})"
        if isinstance(self._value, SparseTensor):
            return self._value.data_type()
        first = self._value[0] if isinstance(self._value, list) and self._value else None
        return f"seq({OrtValue(first).data_type()})" if first is not None else "seq(tensor(float))"

    def element_type(self) -> int:
        """The ONNX code of the element type."""
        if isinstance(self._value, SparseTensor):
            return dtypes.by_numpy(self._value.values().dtype).onnx
        return dtypes.by_numpy(self._array.dtype).onnx

    def tensor_size_in_bytes(self) -> int:
        """The size of the tensor's data."""
        return self._array.nbytes

    def as_sparse_tensor(self) -> SparseTensor:
        """The sparse tensor that it holds. Raises RuntimeError if there is none."""
        if not isinstance(self._value, SparseTensor):
            raise RuntimeError("This OrtValue does not contain SparseTensor; read it with numpy().")
        return self._value

    @classmethod
    def ort_value_from_sparse_tensor(cls, sparse_tensor: SparseTensor) -> OrtValue:
        """A value that holds a sparse tensor."""
        return cls(sparse_tensor)

    def to_dlpack(self) -> Any:
        """A capsule that shares the memory of the tensor; see `from_dlpack`."""
        return self.__dlpack__()

    def has_value(self) -> bool:
        """False for an empty optional."""
        return self._value is not None

    def is_tensor(self) -> bool:
        """Whether it holds a tensor."""
        return isinstance(self._value, np.ndarray)

    def is_sparse_tensor(self) -> bool:
        """Whether it holds a sparse tensor."""
        return isinstance(self._value, SparseTensor)

    def is_tensor_sequence(self) -> bool:
        """Whether it holds a list of tensors."""
        return isinstance(self._value, list)

    def numpy(self) -> Array:
        """The tensor; it shares memory with this value."""
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self._array, dtype=dtype, copy=copy)

    def __dlpack__(self, *, stream: Any = None) -> Any:
        return self._array.__dlpack__(stream=stream)

    def __dlpack_device__(self) -> tuple[int, int]:
        kind, index = self._array.__dlpack_device__()
        return int(kind), int(index)

    def update_inplace(self, data: Any) -> None:
        """Copy an array or OrtValue of the same size into this value's memory."""
        source = data._array if isinstance(data, OrtValue) else np.asarray(data)
        if source.size != self._array.size:
            raise RuntimeError(
                "The input size of numpy arrays does not match the size of the OrtValue: "
                f"{list(source.shape)} into {list(self._array.shape)}."
            )
        self._array[...] = source.reshape(self._array.shape)
