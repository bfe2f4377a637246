"""Nodes are grouped by the path in their names; a part that holds most of them is taken apart."""

from __future__ import annotations

import pytest

from sardonyx.base.layers import layer_of, layers_of, short


@pytest.mark.parametrize(
    ("node", "layer"),
    [
        ("/encoder/layer.0/attention/MatMul", "encoder/layer.0"),
        ("/model/norm/Add", "model"),
        ("Conv_9", ""),
        ("", ""),
        ("resnet/block2/conv1/Conv", "resnet/block2"),
    ],
)
def test_the_layer_of_one_name(node: str, layer: str) -> None:
    assert layer_of(node) == layer


def test_a_model_inside_another_one_has_layers_too() -> None:
    blocks = [f"/model.0/inner/layer.{n}/{part}/MatMul" for n in range(3) for part in "abcde"]
    found = layers_of([*blocks, "/model.0/inner/norm/Add", "/model.1/Sum"])
    assert found[blocks[0]] == "model.0/inner/layer.0"
    assert found["/model.0/inner/norm/Add"] == "model.0/inner"
    assert found["/model.1/Sum"] == "model.1"


def test_names_without_more_parts_stay_together() -> None:
    plain = [f"Conv_{n}" for n in range(40)]
    assert set(layers_of(plain).values()) == {""}
    assert set(layers_of([f"lstm/Op_{n}" for n in range(40)]).values()) == {"lstm"}
    assert layers_of([]) == {}


def test_a_small_model_is_not_taken_apart() -> None:
    assert set(layers_of([f"/net.0/layer.{n}/Add" for n in range(12)]).values()) == {"net.0"}
    assert len(set(layers_of([f"/net.0/layer.{n}/Add" for n in range(13)]).values())) == 13


def test_short_names_are_what_stands_behind_the_layer() -> None:
    assert short("/a/b.0/c/Add", "a/b.0") == "c/Add"
    assert short("/a/b.01/Add", "a/b.0") == "a/b.01/Add"
    assert short("/Add", "") == "/Add"
