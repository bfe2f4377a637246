"""Products with short sums: what threads share. Must not know ONNX, graphs or what an epilogue computes."""

from __future__ import annotations

from sardonyx.base.policy import Goal
from sardonyx.kernels.product.driver import define_driver
from sardonyx.kernels.shallow.walk import define_shallow_block, shallow
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Module


def define_shallow(module: Module, goal: Goal, steps: int) -> None:
    """Add `void @sdx_gemm_shallow{steps}_f32(ptr args, ptr ctx)` and `sdx_gemm_shallow{steps}_dynamic_*`."""
    shape = TileShape.of(goal, "f32")
    for made in (False, True):
        block = define_shallow_block(module, goal, shape, steps, made=made)
        define_driver(module, shape, block, shallow(steps, made=made))
