"""The contraction kernels as LLVM IR: modules that depend on the CPU's level alone and serve every model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial

from sardonyx.base.policy import Goal

_PARTS = 4
"""Modules of about equal length for one element type, which are compiled side by side."""


@dataclass(frozen=True, slots=True)
class Shared:
    """The text of a module that is the same in every model: a function of the level of the CPU alone."""

    of: Callable[[Goal], str]


Text = Callable[[], str] | Shared
"""How the IR of a module is made."""


def contraction(suffix: str) -> Mapping[str, Shared]:
    """The modules with `sdx_gemm_*`, `sdx_gemm_dynamic_*` and `sdx_conv_*` for "f32" or "f64", by name."""
    dtype = {"f32": "float", "f64": "double"}[suffix]
    return {f"contraction {suffix} {n}": Shared(partial(_part, dtype, n)) for n in range(_PARTS)}


def _part(dtype: str, number: int, goal: Goal) -> str:
    return library_ir(goal, dtype)[number]


@cache
def library_ir(goal: Goal, dtype: str = "float") -> tuple[str, ...]:
    """The texts of `contraction`, of which each needs the others; what writes them is imported for them."""
    from sardonyx.kernels.convolution.driver import define_conv
    from sardonyx.kernels.product.driver import define_gemm
    from sardonyx.llvm.vec import Module

    module = Module()
    define_gemm(module, goal, dtype)
    define_conv(module, goal, dtype)
    return module.parts(_PARTS)
