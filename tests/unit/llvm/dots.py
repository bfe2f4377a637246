"""Dot products of bytes in numpy, bit for bit as VNNI has them, and in IR: code for them runs anywhere.

Tiles of a `modelled` target call a function in the place of the instruction, which `with_models` defines.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from sardonyx.base.dataclass import replace
from sardonyx.base.target import Target
from sardonyx.base.tile import RegisterTile

Array = npt.NDArray[Any]
_INTRINSIC, _MODEL = "llvm.x86.avx512.vpdpbusd", "model.vpdpbusd"


def vpdpbusd(sums: Array, a: Array, b: Array) -> Array:
    """sums[n] + a . b modulo 2^32, of the four unsigned bytes a[n] and the four signed ones b[n]."""
    return (sums + (a.view(np.uint8).astype(np.int64) * b.view(np.int8)).sum(1)).astype(np.int32)


def modelled(target: Target) -> Target:
    """The target with a model in each tile of `vpdpbusd`, which asks for no feature then."""
    tiles = tuple(_modelled(tile) if _is_dot(tile) else tile for tile in target.tiles)
    return replace(target, name=f"{target.name}+model", tiles=tiles)


def _is_dot(tile: RegisterTile) -> bool:
    return tile.instruction.intrinsic.startswith(_INTRINSIC)


def _modelled(tile: RegisterTile) -> RegisterTile:
    instruction = tile.instruction
    model = replace(instruction, intrinsic=instruction.intrinsic.replace(_INTRINSIC, _MODEL))
    return replace(tile, features=(), instruction=model)


def with_models(text: str) -> str:
    """The text, in which models are defined that it declares."""
    return re.sub(rf"^declare <(\d+) x i32> @{_MODEL}\.\d+\(.*\n", _definition, text, flags=re.M)


def _definition(declared: re.Match[str]) -> str:
    lanes = int(declared[1])
    sums, numbers, wide = f"<{lanes} x i32>", f"<{4 * lanes} x i8>", f"<{4 * lanes} x i32>"
    lines = [f"%left = zext {numbers} %a to {wide}", f"%right = sext {numbers} %b to {wide}"]
    lines.append(f"%products = mul {wide} %left, %right")
    for n in range(4):
        picked = ", ".join(f"i32 {4 * lane + n}" for lane in range(lanes))
        before = f"%total{n - 1}" if n else "%sums"
        lines.append(f"%part{n} = shufflevector {wide} %products, {wide} poison, <{lanes} x i32> <{picked}>")
        lines.append(f"%total{n} = add {sums} {before}, %part{n}")
    body = "".join(f"  {line}\n" for line in [*lines, f"ret {sums} %total3"])
    name = f"{_MODEL}.{32 * lanes}"
    return f"define internal {sums} @{name}({sums} %sums, {numbers} %a, {numbers} %b) nounwind {{\n{body}}}\n"
