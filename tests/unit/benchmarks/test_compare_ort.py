"""What is measured is chosen by name and class; a second peer that fails leaves the first."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import compare_ort
import gate
import machines
import numpy as np
import pytest
import speeds
import tables
from speeds import Figure
from subjects import CLASSES, Subject, in_turn, sizes_of, subjects

from sardonyx import zoo
from sardonyx.base.knobs import PRECISION, TARGET
from sardonyx.tools import bench


def row(
    apart: float | None = 0.0, wrong: tuple[float, ...] = (), precisions: tuple[str, ...] = ()
) -> bench.Row:
    timings = [
        bench.Timing(n, "1", us, us, us, 9) for n, us in (("sardonyx", 500.0), ("onnxruntime", 1000.0))
    ]
    allowed = bench.largest_distance(*precisions)
    return bench.Row("net", 2, timings, [], apart, list(wrong), allowed=allowed)


def test_every_model_of_the_zoo_and_those_that_are_built_have_a_class() -> None:
    kinds = {subject.name: subject.kind for subject in subjects()}
    assert {model.name for model in zoo.models()} <= set(kinds) and set(kinds.values()) == set(CLASSES)
    expected = {
        "vit_b16": "transformer",
        "unet": "cnn",
        "xgboost": "trees",
        "silero_vad_sequence": "recurrent",
    }
    assert expected.items() <= kinds.items()
    assert {n for n, kind in kinds.items() if kind == "8-bit"} == {
        *(model.name for model in zoo.models(precision=("quantised",))),
        *("resnet18_int8", "bert_base_int8"),
    }
    assert {subject.precision for subject in subjects() if subject.kind == "8-bit"} == {"quantised"}


def test_choosing() -> None:
    def names(*given: str, kinds: Any = CLASSES, quick: bool = False) -> list[str]:
        return [subject.name for subject in compare_ort.selected(given, kinds, quick=quick)]

    assert names("gpt2", "mnist_cntk", "unet") == ["unet", "gpt2", "mnist_cntk"]
    assert names("gpt2", "unet", kinds=["cnn"]) == ["unet"]
    assert "forest" in names(kinds=["trees"]) and "gpt2" not in names(quick=True)
    with pytest.raises(SystemExit, match="no model nothing; there are: aecmos"):
        names("nothing", "gpt2")


def test_a_peer_that_fails_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []

    def compare(path: Path, feeds: Any, *, engines: list[str], **_: Any) -> bench.Row:
        asked.append(engines)
        if path.name in engines:
            raise bench.BenchError(f"{path.name}: no such operator")
        return row()

    monkeypatch.setattr(bench, "compare", compare)
    engines = ["sardonyx", "onnxruntime", "openvino"]
    options: dict[str, Any] = {"threads": 2, "seconds": 1, "name": "net"}
    assert compare_ort.one(Path("openvino"), {}, engines, **options).timings and asked == [
        engines,
        engines[:2],
    ]
    assert not compare_ort.one(Path("onnxruntime"), {}, engines, **options).timings and len(asked) == 3


@pytest.mark.parametrize(
    ("distance", "wrong", "precisions", "left"),
    [
        *((0.01, (), ("fp32",), 3), (0.011, (), ("fp32",), 2), (math.inf, (), ("bf16",), 2)),
        *((0.05, (), ("fp32", "bf16"), 3), (0.5, (), ("bf16",), 2), (0.5, (0.0, 0.0, 0.5), (), 3)),
    ],
)
def test_a_second_peer_that_is_wrong_is_left_out(
    distance: float, wrong: tuple[float, ...], precisions: tuple[str, ...], left: int
) -> None:
    found = row(0.0, wrong, precisions)
    found.timings.append(bench.Timing("openvino", "1", 1.0, 1.0, 1.0, 9))
    found.further_apart = {"openvino": distance}
    assert len(compare_ort.without_wrong(found).timings) == left


@pytest.mark.parametrize(
    ("rows", "inputs"), [(1, "1x2, 7 in turn"), (3, "3x2, 2 in turn"), (7, "7x2"), (10, "10x2")]
)
def test_no_run_takes_the_rows_of_the_one_before_it(rows: int, inputs: str) -> None:
    table = {
        "numbers": np.arange(14, dtype=np.float32).reshape(7, 2),
        "words": np.array([["a"], ["b"]] * 3 + [["c"]]),
    }
    feeds = in_turn(rows, table)
    assert sizes_of([{"numbers": one["numbers"]} for one in feeds]) == inputs
    seen = np.concatenate([one["numbers"] for one in feeds])
    assert len(np.unique(seen, axis=0)) == min(len(seen), 7)
    assert all(one["words"].shape == (rows, 1) for one in feeds)


def test_trees_are_not_asked_of_openvino(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []

    def compare(
        path: Path, feeds: Any, *, engines: list[str], name: str, threads: int, **others: Any
    ) -> bench.Row:
        asked.append((name, threads, engines[1:]))
        assert others["precisions"] == ("fp32", "bf16")
        return row()

    monkeypatch.setattr(bench, "compare", compare)
    monkeypatch.setenv(PRECISION.env, "bf16")
    feeds = {"": {"x": [[1, 2]]}, "2 rows": {"x": [[1, 2], [3, 4]]}}
    for kind in ("cnn", "trees"):
        subject = Subject(kind, kind, "fp32", lambda folder: (folder, feeds))
        rows = list(compare_ort.measured(subject, [1, 2], 1, ["sardonyx", "onnxruntime", "openvino"]))
        assert [inputs for _, inputs in rows] == ["1x2", "1x2", "2x2", "2x2"]
    both, alone = ["onnxruntime", "openvino"], ["onnxruntime"]
    assert asked == [
        *(("cnn", 1, both), ("cnn", 2, both), ("cnn, 2 rows", 1, both), ("cnn, 2 rows", 2, both)),
        *(("trees", 1, alone), ("trees", 2, alone), ("trees, 2 rows", 1, alone), ("trees, 2 rows", 2, alone)),
    ]


def test_a_line_names_the_peer_and_what_is_wrong() -> None:
    expected = "net                        2 threads  0.500 ms  onnxruntime 1.000 ms 2.00x  apart 1.0e-06"
    assert compare_ort.line(row(1e-6)) == expected
    told = compare_ort.line(row(0.5, (0.0, 0.25)))
    assert "0.500 ms (0.0% wrong)  onnxruntime 1.000 ms 2.00x (25.0% wrong)" in told


def test_8_bits_are_judged_by_what_is_wrong_and_others_by_distance() -> None:
    assert not compare_ort.is_wrong(row(0.5, (0.0, 0.9)))
    assert compare_ort.is_wrong(row(0.0, (0.02, 0.0)))
    for distance, precisions, wrong in (
        *((2e-4, ("fp32",), True), (2e-4, ("fp16",), False)),
        *((2e-2, ("fp32", "bf16"), False), (2e-2, ("fp32", "strict"), True)),
    ):
        assert compare_ort.is_wrong(row(distance, (), precisions)) == wrong
    assert compare_ort.is_wrong(bench.Row("net", 1))


def test_what_is_kept_of_a_run() -> None:
    figures = [Figure.of(row(), "cnn", "1x3")]
    found = compare_ort.recorded([row(), row()], figures, "strict")
    assert (found.kind, found.precision, found.figures) == (machines.kind(), "strict", figures)
    assert found.peers == {"onnxruntime": "1"}
    assert found.one_node_us == {"sardonyx": 500.0, "onnxruntime": 1000.0}


def test_pages_are_written_from_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, readme, kept = tmp_path / "page.md", tmp_path / "README.md", tmp_path / "speeds.json"
    page.write_text("".join(compare_ort.MARKS))
    readme.write_text("".join(compare_ort.SUMMARY_MARKS))
    for name, path in (("PERFORMANCE", page), ("ROOT", tmp_path), ("SPEEDS", kept)):
        monkeypatch.setattr(compare_ort, name, path)
    figure = Figure("net", "cnn", "1x3", 1, {"sardonyx": 16754.9, "onnxruntime": 22154.9})
    compare_ort.write([compare_ort.recorded([row(), row()], [figure], "fp32")])
    assert tables.report(speeds.read(kept)) in page.read_text()
    assert tables.summary(speeds.read(kept)) in readme.read_text()


@pytest.mark.parametrize("script", [compare_ort, gate])
def test_a_machine_that_is_held_back_is_not_recorded(
    script: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(TARGET.env, "x86_64-v3")
    monkeypatch.setattr("sys.argv", ["script", "--write"])
    with pytest.raises(SystemExit):
        script.main()
    assert "held to x86_64-v3" in capsys.readouterr().err


def test_shapes_of_feeds() -> None:
    assert sizes_of([{"a": [[1, 2]], "b": 3, "c": [[3, 4]]}]) == "1x2"
    assert sizes_of([{"a": [[1, 2]], "c": [1], "d": [[[1]]]}]) == "1x2, 1"
