"""The primitive table: every operation a graph may contain, its kind and its numpy meaning.

Kinds: source, map (a scalar function, operands broadcast), reduce, scan, view (index maps, no work),
index (gather and scatter), contract, opaque (an algorithm of its own), control.
Must not know ONNX or native code. Shapes and element types are the business of `value.py`.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sardonyx.ir import meaning

Array = np.ndarray[Any, Any]
Run = Callable[[Sequence[Array], Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Prim:
    """One primitive.

    `run` is its meaning over arrays (attributes with sizes evaluated). `symbolic` says that `run` is also
    right for object arrays of symbolic integers.
    """

    name: str
    kind: str
    run: Run
    symbolic: bool = False


def _map(name: str, fn: Callable[..., Array], *, symbolic: bool = False) -> Prim:
    return Prim(name, "map", lambda args, _: fn(*args), symbolic)


def _row(name: str, kind: str, fn: Callable[..., Any], *, symbolic: bool = False) -> Prim:
    return Prim(name, kind, lambda args, attrs: fn(*args, **attrs), symbolic)


_erf = np.vectorize(math.erf, otypes=[np.float64])

_ROWS: tuple[Prim, ...] = (
    _row("input", "source", meaning.unbound),
    _row("const", "source", meaning.unbound),
    _row("iota", "source", meaning.iota),
    _map("add", np.add, symbolic=True),
    _map("sub", np.subtract, symbolic=True),
    _map("mul", np.multiply, symbolic=True),
    _map("div", meaning.divide, symbolic=True),
    _map("mod", np.mod),
    _map("fmod", np.fmod),
    _map("pow", meaning.power),
    _map("max", meaning.maximum, symbolic=True),
    _map("min", meaning.minimum, symbolic=True),
    _map("neg", np.negative, symbolic=True),
    _map("abs", np.abs),
    _map("sign", np.sign),
    _map("floor", meaning.integral(np.floor), symbolic=True),
    _map("ceil", meaning.integral(np.ceil), symbolic=True),
    _map("round", meaning.integral(np.rint), symbolic=True),
    _map("trunc", meaning.integral(np.trunc), symbolic=True),
    _map("sqrt", np.sqrt),
    _map("exp", np.exp),
    _map("log", np.log),
    _map("sin", np.sin),
    _map("cos", np.cos),
    _map("tan", np.tan),
    _map("asin", np.arcsin),
    _map("acos", np.arccos),
    _map("atan", np.arctan),
    _map("sinh", np.sinh),
    _map("cosh", np.cosh),
    _map("asinh", np.arcsinh),
    _map("acosh", np.arccosh),
    _map("atanh", np.arctanh),
    _map("tanh", np.tanh),
    _map("erf", lambda x: _erf(x).astype(x.dtype) if x.size else x),
    _map("sigmoid", meaning.sigmoid),
    _map("eq", meaning.equal, symbolic=True),
    _map("lt", meaning.less, symbolic=True),
    _map("le", np.less_equal),
    _map("and", np.logical_and),
    _map("or", np.logical_or),
    _map("xor", np.logical_xor),
    _map("not", np.logical_not),
    _map("bitand", np.bitwise_and),
    _map("bitor", np.bitwise_or),
    _map("bitxor", np.bitwise_xor),
    _map("bitnot", np.bitwise_not),
    _map("shl", meaning.shift_left),
    _map("shr", meaning.shift_right),
    _map("isnan", np.isnan),
    _map("isinf", np.isinf),
    _map("where", meaning.where, symbolic=True),
    _row("cast", "map", meaning.cast, symbolic=True),
    _row("bitcast", "map", meaning.bitcast),
    _row("sum", "reduce", meaning.reduce_sum, symbolic=True),
    _row("prod", "reduce", meaning.reduce_prod, symbolic=True),
    _row("rmax", "reduce", meaning.reduce_max),
    _row("rmin", "reduce", meaning.reduce_min),
    _row("argmax", "reduce", meaning.argmax),
    _row("argmin", "reduce", meaning.argmin),
    _row("cumsum", "scan", meaning.cumsum),
    _row("cumprod", "scan", meaning.cumprod),
    _row("reshape", "view", meaning.reshape, symbolic=True),
    _row("transpose", "view", meaning.transpose, symbolic=True),
    _row("broadcast", "view", meaning.broadcast, symbolic=True),
    _row("slice", "view", meaning.slice_, symbolic=True),
    _row("window", "view", meaning.window),
    _row("pad", "view", meaning.pad, symbolic=True),
    _row("concat", "view", meaning.concat, symbolic=True),
    _row("gather", "index", meaning.gather, symbolic=True),
    _row("gather_elements", "index", meaning.gather_elements),
    _row("gather_nd", "index", meaning.gather_nd),
    _row("scatter_elements", "index", meaning.scatter_elements),
    _row("scatter_nd", "index", meaning.scatter_nd),
    Prim("item", "view", lambda args, attrs: args[0][attrs["index"]]),
    _row("dot", "contract", meaning.dot),
    _row("conv", "contract", meaning.conv),
    _row("conv_blocked", "contract", meaning.conv_blocked),
    _row("conv_transpose", "contract", meaning.conv_transpose),
)

_ELSEWHERE = {"reference": "sardonyx.frontend.fallback"}


class _Table(dict[str, Prim]):
    """Primitives by name. Cached programs run without their operators, whose own ones are found late."""

    def __missing__(self, name: str) -> Prim:
        folder = importlib.import_module("sardonyx.ir.algorithms").__path__
        owners = [m.name for m in pkgutil.iter_modules(folder, "sardonyx.ir.algorithms.")]
        for owner in [_ELSEWHERE[name]] if name in _ELSEWHERE else owners:
            importlib.import_module(owner)
        if name not in self:
            raise KeyError(name)
        return self[name]


PRIMS: dict[str, Prim] = _Table((row.name, row) for row in _ROWS)
"""Primitives by name; `register` adds the opaque and control ones from their own files."""


def register(name: str, kind: str, fn: Callable[..., Any]) -> None:
    """Add an opaque or control primitive whose meaning is `fn(*arrays, **attributes)`."""
    PRIMS[name] = _row(name, kind, fn)


def kind(name: str) -> str:
    """The kind of a primitive."""
    return PRIMS[name].kind
