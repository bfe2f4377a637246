"""Graphs are ordered, mapped and written flat; what they compute stays."""

from __future__ import annotations

import pickle

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.ir.data_size import collect_data_sizes, content
from sardonyx.ir.graph import Graph, flattened, rebuild, restored, symbols_of
from sardonyx.ir.obligation import Obligation
from sardonyx.ir.origin import origin
from sardonyx.ir.run import run
from sardonyx.ir.text import text
from sardonyx.ir.value import Value, concat, const, many, placeholder

N = dims.symbol("N")


def sample() -> Graph:
    """Rows repeated as often as an input says."""
    x, times = placeholder("x", dt.F32, (N, 2)), placeholder("times", dt.I64, (1,))
    with collect_data_sizes() as unknowns:
        (count,) = content(times * 2)
        y = (x.reshape((1, N, 2)).broadcast((count, N, 2)) + const(np.float32(1))).exp()
    return Graph((x, times), (("y", y), ("x", x)), unknowns, (Obligation(N - 1, False, "empty"),))


FEEDS = [np.ones((3, 2), np.float32), np.array([2])]


def test_everything_comes_after_what_it_needs() -> None:
    graph = sample()
    done: set[int] = set()
    for value in graph.order():
        assert all(need.id in done for need in graph.needs(value))
        done.add(value.id)
    assert any(value.prim == "mul" for value in graph.order()), "sizes have sources too"


def test_results_are_found_by_what_gives_them() -> None:
    x = placeholder("x", dt.F32, (4,))
    first, second = (
        many("topk", (x,), {"k": k, "axis": 0, "largest": True}, [(dt.F32, (k,)), (dt.I64, (k,))])
        for k in (1, 2)
    )
    graph = Graph((x,), (("a", first[1]), ("b", second[0]), ("c", first[0])))
    assert {of: set(found) for of, found in graph.results.items()} == {
        first[0].args[0].id: set(first),
        second[0].args[0].id: {second[0]},
    }


def test_a_pickled_graph_computes_the_same() -> None:
    graph = sample()
    for copy in (pickle.loads(pickle.dumps(graph)), restored(*flattened(graph))):
        assert text(copy) == text(graph)
        assert copy.obligations == graph.obligations
        for got, expected in zip(run(copy, FEEDS), run(graph, FEEDS), strict=True):
            assert np.array_equal(got, expected)
    assert run(graph, FEEDS)[0].shape == (4, 3, 2)


def test_uses_and_symbols() -> None:
    graph = sample()
    x = graph.inputs[0]
    assert [user.prim for user in graph.uses()[x.id]] == ["reshape"]
    assert graph.symbols() == {"N": (0, 0)}
    assert not graph.falls_back()


def test_a_map_replaces_values_and_the_sources_of_sizes() -> None:
    graph = sample()
    doubled = graph.map(lambda v, args: rebuild(v, args) if v.prim != "exp" else args[0])
    assert doubled.outputs[0][1].prim == "add"
    assert doubled.outputs[1][1] is graph.inputs[0]
    same = graph.map(rebuild)
    assert same.outputs == graph.outputs, "what does not change is the same value"


def test_what_a_value_absorbs_leaves_its_name() -> None:
    """A factor joins the product before it, and a division becomes two operations."""
    x, w = placeholder("x", dt.F32, (N, 4)), const(np.ones((4, 4), np.float32))
    with origin("product"):
        product = x.dot(w)
    with origin("factor"):
        scaled = product * 3.0
    with origin("quotient"):
        quotient = scaled / 2.0

    def change(value: Value, args: tuple[Value, ...]) -> Value:
        match value.prim:
            case "mul":
                return args[0].args[0].dot(args[0].args[1] * 3.0)
            case "div":
                return (args[0].exp() * 0.5).log()
        return rebuild(value, args)

    ((_, log),) = Graph((x,), (("y", quotient),)).map(change).outputs
    (mul,) = log.args
    exp = mul.args[0]
    (dot,) = exp.args
    assert [v.origins for v in (dot, exp, mul, log)] == [("product", "factor"), *[("quotient",)] * 3]


def test_a_product_is_named_before_what_it_absorbs() -> None:
    x, w = placeholder("x", dt.F32, (N, 4)), const(np.ones((4, 4), np.float32))
    with origin("scale"):
        scaled = x * 2.0
    with origin("product"):
        product = scaled.dot(w)

    def change(value: Value, args: tuple[Value, ...]) -> Value:
        return args[0].args[0].dot(args[1] * 2.0) if value.prim == "dot" else rebuild(value, args)

    ((_, joined),) = Graph((x,), (("y", product),)).map(change).outputs
    assert joined.origins == ("product", "scale")


def test_symbols_are_found_wherever_they_stand() -> None:
    m = dims.symbol("M")
    x = placeholder("x", dt.F32, (N, 8))
    assert symbols_of(x) == {"N"}
    assert symbols_of(x.slice((0, m), (N, 2))) == {"N", "M"}


def test_a_graph_grows_if_a_result_holds_what_was_kept_and_what_is_new() -> None:
    old, new = (placeholder(name, dt.F32, (2, dims.symbol(name))) for name in ("kept", "new"))
    both = concat([old, new], 1)
    assert Graph((old, new), (("y", both),)).grows
    assert not Graph((old, new), (("y", both.reduce("sum", (1,))), ("z", old))).grows
    twice = concat([old, placeholder("zeros", dt.F32, (2, 3))], 1)
    assert not Graph((old,), (("y", concat([twice, old], 1)),)).grows
