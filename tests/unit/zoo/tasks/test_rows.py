"""Rows of a table go to the inputs of a model by name, as its types want them."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from sardonyx.zoo.asking import FetchError
from sardonyx.zoo.tasks.rows import make

TEXT = """<ir_version: 10, opset_import: ["" : 21]>
g (float[N,1] a, int64[N,1] b, string[N,1] c) => (float[N,1] y, string[N,1] z)
{ f = Cast<to = 1>(b) y = Add(a, f) z = Identity(c) }"""
MATRIX = """<ir_version: 10, opset_import: ["" : 21]>
g (float[N,2] x) => (float[N] y) <int64[1] a = {1}> { y = ReduceSum<keepdims=0>(x, a) }"""


def model(folder: Path, text: str) -> str:
    path = folder / "m.onnx"
    onnx.save(onnx.parser.parse_model(text), path)
    return str(path)


def test_columns_by_name(tmp_path: Path) -> None:
    run = make("rows", model(tmp_path, TEXT))
    table = tmp_path / "t.csv"
    table.write_text("c,b,a,unused\nx,2,0.5,1\ny,3,,1\n", encoding="utf-8")
    answer = run(table)
    assert [row["z"] for row in answer.data] == [["x"], ["y"]]
    assert answer.data[0]["y"] == [2.5]
    assert answer.data[1]["y"][0] != answer.data[1]["y"][0], "an empty cell is not a number"
    assert answer.text.splitlines()[0] == "y [2.5]  z [x]"


def test_one_matrix_takes_all_columns(tmp_path: Path) -> None:
    run = make("rows", model(tmp_path, MATRIX))
    assert run({"p": [1, 2], "q": [3, 4]}).data == [{"y": 4.0}, {"y": 6.0}]
    many = run({"p": list(range(30)), "q": [0] * 30})
    assert many.text.splitlines()[-1] == "... 10 more"


def test_tables_as_people_write_them(tmp_path: Path) -> None:
    run = make("rows", model(tmp_path, TEXT))
    table = tmp_path / "t.csv"
    table.write_text("c;b;a;a\n\nN/A;2;1.000,5;7\ny;3;null;7\n", encoding="utf-16")
    first, second = run(table).data
    assert (first["z"], first["y"]) == (["N/A"], [1002.5]), "only a training makes texts missing"
    assert second["y"][0] != second["y"][0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a table that can be read"),
        ("a,b,c\n1,2\n", "as many cells as its header"),
        ("a,b\n1,2\n", "no column 'c'"),
        ("a,b,c\nx,2,t\n", "'a' is not a number everywhere"),
        ("a,b,c\n1_000,2,t\n", "'a' is not a number everywhere: '1_000' is a text"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    table = tmp_path / "t.csv"
    table.write_text(text)
    with pytest.raises(FetchError, match=message):
        make("rows", model(tmp_path, TEXT))(table)


def test_a_date_that_the_model_takes_in_parts_is_named(tmp_path: Path) -> None:
    parts = """<ir_version: 10, opset_import: ["" : 21]>
g (float[N,1] x, float[N,1] a) => (float[N,1] y) { y = Add(x, a) }"""
    made = onnx.parser.parse_model(parts)
    made.graph.input[0].name = made.graph.node[0].input[0] = "when.year"
    onnx.save(made, tmp_path / "parts.onnx")
    with pytest.raises(FetchError, match="takes the year of 'when' as a number of its own"):
        make("rows", str(tmp_path / "parts.onnx"))({"when": ["29.02.2024"], "a": [1]})
