"""What a model shows of itself: copies that a caller may change, and texts that say everything."""

from __future__ import annotations

import pickle

from sardonyx.base.signature import ModelMeta, TensorInfo
from sardonyx.ort.metadata import ModelMetadata, NodeArg, declared


def test_a_node_arg() -> None:
    arg = NodeArg(TensorInfo("x", "tensor(float)", (1, "N", None)))
    assert str(arg) == "NodeArg(name='x', type='tensor(float)', shape=[1, 'N', None])" == repr(arg)
    arg.shape.append(3)
    assert arg.shape == [1, "N", None]
    assert str(pickle.loads(pickle.dumps(arg))) == str(arg)
    assert NodeArg(TensorInfo("s", "seq(tensor(int64))", None)).shape == []


def test_what_is_declared_says_where_there_is_no_shape() -> None:
    info = TensorInfo("x", "tensor(float)", None)
    assert NodeArg(info).shape == []
    assert declared(NodeArg(info)) is info


def test_metadata_is_a_copy_of_the_models() -> None:
    meta = ModelMeta("maker", "g", "d", "text", "of the graph", 7, {"k": "v"})
    shown = ModelMetadata(meta)
    expected = ("maker", "g", "d", "text", "of the graph", 7)
    names = ("producer_name", "graph_name", "domain", "description", "graph_description", "version")
    assert tuple(getattr(shown, name) for name in names) == expected
    shown.custom_metadata_map["k"] = "mine"
    assert meta.custom_metadata_map["k"] == "v"
    assert "version=7" in repr(shown)
    assert (ModelMetadata().version, ModelMetadata().custom_metadata_map) == (0, {})
