"""Each status code of onnxruntime has one exception, found under the path of the original."""

from __future__ import annotations

import pickle

import pytest

from sardonyx.ort import exceptions


def test_codes_count_from_one() -> None:
    assert [code for _, code, _ in exceptions.STATUS] == list(range(1, len(exceptions.STATUS) + 1))


@pytest.mark.parametrize("row", exceptions.STATUS, ids=lambda row: row[2])
def test_an_exception_says_its_code_and_travels(row: tuple[type[Exception], int, str]) -> None:
    cls, code, name = row
    error = exceptions.status(cls, "what was wrong")
    assert type(error) is cls
    assert str(error) == f"[ONNXRuntimeError] : {code} : {name} : what was wrong"
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (cls, str(error))
    assert cls.__module__ == "sardonyx.capi.onnxruntime_pybind11_state"
    assert name.replace("_", "").lower() == cls.__name__.lower()
