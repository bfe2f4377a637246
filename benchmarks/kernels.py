"""GEMM and convolution shapes one by one, in GFLOP/s, beside onnxruntime.

    python benchmarks/kernels.py [--threads 1] [--seconds 1.0] [PATTERN ...]

How it is measured: see `sardonyx.tools.bench`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from sardonyx.tools import bench

GEMMS = ((128, 768, 768), (128, 3072, 768), (128, 768, 3072), (1, 768, 768), (512, 512, 512), (37, 100, 300))
# height and width, input channels, output channels, kernel side, stride, groups
CONVS = (
    (56, 64, 64, 3, 1, 1),
    (28, 128, 128, 3, 1, 1),
    (14, 256, 256, 3, 1, 1),
    (7, 512, 512, 3, 1, 1),
    (56, 64, 256, 1, 1, 1),
    (14, 1024, 256, 1, 1, 1),
    (224, 3, 64, 7, 2, 1),
    (56, 144, 144, 3, 1, 144),
)


@dataclass(frozen=True)
class Kernel:
    """One shape: a model of a few nodes, its feeds and its work in floating point operations."""

    name: str
    text: str
    shapes: dict[str, tuple[int, ...]]
    flops: float

    def model(self) -> bytes:
        """The model with random weights; the input `x` is fed."""
        proto = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]> {self.text}')
        random = np.random.default_rng(0)
        for name, shape in self.shapes.items():
            if name != "x":
                array = random.normal(0, 0.05, shape).astype(np.float32)
                proto.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
        return bytes(proto.SerializeToString())

    def feeds(self) -> dict[str, np.ndarray]:
        """A random `x`."""
        return {"x": np.random.default_rng(1).normal(size=self.shapes["x"]).astype(np.float32)}


def gemm(m: int, n: int, k: int) -> Kernel:
    """Product, bias and ReLU."""
    text = f"g (float[M, {k}] x) => (float[M, {n}] y) {{ h = MatMul(x, w)  s = Add(h, b)  y = Relu(s) }}"
    return Kernel(f"gemm {m}x{n}x{k}", text, {"x": (m, k), "w": (k, n), "b": (n,)}, 2.0 * m * n * k)


def conv(side: int, inputs: int, outputs: int, kernel: int, stride: int, groups: int) -> Kernel:
    """Padded convolution, bias and ReLU."""
    pad = kernel // 2
    attributes = f"pads = [{pad}, {pad}, {pad}, {pad}], strides = [{stride}, {stride}], group = {groups}"
    text = (
        f"g (float[N, {inputs}, {side}, {side}] x) => (float[N, {outputs}, H, W] y) "
        f"{{ h = Conv<{attributes}>(x, w, b)  y = Relu(h) }}"
    )
    shapes = {
        "x": (1, inputs, side, side),
        "w": (outputs, inputs // groups, kernel, kernel),
        "b": (outputs,),
    }
    out = (side + 2 * pad - kernel) // stride + 1
    flops = 2.0 * out * out * outputs * (inputs // groups) * kernel * kernel
    kind = "depthwise" if groups == inputs else "conv"
    return Kernel(
        f"{kind} {kernel}x{kernel} {side}x{side}x{inputs}->{outputs} /{stride}", text, shapes, flops
    )


def kernels(patterns: list[str]) -> Iterator[Kernel]:
    """All shapes whose name contains one of the patterns."""
    for kernel in (*(gemm(*shape) for shape in GEMMS), *(conv(*shape) for shape in CONVS)):
        if not patterns or any(pattern in kernel.name for pattern in patterns):
            yield kernel


def main() -> int:
    """Print one line per shape; the exit status is 1 if an engine failed."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("patterns", nargs="*")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    print(f"{'shape':34} {'sardonyx':>10} {'onnxruntime':>12}   GFLOP/s, {options.threads} threads")
    failed = 0
    for kernel in kernels(options.patterns):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "kernel.onnx"
            path.write_bytes(kernel.model())
            try:
                row = bench.compare(path, kernel.feeds(), threads=options.threads, seconds=options.seconds)
            except bench.BenchError as error:
                failed += 1
                print(f"{kernel.name:34} FAILS  {error}", flush=True)
                continue
        ours, peer = (kernel.flops / timing.median_us / 1e3 for timing in row.timings)
        print(
            f"{kernel.name:34} {ours:10.1f} {peer:12.1f} {row.speed:6.2f}x  apart {row.apart:.1e}", flush=True
        )
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
