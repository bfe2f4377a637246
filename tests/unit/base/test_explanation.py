"""A report reads well: by layer, with the model's names, ending with what can be done."""

from __future__ import annotations

from sardonyx.base.explanation import explanation
from sardonyx.base.report import Decision, FallbackNote, KernelNote, Report, StageTime

NODES = tuple(f"/encoder/layer.1/norm/Op_{n}" for n in range(6))
F32 = "f32 by vfmadd zmm, sums in f32"


def full() -> Report:
    return Report(
        decisions=[
            Decision("dot f32[2] of Conv_9", "stored", "it is an output"),
            Decision("max f32[2] of /encoder/layer.0/Relu_1", "fused", "inside its reader", 4096),
            Decision("dot f32[2] of /encoder/layer.0/MatMul", "not fused", "nothing follows it"),
            Decision("dot f32[2] of /encoder/layer.0/MatMul", "stored", "nothing follows it"),
            Decision("add f32[2] of /encoder/layer.0/Add", "stored", "nothing follows it"),
            Decision("pad f32[2]", "stored", "pad writes memory"),
        ],
        kernels=[
            KernelNote("k1", ("/encoder/layer.0/Relu_1", "/encoder/layer.0/MatMul"), "gemm", "2 x 3", F32),
            KernelNote("k2", (), "loops", "copy of tokens"),
            KernelNote("k3", ("/encoder/layer.1/Slice",), "loops", "slice of /encoder/layer.1/Slice"),
            KernelNote("k4", NODES[::-1], "loops", f"add of {NODES[-1]}"),
            KernelNote("k5", ("Lstm_3",), "recurrent", "lstm of 64 units"),
        ],
        fallbacks=[FallbackNote("unique_text", "Unique_7", "no native code")],
        timings=[StageTime(name, ms) for name, ms in zip("abcde", (1.5, 20.25, 3, 4, 5), strict=True)],
        counters={"compiles": 2, "arena_bytes": 51_200, "weight_bytes": 2_500_000, "variants": 3},
        operators=dict.fromkeys(("/encoder/layer.0/MatMul", "/encoder/layer.0/Relu_1", *NODES), "Op")
        | {"Unique_7": "Unique"},
    )


def test_text() -> None:
    assert explanation(full()).splitlines() == [
        f"5 kernels, 1 operator outside native code, products: {F32}",
        "",
        "encoder/layer.0: 2 kernels",
        "  gemm        MatMul + Relu_1  2 x 3",
        "  loops                        copy of tokens",
        "  kept in memory, because",
        "    nothing follows it: Add, MatMul",
        "",
        "encoder/layer.1: 2 kernels",
        "  loops       Slice                                                   slice",
        "  loops       norm/Op_0 + norm/Op_1 + norm/Op_2 + 2 more + norm/Op_5  add",
        "",
        "model: 1 kernel",
        "  recurrent   Lstm_3  lstm of 64 units",
        "  kept in memory, because",
        "    pad writes memory: pad f32[2]",
        "    it is an output: Conv_9",
        "",
        "not native",
        "  Unique               Unique_7  no native code",
        "",
        "compiled in 33.8 ms (b 20.2, e 5.0, d 4.0, c 3.0)",
        "weights 2.5 MB, memory between kernels 51.2 kB, "
        "2 kernels compiled now, the others found in the cache, "
        "3 programs, one for each content of the inputs that decides ranks, "
        "4.1 kB of memory traffic saved by joining",
        "what you can do",
        "  - Unique in numpy: give it a formula with @sardonyx.op, or replace it before the export",
        "  - the option fallback=error refuses a model instead of running part of it in numpy",
        "  - ranks depend on what is fed: these are the kernels for --input NAME=FILE, else random numbers",
        "  - too slow: `sardonyx explain --profile MODEL` shows where the time goes",
        "  - still too slow, or too large: `sardonyx quantize MODEL` makes it 8-bit and measures the error",
        "  - compare the speed with onnxruntime: `sardonyx bench MODEL`",
        "  - a wrong result: compare with SARDONYX_TARGET=reference, which runs the same stages in numpy",
    ]


def test_what_was_found_in_the_cache_was_not_compiled() -> None:
    report = Report(timings=[StageTime("load", 3)], counters={"compiles": 0})
    assert "made ready in 3.0 ms (load 3.0)\nall machine code found in the cache" in explanation(report)


def test_in_brief_there_are_no_reasons() -> None:
    text = explanation(full(), refused=False)
    assert "because" not in text and "Conv_9" not in text and "encoder/layer.0: 2 kernels" in text


def test_of_many_values_the_first_are_named() -> None:
    decisions = [Decision(f"add f32[2] of Add_{n}", "stored", "it is an output") for n in range(14)]
    line = next(line for line in explanation(Report(decisions=decisions)).splitlines() if "output:" in line)
    assert line.endswith("Add_2, 2 more") and line.count("Add_") == 12


def test_products_of_several_kinds_say_theirs_each() -> None:
    kernels = [KernelNote("a", ("A",), "gemm", "1", F32), KernelNote("b", ("B",), "gemm", "2", "i8 by dots")]
    lines = explanation(Report(kernels=kernels)).splitlines()
    assert lines[0] == "2 kernels, 0 operators outside native code"
    assert lines[3:5] == [f"  gemm        A  1  [{F32}]", "  gemm        B  2  [i8 by dots]"]


def test_small_and_8_bit_models_are_not_told_to_quantise() -> None:
    eight = [KernelNote("b", ("B",), "gemm", "2", "i8 by dots")]
    assert "quantize" not in explanation(Report(kernels=eight, counters={"weight_bytes": 1 << 30}))
    single = [KernelNote("b", ("B",), "gemm", "2", F32)]
    assert "quantize" not in explanation(Report(kernels=eight + single, counters={"weight_bytes": 1 << 30}))
    assert "quantize" in explanation(Report(kernels=single, counters={"weight_bytes": 1 << 30}))
    assert "quantize" not in explanation(Report(kernels=single, counters={"weight_bytes": 1000}))


def test_kernels_that_were_compiled_quickly_are_counted_and_what_keeps_them_so_is_told() -> None:
    assert "1 kernel compiled quickly and not yet in full" in explanation(
        Report(counters={"quick_kernels": 1})
    )
    found = explanation(Report(counters={"quick_kernels": 1}, fault="CompileError: no"))
    assert "code that was compiled quickly stays in use: CompileError: no" in found


def test_of_a_long_list_of_kernels_the_first_are_shown_and_equal_ones_once() -> None:
    kernels = [KernelNote("k", (f"N{n // 2}",), "move", "slice") for n in range(40)]
    lines = explanation(Report(kernels=kernels), most=10).splitlines()
    assert lines[:4] == ["40 kernels, 0 operators outside native code", "", "model: 40 kernels", lines[3]]
    assert lines[3].split() == ["move", "N0", "slice", "2", "times"]
    assert lines[12] == "12 more lines: --all shows them, --profile the longest kernels"
    assert "what you can do" in lines and len(explanation(Report(kernels=kernels)).splitlines()) > 22
