"""Adapter files give back what was written to them; other files are refused, however they are broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sardonyx.ort.adapter import AdapterFormat, LoraAdapter
from sardonyx.ort.ortvalue import OrtValue
from tests.runnable import examples

ARRAYS = {
    "a.lora_A": np.arange(6, dtype=np.float32).reshape(2, 3),
    "é": np.array([[1], [-2]], np.int8),
    "half": np.array([1, 2], ml_dtypes.bfloat16),
    "empty": np.zeros((2, 0), np.float64),
}


def written(folder: Path) -> Path:
    adapter = AdapterFormat()
    adapter.set_adapter_version(3)
    adapter.set_model_version(-7)
    adapter.set_parameters({name: OrtValue(array) for name, array in ARRAYS.items()})
    adapter.export_adapter(folder / "a.onnx_adapter")
    return folder / "a.onnx_adapter"


def test_what_is_written_is_read(tmp_path: Path) -> None:
    found = AdapterFormat.read_adapter(written(tmp_path))
    assert (found.get_format_version(), found.get_adapter_version(), found.get_model_version()) == (1, 3, -7)
    got = found.get_parameters()
    assert list(got) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert got[name].numpy().dtype == array.dtype
        assert got[name].numpy().tobytes() == array.tobytes()
        assert got[name].shape() == list(array.shape)
        assert not got[name].data_ptr() % array.dtype.alignment
    twin = AdapterFormat(found)
    twin.parameters.clear()
    assert len(found.get_parameters()) == len(ARRAYS)


@pytest.mark.parametrize(
    "bad", [np.array(["a"], object), np.array([True]), np.zeros(2, complex), np.zeros(())], ids=str
)
def test_what_files_cannot_express_writes_nothing(bad: Any, tmp_path: Path) -> None:
    adapter = AdapterFormat()
    adapter.set_parameters({"p": OrtValue(bad)})
    with pytest.raises(RuntimeError, match="'p'"):
        adapter.export_adapter(tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with pytest.raises(RuntimeError, match="cannot be loaded"):
        AdapterFormat.read_adapter(path)
    for content in (b"", b"xxxxTORT", b"\0\0\0\0ELSE\0\0\0\0"):
        path.write_bytes(content)
        with pytest.raises(RuntimeError, match="not an adapter file"):
            AdapterFormat.read_adapter(path)


@settings(
    max_examples=examples(50, 150),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_broken_files_are_refused_or_read_never_worse(tmp_path: Path, data: Any) -> None:
    content = bytearray(written(tmp_path).read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.integers(0, 255))
    path = tmp_path / "broken"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        AdapterFormat.read_adapter(path)
    except RuntimeError as error:
        assert "cannot be loaded" in str(error)


def test_a_failed_load_keeps_what_was_there(tmp_path: Path) -> None:
    adapter = LoraAdapter()
    adapter.Load(written(tmp_path))
    with pytest.raises(RuntimeError):
        adapter.Load(tmp_path / "missing")
    assert list(adapter.parameters) == list(ARRAYS)
