"""Figures become a table per class, with means of it, and both peers and wrong outputs beside their ratio."""

from __future__ import annotations

from pathlib import Path

import tables
from tables import Figure

from sardonyx.tools.bench import Row, Timing


def figure(
    model: str, kind: str, threads: int, times_ms: dict[str, float], wrong: tuple[float, ...] = ()
) -> Figure:
    timings = [Timing(name, "1.2", ms * 1e3, 0, 0, 9) for name, ms in times_ms.items()]
    return Figure(Row(model, threads, timings, [], 0.0, list(wrong)), kind, "1x3")


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(("|", "#"))]


PLAIN = [
    figure("one", "cnn", 1, {"sardonyx": 1, "onnxruntime": 2}),
    figure("two", "cnn", 1, {"sardonyx": 200.4, "onnxruntime": 1603.2}),
    figure("one", "cnn", 2, {"sardonyx": 1, "onnxruntime": 1.5}),
    figure("two", "cnn", 2, {}),
    figure("net", "8-bit", 1, {"sardonyx": 2, "onnxruntime": 1}, (0, 0.5)),
    figure("net", "8-bit", 2, {"sardonyx": 1, "onnxruntime": 1}, (0, 0.5)),
]


def test_a_table_for_each_class() -> None:
    text = tables.report(
        PLAIN, Row("one node", 1, [Timing("a", "1", 3, 0, 0, 1), Timing("b", "1", 7, 0, 0, 1)])
    )
    assert lines(text) == [
        "### CNN",
        "| model | input | 1 thread, ms | onnxruntime | speed | 2 threads, ms | onnxruntime | speed |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| one | 1x3 | 1 | 2 | 2.00x | 1 | 1.5 | 1.50x |",
        "| two | 1x3 | 200 | 1603 | 8.00x | fails | – | – |",
        "| **geometric mean** |  |  |  | **4.00x** |  |  | **1.50x** |",
        "### 8-bit",
        "| model | input | 1 thread, ms | onnxruntime | speed | 2 threads, ms | onnxruntime | speed |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| net | 1x3 | 2 (0.0% wrong) | 1 (50.0% wrong) | 0.50x | 1 (0.0% wrong) | 1 (50.0% wrong) | 1.00x |",
        "| **geometric mean** |  |  |  | **0.50x** |  |  | **1.00x** |",
    ]
    assert "beside onnxruntime 1.2 on" in text and tables.MISSING in text
    assert "one-node model: 3.0 µs, onnxruntime 7.0 µs" in text


def test_a_summary_of_each_class() -> None:
    assert lines(tables.summary(PLAIN)) == [
        "| models | 1 thread | 2 threads |",
        "| --- | ---: | ---: |",
        "| CNN (2) | 4.00x | 1.50x |",
        "| 8-bit (1) | 0.50x (wrong: 0.0%, theirs 50.0%) | 1.00x (wrong: 0.0%, theirs 50.0%) |",
        "| **all (3)** | **2.00x** | **1.22x** |",
    ]


def test_a_second_peer_has_columns_of_its_own() -> None:
    figures = [
        figure("one", "cnn", 1, {"sardonyx": 1, "onnxruntime": 2, "openvino": 3}),
        figure("two", "cnn", 1, {"sardonyx": 1, "onnxruntime": 2}),
        figure("trunks", "trees", 1, {"sardonyx": 1, "onnxruntime": 2}),
    ]
    text = tables.report(figures, Row("one node", 1))
    assert "beside onnxruntime 1.2 and OpenVINO 1.2 on" in text and tables.MISSING not in text
    assert lines(text)[1:6:2] == [
        "| model | input | 1 thread, ms | onnxruntime | speed | OpenVINO | speed |",
        "| one | 1x3 | 1 | 2 | 2.00x | 3 | 3.00x |",
        "| **geometric mean** |  |  |  | **2.00x** |  | **3.00x** |",
    ]
    assert "| two | 1x3 | 1 | 2 | 2.00x | – | – |" in text
    assert lines(tables.summary(figures)) == [
        "| models | 1 thread, onnxruntime | 1 thread, OpenVINO |",
        "| --- | ---: | ---: |",
        "| CNN (2) | 2.00x | 3.00x |",
        "| trees (1) | 2.00x | – |",
        "| **all (3)** | **2.00x** | **3.00x** |",
    ]


def test_the_rest_of_a_page_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before <a> old <b> after")
    tables.rewrite(page, "new\n", ("<a>", "<b>"))
    assert page.read_text() == "before <a>\nnew\n<b> after"
