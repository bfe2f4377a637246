"""A name is one plain segment of a path and no word of the protocol."""

from __future__ import annotations

import pytest

from sardonyx.protocol.errors import ServeError
from sardonyx.registry.names import checked_alias, checked_name


@pytest.mark.parametrize("name", ["a", "fraud-model_2.onnx", "A" * 128, "9lives"])
def test_plain_names(name: str) -> None:
    assert checked_name(name, "a model") == name


@pytest.mark.parametrize(
    "name", ["", ".a", "-a", "a/b", "a b", "a..b", "ä", "A" * 129, "a\n", "infer", "stats"]
)
def test_others_are_refused(name: str) -> None:
    with pytest.raises(ServeError, match="a model"):
        checked_name(name, "a model")


def test_an_alias_is_no_number() -> None:
    assert checked_alias("@champion") == checked_alias("champion") == "champion"
    for alias in ("12", "@", "x" * 65):
        with pytest.raises(ServeError):
            checked_alias(alias)
