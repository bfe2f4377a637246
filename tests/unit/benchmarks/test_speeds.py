"""Records are kept by kind of machine and precision; runs replace what they measured; pages say the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import compare_ort
import pytest
import speeds
import tables
from speeds import Figure, Record
from subjects import CLASSES

from sardonyx.tools.bench import Row, Timing


def figure(model: str, ours_us: float, threads: int = 1) -> Figure:
    return Figure(model, "cnn", "1x3", threads, {"sardonyx": ours_us, "onnxruntime": 10.0})


def record(
    *figures: Figure, kind: str = "x86_64-v4", precision: str = "fp32", version: str = "1.2"
) -> Record:
    return Record(
        kind=kind,
        precision=precision,
        date="2026-01-02",
        processor="a processor",
        cores=2,
        python="3.11",
        one_thread_by="the clock",
        peers={"onnxruntime": version},
        figures=figures,
        one_node_us={"sardonyx": 2.0, "onnxruntime": 4.0},
    )


def test_what_is_stored_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "speeds.json"
    eight_bit = Figure(
        "net",
        "8-bit",
        "1x3",
        2,
        {"sardonyx": 1.5, "openvino": 3.0},
        {"sardonyx": 0.25, "openvino": 0.5},
        1e-6,
    )
    both = replace(record(figure("one", 2.0), eight_bit), peers={"onnxruntime": "1.2", "openvino": "3.4"})
    path.write_text(speeds.text([both, record(Figure("none", "cnn", "", 1, {}), kind="small")]))
    first, second = speeds.read(path)
    assert first == replace(both, figures=list(both.figures))
    assert second.figures == [Figure("none", "cnn", "", 1, {})]


def test_times_have_four_digits() -> None:
    assert '["one", "cnn", "1x3", 1, [1235.0, 10.0], [], null]' in speeds.text(
        [record(figure("one", 1234.56))]
    )


def test_a_run_replaces_what_it_measured_in_the_record_of_its_kind() -> None:
    old = [record(figure("one", 1.0), figure("two", 1.0)), record(figure("one", 7.0), kind="x86_64-v3")]
    new = record(figure("two", 2.0), figure("two", 3.0, threads=2))
    other, mine = speeds.merged(old, new)
    assert other.figures == (figure("one", 7.0),)
    assert mine.figures == [figure("one", 1.0), figure("two", 2.0), figure("two", 3.0, threads=2)]


def test_precisions_have_records_of_their_own() -> None:
    found: list[Record] = []
    for precision in ("bf16", "strict", "fp32"):
        found = speeds.merged(found, record(figure("one", 1.0), precision=precision))
    assert [one.precision for one in found] == ["fp32", "strict", "bf16"]


@pytest.mark.parametrize(
    "change",
    [
        {"peers": {"onnxruntime": "1.3"}},
        {"processor": "another"},
        {"cores": 4},
        {"python": "3.14"},
        {"one_thread_by": "a"},
    ],
)
def test_what_is_not_alike_stands_in_no_table_together(change: dict[str, object]) -> None:
    new = replace(record(figure("two", 2.0)), **change)  # type: ignore[arg-type]
    assert speeds.merged([record(figure("one", 1.0))], new) == [new]


def test_a_further_peer_leaves_the_rest() -> None:
    beside = Figure("two", "cnn", "1x3", 1, {"sardonyx": 1.0, "onnxruntime": 2.0, "openvino": 3.0})
    new = replace(record(beside), peers={"onnxruntime": "1.2", "openvino": "3.4"})
    (found,) = speeds.merged([record(figure("one", 1.0))], new)
    assert found.peers == new.peers and found.figures == [figure("one", 1.0), beside]


def test_a_figure_of_a_row() -> None:
    timings = [Timing(name, "1", us, 0, 0, 9) for name, us in (("sardonyx", 2.0), ("onnxruntime", 3.0))]
    found = Figure.of(Row("net", 2, timings, [], 1e-6, [0.0, 0.5]), "8-bit", "1x3")
    times, wrong = {"sardonyx": 2.0, "onnxruntime": 3.0}, {"sardonyx": 0.0, "onnxruntime": 0.5}
    assert found == Figure("net", "8-bit", "1x3", 2, times, wrong, 1e-6)
    assert found.speed_beside("onnxruntime") == 1.5 and found.speed_beside("openvino") is None
    assert Figure.of(Row("net", 2), "cnn", "").speed_beside("onnxruntime") is None


def test_pages_say_what_the_records_do() -> None:
    records = speeds.read()
    assert {figure.kind for one in records for figure in one.figures} <= set(CLASSES)
    assert records == speeds.merged(records, records[0]), "ordered, and one for each kind and precision"
    assert speeds.SPEEDS.read_text(encoding="utf-8") == speeds.text(records)
    for page, text, marks in (
        (tables.PERFORMANCE, tables.report(records), compare_ort.MARKS),
        (tables.ROOT / "README.md", tables.summary(records), compare_ort.SUMMARY_MARKS),
    ):
        between = page.read_text(encoding="utf-8").split(marks[0])[1].split(marks[1])[0]
        assert between == f"\n{text}", f"{page.name}: python benchmarks/compare_ort.py --write"
