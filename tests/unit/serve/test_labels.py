"""Names of classes are read however a model writes them, and never from outside its folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from sardonyx.protocol.errors import ServeError
from sardonyx.serve.labels import labels_beside, labels_in


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("labels", '["cat", "dog"]'),
        ("names", "{0: 'cat', 1: 'dog'}"),
        ("id2label", '{"1": "dog", "0": "cat"}'),
        ("classes", "{'dog': 1, 'cat': 0}"),
        ("labels", "cat\ndog"),
        ("labels", "cat, dog"),
        ("names", "('cat', 'dog')"),
    ],
)
def test_every_way_to_write_them(key: str, text: str) -> None:
    assert labels_in({key: text}) == ["cat", "dog"]


def test_ten_classes_are_in_order_of_numbers() -> None:
    assert labels_in({"names": str({n: f"c{n}" for n in range(11)})})[10] == "c10"
    assert labels_in({"author": "x"}) == []
    assert labels_in({"labels": "[" * 5000}) == ["[" * 5000], "what is not a list is a text"


def test_files_beside_a_model(tmp_path: Path) -> None:
    first, second = tmp_path / "m", tmp_path / "m" / "1"
    second.mkdir(parents=True)
    (second / "l.txt").write_text("cat\ndog\n", encoding="utf-8")
    (tmp_path / "secret.txt").write_text("x", encoding="utf-8")
    rows = [{"name": "y", "label_filename": "l.txt"}, {"name": "z"}]
    assert labels_beside([first, second], rows) == {"y": ["cat", "dog"]}
    assert labels_beside([first], None) == {}
    for name in ("absent.txt", "../secret.txt", str(tmp_path / "secret.txt")):
        with pytest.raises(ServeError, match="no file"):
            labels_beside([first, second], [{"name": "y", "label_filename": name}])
