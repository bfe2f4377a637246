"""Records become a table per class, with means of it, and peers and wrong outputs beside their ratio."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import tables
from speeds import Figure, Record


def figure(
    model: str,
    kind: str,
    threads: int,
    times_ms: dict[str, float],
    wrong: tuple[float, ...] = (),
    apart: float | None = None,
) -> Figure:
    times = {name: ms * 1e3 for name, ms in times_ms.items()}
    return Figure(model, kind, "1x3", threads, times, dict(zip(times, wrong, strict=False)), apart)


def record(*figures: Figure) -> Record:
    return Record(
        kind="x86_64-v4 avx512vnni",
        precision="fp32",
        date="2026-01-02",
        processor="a processor",
        cores=2,
        python="3.11",
        one_thread_by="the clock",
        peers={"onnxruntime": "1.2"},
        figures=figures,
        one_node_us={},
    )


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(("|", "#"))]


PLAIN = record(
    figure("one", "cnn", 1, {"sardonyx": 1, "onnxruntime": 2}),
    figure("two", "cnn", 1, {"sardonyx": 200.4, "onnxruntime": 1603.2}),
    figure("one", "cnn", 2, {"sardonyx": 1, "onnxruntime": 1.5}),
    figure("two", "cnn", 2, {}),
    figure("net", "8-bit", 1, {"sardonyx": 2, "onnxruntime": 1}, (0, 0.5)),
    figure("net", "8-bit", 2, {"sardonyx": 1, "onnxruntime": 1}, (0, 0.5)),
)
BOTH = replace(
    record(
        figure("one", "cnn", 1, {"sardonyx": 1, "onnxruntime": 2, "openvino": 3}),
        figure("two", "cnn", 1, {"sardonyx": 1, "onnxruntime": 2}),
        figure("trunks", "trees", 1, {"sardonyx": 1, "onnxruntime": 2}),
    ),
    precision="strict",
    peers={"onnxruntime": "1.2", "openvino": "3.4"},
)


def test_a_table_for_each_class() -> None:
    text = tables.report([replace(PLAIN, one_node_us={"sardonyx": 3.0, "onnxruntime": 7.0})])
    assert lines(text) == [
        "### AVX-512, VNNI",
        "#### CNN",
        "| model | input | 1 thread, ms | onnxruntime | speed | 2 threads, ms | onnxruntime | speed |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| one | 1x3 | 1 | 2 | 2.00x | 1 | 1.5 | 1.50x |",
        "| two | 1x3 | 200 | 1603 | 8.00x | fails | – | – |",
        "| **geometric mean** |  |  |  | **4.00x** |  |  | **1.50x** |",
        "#### 8-bit",
        "| model | input | 1 thread, ms | onnxruntime | speed | 2 threads, ms | onnxruntime | speed |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| net | 1x3 | 2 (0.0% wrong) | 1 (50.0% wrong) | 0.50x | 1 (0.0% wrong) | 1 (50.0% wrong) | 1.00x |",
        "| **geometric mean** |  |  |  | **0.50x** |  |  | **1.00x** |",
    ]
    assert (
        "Medians beside onnxruntime 1.2 on a processor, 2 cores, Python 3.11, precision fp32, one thread by "
        "the clock; last run on 2026-01-02. OpenVINO was not measured.\n" in text
    )
    assert "one-node model: Sardonyx 3.0 µs, onnxruntime 7.0 µs." in text


def test_distances_have_a_column_where_they_are_known() -> None:
    one, two = (
        figure("one", "cnn", n, {"sardonyx": 1, "onnxruntime": 2}, apart=apart)
        for n, apart in ((1, 2e-7), (2, 3e-6))
    )
    text = tables.report([record(one, two, figure("old", "cnn", 1, {"sardonyx": 1, "onnxruntime": 2}))])
    assert "`apart`: from onnxruntime's outputs" in text
    assert lines(text)[2].endswith("| speed | apart |")
    assert "| one | 1x3 | 1 | 2 | 2.00x | 1 | 2 | 2.00x | 3e-06 |" in text
    assert "| old | 1x3 | 1 | 2 | 2.00x | – | – | – | – |" in text
    assert "| **geometric mean** |  |  |  | **2.00x** |  |  | **2.00x** |  |" in text


def test_a_summary_has_a_line_for_each_thread_count() -> None:
    assert lines(tables.summary([PLAIN])) == [
        "| machine, precision | beside | threads | CNN | transformer | recurrent, audio | tiny | 8-bit "
        "| trees | all (models) |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| AVX-512, VNNI | onnxruntime 1.2 | 1 | 4.00x | – | – | – | 0.50x (wrong 0.0%, theirs 50.0%) | –"
        " | **2.00x** (3) |",
        "| AVX-512, VNNI | onnxruntime 1.2 | 2 | 1.50x | – | – | – | 1.00x (wrong 0.0%, theirs 50.0%) | –"
        " | **1.22x** (2) |",
    ]


def test_a_second_peer_has_columns_and_lines_of_its_own() -> None:
    text = tables.report([BOTH])
    assert "beside onnxruntime 1.2 and OpenVINO 3.4 on" in text and "not measured" not in text
    assert lines(text)[2:7:2] == [
        "| model | input | 1 thread, ms | onnxruntime | speed | OpenVINO | speed |",
        "| one | 1x3 | 1 | 2 | 2.00x | 3 | 3.00x |",
        "| **geometric mean** |  |  |  | **2.00x** |  | **3.00x** |",
    ]
    assert "| two | 1x3 | 1 | 2 | 2.00x | – | – |" in text
    assert lines(tables.summary([PLAIN, BOTH]))[4:] == [
        "| AVX-512, VNNI; strict | onnxruntime 1.2 | 1 | 2.00x | – | – | – | – | 2.00x | **2.00x** (3) |",
        "| AVX-512, VNNI; strict | OpenVINO 3.4 | 1 | 3.00x | – | – | – | – | – | **3.00x** (1) |",
    ]


def test_the_rest_of_a_page_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before <a> old <b> after")
    tables.rewrite(page, "new\n", ("<a>", "<b>"))
    assert page.read_text() == "before <a>\nnew\n<b> after"
