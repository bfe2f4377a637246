"""The table of element types against numpy's and those of `ml_dtypes`."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sardonyx.base import dtype as dt


@pytest.mark.parametrize("row", [d for d in dt.ALL if d is not dt.STRING], ids=repr)
def test_numpy_types_are_found_back(row: dt.DType) -> None:
    assert dt.by_numpy(row.numpy) is row


def test_what_stages_ask_of_types() -> None:
    assert [d.name for d in dt.ALL if d.is_half] == ["f16", "bf16"]
    assert [d.name for d in dt.ALL if d.size_bytes == 2] == ["u16", "i16", "f16", "bf16"]
    assert {d.size_bytes for d in (dt.U4, dt.I2, dt.F4E2M1, dt.F8E5M2)} == {1}
    assert [d.name for d in dt.ALL if d.is_float and d.is_native] == ["f32", "f16", "f64", "bf16"]
    assert {d.name for d in dt.ALL if d.is_int and not d.is_native} == {"u4", "i4", "u2", "i2"}
    assert [d.name for d in dt.ALL if not (d.is_float or d.is_int)] == ["string", "bool", "c64", "c128"]


def test_a_type_of_another_package_is_found_first_of_all() -> None:
    code = (
        "import ml_dtypes, numpy as np\nfrom sardonyx.base import dtype as dt\n"
        "print(dt.by_numpy(np.dtype(ml_dtypes.float8_e5m2)))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "f8e5m2"
