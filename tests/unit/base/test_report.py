"""A report travels as JSON and as a pickle, and reads well."""

from __future__ import annotations

import json
import pickle

from sardonyx.base.report import Decision, FallbackNote, KernelNote, Report, StageTime


def full() -> Report:
    return Report(
        decisions=[
            Decision("k1", "joined with Relu_1", "", 4096),
            Decision("k1", "not with Softmax_2", "it reduces over axis 1, which k1 splits"),
            Decision("Conv_9", "not blocked", "3 channels"),
        ],
        kernels=[
            KernelNote("k1", ("MatMul_0", "Relu_1"), "contract", "tile 14x32", "fp32"),
            KernelNote("k2"),
        ],
        fallbacks=[FallbackNote("Unique", "Unique_7", "no native code")],
        timings=[StageTime("load", 1.5), StageTime("codegen", 20.25)],
        counters={"compiles": 2, "arena_bytes": 512},
    )


def test_json_and_pickle_keep_everything() -> None:
    report = full()
    assert Report.from_json(json.loads(json.dumps(report.as_json()))) == report
    assert pickle.loads(pickle.dumps(report)) == report
    assert Report.from_json({}) == Report()


def test_counting() -> None:
    report = Report()
    report.count("compiles")
    report.count("compiles", 2)
    assert report.counters == {"compiles": 3}


def test_a_node_that_runs_on_the_host_is_noted_once() -> None:
    report = Report(fallbacks=[FallbackNote("ImageDecoder", "picture", "no meaning of ours")])
    report.note_host("reference", ("picture",))
    report.note_host("to_text", ("Cast_1", "Cast_2"))
    report.note_host("to_text", ("Cast_1", "Cast_2"))
    report.note_host("made", ())
    report.note_host("made", ())
    assert [(note.op, note.node) for note in report.fallbacks] == [
        ("ImageDecoder", "picture"),
        ("to_text", "Cast_1, Cast_2"),
        ("made", ""),
        ("made", ""),
    ]
