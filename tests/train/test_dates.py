"""The calendar inside the graph knows what pandas knows."""

from __future__ import annotations

import numpy as np
import onnx.helper
import onnx.parser
import pandas
import pytest

import sardonyx
from sardonyx.train.dates import CALENDAR, DOMAIN, PARTS, as_texts, is_iso


@pytest.fixture(scope="module")
def calendar() -> sardonyx.InferenceSession:
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Parts", ["text"], list(PARTS), domain=DOMAIN)],
        "calendar",
        [onnx.helper.make_tensor_value_info("text", onnx.TensorProto.STRING, ["batch", 1])],
        [onnx.helper.make_tensor_value_info(part, onnx.TensorProto.FLOAT, ["batch", 1]) for part in PARTS],
    )
    opsets = [onnx.helper.make_opsetid("", 21), onnx.helper.make_opsetid(DOMAIN, 1)]
    model = onnx.helper.make_model(
        graph, functions=[onnx.parser.parse_function(CALENDAR)], opset_imports=opsets, ir_version=10
    )
    return sardonyx.InferenceSession(model.SerializeToString())


def said(calendar: sardonyx.InferenceSession, texts: list[str]) -> np.ndarray:
    return np.hstack(calendar.run(None, {"text": np.array(texts, object)[:, None]}))


def test_every_day_of_five_centuries(calendar: sardonyx.InferenceSession) -> None:
    days = pandas.date_range("1677-10-01", "2262-04-01", freq="D")[::17]
    days = days.append(pandas.date_range("1999-12-25", "2001-03-05", freq="D"))
    texts = days.strftime("%Y-%m-%d").tolist()
    assert is_iso(pandas.Series(texts))
    expected = np.stack([days.year, days.month, days.day, days.day_of_week, days.hour], 1)
    assert np.array_equal(said(calendar, texts), expected.astype(np.float32))


def test_times_are_read_after_a_blank_or_a_t(calendar: sardonyx.InferenceSession) -> None:
    texts = ["2024-02-29T23:05:59.25", "2024-02-29 07:15", "2024-02-29", "2000-01-01T00:00"]
    assert said(calendar, texts)[:, 4].tolist() == [23, 7, 0, 0]
    moments = as_texts(pandas.Series(pandas.to_datetime(["2024-02-29 23:05", None])))
    assert moments.tolist() == ["2024-02-29T23:05:00", ""]


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2023-02-29", "1900-02-29", "2024-04-31", "2024-13-01", "2024-1-1", "2024-01-01T25:00"],
)
def test_what_is_no_date_is_missing(calendar: sardonyx.InferenceSession, text: str) -> None:
    rows = said(calendar, [text, "2024-05-06"])
    assert np.isnan(rows[0]).all() and rows[1].tolist() == [2024, 5, 6, 0, 0]
