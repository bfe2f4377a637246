"""Declared types are read as users see them; equal names of sizes, where they are names, mean equal sizes."""

from __future__ import annotations

from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.signature import ModelMeta
from sardonyx.errors import LoadError
from sardonyx.frontend import types

F = TensorProto.FLOAT


def value(*shape: Any, name: str = "x", kind: int = F) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, list(shape))


@pytest.mark.parametrize(
    ("proto", "text", "element"),
    [
        (helper.make_tensor_type_proto(F, [1]), "tensor(float)", dt.F32),
        (helper.make_sparse_tensor_type_proto(F, [1]), "sparse_tensor(float)", dt.F32),
        (
            helper.make_sequence_type_proto(helper.make_tensor_type_proto(7, None)),
            "seq(tensor(int64))",
            dt.OBJECT,
        ),
        (
            helper.make_optional_type_proto(helper.make_tensor_type_proto(9, None)),
            "optional(tensor(bool))",
            dt.OBJECT,
        ),
        (
            helper.make_map_type_proto(8, helper.make_tensor_type_proto(F, None)),
            "map(string,tensor(float))",
            dt.OBJECT,
        ),
        (onnx.TypeProto(), "", None),
    ],
)
def test_types(proto: onnx.TypeProto, text: str, element: Any) -> None:
    assert types.type_string(proto) == text
    assert types.element_type(proto) is element


def test_infos_show_what_is_declared() -> None:
    info = types.info(value(2, "N", None, -1))
    assert (info.name, info.type, info.shape) == ("x", "tensor(float)", (2, "N", None, None))
    optional = helper.make_optional_type_proto(helper.make_tensor_type_proto(F, [2, "N"]))
    assert types.info(helper.make_value_info("x", optional)).shape == (2, "N")
    rankless = helper.make_tensor_value_info("x", F, None)
    assert types.info(rankless).shape is None
    with pytest.raises(LoadError, match='"x": the element type 99 is unknown'):
        types.info(value(kind=99))


def sizes(
    *shape: Any, fixed: dict[str, int] | None = None, several: tuple[str, ...] = (), **more: Any
) -> Any:
    return types.sizes(value(*shape), lambda name, _: (fixed or {}).get(name), several, **more)


def test_sizes_are_numbers_or_symbols() -> None:
    assert sizes(2, "N", "N", None) == (2, dims.symbol("N"), dims.symbol("N"), dims.symbol("x[3]"))
    assert sizes("N", None, fixed={"N": 5, "x[1]": 7}) == (5, 7)
    assert [dims.lower_bound(s) for s in sizes("N", "M", several=("N",))] == [2, 1]
    assert dims.lower_bound(sizes("N", least=0)[0]) == 0
    assert types.sizes(helper.make_tensor_value_info("x", F, None), lambda *_: None, ()) is None


@pytest.mark.parametrize("text", ["?", "-1", "None", "unk", "a%b", ""])
def test_what_is_no_name_means_no_equal_size(text: str) -> None:
    first, second = sizes(text, text)
    assert first != second


def test_names_that_are_told_apart() -> None:
    first, second = sizes("N", "N", distinct=("N",))
    assert first != second


def test_formals_leave_names_open() -> None:
    formal = types.formal(value(2, "N"))
    assert (formal.name, formal.dtype, formal.shape) == ("x", dt.F32, (2, None))
    assert types.formal(helper.make_tensor_value_info("x", F, None)).shape is None
    assert types.formal(onnx.ValueInfoProto(name="x")).dtype is None


def test_who_made_a_model_is_told() -> None:
    proto = onnx.ModelProto(producer_name="p", domain="d", doc_string="about", model_version=3)
    proto.graph.name, proto.graph.doc_string = "g", "of the graph"
    proto.metadata_props.add(key="author", value="me")
    assert types.metadata(proto) == ModelMeta("p", "g", "d", "about", "of the graph", 3, {"author": "me"})
