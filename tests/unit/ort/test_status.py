"""Errors of the engine come out as the exceptions that callers of onnxruntime expect, in its words."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from sardonyx.errors import CompileError, LoadError, RunError, SardonyxError, ShapeError, UnsupportedOp
from sardonyx.ort import exceptions as api
from sardonyx.ort.status import exception_class, load_status, run_status


def after(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (LoadError("", kind="protobuf"), api.InvalidProtobuf),
        (LoadError("", kind="graph"), api.InvalidGraph),
        (LoadError("", kind="what nobody knows"), api.Fail),
        (UnsupportedOp(""), api.NotImplemented),
        (UnsupportedOp("", kind="unknown"), api.InvalidGraph),
        (ShapeError(""), api.Fail),
        (CompileError(""), api.RuntimeException),
        (RunError("", kind="bounds"), api.InvalidArgument),
        (RunError("", kind="memory"), api.RuntimeException),
        (SardonyxError(""), api.Fail),
    ],
)
def test_class_and_kind_decide(error: SardonyxError, expected: type[Exception]) -> None:
    assert exception_class(error) is expected


def test_the_kind_may_be_that_of_a_cause() -> None:
    outer = RunError("node n")
    outer.__cause__ = RunError("index 7", kind="bounds")
    assert exception_class(outer) is api.InvalidArgument


def test_a_missing_model_is_no_such_file_but_a_missing_weight_file_is_not() -> None:
    missing = FileNotFoundError(2, "No such file", "m.onnx")
    assert type(load_status(after(LoadError("no file"), missing), "m.onnx")) is api.NoSuchFile
    assert type(load_status(after(LoadError("no file"), missing), "other.onnx")) is api.Fail
    assert type(load_status(IsADirectoryError(21, "is one"), "m")) is api.InvalidProtobuf
    denied = load_status(PermissionError(13, "denied"), "m.onnx")
    assert type(denied) is api.Fail
    assert "Load model from m.onnx failed:" in str(denied)
    assert "PermissionError" in str(denied)
    assert "Failed to load model: " in str(load_status(LoadError("bad"), None))


def test_a_failed_run_names_the_node_where_it_is_known() -> None:
    error = RunError("index 9 is out of bounds", kind="bounds")
    text = str(run_status(error))
    assert "running the model." in text
    error.op, error.node = "Gather", "g1"  # type: ignore[attr-defined]
    text = str(run_status(error))
    assert "running Gather node. Name:'g1' Status Message: index 9 is out of bounds" in text


def test_faults_of_ours_and_short_memory_are_told_apart() -> None:
    fault = run_status(KeyError("k"))
    assert type(fault) is api.RuntimeException
    assert "fault of the engine" in str(fault)
    assert "KeyError" in str(fault)
    short = run_status(MemoryError("12 GB"))
    assert "there is not enough memory: 12 GB" in str(short)
    assert re.search(r"there is not enough memory: \d+ bytes are left$", str(run_status(MemoryError())))
    assert "sizes are computed from each other in too many steps" in str(run_status(RecursionError("deep")))
    own = api.status(api.InvalidArgument, "x")
    assert run_status(own) is own


@pytest.mark.parametrize("status_of", [lambda e: load_status(e, None), run_status])
def test_a_warning_that_is_raised_is_no_fault_of_the_engine(
    status_of: Callable[[Exception], Exception],
) -> None:
    error = status_of(RuntimeWarning("nothing will be cached in /x; set SARDONYX_CACHE"))
    assert isinstance(error, api.Fail)
    assert "nothing will be cached in /x; set SARDONYX_CACHE (Python was told" in str(error)
    assert "fault" not in str(error)
