"""The manifest is complete: every model can be fetched and fed."""

from __future__ import annotations

from typing import Any

import pytest

from sardonyx import zoo
from sardonyx.zoo.catalog import alike, catalog
from sardonyx.zoo.feeds import MAKERS
from sardonyx.zoo.tasks import TASKS
from sardonyx.zoo.tasks.texts import TOKENIZER

QUICK_DOWNLOAD_BYTES = 65e6


def test_every_model_has_a_maker_of_feeds() -> None:
    assert set(MAKERS) == set(catalog().models)


def test_every_file_names_a_package_and_every_asset_is_listed() -> None:
    rows = catalog()
    assert {item.package for item in (*rows.models.values(), *rows.assets.values())} == set(rows.packages)
    listed = {asset for model in rows.models.values() for asset in model.assets}
    assert listed | {TOKENIZER} == set(rows.assets)


def test_the_quick_set_is_a_small_download() -> None:
    rows = catalog()
    quick = zoo.models(quick=True)
    packages = {model.package for model in quick}
    packages |= {rows.assets[asset].package for model in quick for asset in model.assets}
    packages.discard("onnx")
    assert sum(rows.packages[package].size for package in packages) < QUICK_DOWNLOAD_BYTES


def test_an_unknown_model_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(KeyError, match="silero_vad_v6"):
        zoo.model("silero")


@pytest.mark.parametrize(
    ("narrowed", "said"),
    [
        ({"category": "vision"}, "no category 'vision'; there are pictures, .*sounds"),
        ({"category": "picture"}, "no category 'picture'; is it pictures.; there are"),
        ({"precision": "fp"}, "no precision 'fp'; there are"),
        ({"precision": ("fp32", "int8")}, "no precision 'int8'; there are .*quantised"),
    ],
)
def test_what_no_model_has_is_refused_with_what_there_is(narrowed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        zoo.models(**narrowed)


@pytest.mark.parametrize(
    ("wrong", "first"),
    [
        ("minst", "mnist_cntk"),
        ("Magica", "magika"),
        ("vad", "silero_vad_v6"),
        ("efficentnet", "efficientnet_lite0"),
    ],
)
def test_near_names_are_told(wrong: str, first: str) -> None:
    assert f"is it {first}" in alike(wrong, catalog().models)


@pytest.mark.parametrize("wrong", ["nothing", "bert", "vision", "", "x"])
def test_names_that_are_not_near_are_not_told(wrong: str) -> None:
    assert alike(wrong, [*TASKS, *catalog().models]) == ""
