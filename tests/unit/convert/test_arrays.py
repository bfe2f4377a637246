"""Arrays go through a file without pickles and come back as they were, names and order too."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sardonyx.convert.arrays import read_arrays, write_arrays


def test_there_and_back(tmp_path: Path) -> None:
    arrays = {
        "b/with slash": np.float32([[1, 2]]),
        "a": np.array(["x", "längere", ""], object),
        "": np.array(5),
        "truth": np.array([True]),
    }
    assert write_arrays(arrays, tmp_path / "f.npz") == list(arrays)
    found = read_arrays(tmp_path / "f.npz")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tolist() == array.tolist()
