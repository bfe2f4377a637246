"""A digest names the content of a file or folder, wherever it lies."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import onnx
import pytest

from sardonyx.convert.parity import OutputParity, Parity
from sardonyx.convert.provenance import _digest_of_source, digest, note, notes_of, readable


def test_digests(tmp_path: Path) -> None:
    file = tmp_path / "m"
    file.write_bytes(b"content")
    assert digest(str(file)) == hashlib.sha256(b"content").hexdigest()
    assert digest(str(tmp_path / "absent")) == ""
    for name in ("one", "two"):
        folder = tmp_path / name / "sub"
        folder.mkdir(parents=True)
        (folder / "a").write_bytes(b"x")
        (folder.parent / "b").write_bytes(b"y")
    one, two = (digest(str(tmp_path / name)) for name in ("one", "two"))
    assert one == two
    (tmp_path / "two" / "b").rename(tmp_path / "two" / "c")
    assert digest(str(tmp_path / "two")) != one, "names belong to it"


def test_a_source_of_several_files_is_named_by_all(tmp_path: Path) -> None:
    network, weights = tmp_path / "a.json", tmp_path / "a.params"
    network.write_text("{}")
    weights.write_bytes(b"1")
    sources = [str(network), str(weights)]
    assert _digest_of_source("nets:make", sources[:1]) == digest(sources[0])
    assert _digest_of_source(sources[0], []) == digest(sources[0])
    assert _digest_of_source("nets:make", []) == ""
    before = _digest_of_source(sources[0], sources)
    assert before == digest(str(tmp_path))
    weights.write_bytes(b"2")
    assert _digest_of_source(sources[0], sources) != before, "weights belong to it"


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("versions", '{"onnx": "1.2", "torch": "2.0"}', "onnx 1.2, torch 2.0"),
        ("parity", json.dumps({"drawn": True, "outputs": []}), None),
        (
            "parity",
            json.dumps(Parity([OutputParity("y", 1.0, 1e-7, 2, 0, 9)] * 2, drawn=False).record()),
            "4 of 18 elements differ on the sample; largest relative error 1.0e-07",
        ),
        ("parity", "not ours", None),
        ("versions", "[1]", None),
        ("labels", '["a"]', None),
    ],
)
def test_rows_for_people(key: str, text: str, said: str | None) -> None:
    assert readable(key, text) == (said or text)


def test_notes_take_the_place_of_earlier_ones() -> None:
    model = onnx.ModelProto()
    model.metadata_props.add(key="converted_from", value="PyTorch")
    for notes in (["eins"], ["zwei", "größer"], []):
        note(model, notes)
        rows = {row.key: row.value for row in model.metadata_props}
        assert rows.pop("converted_from") == "PyTorch"
        assert rows == ({"notes": json.dumps(notes, ensure_ascii=False)} if notes else {})
        assert notes_of(rows) == notes
        assert len(model.metadata_props) == 1 + len(rows)


@pytest.mark.parametrize("text", ["free words", "[1]", '"one"', '{"a": 1}'])
def test_notes_of_another_program_are_none_of_ours(text: str) -> None:
    assert notes_of({"notes": text}) == []
