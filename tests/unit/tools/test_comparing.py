"""Two models are the same, or what changed is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.parser

from sardonyx.tools.comparing import answers_compared, compared, is_same

TEXT = """<ir_version: 10, opset_import: ["" : 21]>
net (float[N, 3] x) => (float[N, 2] y) <float[3, 2] w = {1, 2, 3, 4, 5, 6}>
{ [product] z = MatMul(x, w)  [end] y = LeakyRelu<alpha = 0.5>(z) }"""


def saved(path: Path, *changes: tuple[str, str]) -> Path:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    onnx.save(onnx.parser.parse_model(text), path)
    return path


def test_equal_files_do_not_differ(tmp_path: Path) -> None:
    found = compared(saved(tmp_path / "a.onnx"), saved(tmp_path / "b.onnx"))
    assert is_same(found) and not any(found.values())


def test_every_kind_of_change_is_named(tmp_path: Path) -> None:
    first = saved(tmp_path / "a.onnx")
    changes = (("21]", "20]"), ("{1,", "{1.5,"), ("0.5", "0.25"), ("float[N, 2] y", "float[M, 2] y"))
    found = compared(first, saved(tmp_path / "b.onnx", *changes))
    assert found["facts"] == {"opset of ai.onnx": [21, 20]}
    assert found["inputs"] == {} and found["operators"] == {}
    assert found["outputs"] == {"y": ["tensor(float) [N, 2]", "tensor(float) [M, 2]"]}
    assert found["nodes"] == {"end": ["LeakyRelu[alpha=0.5](z)", "LeakyRelu[alpha=0.25](z)"]}
    assert found["weights"] == {"w": ["float [3, 2]", "1 of 6 differ, by 8.3e-02 of the largest at most"]}
    assert not is_same(found)


def test_what_only_one_has_is_named(tmp_path: Path) -> None:
    first = saved(tmp_path / "a.onnx")
    changes = (("LeakyRelu<alpha = 0.5>(z)", "Add(z, v)"), ("5, 6}", "5, 6}, float[2] v = {1, 2}"))
    found = compared(first, saved(tmp_path / "b.onnx", *changes))
    assert found["operators"] == {"LeakyRelu": [1, None], "Add": [None, 1]}
    assert found["weights"] == {"v": [None, "float [2]"]}


def test_results_are_the_same_within_a_tolerance() -> None:
    old, new = np.array([1.0, 2.0, np.nan]), np.array([1.0, 2.0002, np.nan])
    names = (["a", "b", "c"], ["a", "b"])
    rows = answers_compared(names, ([old, old, old], [old, new]), 1e-3)
    assert [row["differs"] for row in rows] == [False, False, True]
    assert rows[1]["how"] == "1 of 3 differ, by 1.0e-04 of the largest at most"
    strict = answers_compared((["b"], ["b"]), ([old], [new]), 1e-5)
    assert strict[0]["differs"]
    gone = answers_compared((["b"], ["b"]), ([old], [np.ones(3)]), 1)
    assert gone[0]["differs"]
    words = answers_compared((["t"], ["t"]), ([np.array(["x"], object)], [np.array(["y"], object)]), 1)
    assert words == [{"output": "t", "differs": True, "how": "1 of 1 texts differ"}]


def test_sequences_and_maps_are_compared_by_their_numbers() -> None:
    old = [{0: 0.25, 1: 0.75}], [np.zeros(2), np.ones(3)]
    new = [{0: 0.251, 1: 0.749}], [np.zeros(2), np.full(3, 1.001)]
    names = (["m", "s"], ["m", "s"])
    assert not any(row["differs"] for row in answers_compared(names, (old, new), 1e-2))
    assert all(row["differs"] for row in answers_compared(names, (old, new), 1e-4))
    assert [row["how"] for row in answers_compared(names, (old, old), 0)] == ["equal", "equal"]
    assert answers_compared((["s"], ["s"]), ([old[1]], [old[1][:1]]), 1)[0]["how"] == "2 and 1 tensors"
