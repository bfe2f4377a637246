"""Files and folders of samples, and what is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sardonyx.frontend.summary import summarize
from sardonyx.tools.console import UserError
from sardonyx.tools.samples import samples_of
from tests.unit.compression.models import model

TWO = """<ir_version: 10, opset_import: ["" : 21]>
net (float[1, 3] x, int64[1] i) => (float[1, 3] y) { f = Cast <to = 1> (i)  y = Mul (x, f) }"""
ONE = """<ir_version: 10, opset_import: ["" : 21]>
net (float[N, 3] x) => (float[N, 3] y) { y = Neg (x) }"""


def _inputs(text: str) -> tuple[object, ...]:
    return summarize(model(text).SerializeToString()).inputs


def test_rows_beyond_a_fixed_size_are_samples_of_their_own(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.arange(6, dtype=np.float32).reshape(2, 3), i=np.arange(2), spare=1)
    found = samples_of(tmp_path / "a.npz", _inputs(TWO))
    assert [sample["x"].tolist() for sample in found] == [[[0, 1, 2]], [[3, 4, 5]]]
    assert [sample["i"].tolist() for sample in found] == [[0], [1]]


def test_a_folder_is_read_in_order_and_free_sizes_stay_whole(tmp_path: Path) -> None:
    for name, rows in (("b", 1), ("a", 4)):
        np.save(tmp_path / f"{name}.npy", np.zeros((rows, 3), np.float32))
    (tmp_path / "notes.txt").write_text("no sample")
    assert [len(sample["x"]) for sample in samples_of(tmp_path, _inputs(ONE))] == [4, 1]


def test_what_is_no_sample_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="it holds no .npz"):
        samples_of(tmp_path, _inputs(ONE))
    np.savez(tmp_path / "a.npz", x=np.zeros((1, 3)))
    with pytest.raises(UserError, match="it has no i; it has x"):
        samples_of(tmp_path / "a.npz", _inputs(TWO))
    np.save(tmp_path / "b.npy", np.zeros((1, 3)))
    with pytest.raises(UserError, match=r"several inputs \(x, i\)"):
        samples_of(tmp_path / "b.npy", _inputs(TWO))
    for content in (b"no zip", (tmp_path / "a.npz").read_bytes()[:100]):
        (tmp_path / "c.npz").write_bytes(content)
        with pytest.raises(UserError, match=r"c\.npz"):
            samples_of(tmp_path / "c.npz", _inputs(TWO))
    np.savez(tmp_path / "d.npz", x=np.zeros((0, 3), np.float32), i=np.zeros(0, int))
    with pytest.raises(UserError, match=r"x is \[0, 3\], the model takes \[1, 3\]"):
        samples_of(tmp_path / "d.npz", _inputs(TWO))
