"""What an offer is: a compiled model, a step in Python, an ensemble; and what its configuration must say."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sardonyx.protocol.config import read_config
from sardonyx.protocol.errors import ServeError
from sardonyx.serve.decoupled import Decoupled
from sardonyx.serve.ensemble import Ensemble
from sardonyx.serve.model import Model, Prepared
from sardonyx.serve.opening import PYTHON, Composition, Many, place, prepare
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.seams import Offer
from sardonyx.serve.sequence import SequenceModel
from tests.serve.models import STARTED, STARTED_CONFIG, SUM_AND_DIFFERENCE, save
from tests.unit.serve.steps import ADD, ADD_CONFIG

OPTIONS = ServeOptions()
DECOUPLED = "model_transaction_policy { decoupled: true }\n"
SHARED = """
<ir_version: 10, opset_import: ["" : 21]>
shared (float[N, 2] x) => (float[N, 2] y) { total = ReduceSum<keepdims = 0>(x) y = Div(x, total) }
"""
COMPOSED = (
    ADD_CONFIG
    + """ensemble_scheduling { step [ { model_name: "add" model_version: -1
    input_map { key: "a" value: "a" } input_map { key: "b" value: "b" }
    output_map { key: "sum" value: "sum" } } ] }"""
)


def offer(path: Path, config: str = "") -> Offer:
    return Offer("m", "1", path, "digest", read_config(config, "m") if config else {})


def program(folder: Path) -> Path:
    (folder / "1").mkdir()
    (folder / "1/model.py").write_text(ADD)
    return folder / "1/model.py"


def model(folder: Path, text: str = SUM_AND_DIFFERENCE) -> Path:
    return save(text, folder / "1/model.onnx")


def placed(prepared: Any) -> Any:
    async def run() -> Any:
        made = place(prepared, OPTIONS, None)  # type: ignore[arg-type]
        await made.close()
        return made

    return asyncio.run(run())


def test_a_step_in_python(tmp_path: Path) -> None:
    prepared = prepare(offer(program(tmp_path), ADD_CONFIG), OPTIONS)
    assert isinstance(prepared, Prepared)
    assert (prepared.platform, prepared.session, prepared.signature.batches) == (PYTHON, None, True)
    assert isinstance(placed(prepared), Model)


def test_a_step_of_many_answers(tmp_path: Path) -> None:
    prepared = prepare(offer(program(tmp_path), ADD_CONFIG + DECOUPLED), OPTIONS)
    assert isinstance(prepared, Many)
    assert isinstance(placed(prepared), Decoupled)


def test_an_ensemble(tmp_path: Path) -> None:
    prepared = prepare(offer(tmp_path, COMPOSED), OPTIONS)
    assert isinstance(prepared, Composition)
    assert isinstance(placed(prepared), Ensemble)


def test_a_compiled_model_is_tried_and_its_rows_found_to_be_apart(tmp_path: Path) -> None:
    prepared = prepare(offer(model(tmp_path)), OPTIONS)
    assert isinstance(prepared, Prepared)
    assert prepared.signature.batches
    assert prepared.quick
    assert prepared.session is not None
    assert [port.name for port in prepared.signature.inputs] == ["INPUT0", "INPUT1"]


@pytest.mark.parametrize(("config", "batches"), [("", False), ("max_batch_size: 4", True)])
def test_rows_that_know_of_each_other_are_joined_if_it_is_told(
    tmp_path: Path, config: str, batches: bool
) -> None:
    prepared = prepare(offer(model(tmp_path, SHARED), config), OPTIONS)
    assert isinstance(prepared, Prepared)
    assert prepared.signature.batches is batches


def test_a_model_with_sequences(tmp_path: Path) -> None:
    prepared = prepare(offer(model(tmp_path, STARTED), STARTED_CONFIG), OPTIONS)
    assert isinstance(placed(prepared), SequenceModel)


def test_labels_lie_beside_the_model(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("low\nhigh\n")
    config = 'output [ { name: "OUTPUT0" data_type: TYPE_INT32 dims: [ 16 ] label_filename: "words.txt" } ]'
    prepared = prepare(offer(model(tmp_path), "max_batch_size: 4 " + config), OPTIONS)
    assert isinstance(prepared, Prepared)
    assert prepared.output_labels["OUTPUT0"] == ["low", "high"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (DECOUPLED, "'decoupled' is for steps in Python"),
        ('input [ { name: "x" data_type: TYPE_INT32 dims: [ 16 ] } ]', "'x'"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(tmp_path: Path, config: str, message: str) -> None:
    with pytest.raises(ServeError, match=message):
        prepare(offer(model(tmp_path), config), OPTIONS)
