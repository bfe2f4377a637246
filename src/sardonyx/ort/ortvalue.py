"""OrtValue: a tensor, a sparse one or a list of tensors in CPU memory, backed by numpy.

Must not know sessions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sardonyx.base import dtype as dtypes
from sardonyx.ort.sparse import SparseTensor

Array = npt.NDArray[Any]

_DEVICES = ("cpu", "cuda", "cann", "dml", "webgpu", "gpu", "npu")


class OrtDevice:
    """A device by name and number, or by code, memory and number; memory exists on the CPU only."""

    __slots__ = ("_id", "_name")

    def __init__(self, name: str | int, *numbers: int) -> None:
        self._name = name if isinstance(name, str) else _DEVICES[name]
        self._id = numbers[-1] if numbers else 0

    @staticmethod
    def cpu() -> int:
        """The code of the CPU."""
        return 0

    @staticmethod
    def default_memory() -> int:
        """The code of ordinary memory."""
        return 0

    @staticmethod
    def make(ort_device_name: str, device_id: int, vendor_id: int = -1) -> OrtDevice:
        """Name a device; raises Exception for a name that no package knows."""
        if ort_device_name not in _DEVICES:
            raise Exception(f"Unsupported device type: {ort_device_name}")
        return OrtDevice(ort_device_name, device_id)

    def device_id(self) -> int:
        """The number of the device."""
        return self._id

    def device_type(self) -> int:
        """The code of the device type; 0 = CPU."""
        return _DEVICES.index(self._name)

    def device_vendor_id(self) -> int:
        """Always 0: no vendor."""
        return 0

    def device_mem_type(self) -> int:
        """Always 0: default memory."""
        return 0


def require_cpu(device_type: str, device_id: int = 0) -> None:
    """Refuse every device but the CPU."""
    if OrtDevice.make(device_type.lower(), device_id).device_type() != 0:
        raise RuntimeError(
            f"Can't allocate memory on the device '{device_type}': this package runs on the CPU only."
        )


def array_dtype(element_type: Any) -> np.dtype[Any]:
    """The numpy dtype of a numpy type or of an ONNX type code."""
    dtype: np.dtype[Any] = (
        dtypes.by_onnx(element_type).numpy if isinstance(element_type, int) else np.dtype(element_type)
    )
    return dtype


class OrtValue:
    """A value that can be fed, bound and read without a copy."""

    def __init__(self, value: Any) -> None:
        self._value: Any = value._value if isinstance(value, OrtValue) else value

    def _unwrap(self) -> Any:
        return self._value

    @property
    def _ortvalue(self) -> OrtValue:
        return self

    @property
    def _array(self) -> Array:
        if not isinstance(self._value, np.ndarray):
            raise RuntimeError(
                f"Only OrtValues that hold a tensor are supported here; this one holds {self.data_type()}."
            )
        return self._value

    @classmethod
    def ortvalue_from_numpy(
        cls, numpy_obj: Array, /, device_type: str = "cpu", device_id: int = 0, vendor_id: int = -1
    ) -> OrtValue:
        """A value that shares the memory of a C-contiguous array; other layouts are copied."""
        require_cpu(device_type, device_id)
        if not isinstance(numpy_obj, np.ndarray) or numpy_obj.dtype.kind in "OUST":
            raise RuntimeError(
                "Creation of OrtValues is currently only supported from non-string numpy arrays"
            )
        return cls(np.asarray(numpy_obj, order="C"))

    @classmethod
    def ortvalue_from_numpy_with_onnx_type(cls, data: Array, /, onnx_element_type: int) -> OrtValue:
        """A value over the memory of `data`, read as an ONNX type of the same element size."""
        dtype = array_dtype(onnx_element_type)
        if dtype.itemsize != data.dtype.itemsize:
            raise RuntimeError(
                f"The element size of {data.dtype} and of ONNX type {onnx_element_type} ({dtype}) differ."
            )
        return cls(np.asarray(data, order="C").view(dtype))

    @classmethod
    def ortvalue_from_shape_and_type(
        cls,
        shape: Sequence[int],
        element_type: Any,
        device_type: str = "cpu",
        device_id: int = 0,
        vendor_id: int = -1,
        memory_info: object = None,
    ) -> OrtValue:
        """A new tensor with undefined content; the type is a numpy type or an ONNX type code."""
        require_cpu(device_type, device_id)
        return cls(np.empty(tuple(shape), array_dtype(element_type)))

    @classmethod
    def from_dlpack(cls, data: Any, /) -> OrtValue:
        """A value that shares the memory of a tensor of another library."""
        return cls(np.asarray(np.from_dlpack(data), order="C"))

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
