"""Inputs of networks are stated, sampled or drawn; free axes get several sizes, fixed ones keep theirs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sardonyx.convert.framework import Array, ConvertError, Feeds, Request
from sardonyx.convert.frameworks.networks.tensors import (
    Tensor,
    answer_names,
    asked,
    at_least_two,
    beside,
    cases_of,
    chosen,
    drawn,
    free_axes,
    names_of,
    other_sizes,
    output_names,
    place,
    refuse_missing,
    refuse_several,
    refuse_uncallable,
    renamed,
    rounded,
    sampled,
    stated,
)


def request(**more: Any) -> Request:
    return Request(**more)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x=1,3,224,224", Tensor("x", (1, 3, 224, 224))),
        ("ids=1x16:int64", Tensor("ids", (1, 16), "int64")),
        ("2, 3", Tensor("0", (2, 3))),
        ("s=", Tensor("s", ())),
        (" a.b = 4 : uint8", None),
        ("x=1,-3", None),
        ("x=1:odd", None),
    ],
)
def test_stated_inputs(text: str, expected: Tensor | None) -> None:
    given = request(options={"inputs": [text]})
    if expected is None:
        with pytest.raises(ConvertError, match="the input"):
            stated(given)
    else:
        assert stated(given) == [expected]


def test_nameless_ones_take_the_names_in_order() -> None:
    assert [t.name for t in renamed([Tensor("0", ()), Tensor("b", ()), Tensor("2", ())], ["p", "q"])] == [
        "p",
        "b",
        "2",
    ]


def test_samples() -> None:
    a, b = np.zeros(2), np.ones(3)
    assert list(sampled({"q": b, "p": a}, ["p", "q", "r"])) == ["p", "q"]
    assert sampled({"arr_0": a, "arr_1": b}, ["p", "q"])["q"] is not None
    with pytest.raises(ConvertError, match="2 inputs, the model 1: p"):
        sampled({"0": a, "1": b}, ["p"])
    with pytest.raises(ConvertError, match="'odd', which is not an input"):
        sampled({"odd": a}, ["p"])


def test_content_is_drawn_in_its_type() -> None:
    feeds = drawn(
        [
            Tensor("f", (2, None)),
            Tensor("i", (50,), "int64", 3),
            Tensor("b", (2,), "bool"),
            Tensor("u", (9,), "uint8"),
        ]
    )
    assert (feeds["f"].shape, feeds["f"].dtype) == ((2, 1), np.float32)
    assert set(feeds["i"].tolist()) == {0, 1, 2}
    assert feeds["b"].all()
    assert feeds["u"].max() > 3


def test_one_row_becomes_two() -> None:
    one = {"x": np.ones((1, 2)), "n": np.array(3)}
    found = at_least_two(one)
    assert (found["x"].shape, found["n"].shape) == ((2, 2), ())
    more = {"x": np.ones((1, 2)), "y": np.ones((3, 2))}
    assert at_least_two(more) is more


def test_other_sizes_along_free_axes() -> None:
    feeds = {"x": np.arange(8).reshape(2, 4), "fixed": np.zeros((5, 5))}
    axes = free_axes({"x": feeds["x"]}, ["batch", "length"])
    assert axes == {"x": {0: "batch", 1: "length"}}
    assert free_axes(feeds, ["_", "n"]) == {"x": {1: "n"}, "fixed": {1: "n"}}
    same, one, longer = other_sizes(feeds, axes, drawn=True)
    assert same is feeds
    assert (one["x"].shape, longer["x"].shape) == ((1, 4), (3, 8))
    assert one["fixed"].shape == longer["fixed"].shape == (5, 5)
    assert len(other_sizes(feeds, axes, drawn=False)) == 2
    assert other_sizes(feeds, {"x": {}}, drawn=True) == [feeds]
    _, wider = other_sizes(feeds, {"x": {1: "n"}}, drawn=True)
    assert (wider["x"].shape, wider["fixed"].shape) == ((2, 8), (5, 5)), "a free length is tried too"


@pytest.mark.parametrize(
    ("refused", "drawn", "said"),
    [
        (2, True, r"inputs drawn at random \(x \[2, 4\]\): ValueError: no such size; give sample="),
        (2, False, r"the sample \(x \[2, 4\]\): ValueError: no such size; give inputs that it takes"),
        (1, True, r"other sizes of its free axes \(x \[1, 4\]\): .*; keep an axis fixed with _, as dynamic="),
    ],
)
def test_a_model_that_fails_itself_is_told_with_what_to_do(refused: int, drawn: bool, said: str) -> None:
    def call(feeds: Feeds) -> list[Array]:
        if len(feeds["x"]) == refused:
            raise ValueError("no\n such  size")
        return [feeds["x"]]

    parts = [{"x": np.zeros((rows, 4))} for rows in (2, 1)]
    with pytest.raises(ConvertError, match=said):
        asked(parts, call, drawn=drawn)
    assert [len(case.answers[0]) for case in asked(parts, lambda feeds: [feeds["x"]], drawn=drawn)] == [2, 1]


@pytest.mark.parametrize(
    "part", [{"w": 1}, [np.ones(2), np.ones(2)], (np.ones(2),), "text", None, [[1], [1, 2]]]
)
def test_examples_are_arrays_of_numbers(part: Any) -> None:
    with pytest.raises(ConvertError, match=f"example input w is a {type(part).__name__}, and ONNX takes"):
        beside(["x", "w"], [1, part])


def test_examples_by_name() -> None:
    found = beside(["x", "y", "z"], [np.ones(2, np.float32), [1, 2]])
    assert {name: (part.shape, part.dtype.name) for name, part in found.items()} == {
        "x": ((2,), "float32"),
        "y": ((2,), "int64"),
    }


def test_example_inputs_that_are_not_taken_are_refused() -> None:
    with pytest.raises(
        ConvertError, match=r"of the example inputs 3 are not among .*: 2 inputs \(x, y\); give"
    ):
        beside(["x", "y"], [1, 2, 3])
    with pytest.raises(
        ConvertError, match=r"of the example inputs 'z' is not among .*: 1 inputs \(x\); give"
    ):
        beside(["x"], {"z": 1})
    with pytest.raises(ConvertError, match=r"1 are not among what the model takes: 0 inputs; give"):
        beside([], [1])
    assert beside(["x", "y"], {"y": 1}) == {"y": 1}


def test_names_of_inputs() -> None:
    assert names_of(lambda x, y=1, *, z: None, 1) == ["x", "y"]
    assert names_of(lambda x, *parts: None, 3) == ["x", "x1", "x2"]
    assert names_of(3, 2) == ["x0", "x1"]


def test_names_of_outputs() -> None:
    assert output_names([()]) == ("output",)
    assert output_names([(0,), (1, 0)]) == ("output_0", "output_1")
    assert output_names([("scores",), ("past", 0), ("past", 1)]) == ("scores", "past_0", "past_1")
    assert output_names([("a", 1), ("a_1",)]) == ("output_0", "output_1")
    assert answer_names({"b": 1, "a": 2}) == ("b", "a")
    assert answer_names([1, 2]) == ("output_0", "output_1") and answer_names(1) == ("output",)
    steps = SimpleNamespace(key="k"), SimpleNamespace(idx=2), SimpleNamespace(name="n")
    assert place(steps) == ("k", 2, "n")


def test_only_what_takes_inputs_is_a_network() -> None:
    refuse_uncallable("JAX", lambda x: x)
    refuse_uncallable("JAX", lambda *parts: parts)
    refuse_uncallable("JAX", dict)
    with pytest.raises(ConvertError, match="class float is no function or module of JAX"):
        refuse_uncallable("JAX", 1.0)
    with pytest.raises(ConvertError, match="<lambda> of JAX takes no input"):
        refuse_uncallable("JAX", lambda: 1)
    with pytest.raises(
        ConvertError, match=r"^its inputs are not known; give sample=... or options={'inputs': \['x=1,2"
    ):
        chosen(Request(), [], {}, example="1,2")


def test_a_folder_of_several_networks_is_refused() -> None:
    refuse_several(Path("nets"), [Path("nets/a.json")])
    with pytest.raises(ConvertError, match=r"nets holds 2 networks, a\.json, b\.json; give one of the files"):
        refuse_several(Path("nets"), [Path("nets/a.json"), Path("nets/b.json")])


def test_an_axis_can_be_kept_fixed() -> None:
    cases, axes, _ = cases_of([Tensor("x", (None, 3, None))], request(dynamic=("_", "_", "length")))
    assert axes == {"x": {2: "length"}}
    assert [case["x"].shape for case in cases] == [(1, 3, 32), (1, 3, 32), (1, 3, 48)]
    sized = request(dynamic=("rows", "_", "_"), options={"inputs": ["x=5,3,7"]})
    assert [case["x"].shape for case in cases_of([Tensor("x", (None, 3, None))], sized)[0]] == [
        (2, 3, 7),
        (1, 3, 7),
        (3, 3, 7),
    ]


def test_cases() -> None:
    specs = [Tensor("x", (None, 3, None)), Tensor("n", (2,), "int64")]
    cases, axes, were_drawn = cases_of(specs, request())
    assert were_drawn
    assert [case["x"].shape for case in cases] == [(2, 3, 32), (1, 3, 32), (3, 3, 48)]
    assert {case["n"].shape for case in cases} == {(2,)}
    assert axes == {"x": {0: "batch", 2: "x_2"}, "n": {}}
    known, _, _ = cases_of(specs, request(options={"inputs": ["x=1,3,7"]}))
    assert [case["x"].shape for case in known] == [(2, 3, 7), (1, 3, 7), (3, 3, 7)]
    sample = {"x": np.ones((2, 3, 4)), "n": np.zeros(2)}
    cases, _, were_drawn = cases_of(specs, request(sample=sample))
    assert not were_drawn
    assert [case["x"].shape for case in cases] == [(2, 3, 4), (1, 3, 4)]
    assert cases[0]["n"].dtype == np.int64


def test_a_sample_is_chosen_first_then_what_came_with_the_model_then_stated_shapes() -> None:
    array, other = np.ones((2, 3), np.float32), np.zeros((4,), np.float32)
    asked = Request(sample={"x": array}, options={"inputs": ["1,5"]})
    assert chosen(asked, ["x"], {"x": other}) == ({"x": array}, False)
    beside, drawn = chosen(Request(options={"inputs": ["1,5"]}), ["x"], {"x": other})
    assert beside["x"] is other and not drawn
    feeds, drawn = chosen(Request(options={"inputs": ["1,5"]}), ["x"], {})
    assert {name: part.shape for name, part in feeds.items()} == {"x": (1, 5)} and drawn
    how = r"its inputs \(x, y\) are not known; give sample=... or options={'inputs': \['x=1,2'\]}, or sing"
    with pytest.raises(ConvertError, match=how):
        chosen(Request(), ["x", "y"], {}, example="1,2", otherwise=", or sing")


def test_texts_are_refused_by_name() -> None:
    with pytest.raises(ConvertError, match="the input words is of type string, which no ONNX network takes"):
        drawn([Tensor("words", (2,), "string")])


BIG = (1 << 24) + 1


@pytest.mark.parametrize(
    ("dtype", "numbers", "said"),
    [
        ("float32", np.array([1, BIG]), "16777217 becomes 16777216 in float32"),
        ("float32", np.array([[0.1, BIG]]), "16777217 becomes 16777216 in float32"),
        ("float32", np.array([0.1, BIG - 1, np.nan, np.inf]), ""),
        ("float64", np.array([BIG]), ""),
        ("float32", np.array([2**53 + 1]), "9007199254740993 becomes 9007199254740992 in float32"),
        ("float64", np.array([2**53 + 1]), "9007199254740993 becomes 9007199254740992 in float64"),
        ("float16", np.array([0.1, 2049], np.float32), "2049 becomes 2048 in float16"),
        ("float16", np.array([70000]), "70000 becomes inf in float16"),
        ("float16", np.array([0.1, 2048], np.float32), ""),
        ("int32", np.array([3, 1 << 32]), "4294967296 becomes 0 in int32"),
        ("int64", np.array([2.0, 2.5]), "2.5 becomes 2 in int64"),
        ("int64", np.array([2.0, 1e6]), ""),
        ("bool", np.array([3]), ""),
        ("str", np.array(["a"], object), ""),
    ],
)
def test_numbers_of_a_sample_that_a_type_changes(dtype: str, numbers: Array, said: str) -> None:
    specs = [Tensor("x", (None,), dtype), Tensor("absent", (None,))]
    assert rounded(specs, request(sample={"x": numbers})) == ((f"x of the sample: {said}",) if said else ())
    assert rounded(specs, request()) == ()


def test_too_few_example_inputs_are_named() -> None:
    def network(x: Any, mask: Any, *rest: Any, scale: Any = 1, **others: Any) -> Any:
        return x

    one = np.ones(1)
    refuse_missing(network, {"x": one, "mask": one})
    refuse_missing(network, {"a": one, "b": one})  # in order, under names that the user stated
    refuse_missing(max, {})  # it has no signature
    with pytest.raises(
        ConvertError, match=r"no example of mask: the model takes 3 inputs \(x, mask, scale\)"
    ):
        refuse_missing(network, {"x": one})
    with pytest.raises(ConvertError, match="no example of x and mask"):
        refuse_missing(network, {})
