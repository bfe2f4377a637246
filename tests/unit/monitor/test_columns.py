"""A request is a row for each row of its batch, a column for each tensor; what must not be kept is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.monitor.capture import Capture, Collection
from sardonyx.monitor.columns import SUMMARY, tables_of
from sardonyx.protocol.errors import Code
from tests.monitor.records import record


def columns(*requests: dict[str, Any], **collection: Any) -> dict[str, list[Any]]:
    """The one table of requests with these inputs and an output `y`."""
    made = Collection(**collection)
    capture = Capture({"*": made})
    for inputs in requests:
        rows = len(next(iter(inputs.values())))
        capture.observe(record(inputs, {"y": np.zeros((rows, 1), np.float32)}, id="r"))
    (table,) = tables_of(capture.take(), made)
    return table.to_pydict()


def test_rows_of_a_batch() -> None:
    found = columns({"x": np.float32([[1, 2], [3, 4]]), "n": np.array([5, 6])})
    assert (found["row"], found["id"], found["status"]) == ([0, 1], ["r", "r"], ["ok", "ok"])
    assert found["in.x"] == [[1, 2], [3, 4]]
    assert (found["in.n"], found["out.y"]) == ([5, 6], [0, 0])


def test_a_request_may_be_one_row() -> None:
    assert columns({"x": np.float32([[1, 2], [3, 4]])}, rows="never")["in.x"] == [[1, 2, 3, 4]]
    made = columns({"x": np.zeros((2, 1), np.float32), "z": np.zeros((3, 1), np.float32)})
    assert (made["row"], len(made["in.z"][0])) == ([0], 3), "tensors do not agree"


def test_columns_that_a_request_lacks_are_null() -> None:
    found = columns({"a": np.array([1])}, {"b": np.array([2])})
    assert (found["in.a"], found["in.b"]) == ([1, None], [None, 2])


def test_types_that_contradict_each_other_are_tables_apart() -> None:
    capture = Capture()
    for data in (np.array([1]), np.array([["a", "b"]], object), np.array([2])):
        capture.observe(record({"x": data}))
    tables = tables_of(capture.take(), Collection())
    assert sorted(len(table) for table in tables) == [1, 2]


def test_texts_are_cut_and_cleaned() -> None:
    found = columns({"t": np.array([b"write to a@b.example", "x" * 5000], object)}, patterns=("email",))
    assert "a@b.example" not in found["in.t"][0]
    assert len(found["in.t"][1]) == 4096


@pytest.mark.parametrize("name", ["x", "in.x"])
def test_what_must_not_be_kept(name: str) -> None:
    values = np.float32([[1, 2], [1, 2], [3, 4]])
    assert "in.x" not in columns({"x": values}, redact={name: "drop"})
    first, second, third = columns({"x": values}, redact={name: "hash"})["in.x"]
    assert first == second != third
    texts = columns({"x": np.array(["secret", "secret"], object)}, redact={name: "hash"})["in.x"]
    assert texts[0] == texts[1] != "secret"


def test_names_of_callers() -> None:
    inputs = {"x": np.array([1])}
    assert columns(inputs)["principal"] == ["anonymous"]
    assert columns(inputs, redact={"principal": "drop"})["principal"] == [None]
    assert columns(inputs, redact={"principal": "hash"})["principal"] not in (["anonymous"], [None])


def test_large_values_are_kept_as_their_summary() -> None:
    found = columns({"x": np.ones((2, 5), np.float32)}, max_elements=4)
    assert "in.x" not in found
    assert found[f"in.x{SUMMARY}"][0][:2] == [1, 0]


def test_failures_are_rows_too() -> None:
    capture = Capture()
    capture.observe(record({"x": np.array([1])}, code=Code.QUOTA))
    (table,) = tables_of(capture.take(), Collection())
    found = table.to_pydict()
    assert (found["status"], found["message"]) == (["quota"], ["refused"])
    assert not any(name.startswith("out.") for name in found)
