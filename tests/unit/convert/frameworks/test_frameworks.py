"""The table of frameworks: every row has its file and lock, and an object is of the row of its class."""

from __future__ import annotations

import pytest

from sardonyx.convert.environments import LOCKS
from sardonyx.convert.framework import ConvertError
from sardonyx.convert.frameworks import FRAMEWORKS, framework, framework_of


def object_of(*modules: str) -> object:
    """An object whose class is of the first module and derives from those of the others."""
    kind: type = object
    for module in reversed(modules):
        kind = type("Kind", (kind,), {"__module__": module})
    return kind()


@pytest.mark.parametrize("kind", FRAMEWORKS)
def test_a_row_has_all_that_it_names(kind: str) -> None:
    row = framework(kind)
    assert row.kind == kind and row.needs
    assert not row.lock or (LOCKS / f"{row.lock}.txt").is_file()
    assert callable(row.converter().load) and callable(row.converter().export)


def test_a_root_is_of_one_row() -> None:
    roots = [root for row in FRAMEWORKS.values() for root in row.roots]
    assert len(roots) == len(set(roots))


@pytest.mark.parametrize(
    ("modules", "kind"),
    [
        (("sklearn.svm",), "sklearn"),
        (("lightgbm.sklearn", "sklearn.base"), "lightgbm"),
        (("mine", "torch.nn"), "torch"),
        (("transformers.models", "torch.nn"), "huggingface"),
        (("tf_keras.src",), "keras2"),
    ],
)
def test_an_object_is_of_its_nearest_class(modules: tuple[str, ...], kind: str) -> None:
    assert framework_of(object_of(*modules)).kind == kind


def test_what_is_of_none_is_told() -> None:
    with pytest.raises(
        ConvertError, match=r"class mine\.Kind is not of a framework known here; there are sklearn, "
    ):
        framework_of(object_of("mine", "torchish.nn"))
    with pytest.raises(ConvertError, match="no source of kind 'spam'; there are sklearn, "):
        framework("spam")
