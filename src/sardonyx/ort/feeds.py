"""Turns whatever a caller feeds into exactly what the model declares, or says why it cannot.

Knows Python values and numpy; must not know programs or sessions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from sardonyx.base import dtype as dtypes
from sardonyx.base.dataclass import dataclass
from sardonyx.base.signature import TensorInfo
from sardonyx.errors import RunError
from sardonyx.ort.exceptions import Fail, InvalidArgument, RuntimeException, status
from sardonyx.runtime import allocate, texts

Array = np.ndarray[Any, Any]

_BY_ONNX_NAME = {row.onnx_name: row for row in dtypes.ALL}
_PARTS = re.compile(r"(\w+)\((.*)\)")
_TEXT_BYTES = 24
"""The least that a list and arrays of an element take while it is turned into a text."""
_ADVICE = "Please fix either the inputs/outputs or the model."


@dataclass(frozen=True, slots=True)
class FeedSpec:
    """What one input expects: `kind` tensor, seq, map or sparse_tensor; `element` its innermost element type.

    `scalar` tensors are declared without dimensions and take any array of one element.
    """

    info: TensorInfo
    kind: str
    element: dtypes.DType | None
    optional: bool

    @classmethod
    def of(cls, info: TensorInfo) -> FeedSpec:
        """Read a declared type such as `optional(tensor(float))`."""
        kind, inner = _split(info.type)
        optional = kind == "optional"
        if optional:
            kind, inner = _split(inner)
        element = inner
        while match := _PARTS.fullmatch(element):
            element = match[2]
        return cls(info, kind, _BY_ONNX_NAME.get(element), optional)

    @property
    def name(self) -> str:
        """The name of the input."""
        return self.info.name

    @property
    def is_plain(self) -> bool:
        """Whether the only accepted value is an array."""
        return self.kind == "tensor" and not self.optional and self.element is not None


def _split(type_: str) -> tuple[str, str]:
    match = _PARTS.fullmatch(type_)
    return (match[1], match[2]) if match else (type_, "")


def prepare(value: Any, spec: FeedSpec) -> Any:
    """The value of one input as the program takes it.

    Arrays come out with the declared dtype in native byte order, C-contiguous and aligned, strings as
    object arrays of str, sequences as lists of such arrays.

    Raises InvalidArgument for a type or shape that contradicts the model, RuntimeError for an object
    without any reading as that input, Fail for a missing value, RuntimeException if there is no memory for a
    copy.
    """
    try:
        return _prepared(value, spec)
    except (MemoryError, RunError) as error:
        told = f"there is not enough memory to copy it with its elements side by side: {error}"
        raise status(RuntimeException, f"Input '{spec.name}': {told}".removesuffix(": ")) from None


def _prepared(value: Any, spec: FeedSpec) -> Any:
    unwrap = getattr(value, "_unwrap", None)
    if unwrap is not None:
        value = unwrap()
    if value is None:
        if spec.optional:
            return None
        raise status(Fail, f"Missing Input: {spec.name} is None, the model requires {_declared(spec)}.")
    if spec.kind in ("tensor", "sparse_tensor"):
        return _tensor(value, spec)
    if spec.kind == "seq":
        return _sequence(value, spec)
    return _mapping(value, spec)


def _tensor(value: Any, spec: FeedSpec) -> Array:
    element = spec.element
    if element is None:
        raise RuntimeError(f"Input '{spec.name}' has the unsupported type {spec.info.type}.")
    array = value if isinstance(value, np.ndarray) else _converted(value, spec, element)
    return fit_shape(_texts(array, spec) if element.kind == "O" else _numbers(array, spec, element), spec)


def _converted(value: Any, spec: FeedSpec, element: dtypes.DType) -> Array:
    if isinstance(value, (str, bytes, set, frozenset)):
        raise RuntimeError(
            f"Input must be a list of dictionaries or a single numpy array for input '{spec.name}', "
            f"got {type(value).__name__}; the model expects {_declared(spec)}."
        )
    if isinstance(value, dict):
        raise _wrong_type(spec, "map")
    if isinstance(value, (list, tuple)):
        return _from_list(value, spec, element)
    if isinstance(value, (bool, int, float)):
        return _from_list(value, spec, element)
    if isinstance(value, (np.generic, memoryview)) or hasattr(value, "__array__"):
        return np.asarray(value)
    if hasattr(value, "__dlpack__"):
        return np.from_dlpack(value)
    raise RuntimeError(
        f"Unable to handle object of type {type(value)} for input '{spec.name}'; "
        f"the model expects {_declared(spec)}."
    )


def _from_list(value: Any, spec: FeedSpec, element: dtypes.DType) -> Array:
    try:
        if element.kind == "O":
            return np.array(value, dtype=object)
        return np.array(value, dtype=element.numpy)
    except (TypeError, ValueError, OverflowError) as error:
        raise RuntimeError(
            f"Could not create tensor from given input list for input '{spec.name}': {error}; "
            f"the model expects {_declared(spec)}."
        ) from None


def _numbers(array: Array, spec: FeedSpec, element: dtypes.DType) -> Array:
    if array.dtype != element.numpy and array.dtype.newbyteorder("=") != element.numpy:
        raise _wrong_dtype(array.dtype, spec, element)
    if not array.flags.c_contiguous:
        allocate.ask(array.nbytes)
    plain = np.asarray(array, dtype=element.numpy, order="C")
    if type(plain) is not np.ndarray:
        plain = plain.view(np.ndarray)
    return plain if plain.flags.aligned else plain.copy()


def _texts(array: Array, spec: FeedSpec) -> Array:
    if array.dtype.kind not in "OUSTV":
        raise _wrong_type(spec, f"tensor({_onnx_name(array.dtype)})")
    plain = type(array) is np.ndarray and array.dtype == object and array.flags.c_contiguous
    if not plain:
        allocate.ask(array.size * _TEXT_BYTES)
    whole = np.asarray(array, dtype=object, order="C")
    if holds_texts(whole):
        return whole
    allocate.ask(array.size * _TEXT_BYTES)
    try:
        rows = [_text(item) for item in whole.ravel().tolist()]
    except UnicodeDecodeError as error:
        raise status(
            InvalidArgument, f"input '{spec.name}': a byte string is not UTF-8 text: {error}"
        ) from None
    texts = np.empty(len(rows), dtype=object)
    texts[:] = rows
    return texts.reshape(array.shape)


def holds_texts(array: Array) -> bool:
    """Whether all elements of an object array are str; asks none of them, for that may run code."""
    if array.size == 1:
        return type(array.item()) is str
    return texts.are_texts(array)


def _text(item: object) -> str:
    if isinstance(item, bytes):
        return item.decode("utf-8")
    return item if isinstance(item, str) else str(item)


def _sequence(value: Any, spec: FeedSpec) -> list[Any]:
    if isinstance(value, np.ndarray):
        raise status(
            InvalidArgument,
            f"input with name: '{spec.name}' expected to be of type: {spec.info.type} but received a tensor; "
            "give a list.",
        )
    if not isinstance(value, (list, tuple)):
        raise RuntimeError(
            f"Unable to handle object of type {type(value)} for input '{spec.name}'; "
            f"the model expects {_declared(spec)}."
        )
    if spec.info.type.startswith("seq(map"):
        return [_mapping(item, spec) for item in value]
    element = spec.element
    rows: list[Any] = []
    for index, item in enumerate(value):
        unwrap = getattr(item, "_unwrap", None)
        array = unwrap() if unwrap is not None else item
        if not isinstance(array, np.ndarray) or element is None:
            raise RuntimeError(
                f"CreateSequenceOfTensors: Input is not a tensor: item {index} of input '{spec.name}' "
                f"is {type(item).__name__}; the model expects {_declared(spec)}."
            )
        if element.kind == "O":
            rows.append(_texts(array, spec))
        elif array.dtype.newbyteorder("=") != element.numpy:
            raise RuntimeError(
                f"TensorSeq: tensor to be added has a different data type: item {index} of input "
                f"'{spec.name}' is tensor({_onnx_name(array.dtype)}); the model expects {_declared(spec)}."
            )
        else:
            rows.append(_numbers(array, spec, element))
    return rows


def _mapping(value: Any, spec: FeedSpec) -> dict[Any, Any]:
    if not isinstance(value, dict):
        given = (
            f"tensor({_onnx_name(value.dtype)})" if isinstance(value, np.ndarray) else type(value).__name__
        )
        raise _wrong_type(spec, given)
    return value


def fit_shape(array: Array, spec: FeedSpec) -> Array:
    """The array if rank and static sizes agree with the model; a declared scalar takes any one element."""
    expected = spec.info.shape
    given = array.shape
    if expected is None:
        return array
    if not expected and given and array.size == 1:
        return array.reshape(())
    if len(given) != len(expected):
        raise status(
            InvalidArgument,
            f"Invalid rank for input: {spec.name} Got: {len(given)} Expected: {len(expected)}, "
            f"given shape {list(given)}, the model declares {list(expected)}. {_ADVICE}",
        )
    wrong = [
        f" index: {axis} Got: {size} Expected: {wanted}"
        for axis, (size, wanted) in enumerate(zip(given, expected, strict=True))
        if isinstance(wanted, int) and wanted != size
    ]
    if wrong:
        raise status(
            InvalidArgument,
            f"Got invalid dimensions for input: {spec.name} for the following indices\n"
            + "\n".join(wrong)
            + f"\n Given shape {list(given)}, the model declares {list(expected)}. {_ADVICE}",
        )
    return array


def _wrong_dtype(given: np.dtype[Any], spec: FeedSpec, element: dtypes.DType) -> Exception:
    if given.kind in "cgMm" or given.char in "gG":
        return RuntimeError(
            f"Numpy_type {given.num} can't be converted to MLDataType: input '{spec.name}' is {given}; "
            f"the model expects {_declared(spec)}."
        )
    advice = f" Convert it, for example with .astype('{element.numpy}')." if given.kind in "biuf" else ""
    return _wrong_type(spec, f"tensor({_onnx_name(given)})", advice)


def _wrong_type(spec: FeedSpec, given: str, advice: str = "") -> Exception:
    types = f"Actual: ({given}) , expected: ({spec.info.type})"
    return status(InvalidArgument, f"Unexpected input data type. {types} for input '{spec.name}'.{advice}")


def _onnx_name(dtype: np.dtype[Any]) -> str:
    if dtype.kind in "OUSTV" and dtype.num < 256:
        return "string"
    try:
        return dtypes.by_numpy(dtype).onnx_name
    except KeyError:
        return str(dtype)


def _declared(spec: FeedSpec) -> str:
    shape = spec.info.shape
    return spec.info.type if shape is None else f"{spec.info.type} of shape {list(shape)}"


def missing_inputs(specs: Sequence[FeedSpec], fed: Sequence[object]) -> ValueError | None:
    """The error for required inputs that are not fed, if there are any."""
    missing = [spec for spec in specs if spec.name not in fed and not spec.optional]
    if not missing:
        return None
    wanted = "; ".join(f"{spec.name}: {_declared(spec)}" for spec in missing)
    names = [spec.name for spec in missing]
    return ValueError(
        f"Required inputs ({names}) are missing from input feed ({list(fed)}). Expected {wanted}."
    )
