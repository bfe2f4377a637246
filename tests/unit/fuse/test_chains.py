"""What is nobody else's, and lists with a chain as one group."""

from __future__ import annotations

from sardonyx.fuse.chains import Readers, joined
from sardonyx.fuse.partition import partition
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.windowed.followed import graph_of


def test_a_chain_is_one_group_in_the_place_of_its_last() -> None:
    groups = partition(graph_of(isa.V4, "strides = [2,2]", then="e = Tanh(c)")).groups
    first, *others, last = groups
    (*before, one) = joined(groups, [(first, last)], "windowed")
    assert before == others
    assert (one.root, one.kind, one.parts) == (last.root, "windowed", (first, last))


def test_an_output_is_read_by_others() -> None:
    graph = graph_of(isa.V4, "strides = [2,2]", then="e = Tanh(c)")
    fusion = partition(graph)
    readers = Readers(graph, fusion.groups, fusion.places)
    inner = [group.root for group in fusion.groups[:-1]]
    assert all(map(readers.is_private, inner))
    assert not any(readers.is_private(value) for _, value in graph.outputs)


def test_what_two_groups_compute_of_a_value_is_read_by_both() -> None:
    convs = "d = Conv<group = {group}>(t, v) u = Conv<group = {group}>(t, n)"
    twice = f"t = Tanh(c) n = Neg(v) {convs} e = Concat<axis = 2>(d, u)"
    for then, alone in ((twice, False), ("e = Conv<group = {group}>(c, v)", True)):
        graph = graph_of(isa.V4, "strides = [2,2]", then=then)
        fusion = partition(graph)
        readers = Readers(graph, fusion.groups, fusion.places)
        window = next(value for value in graph.order() if value.prim == "window")
        own = [group for group in fusion.groups if window.id in group.inlined]
        assert len(own) == 2 - alone
        assert all(readers.is_read_within(window.args[0], group) == alone for group in own)
