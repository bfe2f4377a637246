"""The parts of a program in the making: records and where threads meet, jumps, storages, what Python sees."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.abi import BARRIER_AFTER, IDLE, JUMP
from sardonyx.base.dataclass import replace
from sardonyx.base.functions import load
from sardonyx.base.trace import Trace
from sardonyx.compiler.assemble import Assembler
from sardonyx.compiler.compile import simplify
from sardonyx.compiler.control import NativeLoop
from sardonyx.compiler.jumps import Jumps
from sardonyx.compiler.records import Records, names_of, traffic
from sardonyx.compiler.storages import Constants, Storages, sizes_in
from sardonyx.compiler.views import Views
from sardonyx.errors import ShapeError
from sardonyx.fuse.partition import partition
from sardonyx.ir.graph import Graph
from sardonyx.ir.group import Fusion
from sardonyx.ir.obligation import Obligation
from sardonyx.ir.place import Place, Storage
from sardonyx.ir.value import Value, const, placeholder
from sardonyx.kernels.call import Address, Entry, NativeCall
from sardonyx.kernels.families import NATIVE
from sardonyx.targets import backend
from tests.unit.passes.graphs import GOAL, parse

N = dims.symbol("N")


def doubled() -> tuple[Value, Fusion]:
    x = placeholder("x", dt.F32, (N, 3))
    return x, partition(Graph((x,), (("y", x + x),)), NATIVE)


def arena(size: dims.Dim = 8) -> Storage:
    return Storage("arena", dt.F32, size)


def reads(*storages: Storage, into: Storage, work: dims.Dim = 1) -> NativeCall:
    return NativeCall("k", tuple(Address(s) for s in (*storages, into)), storages, (into,), work=work)


def records() -> Records:
    return Records(0, ["N"], Storages(doubled()[1], Constants()))


def test_storages_are_numbered_when_first_mentioned_and_constants_kept_once() -> None:
    constants = Constants()
    storages = Storages(doubled()[1], constants)
    value = const(np.arange(3, dtype=np.float32))
    a, b = Storage("const", dt.F32, 3, 0, value), Storage("packed", dt.F32, 3, 0, value)
    assert [storages.number(s) for s in (arena(), a, b, a)] == [0, 1, 2, 1]
    assert [spec.kind for spec in storages.specs()] == ["arena", "const", "const"]
    assert len(constants.arrays) == 1 and sizes_in(value) == frozenset()
    sizes = const(np.array([N, 2], dtype=object), dt.I64)
    assert sizes_in(sizes) == {"N"}
    storages.number(Storage("const", dt.I64, 2, 0, sizes))
    assert storages.specs()[-1].kind == "sizes"


def test_outputs_know_their_shape() -> None:
    _, fusion = doubled()
    (place,) = fusion.outputs
    assert place is not None
    assert Storages(fusion, Constants()).shape(place.storage) == (N, 3)
    assert Storages(fusion, Constants()).shape(arena()) == ()


def test_threads_meet_between_calls_that_need_each_other() -> None:
    made, a, b, c = records(), arena(), arena(N), arena()
    made.call(reads(a, into=b, work=N))
    made.call(reads(a, into=c))
    assert made.flags == [0, 0] and made.phase == 0
    made.call(reads(b, into=a))
    assert made.flags == [0, BARRIER_AFTER, 0] and made.phase == 1
    segment = made.segment((), None)
    values = load(segment.code)(5)
    assert values[segment.work] == 5 + 2
    first, second, _ = (made.storages[n] for n in range(3))
    assert (first.first, first.last, second.first, second.last) == (0, 1, 0, 1)


def test_words_are_storages_sizes_functions_and_numbers() -> None:
    made, a = records(), arena()
    made.add("k", (), (Address(a, 2), Address(a, N), N + 1, 7, Entry("f")))
    segment = made.segment((), None)
    slots = load(segment.code)(4)
    assert segment.words[:, 0].tolist() == [0, -1, 4, 8]
    assert [slots[segment.words[1, n]] for n in (1, 2)] == [4, 5]
    assert segment.words[3].tolist()[3:] == [7, 0] and segment.entries == ((4, "f"),)
    made.add("k", (), (1 << 70,))
    with pytest.raises(ShapeError, match="too large for any memory"):
        made.segment((), None)


def test_calls_know_what_they_compute_and_move() -> None:
    made, a, b = records(), arena(N), arena(8)
    whole = NativeCall("k", (), (a,), (b,), flops=2 * N)
    assert (traffic(whole), traffic(replace(whole, touched=(3, 100)))) == (
        4 * N + 32,
        dims.minimum(3, N) * 4 + 32,
    )
    made.add("sdx_require", (), ())
    made.call(whole)
    costs = made.segment((), None).costs
    values = load(costs.code)(5)
    assert costs.names == ("N",)
    assert [(values[flops], values[size]) for flops, size in costs.slots] == [(0, 0), (10, 52)]


def test_a_call_needs_the_sizes_of_its_words_and_of_what_it_writes() -> None:
    m, k = dims.symbol("M"), dims.symbol("K")
    call = NativeCall("k", (Address(arena(), m),), (), (arena(k),), work=N)
    assert names_of(call, records().storages) == {"N", "M", "K"}


def test_jumps_skip_and_go_back_by_records() -> None:
    made = records()
    jumps, test = Jumps(made), Place(Storage("arena", dt.BOOL, 1), 0, ())
    skip = jumps.forward((), test)
    head = len(made.functions)
    made.call(reads(into=arena()))
    jumps.back((), test, head)
    jumps.land(skip)
    jumps.join(skip)
    segment = made.segment((), None)
    assert segment.flags == (JUMP | BARRIER_AFTER, 0, JUMP | BARRIER_AFTER)
    assert segment.repeats
    assert segment.words[3, 1] == 2 and segment.words[3, -1] == -2
    assert made.costs == [(0, 0)] * 3, "how often a call is repeated is not known"


def test_what_does_little_is_left_to_one_thread_and_its_work_still_counts() -> None:
    made = records()
    with Jumps(made).alone(), Jumps(made).alone():
        made.call(reads(into=arena(), work=N))
    assert made.functions == ["sdx_alone", "sdx_barrier", "k", "sdx_together"]
    assert made.flags[1] == JUMP | IDLE
    assert made.work == N


def test_guarded_sizes_refuse_a_run_only_where_it_comes_by() -> None:
    made = records()
    with Jumps(made).guarded([Obligation(N - 2, False, "N is below 2")]):
        made.call(reads(into=arena(N), work=N))
    segment = made.segment((), None)
    assert segment.functions == ("sdx_require", "k") and segment.refusals == ((0, ("N is below 2",)),)
    state = segment.words[1, 0]
    assert (load(segment.code)(1)[state], load(segment.code)(2)[state]) == (2, 0)
    assert load(segment.code)(1)[segment.work] == 0


def test_a_size_that_is_content_begins_a_segment() -> None:
    graph = parse("g (float[N] x) => (float[1,M] y) { i = NonZero(x) y = Cast<to = 1>(i) }")
    fusion = partition(graph, NATIVE)
    assembler = Assembler(fusion, ["N"])
    (name,) = graph.data_sizes
    assembler.computed(graph.data_sizes[name].value)
    assembler.need([name])
    assembler.close()
    first, second = assembler.segments
    assert [row[2] for row in first.after] == [name] and second.after == ()


def test_a_program_knows_its_storages_and_where_its_results_are() -> None:
    _, fusion = doubled()
    assembler = Assembler(fusion, ["N"])
    (result,) = assembler.results()
    assembler.close()
    assert [(spec.kind, spec.number) for spec in assembler.specs()] == [("output", 0)]
    assert (result.storage, result.dtype, result.host) == (0, "f32", -1)


def test_results_of_python_are_seen_by_number() -> None:
    graph = parse("g (string[N] s) => (string[N] y) { y = StringConcat(s, s) }")
    fusion = partition(graph, NATIVE)
    storages = Storages(fusion, Constants())
    views, made = Views(fusion, storages), Records(0, ["N"], storages)
    step = views.step(fusion.groups[0].root, lambda args, sizes: args[0], fusion.groups[0].root.args, made)
    assert step.into == (0,) and not step.many
    (view,) = views.outputs(made)
    assert view.host == 0


def test_a_loop_keeps_its_state_in_place() -> None:
    body = "(int64 i, bool c, float[4] v) => (bool d, float[4] w) { d = Identity(c) w = Exp(v) }"
    graph = parse(f"g (float[4] x, int64 n) => (float[4] y) {{ y = Loop<body = b {body}>(n, , x) }}")
    native = backend(GOAL)
    fusion = partition(simplify(graph, native, Trace.off()), native.native)
    (loop,) = (g.root for g in fusion.groups if g.root.prim == "native_loop")
    assembler = Assembler(fusion, [])
    NativeLoop(assembler, fusion, loop, native.native).add(lambda inner: None)
    assembler.close()
    assert assembler.segments[0].functions.count("sdx_iterate") == 2
    assert assembler.segments[0].repeats
