"""Sparse tensors: both modules hold and feed them alike."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

import sardonyx
from tests.api.engines import refused

SHAPE = [3, 4]
VALUES = np.array([1, 2], np.float32)
DENSE = np.array([[0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 2]], np.float32)
W = np.arange(8, dtype=np.float32).reshape(4, 2)
FORMS: dict[str, tuple[Any, ...]] = {
    "counts": ("coo", np.array([1, 11])),
    "coordinates": ("coo", np.array([[0, 1], [2, 3]])),
    "rows": ("csr", np.array([1, 3]), np.array([0, 1, 1, 2])),
}


def made(engine: ModuleType, form: str) -> Any:
    kind, *places = FORMS[form]
    make = getattr(engine.SparseTensor, f"sparse_{kind}_from_numpy")
    return make(SHAPE, VALUES, *places, engine.OrtDevice.make("cpu", 0))


def product() -> bytes:
    x = onnx.ValueInfoProto(name="x")
    x.type.sparse_tensor_type.elem_type = onnx.TensorProto.FLOAT
    for size in SHAPE:
        x.type.sparse_tensor_type.shape.dim.add().dim_value = size
    w, y = (helper.make_tensor_value_info(name, 1, shape) for name, shape in (("w", [4, 2]), ("y", [3, 2])))
    node = helper.make_node("SparseToDenseMatMul", ["x", "w"], ["y"], domain="com.microsoft")
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    graph = helper.make_graph([node], "g", [x, w], [y])
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())


@pytest.mark.parametrize("form", FORMS)
def test_what_it_tells_of_itself(engine: ModuleType, form: str) -> None:
    tensor = made(engine, form)
    assert (tensor.dense_shape(), tensor.data_type(), tensor.device_name()) == (
        SHAPE,
        "sparse_tensor(float)",
        "cpu",
    )
    np.testing.assert_array_equal(tensor.values(), VALUES)
    kind, *places = FORMS[form]
    assert tensor.format().name == {"coo": "ORT_SPARSE_COO", "csr": "ORT_SPARSE_CSRC"}[kind]
    if kind == "coo":
        np.testing.assert_array_equal(tensor.as_coo_view().indices(), places[0])
        assert refused(engine, tensor.as_csrc_view)[0] == "RuntimeError"
    else:
        view = tensor.as_csrc_view()
        np.testing.assert_array_equal(view.inner(), places[0])
        np.testing.assert_array_equal(view.outer(), places[1])
        assert refused(engine, tensor.as_coo_view)[0] == "RuntimeError"


def test_a_value_holds_one(engine: ModuleType) -> None:
    value = engine.OrtValue.ort_value_from_sparse_tensor(made(engine, "coordinates"))
    assert (value.is_sparse_tensor(), value.is_tensor(), value.has_value()) == (True, False, True)
    assert (value.data_type(), value.shape(), value.element_type()) == ("sparse_tensor(float)", SHAPE, 1)
    np.testing.assert_array_equal(value.as_sparse_tensor().values(), VALUES)
    assert refused(engine, value.numpy)[0] == "RuntimeError"
    dense = engine.OrtValue.ortvalue_from_numpy(VALUES)
    assert refused(engine, dense.as_sparse_tensor)[0] == "RuntimeError"


def test_one_is_fed(engine: ModuleType) -> None:
    session = engine.InferenceSession(product())
    (x, _) = session.get_inputs()
    assert (x.type, x.shape) == ("sparse_tensor(float)", SHAPE)
    value = engine.OrtValue.ort_value_from_sparse_tensor(made(engine, "coordinates"))
    np.testing.assert_array_equal(session.run(None, {"x": value, "w": W})[0], DENSE @ W)
    fed = {"x": value, "w": engine.OrtValue.ortvalue_from_numpy(W)}
    np.testing.assert_array_equal(session.run_with_ort_values(None, fed)[0].numpy(), DENSE @ W)


@pytest.mark.parametrize("form", FORMS)
def test_dense_and_sparse_ones_stand_for_each_other(form: str) -> None:
    tensor = made(sardonyx, form)
    np.testing.assert_array_equal(np.asarray(tensor), DENSE)
    session = sardonyx.InferenceSession(product())
    for fed in (tensor, DENSE):
        np.testing.assert_array_equal(session.run(None, {"x": fed, "w": W})[0], DENSE @ W)


WRONG: dict[str, tuple[Any, ...]] = {
    "too many": ("coo", np.array([1, 2, 3])),
    "beyond the end": ("coo", np.array([1, 12])),
    "before the beginning": ("coo", np.array([-1, 1])),
    "another column": ("coo", np.array([[0, 1], [2, 4]])),
    "another rank": ("coo", np.array([[0, 1, 1], [2, 3, 1]])),
    "rows that shrink": ("csr", np.array([1, 3]), np.array([0, 2, 1, 2])),
    "rows beyond": ("csr", np.array([1, 3]), np.array([0, 1, 1, 3])),
    "too few rows": ("csr", np.array([1, 3]), np.array([0, 1, 2])),
    "another column of a row": ("csr", np.array([1, 4]), np.array([0, 1, 1, 2])),
}


@pytest.mark.parametrize("case", WRONG)
def test_places_that_do_not_fit_are_refused(case: str) -> None:
    kind, *places = WRONG[case]
    with pytest.raises(RuntimeError, match=r"shape \[3, 4\]|places were given"):
        getattr(sardonyx.SparseTensor, f"sparse_{kind}_from_numpy")(SHAPE, VALUES, *places)
