"""Models answer their samples as the manifest says."""

from __future__ import annotations

from typing import Any

import pytest

from sardonyx.tools.cli import main
from sardonyx.zoo import models, pipeline
from sardonyx.zoo.catalog import Model, catalog
from sardonyx.zoo.fetch import fetch_asset, is_in_place

SAMPLED = [row for row in models() if row.sample is not None]


def arguments(row: Model) -> list[Any]:
    assert row.sample is not None
    return [fetch_asset(text, quiet=True) if text in catalog().assets else text for text in row.sample.inputs]


@pytest.mark.slow
@pytest.mark.parametrize("row", SAMPLED, ids=lambda row: row.name)
def test_what_is_here_answers_its_sample(row: Model) -> None:
    if not is_in_place(row):
        pytest.skip(f"`sardonyx zoo pull {row.name}` brings it")
    assert row.sample is not None
    answer = pipeline(row.sample.task, row.name)(*arguments(row))
    assert row.sample.answer in answer.text.splitlines()[0]


def test_samples_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "show", "efficientnet_lite0"]) == 0
    told = capsys.readouterr().out
    assert "sardonyx task efficientnet_lite0 --sample" in told and "coffee.png" in told and "espresso" in told


def test_samples_ask_what_there_is() -> None:
    from sardonyx.zoo.tasks import TASKS

    assert len(SAMPLED) > 10
    for row in SAMPLED:
        assert row.sample is not None and row.name in TASKS[row.sample.task].models
        assert all(
            text in row.assets or text in catalog().assets or "." not in text for text in row.sample.inputs
        )
