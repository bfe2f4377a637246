"""Which kernel family computes a group: contraction, convolution, algorithm, or a loop nest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from sardonyx.base import dim as dims
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.emit.nest import Emitted, emit
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place, Storage
from sardonyx.kernels.call import Address, Argument, NativeCall
from sardonyx.kernels.convolution.call import conv_call
from sardonyx.kernels.library import Text, contraction
from sardonyx.kernels.opaque import FAMILIES, opaque_calls
from sardonyx.kernels.product.call import dot_call
from sardonyx.loops.lower import border, lower
from sardonyx.loops.nest import Apply, Kernel, Load, Store, roots, trip_count, walk
from sardonyx.loops.schedule import schedule

NATIVE = frozenset(FAMILIES)
"""Opaque primitives that have kernels."""

Library = Mapping[str, Text]
Calls = Iterator[tuple[NativeCall, Library]]


def native_calls(group: Group, places: Mapping[int, Place], goal: Goal) -> Calls:
    """The calls that compute a group, each with the IR modules it links to (by key)."""
    if group.kind == "concat":
        return
    if group.kind == "border":
        yield loop_call(schedule(border(group, places), goal.target), goal.target)
        return
    if group.kind == "opaque":
        yield from opaque_calls(group, places, goal)
        return
    if group.kind == "contract":
        yield contract_call(group, places, goal)
        return
    for kernel in lower(group, places):
        yield loop_call(schedule(kernel, goal.target), goal.target)


def contract_call(group: Group, places: Mapping[int, Place], goal: Goal) -> tuple[NativeCall, Library]:
    """The call of a matrix product or convolution."""
    assert group.anchor is not None
    make = dot_call if group.anchor.prim == "dot" else conv_call
    call, modules = make(group, places, goal)
    kernels = contraction(call.symbol.rpartition("_")[2])
    return call, {**kernels, **{name: partial(str, ir) for name, ir in modules.items()}}


def loop_call(kernel: Kernel, target: Target) -> tuple[NativeCall, Library]:
    """The call of a scheduled loop nest."""
    emitted = emit(kernel, target)
    reads, writes = touched(kernel)
    call = NativeCall(
        emitted.symbol,
        words(emitted),
        reads,
        writes,
        kernel.origins,
        work=work(kernel),
        scratch_bytes=emitted.scratch_bytes,
        plan=kernel.name,
        kernel=kernel,
    )
    return call, {emitted.symbol: lambda: emitted.ir}


def words(emitted: Emitted) -> tuple[Argument, ...]:
    """The argument words of an emitted kernel."""
    return tuple(Address(w.buffer.key, w.dim) if w.buffer else w.dim for w in emitted.words)


def touched(kernel: Kernel) -> tuple[tuple[Storage, ...], tuple[Storage, ...]]:
    """(storages read, storages written)."""
    reads: dict[Storage, None] = {}
    writes: dict[Storage, None] = {}
    for statement in kernel.body:
        for expr in walk(roots(statement)):
            if isinstance(expr, Load) and expr.buffer.key is not None:
                reads.setdefault(expr.buffer.key)
        if isinstance(statement, Store) and statement.buffer.key is not None:
            writes.setdefault(statement.buffer.key)
    return tuple(reads), tuple(writes)


def work(kernel: Kernel) -> dims.Dim:
    """About how many scalar operations the kernel does."""
    total: dims.Dim = 0
    points = trip_count(kernel.outer)
    for statement in kernel.body:
        cost = sum(1 for e in walk(roots(statement)) if isinstance(e, Apply | Load))
        total = total + points * trip_count(statement.axes) * max(1, cost)
    return total
