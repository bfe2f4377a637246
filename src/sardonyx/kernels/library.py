"""The shared library of contraction kernels as LLVM IR: compiled once per target, linked by every model."""

from __future__ import annotations

from functools import cache

from sardonyx.base.target import Target
from sardonyx.kernels.convolution.driver import define_conv
from sardonyx.kernels.convolution.walk import scratch_bytes as conv_scratch_bytes
from sardonyx.kernels.product.driver import define_gemm
from sardonyx.kernels.product.walk import scratch_bytes as gemm_scratch_bytes
from sardonyx.llvm.vec import Module


@cache
def library_ir(target: Target, dtype: str = "float") -> str:
    """One module with `sdx_gemm_*`, `sdx_gemm_dynamic_*` and `sdx_conv_*` for "float" or "double"."""
    module = Module()
    define_gemm(module, target, dtype)
    define_conv(module, target, dtype)
    return module.text()


def scratch_bytes(target: Target) -> int:
    """Bytes of thread-private scratch that any kernel of the library may use, whatever the sizes."""
    return max(gemm_scratch_bytes(target), conv_scratch_bytes())
