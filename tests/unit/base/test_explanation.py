"""A report reads well: by layer, with the model's names, ending with what can be done."""

from __future__ import annotations

import pytest

from sardonyx.base.explanation import explanation, layer_of
from sardonyx.base.report import Decision, FallbackNote, KernelNote, Report, StageTime

NODES = tuple(f"/encoder/layer.1/norm/Op_{n}" for n in range(6))


def full() -> Report:
    return Report(
        decisions=[
            Decision("max f32[2] of /encoder/layer.0/Relu_1", "fused", "inside its reader", 4096),
            Decision("dot f32[2] of Conv_9", "stored", "it is an output"),
        ],
        kernels=[
            KernelNote("k1", ("/encoder/layer.0/MatMul", "/encoder/layer.0/Relu_1"), "gemm", "2 x 3", "f32"),
            KernelNote("k2"),
            KernelNote("k3", NODES, "loops", "add of Op_0"),
        ],
        fallbacks=[FallbackNote("Unique", "Unique_7", "no native code")],
        timings=[StageTime("load", 1.5), StageTime("codegen", 20.25)],
        counters={"compiles": 2, "arena_bytes": 512},
    )


def test_text() -> None:
    assert explanation(full()).splitlines() == [
        "3 kernels, 1 operators outside native code",
        "",
        "encoder/layer.0: 2 kernels",
        "  gemm        /encoder/layer.0/MatMul + /encoder/layer.0/Relu_1  2 x 3  [f32]",
        f"              (before {NODES[0]})",
        "  decisions",
        "    max f32[2] of /encoder/layer.0/Relu_1: fused: inside its reader  (4096 bytes of traffic saved)",
        "",
        "encoder/layer.1: 1 kernel",
        f"  loops       {' + '.join(NODES[:4])} + 2 more  add of Op_0",
        "",
        "model: 0 kernels",
        "  decisions",
        "    dot f32[2] of Conv_9: stored: it is an output",
        "",
        "not native",
        "  Unique               Unique_7  no native code",
        "",
        "compile time 21.8 ms (load 1.5, codegen 20.2)",
        "counters  arena_bytes 512, compiles 2",
        "what you can do",
        "  - Unique in numpy: give it a formula with @sardonyx.op, or replace it before the export",
        "  - the option fallback=error refuses a model instead of running part of it in numpy",
        "  - `sardonyx bench MODEL` measures it beside onnxruntime",
        "  - a wrong result: compare with SARDONYX_TARGET=reference, which runs the same stages in numpy",
    ]
    assert "stored" not in explanation(full(), refused=False)


@pytest.mark.parametrize(
    ("node", "layer"),
    [
        ("/encoder/layer.0/attention/MatMul", "encoder/layer.0"),
        ("/model/norm/Add", "model"),
        ("Conv_9", ""),
        ("", ""),
        ("resnet/block2/conv1/Conv", "resnet/block2"),
    ],
)
def test_layers(node: str, layer: str) -> None:
    assert layer_of(node) == layer
