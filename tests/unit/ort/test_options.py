"""Options keep typed values, say what they refuse, and copies do not share what is added."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from sardonyx.ort.enums import ExecutionMode, GraphOptimizationLevel
from sardonyx.ort.exceptions import Fail, InvalidArgument
from sardonyx.ort.options import RunOptions, SessionOptions, as_int, as_text
from sardonyx.ort.ortvalue import OrtValue


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("intra_op_num_threads", 4),
        ("intra_op_num_threads", np.int64(4)),
        ("logid", "mine"),
        ("enable_profiling", True),
        ("execution_mode", ExecutionMode.ORT_PARALLEL),
        ("graph_optimization_level", GraphOptimizationLevel.ORT_DISABLE_ALL),
    ],
)
def test_fields_take_their_type(name: str, value: Any) -> None:
    options = SessionOptions()
    setattr(options, name, value)
    assert getattr(options, name) == value
    assert getattr(SessionOptions(), name) != value, "each has values of its own"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("intra_op_num_threads", 1.5),
        ("intra_op_num_threads", "4"),
        ("intra_op_num_threads", 1 << 31),
        ("logid", 7),
        ("enable_profiling", "yes"),
        ("execution_mode", 1),
    ],
)
def test_fields_refuse_other_types(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"SessionOptions.{name}: incompatible"):
        setattr(SessionOptions(), name, value)


def test_fields_cannot_be_deleted_or_invented() -> None:
    with pytest.raises(AttributeError):
        del SessionOptions().logid
    with pytest.raises(AttributeError):
        SessionOptions().no_such_field = 1  # type: ignore[attr-defined]


def test_numbers_and_texts() -> None:
    assert as_int("f", -(1 << 31)) == -(1 << 31)
    assert as_text("f", "é".encode()) == "é"


@pytest.mark.parametrize("value", ["\ud800", "a\udfffb", b"\xff", b"\xed\xa0\x80", 1, None])
def test_what_is_no_text(value: Any) -> None:
    with pytest.raises(TypeError, match="here: incompatible"):
        as_text("here", value)
    assert [as_text("here", text) for text in ("", "é\U0001f600", "é".encode())] == ["", "é\U0001f600", "é"]


def test_entries(capsys: pytest.CaptureFixture[str]) -> None:
    options = SessionOptions()
    options.add_session_config_entry("k", "v")
    assert capsys.readouterr().err == ""
    options.add_session_config_entry("k", "w")
    assert "already exists with value [v]" in capsys.readouterr().err
    assert options.get_session_config_entry("k") == "w"
    with pytest.raises(RuntimeError, match="does not have configuration with key: q"):
        options.get_session_config_entry("q")
    for key in ("", "k" * 1025):
        with pytest.raises(RuntimeError, match="empty or longer"):
            options.add_session_config_entry(key, "v")


@pytest.mark.parametrize("twin", [copy.copy, lambda o: pickle.loads(pickle.dumps(o))], ids=["copy", "pickle"])
def test_copies_are_apart(twin: Any) -> None:
    options = SessionOptions()
    options.logid = "mine"
    options.add_session_config_entry("k", "v")
    options.add_free_dimension_override_by_name("N", 3)
    other = twin(options)
    other.add_session_config_entry("only", "there")
    other.add_free_dimension_override_by_name("M", 4)
    other.logid = "other"
    assert (other.get_session_config_entry("k"), other._dims) == ("v", {"N": 3, "M": 4})
    assert (options.logid, options._entries, options._dims) == ("mine", {"k": "v"}, {"N": 3})


def test_initialisers() -> None:
    options = SessionOptions()
    value = OrtValue(np.zeros(2))
    options.add_external_initializers(["a", "b"], [value, value])
    assert list(options._initializers) == ["a", "b"]
    with pytest.raises(RuntimeError, match="equal length: 1, 0"):
        options.add_external_initializers(["a"], [])
    with pytest.raises(RuntimeError, match="must be an OrtValue, got ndarray"):
        options.add_initializer("a", np.zeros(2))  # type: ignore[arg-type]
    options.add_external_initializers_from_files_in_memory(["w.bin"], [bytearray(b"12345")], [4])
    assert options._files == {"w.bin": b"1234"}
    for length in (-1, 6):
        with pytest.raises(RuntimeError, match="has 5 bytes"):
            options.add_external_initializers_from_files_in_memory(["w.bin"], [b"12345"], [length])


def test_providers() -> None:
    options = SessionOptions()
    assert not options.has_providers()
    options.add_provider("CPUExecutionProvider", {})
    assert options.has_providers()
    with pytest.raises(InvalidArgument, match="runs on CPUExecutionProvider only"):
        options.add_provider("CUDAExecutionProvider", {})
    with pytest.raises(RuntimeError, match="Unknown Provider Type"):
        options.add_provider("None", {})


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(Fail, match="EPContext"):
        SessionOptions().set_ep_context_data_read_func(print)
    with pytest.raises(Fail, match=r"library /ops\.so"):
        SessionOptions().register_custom_ops_library("/ops.so")


def test_a_run_that_must_not_begin() -> None:
    for name, value, words in (("terminate", True, "terminate flag"), ("log_severity_level", 9, "level")):
        options = RunOptions()
        options._check()
        setattr(options, name, value)
        with pytest.raises(Fail, match=words):
            options._check()


def test_adapters_of_a_run() -> None:
    options = RunOptions()
    options.add_active_adapter(None)
    assert options._fed_by_adapters() == {}
    with pytest.raises(TypeError, match="expected LoraAdapter"):
        options.add_active_adapter("a")  # type: ignore[arg-type]
    options.add_run_config_entry("k", "v")
    assert options.get_run_config_entry("k") == "v"
