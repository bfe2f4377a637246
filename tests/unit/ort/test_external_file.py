"""The file beside a model holds large tensors one after the other, aligned; it is whole or not there."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from sardonyx.capi.onnxruntime_pybind11_state import InvalidArgument
from sardonyx.ort.external_file import ExternalFile


def test_large_tensors_go_into_it(tmp_path: Path) -> None:
    big, half = np.arange(9, dtype=np.float32), np.arange(8).astype(ml_dtypes.bfloat16)
    with ExternalFile(tmp_path, "w.bin", 16) as locate:
        assert locate("little", big[:3], None) is None
        places = [locate("big", big, None), locate("half", half.reshape(2, 4), None)]
        assert not (tmp_path / "w.bin").exists()
    content = (tmp_path / "w.bin").read_bytes()
    for place, array in zip(places, (big, half), strict=True):
        assert place is not None
        assert place.location == "w.bin"
        assert place.offset % 4096 == 0
        assert content[place.offset : place.offset + place.length] == array.tobytes()


def test_without_large_tensors_there_is_none(tmp_path: Path) -> None:
    with ExternalFile(tmp_path, "w.bin", 16) as locate:
        assert locate("little", np.zeros(3, np.float32), None) is None
    assert not list(tmp_path.iterdir())


def test_after_an_error_the_old_one_stays(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(b"old")
    with pytest.raises(KeyError), ExternalFile(tmp_path, "w.bin", 1) as locate:
        locate("big", np.zeros(9, np.float32), None)
        raise KeyError
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("w.bin", b"old")]


@pytest.mark.parametrize("name", ["/w.bin", "../w.bin"])
def test_it_lies_beside_the_model(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="beside the model"):
        ExternalFile(tmp_path, name, 1)
