"""Operators of the user's own: formulas over values, or functions of numpy arrays.

Decides what is asked of such a function; how operators are found and compiled is not known here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from sardonyx.base import custom
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.ir import prims
from sardonyx.ir.data_size import data_sized
from sardonyx.ir.value import Value
from sardonyx.ops import register_all, table

F = TypeVar("F", bound=Callable[..., Any])
Array = npt.NDArray[Any]


class TensorType(NamedTuple):
    """What is known of a tensor before a run: its element type and its sizes.

    A size is a number, an expression of the sizes of the model's inputs (`+`, `-`, `*` and `//` make new
    ones), or None for one that is only known of the result.
    """

    dtype: Any
    shape: Sequence[Dim | None]


Results = Callable[..., TensorType | tuple[Any, Sequence[Dim | None]] | Sequence[Any]]


def op(name: str, *, domain: str, since: int = 1, results: Results | None = None) -> Callable[[F], F]:
    """Add an operator: the decorated function is its meaning from version `since` of the domain on.

    The function's signature is the operator's schema: positional parameters are inputs (`= None` marks an
    optional one, `*xs` takes any number), keyword-only ones are attributes with their defaults.

    Without `results` the function is a formula. It takes and returns `sardonyx.Value`s, whose arithmetic and
    methods (and the functions in `sardonyx.ops`) build the graph; it is compiled and fused like any other
    operator, and serves every shape and type for which its parts are defined.

    With `results` it is a function of numpy arrays, run in Python between native kernels; reports list it.
    `results` is called like it, with a `TensorType` for each input, and returns the TensorType of the
    result, or a list of them. Arrays are read-only.

    Sessions made before keep what they were compiled from; adding an operator again replaces it for sessions
    made later. Models that use added operators are compiled anew in every process.

    Raises ValueError if Sardonyx has an operator of that domain and name.

    >>> @sardonyx.op("Cube", domain="my.ops")
    ... def cube(x, *, scale: float = 1.0):
    ...     return x * x * x * scale
    >>> @sardonyx.op("Median", domain="my.ops", results=lambda x: (x.dtype, x.shape[:-1]))
    ... def median(x):
    ...     return np.median(x, axis=-1)
    """
    register_all()
    domain = "" if domain == "ai.onnx" else domain
    own = {(d, n) for d, n, _ in custom.ADDED}
    if (domain, name) not in own and any((o.domain, o.name) == (domain, name) for o in table.operators()):
        raise ValueError(
            f"{domain or 'ai.onnx'} has an operator {name} already; choose another domain or name"
        )

    def add(function: F) -> F:
        if (domain, name, since) in custom.ADDED:
            table.withdraw(domain, name, since)
        build = function if results is None else _from_arrays(f"{domain}.{name}-{since}", function, results)
        table.op(name, since, domain)(build)
        custom.ADDED.add((domain, name, since))
        return function

    return add


def _from_arrays(prim: str, function: Callable[..., Any], results: Results) -> Callable[..., Any]:
    """The builder of an operator that a function of arrays computes, as the primitive of that name."""
    signature = inspect.signature(function)

    def compute(*arrays: Array, given: tuple[bool, ...], attributes: tuple[tuple[str, Any], ...]) -> Any:
        fed = iter(arrays)
        inputs = [_read_only(next(fed)) if there else None for there in given]
        try:
            found = function(*inputs, **dict(attributes))
        except Exception as error:
            raise ValueError(f"the function of {prim} raised {type(error).__name__}: {error}") from error
        made = found if isinstance(found, tuple | list) else (found,)
        return tuple(_apart(np.asarray(array), arrays) for array in made)

    prims.register(prim, "opaque", compute)

    @wraps(function)
    def build(*inputs: Value | None, **attributes: Any) -> tuple[Value, ...]:
        call = signature.bind(*inputs, **attributes)
        call.apply_defaults()
        types = [None if v is None else TensorType(v.dtype.numpy, v.shape) for v in inputs]
        found = results(*types, **call.kwargs)
        declared = found if isinstance(found, list) else [found]
        attrs = {"given": tuple(v is not None for v in inputs), "attributes": tuple(call.kwargs.items())}
        rows = [(_element_type(dtype), tuple(shape)) for dtype, shape in declared]
        return data_sized(prim, [v for v in inputs if v is not None], attrs, rows)

    return build


def _element_type(dtype: Any) -> DType:
    return dtype if isinstance(dtype, DType) else dt.by_numpy(np.dtype(dtype))


def _read_only(array: Array) -> Array:
    view = array.view()
    view.flags.writeable = False
    return view


def _apart(result: Array, inputs: Sequence[Array]) -> Array:
    """The result in memory of its own: that of inputs is used again."""
    return result.copy() if any(np.may_share_memory(result, array) for array in inputs) else result
