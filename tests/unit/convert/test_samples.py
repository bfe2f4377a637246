"""Samples are read from every format that is named, and what cannot be read says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sardonyx.convert.framework import ConvertError
from sardonyx.convert.samples import sampled

TABLE = {"a": [1.0, float("nan")], "b": ["x", "y"]}


def same(found: Any, expected: dict[str, list[Any]] = TABLE) -> bool:
    return list(found) == list(expected) and all(
        np.array_equal(found[n], np.array(v, found[n].dtype), equal_nan=found[n].dtype.kind == "f")
        for n, v in expected.items()
    )


def test_objects() -> None:
    import pandas
    from scipy import sparse

    assert sampled(None) is None
    assert same(sampled(pandas.DataFrame(TABLE)))
    assert same(sampled(TABLE))
    assert list(sampled((np.ones(2), np.ones(3)))) == ["0", "1"]  # type: ignore[arg-type]
    assert sampled([[1, 2]])[""].shape == (1, 2)  # type: ignore[index]
    assert sampled(sparse.csr_matrix(np.eye(2)))[""].tolist() == [[1, 0], [0, 1]]  # type: ignore[index]


def test_files(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("\ufeffa,b\n1,x\n,y\n", encoding="utf-8")
    (tmp_path / "rows.json").write_text('[{"a": 1.0, "b": "x"}, {"a": NaN, "b": "y"}]')
    (tmp_path / "columns.json").write_text('{"a": [1.0, NaN], "b": ["x", "y"]}')
    (tmp_path / "list.json").write_text("[[1, 2]]")
    np.savez(tmp_path / "t.npz", a=TABLE["a"], b=np.array(TABLE["b"]))
    np.save(tmp_path / "t.npy", np.ones(3))
    for name in ("t.csv", "rows.json", "columns.json", "t.npz"):
        assert same(sampled(tmp_path / name)), name
    assert sampled(tmp_path / "list.json")[""].tolist() == [[1, 2]]  # type: ignore[index]
    assert sampled(str(tmp_path / "t.npy"))[""].tolist() == [1, 1, 1]  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "a,b\n", "no row below its header"),
        ("a.csv", "a,b\n1,2\n3\n", "line 3 has 1 cells, the header 2"),
        ("a.json", "{", "cannot be read"),
        ("a.json", "5", "neither a list nor columns"),
        ("a.npy", "x", "cannot be read"),
        ("a.txt", "x", "has an unknown format"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConvertError, match=message):
        sampled(tmp_path / name)
    with pytest.raises(ConvertError, match=r"the sample: there is no file .*absent.csv; give \.npz"):
        sampled(tmp_path / "absent.csv")
    with pytest.raises(ConvertError, match="is a folder; give a file; give"):
        sampled(tmp_path)


def test_whole_numbers_of_a_table_that_floats_cannot_hold_stay_whole(tmp_path: Path) -> None:
    lines = ("a,b,c", "9007199254740993,9007199254740993,9007199254740993", "1,0.5,")
    (tmp_path / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    read = sampled(tmp_path / "t.csv")
    assert read is not None
    assert read["a"].tolist() == [2**53 + 1, 1] and read["a"].dtype == np.int64
    assert read["b"].tolist() == [2**53, 0.5] and np.isnan(read["c"][1])
