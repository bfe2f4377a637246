"""Plain JSON to tensors and back, where a client knows a model's names and nothing of the protocol.

The forms of `POST /score`, as Azure ML endpoints take it, and of the generate extension. Must not know HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sardonyx.protocol.datatypes import DATATYPES, Array
from sardonyx.protocol.errors import invalid
from sardonyx.protocol.literals import array_of, is_finite, numbers_of
from sardonyx.protocol.messages import InferRequest, InferResponse, Tensor
from sardonyx.protocol.tables import Column, Columns
from sardonyx.serve.signature import Port, Signature

_KEYS = ("input_data", "inputs", "data", "instances", "dataframe_split", "dataframe_records")


def scored(document: Any, signature: Signature) -> InferRequest:
    """The request of a body for /score; INVALID_ARGUMENT says which forms there are.

    `{"input_data": rows}` feeds the only input, `{"input_data": {name: rows}}` each by name, and
    `{"input_data": {"columns": [...], "data": rows}}` is a table; `data` and what MLflow calls its forms mean
    the same.
    """
    given = document
    if isinstance(document, dict):
        key = next((key for key in _KEYS if key in document), None)
        given = document if key is None else document[key]
    if isinstance(given, Columns):
        return _columns(given.by_name, signature)
    if isinstance(given, dict) and "data" in given and "columns" in given:
        return _table(given["columns"], given["data"], signature)
    if isinstance(given, list) and given and all(isinstance(row, dict) for row in given):
        columns = list(given[0])
        if any(list(row) != columns for row in given):
            raise invalid("the records must all have the same columns, in the same order")
        return _table(columns, [[row[column] for column in columns] for row in given], signature)
    if isinstance(given, dict):
        return _by_name(given, signature)
    if len(signature.inputs) != 1:
        names = ", ".join(port.name for port in signature.inputs)
        raise invalid(f"model '{signature.model}' has several inputs; give them by name: {names}")
    return _by_name({signature.inputs[0].name: given}, signature)


def _table(columns: Any, rows: Any, signature: Signature) -> InferRequest:
    if not isinstance(columns, list) or not isinstance(rows, list | np.ndarray):
        raise invalid("a table has 'columns', a list of names, and 'data', a list of rows")
    if not _has_columns(rows, len(columns)):
        raise invalid(f"each row of 'data' must have {len(columns)} values, one a column")
    if {port.name for port in signature.inputs} == set(map(str, columns)):
        parts: dict[str, Any]
        if isinstance(rows, np.ndarray):
            parts = {str(name): rows[:, index : index + 1] for index, name in enumerate(columns)}
        else:
            parts = {str(name): [[row[index]] for row in rows] for index, name in enumerate(columns)}
        return _by_name(parts, signature)
    if len(signature.inputs) != 1:
        names = ", ".join(port.name for port in signature.inputs)
        raise invalid(f"the columns must be the inputs of model '{signature.model}': {names}")
    return _by_name({signature.inputs[0].name: rows}, signature)


def _columns(given: Mapping[str, Column], signature: Signature) -> InferRequest:
    """A table that was read by columns."""
    if {port.name for port in signature.inputs} == set(given):
        tensors = [_tensor(port, given[port.name], (len(given[port.name]), 1)) for port in signature.inputs]
        return InferRequest(signature.model, tensors)
    arrays = [column for column in given.values() if not isinstance(column, list)]
    if len(arrays) == len(given):
        return _table(list(given), np.stack(arrays, axis=1), signature)
    lists = (column if isinstance(column, list) else column.tolist() for column in given.values())
    return _table(list(given), [list(row) for row in zip(*lists, strict=True)], signature)


def _has_columns(rows: list[Any] | Array, count: int) -> bool:
    if isinstance(rows, np.ndarray):
        return rows.ndim > 1 and rows.shape[1] == count
    return all(isinstance(row, list) and len(row) == count for row in rows)


def _by_name(given: Mapping[str, Any], signature: Signature) -> InferRequest:
    ports = {port.name: port for port in signature.inputs}
    for name in given:
        if name not in ports:
            raise invalid(f"model '{signature.model}' has no input '{name}'; it takes {', '.join(ports)}")
    tensors = [_tensor(port, given[port.name]) for port in signature.inputs if port.name in given]
    return InferRequest(signature.model, tensors)


def _tensor(port: Port, data: Any, shape: tuple[int, ...] | None = None) -> Tensor:
    """Lists as they are nested, or of a shape; a value, or one too flat, gets the axes of 1 that it lacks."""
    if shape is None:
        shape = data.shape if isinstance(data, np.ndarray) else _shape(data)
    data = data if isinstance(data, list | np.ndarray) else [data]
    missing = len(port.dims) - len(shape) if port.ranked else 0
    if missing > 0:
        shape = (1,) * missing + shape if len(shape) != 1 or port.dims[-1] != 1 else (*shape, *(1,) * missing)
    kind = DATATYPES[port.datatype]
    return Tensor(port.name, port.datatype, shape, array_of(port.name, kind, shape, data))


def _shape(data: Any) -> tuple[int, ...]:
    shape = []
    while isinstance(data, list):
        shape.append(len(data))
        if not data:
            break
        data = data[0]
    return tuple(shape)


def answered(response: InferResponse) -> tuple[Any, bool]:
    """What /score gives, the nested list of the only output or such lists by name; whether all is finite.

    Lists of numbers are numpy arrays, C-contiguous.
    """
    arrays = {tensor.name: _nested(tensor.data) for tensor in response.outputs}
    finite = all(is_finite(array.reshape(-1)) for array in arrays.values())
    values = {name: _written(array) for name, array in arrays.items()}
    return next(iter(values.values())) if len(values) == 1 else values, finite


def _written(array: Array) -> Any:
    """What of an array a writer of JSON takes."""
    return array.tolist() if array.dtype.kind == "O" or not array.ndim else array


def _nested(array: Array) -> Array:
    """An output with texts as they are read."""
    if array.dtype.kind == "O":
        texts = np.empty(array.shape, object)
        flat = [
            item.decode("utf-8", "replace") if isinstance(item, bytes) else item for item in array.reshape(-1)
        ]
        texts.reshape(-1)[:] = flat
        return texts
    return numbers_of(array).reshape(array.shape)


def generating(document: Mapping[str, Any], signature: Signature) -> InferRequest:
    """The request of a body for generate: its keys are inputs; `text_input` is the only BYTES input."""
    given = {key: value for key, value in document.items() if key not in ("id", "parameters")}
    parameters = document.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise invalid("'parameters' must be an object")
    names = {port.name for port in signature.inputs}
    if "text_input" in given and "text_input" not in names:
        texts = [port.name for port in signature.inputs if port.datatype == "BYTES"]
        if len(texts) != 1:
            raise invalid(f"model '{signature.model}' has no 'text_input' and not one BYTES input")
        given[texts[0]] = given.pop("text_input")
    given |= {key: value for key, value in parameters.items() if key in names and key not in given}
    request = _by_name(given, signature)
    request.id = str(document.get("id", ""))
    request.parameters = {
        key: value
        for key, value in parameters.items()
        if key not in names and isinstance(value, bool | int | float | str)
    }
    return request


def generated(response: InferResponse) -> dict[str, Any]:
    """The answer of generate: outputs by name, an only BYTES output as `text_output`, one value bare."""
    document: dict[str, Any] = {"model_name": response.model, "model_version": response.version}
    if response.id:
        document["id"] = response.id
    texts = [tensor.name for tensor in response.outputs if tensor.datatype == "BYTES"]
    for tensor in response.outputs:
        values = _nested(tensor.data).reshape(-1).tolist()
        name = "text_output" if texts == [tensor.name] else tensor.name
        document[name] = values[0] if len(values) == 1 else values
    return document
