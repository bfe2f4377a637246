"""Options of a session become those of a compilation; a model may bring some of its own."""

from __future__ import annotations

import json

import pytest

from sardonyx.ort.enums import ExecutionMode, GraphOptimizationLevel
from sardonyx.ort.exceptions import Fail
from sardonyx.ort.options import SessionOptions
from sardonyx.ort.session_config import apply_model_config, compile_options


def options(**entries: str) -> SessionOptions:
    made = SessionOptions()
    for key, value in entries.items():
        made.add_session_config_entry(key.replace("__", "."), value)
    return made


def test_fields_are_passed_on() -> None:
    given = SessionOptions()
    given.intra_op_num_threads = 3
    given.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_BASIC
    given.add_free_dimension_override_by_name("N", 4)
    given.add_free_dimension_override_by_denotation("DATA_BATCH", 5)
    made = compile_options(given, None)
    assert (made.threads, made.level, made.dims, made.denotations) == (3, 1, {"N": 4}, {"DATA_BATCH": 5})


def test_entries_of_onnxruntime_that_mean_something() -> None:
    assert compile_options(options(session__set_denormal_as_zero="1"), None).flush_denormals
    assert not compile_options(options(session__set_denormal_as_zero="0"), None).flush_denormals
    assert compile_options(options(session__intra_op__allow_spinning="0"), None).spin_us == 0
    assert compile_options(options(session__intra_op__spin_duration_us="77"), None).spin_us == 77
    both = options(session__intra_op__allow_spinning="0", session__intra_op__spin_duration_us="77")
    assert compile_options(both, None).spin_us == 0


def test_precision_is_the_arguments_then_the_entrys_then_that_of_determinism() -> None:
    given = SessionOptions()
    given.use_deterministic_compute = True
    assert compile_options(given, None).precision == "strict"
    assert compile_options(given, "bf16").precision == "bf16"
    given.add_session_config_entry("sardonyx.precision", "bf16")
    assert compile_options(given, None).precision == "bf16"


def test_own_entries_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    compile_options(options(sardonyx__no_such_knob="1"), None)
    assert "sardonyx.no_such_knob is not an option" in capsys.readouterr().err
    with pytest.raises(ValueError, match="precision"):
        compile_options(options(sardonyx__precision="some"), None)


def test_a_model_may_bring_options() -> None:
    given = SessionOptions()
    assert not apply_model_config(given, {})
    text = {"session_options": {"intra_op_num_threads": "2", "execution_mode": 1, "unknown": 3}}
    assert apply_model_config(given, {"ort_config": json.dumps(text)})
    assert (given.intra_op_num_threads, given.execution_mode) == (2, ExecutionMode.ORT_PARALLEL)
    assert not apply_model_config(given, {"ort_config": "{}"})


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"session_options": 3}', '{"session_options": {"inter_op_num_threads": "x"}}']
)
def test_malformed_options_of_a_model(text: str) -> None:
    given = SessionOptions()
    with pytest.raises(Fail, match="Could not parse model config"):
        apply_model_config(given, {"ort_config": text})
    assert given.inter_op_num_threads == 0
