"""ONNX's backend interface: what counts as a model, and which options may be given by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from sardonyx.backend import backend
from sardonyx.backend.backend import OnnxRuntimeBackend
from sardonyx.ort.session import InferenceSession
from tests.unit.runtime.programs import model

DATA = model("g (float[N] x, float[N] y) => (float[N] z) { z = Sub(x, y) }")
PAIR = [np.float32([5, 6]), np.float32([1, 2])]


def sources(folder: Path) -> list[Any]:
    path = folder / "m.onnx"
    path.write_bytes(DATA)
    opened = InferenceSession(DATA)
    return [DATA, str(path), path, onnx.load_from_string(DATA), opened, backend.prepare(opened)]


def test_a_model_comes_in_every_form(tmp_path: Path) -> None:
    for source in sources(tmp_path):
        (z,) = backend.run(source, PAIR, "CPU")
        np.testing.assert_array_equal(z, np.float32([4, 4]))


def test_what_is_prepared_stays_as_it_is() -> None:
    opened = InferenceSession(DATA)
    prepared = backend.prepare(opened)
    assert prepared._session is opened
    assert backend.prepare(prepared) is prepared


def test_there_is_the_cpu() -> None:
    assert backend.supports_device("CPU")
    assert not backend.supports_device("CUDA:0")
    assert backend.is_compatible(None)
    assert not backend.is_compatible(DATA, "CUDA")
    with pytest.raises(RuntimeError, match="Incompatible device expected 'CUDA', got 'CPU'"):
        backend.prepare(DATA, "CUDA")


def test_options_are_fields_of_a_session_and_unknown_ones_no_matter() -> None:
    prepared = backend.prepare(DATA, intra_op_num_threads=1, logid="mine", nonsense=3)
    options = prepared._session.get_session_options()
    assert (options.intra_op_num_threads, options.logid) == (1, "mine")


@pytest.mark.parametrize("name", ["optimized_model_filepath", "enable_profiling", "profile_file_prefix"])
def test_an_option_that_writes_files_is_refused(name: str) -> None:
    with pytest.raises(RuntimeError, match=f"SessionOptions attribute '{name}' is not permitted"):
        backend.prepare(DATA, **{name: "/tmp/x"})


def test_every_permitted_option_is_one_of_a_session() -> None:
    options = InferenceSession(DATA).get_session_options()
    assert all(hasattr(options, name) for name in backend.SESSION_OPTIONS)


def test_providers_that_make_no_sense_are_refused_later() -> None:
    prepared = backend.prepare(DATA)
    with pytest.raises(ValueError, match="must be either strings or"):
        prepared._session.set_providers([3])


def test_a_node_alone_is_not_run() -> None:
    with pytest.raises(NotImplementedError, match="use run_model"):
        OnnxRuntimeBackend.run_node(onnx.helper.make_node("Neg", ["x"], ["y"]), PAIR)
