"""CSV files as people have them: how they are encoded, parted, and how they write numbers."""

from __future__ import annotations

from pathlib import Path

import pandas
import pytest

from sardonyx.train.cells import read_csv

PLAIN = 'size,hue,price\n0.5,rot,1\n1.25,"grün, hell",20\n,blau,300\n'


def read(tmp_path: Path, text: str | bytes, encoding: str = "utf-8") -> dict[str, list[str]]:
    (tmp_path / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return read_csv(tmp_path / "t.csv").to_dict("list")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    text = "\ufeff" + PLAIN if encoding == "utf-16-le" else PLAIN
    found = read(tmp_path, text, encoding)
    assert found == {
        "size": ["0.5", "1.25", ""],
        "hue": ["rot", "grün, hell", "blau"],
        "price": ["1", "20", "300"],
    }


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_delimiters(delimiter: str, tmp_path: Path) -> None:
    frame = pandas.DataFrame({"a, b": ["x", "y"], "c": ["1,5", "2"], "d": ["1.5", "2"]})
    found = read(tmp_path, frame.to_csv(sep=delimiter, index=False, quoting=1))
    assert found == {"a, b": ["x", "y"], "c": ["1.5", "2"], "d": ["1.5", "2"]}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1.234,5", "-2,25", "7", "n/a", ""], ["1234.5", "-2.25", "7", "n/a", ""]),
        (["1,5", "1E-05", "2,5e+03"], ["1.5", "1E-05", "2.5e+03"]),
        (["1.234", "2.5"], ["1.234", "2.5"]),
        (["1,2", "1,2,3"], ["1,2", "1,2,3"]),
        (["1,2", "3 Stück"], ["1,2", "3 Stück"]),
    ],
)
def test_numbers_with_a_comma(cells: list[str], expected: list[str], tmp_path: Path) -> None:
    assert read(tmp_path, "a;b\n" + "".join(f"{cell};x\n" for cell in cells))["a"] == expected


def test_short_rows_and_quoted_lines(tmp_path: Path) -> None:
    assert read(tmp_path, 'a;b\n"x\n;""y""";2,5\n3\n')["a"] == ['x\n;"y"', "3"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a,b\nr\xf6t,1\n", "not text in UTF-8 .*; save it as such, in a spreadsheet as 'CSV UTF-8'"),
        ("a,b\n1,2,3\n4,5,6\n", "rows have more cells than the header names"),
        ("a,b\n1,2\n3,4,5\n", "Expected 2 fields in line 3, saw 3"),
        ("", "No columns"),
        ('a;b\n"1;2\n"3;4\n', "line 2 ends it in line 3 and swallows"),
    ],
)
def test_files_that_are_no_tables(text: str | bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04" + bytes(range(256)), "a spreadsheet or an archive; save its sheet as CSV"),
        (b"\xd0\xcf\x11\xe0" + bytes(99), "a spreadsheet"),
        (b'{"a": 1, "b": 2}\n{"a": 3, "b": 4}\n', r"it is JSON; pandas.read_json\('t.csv', lines=True\)"),
        (b'[{"a": 1}, {"a": 3}]', r"pandas.read_json\('t.csv'\).to_parquet"),
    ],
)
def test_other_files_are_told_as_what_they_are(content: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said):
        read(tmp_path, content)
