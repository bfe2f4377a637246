"""Texts that are only compared with known ones become numbers."""

from __future__ import annotations

import numpy as np
import onnx

from sardonyx.base import dtype as dt
from sardonyx.frontend import load
from sardonyx.ir.graph import Graph
from sardonyx.passes.texts import texts
from tests.unit.passes.graphs import GOAL, check, prims

HEAD = '<ir_version: 10, opset_import: ["" : 20, "ai.onnx.ml" : 4]>\n'
WORDS = np.array([["red", "cat"], ["blue", "dog"], ["green", "cat"]], dtype=object)


def parse(body: str) -> Graph:
    return load(onnx.parser.parse_model(HEAD + body)).graph


def test_comparisons_of_columns_share_one_step() -> None:
    graph = parse("""
        g (string[N,2] x) => (float[N,A,B] y, float[N,C,D] z) <int64[1] i = {0}, int64[1] j = {1}> {
            c = Gather<axis=1>(x, i)  d = Gather<axis=1>(x, j)
            y = ai.onnx.ml.OneHotEncoder<cats_strings = ["red", "blue"]>(c)
            z = ai.onnx.ml.OneHotEncoder<cats_strings = ["dog", "cat"]>(d)
        }""")
    changed = check(texts, graph, WORDS)
    assert prims(changed).count("text_numbers") == 1
    assert [v for v in changed.order() if v.dtype is dt.STRING] == list(changed.inputs)


def test_look_ups_become_tables() -> None:
    graph = parse("""
        g (string[N,2] x) => (int64[N,2] y) {
            y = ai.onnx.ml.LabelEncoder<keys_strings = ["cat", "red", "cat"], values_int64s = [7, 8, 9],
                default_int64 = -5>(x)
        }""")
    changed = check(texts, graph, WORDS)
    assert "lookup" not in prims(changed)
    assert prims(changed)[-1] == "gather"


def test_mixed_texts_become_numbers_before_they_are_mixed() -> None:
    graph = parse("""
        g (string[N,1] x, string[N,1] z) => (int64[N,3] y, bool[N,3] w)
            <string e = {"dog"}, string[1] f = {"blue"}> {
            a = Equal(x, e)  b = Where(a, f, x)  c = Concat<axis = 1>(b, z, b)
            y = ai.onnx.ml.LabelEncoder<keys_strings = ["cat", "blue"], values_int64s = [7, 8]>(c)
            w = Equal(c, f)
        }""")
    changed = check(texts, graph, WORDS[:, :1], WORDS[:, 1:])
    assert prims(changed).count("text_numbers") == 2
    assert [v for v in changed.order() if v.dtype is dt.STRING] == list(changed.inputs)


def test_tensors_that_share_texts_have_one_numbering() -> None:
    graph = parse("""
        g (string[N,1] x, string[N,1] z) => (bool[N,2] y, bool[N,2] v)
            <string e = {"cat"}, string f = {"dog"}> {
            a = Concat<axis = 1>(x, x)  b = Concat<axis = 1>(z, x)  y = Equal(a, e)  v = Equal(b, f) }""")
    changed = check(texts, graph, WORDS[:, :1], WORDS[:, 1:])
    assert prims(changed).count("text_numbers") == 2


def test_known_texts_that_are_picked_become_numbers() -> None:
    graph = parse("""
        g (int64[N] i) => (bool[N] y) <string[3] k = {"cat", "pig", "cat"}, string e = {"cat"}> {
            a = Gather(k, i)  y = Equal(a, e) }""")
    changed = check(texts, graph, np.array([2, 1, 0]))
    assert not any(v.dtype is dt.STRING for v in changed.order())


def test_texts_that_leave_the_graph_or_become_other_texts_stay() -> None:
    for body in (
        "g (string[N] x) => (string[N] y) { y = Identity(x) }",
        "g (string[N] x, string[N] z) => (bool[N] y) { y = Equal(x, z) }",
        'g (string[N] x) => (string[N] y) { y = ai.onnx.ml.LabelEncoder<keys_strings = ["a"], '
        'values_strings = ["b"], default_string = "c">(x) }',
        "g (string[N] x) => (float[N] y) { y = Cast<to = 1>(x) }",
        """g (string[N] x, string[N] z) => (bool[M] y, string[N] v) <string e = {"cat"}> {
            a = Concat<axis = 0>(x, z) y = Equal(a, e) v = Identity(x) }""",
        """g (string[N] x, string[N] z) => (bool[M] y, bool[N] v) <string e = {"cat"}> {
            a = Concat<axis = 0>(x, z) y = Equal(a, e) v = Equal(x, z) }""",
    ):
        graph = parse(body)
        assert texts(graph, GOAL) is graph


def test_graphs_without_texts_stay() -> None:
    graph = parse("g (float[N] x) => (float[N] y) { y = Relu(x) }")
    assert texts(graph, GOAL) is graph
