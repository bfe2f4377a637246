"""If and Loop: built in place where their course is known, else control primitives over closed graphs.

Decides which sizes of results hold whatever course is taken; the others are data-dependent symbols.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass, replace
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.errors import NeedsContent, ShapeError, UnsupportedOp
from sardonyx.ir.data_size import content, data_sized
from sardonyx.ir.value import Value, concat, const, dim_value, make, placeholder
from sardonyx.ops.elements import Elements, elements, join, nature
from sardonyx.ops.operands import needs_content, size
from sardonyx.ops.subgraph import Around, Body, Formal, SubGraph
from sardonyx.ops.table import op

UNROLL_TRIPS = 32
UNROLL_VALUES = 2000
UNROLL_EASY_VALUES = 64
"""The same for bodies that native code can repeat."""
UNROLL_NODES = 4000
"""Nodes that may be built for that; loops inside the body are built in place each time, or not at all."""
MOST_RANKS = 32
"""Iterations of a Loop that may change the rank of what it carries."""


class RankChangeError(ShapeError):
    """A carried value has another rank after an iteration than before it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of a value before it exists: type, sizes (None: at run time), elements of a sequence."""

    dtype: DType
    shape: tuple[Dim | None, ...]
    elements: Elements = ()
    nature: str = ""

    @staticmethod
    def of(value: Value, inner: frozenset[str] = frozenset()) -> Kind:
        """The kind of a value; sizes that mention `inner` symbols are unknown outside."""
        shape = tuple(None if dims.symbols(n) & inner else n for n in value.shape)
        if value.dtype is not dt.OBJECT:
            return Kind(value.dtype, shape)
        found = tuple((d, tuple(-1 if dims.symbols(n) & inner else n for n in s)) for d, s in elements(value))
        return Kind(value.dtype, shape, found, nature(value))

    def joined(self, other: Kind, what: str) -> Kind:
        """What holds of either value. Raises ShapeError if their types or ranks differ."""
        if self.dtype is not other.dtype or len(self.shape) != len(other.shape):
            raise (ShapeError if self.dtype is not other.dtype else RankChangeError)(
                f"{what} is {self} in one branch and {other} in another; both must agree in type and rank"
            )
        shape = tuple(_either(a, b) for a, b in zip(self.shape, other.shape, strict=True))
        return Kind(self.dtype, shape, join(self.elements, other.elements), self.nature or other.nature)

    def __str__(self) -> str:
        return f"{self.dtype.onnx_name}[{','.join('?' if n is None else str(n) for n in self.shape)}]"


def _either(a: Dim | None, b: Dim | None) -> Dim | None:
    return a if a is not None and b is not None and a == b else None


def control_results(
    prim: str, args: Sequence[Value], attrs: dict[str, Any], kinds: Sequence[Kind]
) -> tuple[Value, ...]:
    """The results of a control primitive; sequences carry what is known of their elements."""
    values = data_sized(prim, args, attrs, [(k.dtype, k.shape) for k in kinds])
    return tuple(
        make("result", v.args, {**v.attrs, "type": k.nature}, v.dtype, v.shape, k.elements)
        if k.dtype is dt.OBJECT
        else v
        for v, k in zip(values, kinds, strict=True)
    )


def _kinds(body: Body, own: frozenset[str] = frozenset()) -> list[Kind]:
    """The kinds of a body's results outside of it, where its `own` sizes mean nothing."""
    inner = own | frozenset(body.graph.data_sizes)
    return [Kind.of(v, inner) for _, v in body.graph.outputs]


def known_truth(value: Value | None, absent: bool = True) -> bool | None:
    """Whether a condition surely holds or surely does not; None if it is decided at run time."""
    if value is None:
        return absent
    return bool(np.all(value.data)) if value.is_numeric_const else None


def _single(value: Value, dtype: DType, what: str) -> Value:
    """A value that must be one element of a type."""
    if value.dtype is not dtype or (isinstance(value.size, int) and value.size != 1):
        given = f"{value.dtype.onnx_name}{list(value.shape)}"
        raise ShapeError(f"{what} must be one {dtype.onnx_name}, not {given}")
    return value if isinstance(value.size, int) else value.reshape((1,))


@op("If")
def if_(cond: Value, *, then_branch: SubGraph, else_branch: SubGraph) -> tuple[Value, ...]:
    """The results of the branch that the condition chooses."""
    cond = _single(cond, dt.BOOL, "the condition")
    truth = known_truth(cond)
    if truth is not None:
        return (then_branch if truth else else_branch).inline()
    try:
        then, otherwise = then_branch.close([]), else_branch.close([])
    except (NeedsContent, ShapeError) as error:
        if isinstance(error, NeedsContent) and error.answerable:
            raise
        raise needs_content(cond, f"the condition, because a branch does not fit ({error}),") from error
    counts = [len(_kinds(branch)) for branch in (then, otherwise)]
    if counts[0] != counts[1]:
        raise ShapeError(f"its branches give {counts[0]} and {counts[1]} results, they must give as many")
    pairs = list(zip(_kinds(then), _kinds(otherwise), strict=True))
    if any(len(a.shape) != len(b.shape) for a, b in pairs):
        raise needs_content(cond, "the condition, because the branches give results of different rank,")
    kinds = [a.joined(b, f"result {number} of If") for number, (a, b) in enumerate(pairs)]
    varied = any(_varies(k, a, b) for k, (a, b) in zip(kinds, pairs, strict=True))
    choice = content(cond)[0] if varied and cond.size == 1 else None
    if choice is not None:
        kinds = [_chosen(choice, k, a, b) for k, (a, b) in zip(kinds, pairs, strict=True)]
    outer = dict(zip(then.names, then.sizes, strict=True)) | dict(
        zip(otherwise.names, otherwise.sizes, strict=True)
    )
    attrs = {
        "then": then.graph,
        "otherwise": otherwise.graph,
        "names": tuple(outer),
        "sizes": tuple(outer.values()),
        "split": len(then.captures),
        "choice": choice,
    }
    return control_results("if", (cond, *then.captures, *otherwise.captures), attrs, kinds)


def _varies(kind: Kind, then: Kind, otherwise: Kind) -> bool:
    """Whether a size of a result differs between branches that both know it."""
    sizes = zip(kind.shape, then.shape, otherwise.shape, strict=True)
    return any(n is None and a is not None and b is not None for n, a, b in sizes)


def _chosen(choice: Dim, kind: Kind, then: Kind, otherwise: Kind) -> Kind:
    """The kind of a result whose sizes depend on which branch is chosen."""
    shape = tuple(
        dims.where(choice, a, b) if n is None and a is not None and b is not None else n
        for n, a, b in zip(kind.shape, then.shape, otherwise.shape, strict=True)
    )
    return replace(kind, shape=shape)


def _formal(kind: Kind, name: str) -> Value:
    """A stand-in for a value of that kind inside a body; sizes not known are fresh symbols."""
    if kind.dtype is dt.OBJECT:
        return Value("input", (), {"name": name, "type": kind.nature}, kind.dtype, (), None, kind.elements)
    return placeholder(name, kind.dtype, tuple(dims.fresh(name) if n is None else n for n in kind.shape))


class Settled(NamedTuple):
    """A closed body, the kinds of the carried values and of all its results, and the nodes built for it."""

    body: Body
    kinds: list[Kind]
    results: list[Kind]
    nodes: int


def settle(
    branch: SubGraph | LoopBody,
    before: Sequence[Value],
    carried: Sequence[Value],
    after: Sequence[Value],
    skip: int,
) -> Settled:
    """Close a body over carried values whose sizes stay the same in every iteration.

    Sizes that an iteration changes become symbols, until nothing changes. The carried results of the body
    come after `skip` others.
    """
    kinds = [Kind.of(v) for v in carried]
    names = [f.name for f in branch.inputs[len(before) : len(before) + len(carried)]]
    for _ in range(2 + sum(len(k.shape) + 1 for k in kinds)):
        formals = [_formal(k, n) for k, n in zip(kinds, names, strict=True)]
        built = branch.built
        body = branch.close([*before, *formals, *after])
        own = frozenset(
            name
            for f, k in zip(formals, kinds, strict=True)
            for size, known in zip(f.shape, k.shape, strict=True)
            if known is None
            for name in dims.symbols(size)
        )
        results = _kinds(body, own)
        found = results[skip : skip + len(carried)]
        settled = [k.joined(f, f"the carried value {n}") for k, f, n in zip(kinds, found, names, strict=True)]
        if settled == kinds:
            return Settled(body, kinds, results, branch.built - built)
        kinds = settled
    raise ShapeError(f"the sizes of the carried values {', '.join(names)} never settle")


def repeatable(found: Settled, trips: Dim | None) -> bool:
    """Whether so many copies of a body are small enough to be built in place.

    That pays above all where sizes or sequences change from one iteration to the next, or where the counter
    decides what is out of reach of native code.
    """
    if not isinstance(trips, int) or trips > UNROLL_TRIPS or trips * found.nodes > UNROLL_NODES:
        return False
    body, kinds = found.body, found.kinds
    order = body.graph.order()
    changing = any(n is None for k in kinds for n in k.shape) or any(k.dtype is dt.OBJECT for k in kinds)
    hard = changing or bool(body.graph.data_sizes) or any(v.dtype is dt.OBJECT for v in body.graph.inputs)
    hard = hard or body.graph.falls_back()
    return trips * len(order) <= (UNROLL_VALUES if hard else UNROLL_EASY_VALUES)


def stacked_rows(parts: Sequence[Value]) -> Value:
    """The results of iterations, one after the other along a new first axis."""
    return concat([p.reshape((1, *p.shape)) for p in parts], 0)


def row_kind(kind: Kind) -> tuple[DType, tuple[Dim, ...]]:
    """What the rows of a stacked result are. Raises ShapeError if they are no tensors."""
    if kind.dtype is dt.OBJECT:
        raise ShapeError("a result that is stacked must be a tensor, not a sequence or an optional")
    return kind.dtype, tuple(0 if n is None else n for n in kind.shape)


@dataclass(frozen=True, slots=True)
class LoopBody:
    """The body of a Loop, its iterations counted from `first` on.

    A body may declare its counter and its condition as scalars or as [1].
    """

    body: SubGraph | Around
    first: int = 0

    @property
    def inputs(self) -> tuple[Formal, ...]:
        """The declared formal inputs."""
        return self.body.inputs

    @property
    def outputs(self) -> tuple[Formal, ...]:
        """The declared outputs."""
        return self.body.outputs

    @property
    def built(self) -> int:
        """See `SubGraph`."""
        return self.body.built

    def seen(self, number: Value, condition: Value) -> tuple[Value, Value]:
        """The counter and the condition as the body declares them."""
        number = number + self.first if self.first else number
        one, other = (
            v.reshape((1,)) if f.shape is not None and len(f.shape) == 1 else v
            for v, f in zip((number, condition), self.inputs, strict=False)
        )
        return one, other

    def inline(self, number: Value, condition: Value, *carried: Value) -> tuple[Value, ...]:
        """The results of one iteration, built among the values around it."""
        return self.body.inline(*self.seen(number, condition), *carried)

    def close(self, formals: Sequence[Value]) -> Body:
        """An iteration as a graph whose first inputs are `formals`."""
        return self.body.close(formals, [*self.seen(formals[0], formals[1]), *formals[2:]])


def fits(body: SubGraph, inputs: int, results: int, what: str) -> None:
    """Raises ShapeError if a body takes another number of inputs, which `what` names, or gives too little."""
    if len(body.inputs) != inputs:
        raise ShapeError(f"its body has {len(body.inputs)} inputs, it must have {inputs}: {what} values")
    if len(body.outputs) < results:
        raise ShapeError(f"its body gives {len(body.outputs)} results, it must give at least {results}")


@op("Loop")
def loop(
    m: Value | None = None, cond: Value | None = None, *initial: Value, body: SubGraph
) -> tuple[Value, ...]:
    """Repeat the body at most `m` times, while its condition holds."""
    fits(body, 2 + len(initial), 1 + len(initial), f"the iteration, the condition and {len(initial)} carried")
    m = None if m is None else _single(m, dt.I64, "the trip count")
    cond = None if cond is None else _single(cond, dt.BOOL, "the condition")
    return repeat(m, cond, initial, LoopBody(body))


def repeat(
    m: Value | None, cond: Value | None, initial: Sequence[Value], body: LoopBody
) -> tuple[Value, ...]:
    """Loop over a counted body: the last carried values, then the stacked results of all iterations."""
    if known_truth(cond) is False:
        trips: Dim | None = 0
    else:
        trips = None if m is None else dims.maximum(size(m, "the trip count", None), 0)
    count = len(initial)
    before = [placeholder("iteration", dt.I64, ()), placeholder("condition", dt.BOOL, ())]
    built = body.built
    try:
        found = closed, kinds, results, _ = settle(body, before, initial, (), 1)
    except RankChangeError:
        if body.first >= MOST_RANKS:
            raise
        return _peeled(m, cond, trips, initial, body)
    except UnsupportedOp as error:
        counted = _in_place(error, m, cond, trips, body.built - built)
        return _unrolled(body, counted, initial, error)
    goes_on = closed.graph.outputs[0][1]
    if goes_on.dtype is not dt.BOOL or (isinstance(goes_on.size, int) and goes_on.size != 1):
        given = f"{goes_on.dtype.onnx_name}{list(goes_on.shape)}"
        raise ShapeError(f"the body must give a condition of one bool, not {given}")
    same = (before[1], body.seen(before[0], before[1])[1])
    endless = known_truth(goes_on) is True or any(goes_on is value for value in same)
    rows = results[1 + count :]
    stackable = tuple(row_kind(k) for k in rows)
    steady = known_truth(cond) is not None and endless
    if steady and trips is None:
        raise UnsupportedOp("a Loop without a trip count or an end")
    if steady and repeatable(found, trips) and (trips != 0 or not rows):
        return _unrolled(body, trips or 0, initial)
    attrs = {
        "body": closed.graph,
        "names": closed.names,
        "sizes": closed.sizes,
        "limited": m is not None,
        "conditional": cond is not None,
        "carried": count,
        "stacked": stackable,
    }
    length = trips if steady else None
    stacked = [Kind(k.dtype, (length, *k.shape)) for k in rows]
    args = [v for v in (m, cond) if v is not None]
    return control_results("loop", (*args, *initial, *closed.captures), attrs, [*kinds, *stacked])


def _in_place(
    error: UnsupportedOp, m: Value | None, cond: Value | None, trips: Dim | None, nodes: int
) -> int:
    """How many iterations are built in place of a body that cannot be closed, in which many nodes were built.

    Raises the `error` if that is of no use, NeedsContent if the number of iterations must be known.
    """
    if error.kind == "unknown" or known_truth(cond) is None or getattr(error, "answerable", False):
        raise error
    if isinstance(error, NeedsContent) and m is not None and not isinstance(trips, int):
        raise needs_content(m, f"the trip count, as the body fits no other ({error}),") from error
    if not isinstance(trips, int) or not 0 < trips <= UNROLL_TRIPS or trips * nodes > UNROLL_NODES:
        raise error
    return trips


def _unrolled(
    body: LoopBody, trips: Dim, state: Sequence[Value], refusal: UnsupportedOp | None = None
) -> tuple[Value, ...]:
    """So many iterations in place. Raises the `refusal`, if any, where the condition is not known to hold."""
    carried = list(state)
    rows: list[list[Value]] = []
    for number in range(trips if isinstance(trips, int) else 0):
        results = body.inline(dim_value(number, dt.I64), const(np.asarray(True)), *carried)
        if refusal is not None and known_truth(results[0]) is not True:
            raise refusal
        carried = list(results[1 : 1 + len(carried)])
        rows.append(list(results[1 + len(carried) :]))
    return (*carried, *(stacked_rows(parts) for parts in zip(*rows, strict=True)))


def _peeled(
    m: Value | None, cond: Value | None, trips: Dim | None, initial: Sequence[Value], body: LoopBody
) -> tuple[Value, ...]:
    """A Loop whose first iteration changes the rank of what it carries: that one in place, then the rest."""
    count, why = len(initial), "because the loop changes the rank of a carried value,"
    if m is not None and not isinstance(trips, int):
        raise needs_content(m, f"the trip count, {why}")
    if cond is not None and known_truth(cond) is None:
        raise needs_content(cond, f"the condition, {why}")
    if trips == 0:
        formals = [placeholder("iteration", dt.I64, ()), placeholder("condition", dt.BOOL, ())]
        formals += [_formal(Kind.of(v), f.name) for v, f in zip(initial, body.inputs[2:], strict=False)]
        rows = [row_kind(k) for k in _kinds(body.close(formals))[1 + count :]]
        return (*initial, *(const(np.zeros(0, d.numpy)).reshape((0, *shape)) for d, shape in rows))
    results = body.inline(dim_value(0, dt.I64), const(np.asarray(True)), *initial)
    left = None if not isinstance(trips, int) else dim_value(trips - 1, dt.I64)
    rest = repeat(
        left,
        _single(results[0], dt.BOOL, "the condition"),
        results[1 : 1 + count],
        replace(body, first=body.first + 1),
    )
    rows_of = zip(results[1 + count :], rest[count:], strict=True)
    return (*rest[:count], *(concat([stacked_rows([first]), later], 0) for first, later in rows_of))
