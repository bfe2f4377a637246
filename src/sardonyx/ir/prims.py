"""The primitive table: every operation a graph may contain, and all that the stages ask of it.

Must not know ONNX or native code. Shapes and element types are the business of `value.py`.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from sardonyx.base.dataclass import dataclass
from sardonyx.base.dtype import DType
from sardonyx.ir import conditions, contractions, meaning
from sardonyx.ir.late import HOMES, LOADERS
from sardonyx.ir.obligation import Conditions, none

Array = np.ndarray[Any, Any]
Run = Callable[[Sequence[Array], Mapping[str, Any]], Any]
Kind: TypeAlias = Literal["source", "map", "reduce", "scan", "view", "index", "contract", "opaque", "control"]
"""A map is a scalar function of broadcast operands, a view an index map without work, index gathers and
scatters, an opaque one is an algorithm of its own."""


@dataclass(frozen=True, slots=True)
class Prim:
    """One primitive: all that any stage asks of it.

    Attributes:
        name: what graphs call it.
        kind: what stages tell primitives apart by.
        run: its meaning over arrays (attributes with sizes evaluated).
        symbolic: `run` is also right for object arrays of symbolic integers.
        takes: the kinds of element types that its operands may have (of numpy's letters); empty = any tensor.
        folds: it is computed at build time where its operands are known.
        alike: the operands that must be of one type; bytes are contracted with or without a sign.
        positions: its second operand holds positions, which must be integers.
        conditions: what must hold of sizes so that its kernel stays inside its memory.
        constant: the operands that its kernel wants to know when it is compiled.
        rows: the operands whose last axis its kernel reads as vectors.
        dense: its kernel wants operands in row-major order without gaps, those from `first_dense` on.
        cost: instructions for one vector, roughly; of a map.
        whole_cost: the same of integers.
    """

    name: str
    kind: Kind
    run: Run
    symbolic: bool = False
    folds: bool = True
    takes: str = ""
    alike: tuple[int, ...] = ()
    positions: bool = False
    conditions: Conditions = none
    constant: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()
    dense: bool = False
    first_dense: int = 0
    cost: float = 30.0
    whole_cost: float | None = None

    def instructions(self, dtype: DType) -> float:
        """What it costs for operands of a type."""
        return self.cost if self.whole_cost is None or dtype.is_float else self.whole_cost


_REAL, _NUMBER, _PLAIN, _WHOLE, _BITS = "fc", "fciu", "fciub", "iu", "iub"


def _map(name: str, fn: Callable[..., Array], takes: str = "", cost: float = 30.0, **facts: Any) -> Prim:
    return Prim(name, "map", lambda args, _: fn(*args), takes=takes, cost=cost, **facts)


def _row(name: str, kind: Kind, fn: Callable[..., Any], **facts: Any) -> Prim:
    return Prim(name, kind, lambda args, attrs: fn(*args, **attrs), **facts)


_erf = np.vectorize(math.erf, otypes=[np.float64])
_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def _gelu(x: Array) -> Array:
    """x * P(normal variable <= x)."""
    wide = x.astype(np.float64)
    return (wide * 0.5 * _erfc(wide * -math.sqrt(0.5))).astype(x.dtype) if x.size else x


_ROWS: tuple[Prim, ...] = (
    _row("input", "source", meaning.unbound),
    _row("const", "source", meaning.unbound),
    _row("iota", "source", meaning.iota),
    _map("add", np.add, _PLAIN, 1, symbolic=True),
    _map("sub", np.subtract, _PLAIN, 1, symbolic=True),
    _map("mul", np.multiply, _PLAIN, 1, symbolic=True),
    _map("div", meaning.divide, _NUMBER, 6, whole_cost=30, symbolic=True),
    _map("mod", np.mod, _NUMBER, whole_cost=30),
    _map("fmod", np.fmod, _NUMBER, whole_cost=30),
    _map("pow", meaning.power, _NUMBER, 60, whole_cost=30),
    _map("max", meaning.maximum, _PLAIN, 1, symbolic=True),
    _map("min", meaning.minimum, _PLAIN, 1, symbolic=True),
    _map("neg", np.negative, _NUMBER, 1, symbolic=True),
    _map("abs", np.abs, _NUMBER, 1),
    _map("sign", np.sign, _NUMBER, 1),
    _map("floor", meaning.integral(np.floor), _NUMBER, 1, symbolic=True),
    _map("ceil", meaning.integral(np.ceil), _NUMBER, 1, symbolic=True),
    _map("round", meaning.integral(np.rint), _NUMBER, 1, symbolic=True),
    _map("trunc", meaning.integral(np.trunc), _NUMBER, 1, symbolic=True),
    _map("sqrt", np.sqrt, _REAL, 6),
    _map("exp", np.exp, _REAL, 16),
    _map("log", np.log, _REAL, 20),
    _map("sin", np.sin, _REAL),
    _map("cos", np.cos, _REAL),
    _map("tan", np.tan, _REAL),
    _map("asin", np.arcsin, _REAL),
    _map("acos", np.arccos, _REAL),
    _map("atan", np.arctan, _REAL),
    _map("sinh", np.sinh, _REAL),
    _map("cosh", np.cosh, _REAL),
    _map("asinh", np.arcsinh, _REAL),
    _map("acosh", np.arccosh, _REAL),
    _map("atanh", np.arctanh, _REAL),
    _map("tanh", np.tanh, _REAL, 24),
    _map("erf", lambda x: _erf(x).astype(x.dtype) if x.size else x, _REAL),
    _map("gelu", _gelu, _REAL, 24),
    _map("sigmoid", meaning.sigmoid, _REAL, 20),
    _map("eq", meaning.equal, cost=1, symbolic=True),
    _map("lt", meaning.less, _PLAIN, 1, symbolic=True),
    _map("le", np.less_equal, _PLAIN, 1),
    _map("and", np.logical_and, _PLAIN, 1),
    _map("or", np.logical_or, _PLAIN, 1),
    _map("xor", np.logical_xor, _PLAIN, 1),
    _map("not", np.logical_not, _PLAIN, 1),
    _map("bitand", np.bitwise_and, _BITS, 1),
    _map("bitor", np.bitwise_or, _BITS, 1),
    _map("bitxor", np.bitwise_xor, _BITS, 1),
    _map("bitnot", np.bitwise_not, _BITS, 1),
    _map("shl", meaning.shift_left, _WHOLE, 1),
    _map("shr", meaning.shift_right, _WHOLE, 1),
    _map("isnan", np.isnan, _PLAIN, 1),
    _map("isinf", np.isinf, _PLAIN, 1),
    _map("where", meaning.where, cost=1, symbolic=True),
    _row("cast", "map", meaning.cast, symbolic=True, cost=1),
    _row("bitcast", "map", meaning.bitcast, cost=1),
    _row("kept", "map", meaning.kept, folds=False, cost=1),
    _row("sum", "reduce", meaning.reduce_sum, symbolic=True, takes=_PLAIN),
    _row("prod", "reduce", meaning.reduce_prod, symbolic=True, takes=_PLAIN),
    _row("rmax", "reduce", meaning.reduce_max, takes=_PLAIN),
    _row("rmin", "reduce", meaning.reduce_min, takes=_PLAIN),
    _row("argmax", "reduce", meaning.argmax, takes=_PLAIN),
    _row("argmin", "reduce", meaning.argmin, takes=_PLAIN),
    _row("cumsum", "scan", meaning.cumsum, takes=_NUMBER, dense=True),
    _row("cumprod", "scan", meaning.cumprod, takes=_NUMBER, dense=True),
    _row("reshape", "view", meaning.reshape, symbolic=True, conditions=conditions.reshape),
    _row("transpose", "view", meaning.transpose, symbolic=True),
    _row("broadcast", "view", meaning.broadcast, symbolic=True),
    _row("slice", "view", meaning.slice_, symbolic=True, conditions=conditions.slice_),
    _row("window", "view", meaning.window),
    _row("pad", "view", meaning.pad, symbolic=True, alike=(0, 1), conditions=conditions.pad),
    _row("concat", "view", meaning.concat, symbolic=True, conditions=conditions.concat),
    _row("gather", "index", meaning.gather, symbolic=True, positions=True),
    _row(
        "gather_elements",
        "index",
        meaning.gather_elements,
        positions=True,
        conditions=conditions.gather_elements,
    ),
    _row("gather_nd", "index", meaning.gather_nd, positions=True, conditions=conditions.gather_nd),
    _row(
        "scatter_elements",
        "index",
        meaning.scatter_elements,
        alike=(0, 2),
        positions=True,
        conditions=conditions.scatter_elements,
    ),
    _row(
        "scatter_nd",
        "index",
        meaning.scatter_nd,
        alike=(0, 2),
        positions=True,
        conditions=conditions.scatter_nd,
    ),
    Prim("result", "view", lambda args, attrs: args[0][attrs["index"]]),
    _row(
        "dot", "contract", contractions.dot, takes=_NUMBER, alike=(0, 1), conditions=conditions.dot, rows=(0,)
    ),
    _row(
        "conv",
        "contract",
        contractions.conv,
        takes=_NUMBER,
        alike=(0, 1),
        conditions=conditions.conv,
        rows=(0, 1),
    ),
    _row(
        *("conv_blocked", "contract", contractions.conv_blocked),
        conditions=conditions.conv,
        rows=(0, 1),
        dense=True,
        first_dense=2,
    ),
    _row(
        "conv_transpose",
        "contract",
        contractions.conv_transpose,
        takes=_NUMBER,
        alike=(0, 1),
        conditions=conditions.conv_transpose,
        rows=(0, 1),
    ),
)


def load_algorithms() -> None:
    """Import every file of ir/algorithms/, so that all primitives are in the table."""
    for home in sorted(set(HOMES.values())):
        importlib.import_module(home)


class _Table(dict[str, Prim]):
    """Primitives by name. Some are asked for whose files nothing has imported yet."""

    def __missing__(self, name: str) -> Prim:
        if name in LOADERS:
            LOADERS[name]()
        elif name in HOMES:
            importlib.import_module(HOMES[name])
        if name not in self:
            raise KeyError(name)
        return self[name]


PRIMS: dict[str, Prim] = _Table((row.name, row) for row in _ROWS)
"""Primitives by name; `register` adds the opaque and control ones from their own files."""


def register(
    name: str,
    kind: Kind,
    fn: Callable[..., Any],
    *,
    conditions: Conditions = none,
    constant: Iterable[int] = (),
    rows: tuple[int, ...] = (),
    dense: bool = False,
) -> None:
    """Add an opaque or control primitive whose meaning is `fn(*arrays, **attributes)`; see `Prim`."""
    facts = {"conditions": conditions, "constant": tuple(constant), "rows": rows, "dense": dense}
    PRIMS[name] = _row(name, kind, fn, **facts)
