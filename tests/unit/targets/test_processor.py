"""A second processor: facts, tiles and relocations in one file, and every kernel becomes its machine code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from sardonyx import passes
from sardonyx.base.instruction import MultiplyAdd
from sardonyx.base.knobs import CompileOptions
from sardonyx.base.policy import Goal
from sardonyx.base.relocation import Bytes, Offsets, Relocations
from sardonyx.base.target import Target
from sardonyx.base.tile import RegisterTile
from sardonyx.frontend import load
from sardonyx.fuse.partition import partition
from sardonyx.kernels.families import NATIVE, native_calls
from sardonyx.kernels.library import Shared
from sardonyx.kernels.loops import Emissions
from sardonyx.object import executor
from sardonyx.object.link import link
from tests.unit.objects import compiled

ELF = b"\x7fELF"
MACHINE = 183
MODELS = {
    "classifier": """(float[N, 64] x, float[64, 10] w, float[10] b) => (float[N, 10] y) {
        p = MatMul(x, w)  a = Add(p, b)  r = Relu(a)  y = Softmax(r)
    }""",
    "picture": """(float[N, 32, H, W] x, float[32, 32, 3, 3] w) => (float[N, 32, P, Q] y) {
        c = Conv<pads = [1, 1, 1, 1]>(x, w)  r = Relu(c)
        y = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(r)
    }""",
    "depthwise": """(float[1, 16, H, W] x, float[16, 1, 3, 3] w) => (float[1, 16, P, Q] y) {
        c = Conv<group = 16>(x, w)  y = Sigmoid(c)
    }""",
    "recurrent": """(float[S, N, 8] x, float[1, 64, 8] w, float[1, 64, 16] r) => (float[S, 1, N, 16] y) {
        y = LSTM<hidden_size = 16>(x, w, r)
    }""",
    "sorted": """(float[N, 50] x) => (float[N, 5] y, int64[N, 5] i) {
        k = Constant<value_ints = [5]>()  y, i = TopK(x, k)
    }""",
    "double": "(double[N, 8] x, double[8, 4] w) => (double[N, 4] y) { p = MatMul(x, w)  y = Tanh(p) }",
}


def written(code: Bytes, places: Offsets, low: int, bits: int, value: Offsets) -> np.ndarray:
    """Put numbers into `bits` of instructions, from bit `low` on."""
    spots = places[:, None] + np.arange(4)
    words = code[spots].view("<u4")[:, 0] | (value & (1 << bits) - 1) << low
    code[spots] = words.astype("<u4").view(np.uint8).reshape(-1, 4)
    return np.ones(len(places), bool)


def page(code: Bytes, places: Offsets, wanted: Offsets) -> np.ndarray:
    """Adrp: the distance in pages, its two low bits apart."""
    pages = (wanted >> 12) - (places >> 12)
    return written(code, places, 29, 2, pages) & written(code, places, 5, 19, pages >> 2)


def rest(scale: int) -> Callable[[Bytes, Offsets, Offsets], np.ndarray]:
    """The place within a page, in steps of the size that is read."""
    return lambda code, places, wanted: written(code, places, 10, 12, (wanted & 0xFFF) >> scale)


def branch(code: Bytes, places: Offsets, wanted: Offsets) -> np.ndarray:
    return written(code, places, 0, 26, wanted - places >> 2)


STEPS = {277: 0, 278: 0, 284: 1, 285: 2, 286: 3, 299: 4}
ARM = Relocations(
    "AArch64",
    MACHINE,
    {275: page, 282: branch, 283: branch, **{kind: rest(scale) for kind, scale in STEPS.items()}},
)
FMLA = MultiplyAdd("fmla")
TILES = tuple(
    RegisterTile(kind, kind, rows=6, vectors=2, k_step=1, instruction=FMLA) for kind in ("f32", "f64")
)
EXECUTOR = """
declare void @llvm.aarch64.hint(i32)
declare i64 @llvm.readcyclecounter()
define internal void @pause() nounwind { call void @llvm.aarch64.hint(i32 1) ret void }
define internal i64 @ticks() nounwind { %now = call i64 @llvm.readcyclecounter() ret i64 %now }
define internal i64 @flush_denormals() nounwind { ret i64 0 }
define internal void @restore_float_mode(i64 %mode) nounwind { ret void }
"""


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Target:
    file: Path = tmp_path_factory.mktemp("arm") / "executor.ll"
    file.write_text(EXECUTOR)
    return Target(
        *("armv8", "aarch64-unknown-none-elf", "generic", ("neon",)),
        lanes=4,
        tiles=TILES,
        executor=file,
        relocations=ARM,
    )


def texts(model: str, goal: Goal) -> Iterator[tuple[str, dict[str, str]]]:
    """The symbol of each call of a model, and the modules it links to."""
    proto = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 20]> agraph {model}')
    graph = load(proto.SerializeToString(), CompileOptions()).graph
    for change in passes.PIPELINE:
        graph = change(graph, goal)
    fusion = partition(graph, NATIVE)
    emissions = Emissions(goal.target)
    for group in fusion.groups:
        assert group.kind != "host"
        for call, library in native_calls(group, fusion.places, goal, emissions):
            yield (
                call.symbol,
                {
                    name: text.of(goal) if isinstance(text, Shared) else text()
                    for name, text in library.items()
                },
            )


@pytest.mark.parametrize("name", MODELS)
def test_all_kernels_of_a_model_become_its_code(name: str, arm: Target) -> None:
    modules, symbols = {"executor": executor.ir(arm)}, {"sdx_execute"}
    for symbol, library in texts(MODELS[name], Goal(arm)):
        symbols.add(symbol)
        modules |= library
    objects = [compiled(text, arm) for text in modules.values()]
    for code in objects:
        assert code[:4] == ELF and int.from_bytes(code[18:20], "little") == MACHINE
    image = link(objects, arm)
    assert symbols <= set(image.symbols)
