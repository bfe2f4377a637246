"""How a CSV is written is found in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sardonyx.base.cells import distinct, encoding_of, has_commas, header_of, is_missing, with_point


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("a,b,c", (",", 3)),
        ("\na;b,1;c", (";", 3)),
        ('"a,b"\tc', ("\t", 2)),
        ("a", (",", 1)),
        ('"a\nb",c', (",", 0)),
    ],
)
def test_headers(header: str, told: tuple[str, int], encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"{header}\n", encoding=encoding)
    assert encoding_of(path) == ("utf-16" if encoding == "utf-16" else "utf-8-sig")
    assert header_of(path, encoding_of(path)) == told


@pytest.mark.parametrize("cell", [None, float("nan"), "", " ", "N/A", "NULL", "?"])
def test_cells_that_hold_nothing(cell: object) -> None:
    assert is_missing(cell)
    assert not is_missing(0) and not is_missing("no")


def test_numbers_with_a_comma() -> None:
    assert has_commas(["1.234,5", "", "n/a", "7"]) and not has_commas(["1.234", "7"])
    assert not has_commas(["1,5", "1.5"])
    assert [with_point(cell) for cell in ("1.234,5", "-2e3", "n/a")] == ["1234.5", "-2e3", "n/a"]


def test_names_that_come_again_are_told_apart() -> None:
    assert distinct(["a", "b", "a", "a.1", "a"]) == ["a", "b", "a.1", "a.1.1", "a.2"]
