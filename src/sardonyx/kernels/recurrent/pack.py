"""Packs recurrent weights that are known only at run time. Must not know gates or cells."""

from __future__ import annotations

from enum import IntEnum, auto

from sardonyx.base.abi import Context
from sardonyx.base.dtype import DType
from sardonyx.base.target import Target
from sardonyx.kernels.recurrent.sums import UNROLL
from sardonyx.kernels.share import ceil_div, split
from sardonyx.llvm.convert import from_memory, memory_type
from sardonyx.llvm.vec import Function, Module, V, int_


class Pack(IntEnum):
    """Argument words: FROM [D, rows, gates * H] with strides in elements; TO as `Panel.pack` lays it out."""

    FROM = 0
    FROM_D = auto()
    FROM_K = auto()
    FROM_U = auto()
    TO = auto()
    DIRECTIONS = auto()
    ROWS = auto()
    UNITS = auto()
    BLOCKS = auto()
    GATES = auto()
    LANES = auto()
    WORDS = auto()


def pack_symbol(dtype: DType) -> str:
    """The name of the packing kernel for weights of an element type."""
    return f"sdx_recurrent_pack_{dtype.name}"


def pack_ir(dtype: DType, target: Target) -> str:
    """The module with `void @sdx_recurrent_pack_*(ptr args, ptr ctx)`."""
    del target
    module = Module()
    f = Function(module, pack_symbol(dtype), [("args", "ptr"), ("ctx", "ptr")])
    args, ctx = f.params
    word = {
        w: f.word(args, w, "ptr" if w in (Pack.FROM, Pack.TO) else "i64") for w in Pack if w is not Pack.WORDS
    }
    inner = f.mul(ceil_div(f, word[Pack.ROWS], int_(UNROLL)), int_(UNROLL))
    width = f.mul(word[Pack.BLOCKS], word[Pack.LANES])
    groups = ceil_div(f, word[Pack.UNITS], width)
    low, high = split(
        f, f.mul(word[Pack.DIRECTIONS], groups), f.word(ctx, Context.TID), f.word(ctx, Context.NTHREADS)
    )
    with f.loop(low, high) as part, f.loop(int_(0), inner) as row:
        direction, group = f.binary("udiv", part.index, groups), f.binary("urem", part.index, groups)
        to = f.add(f.mul(part.index, inner), row.index)
        source = f.add(f.mul(direction, word[Pack.FROM_D]), f.mul(row.index, word[Pack.FROM_K]))
        within = f.icmp("slt", row.index, word[Pack.ROWS])
        with f.loop(int_(0), word[Pack.BLOCKS]) as block, f.loop(int_(0), word[Pack.GATES]) as gate:
            first = f.mul(f.add(f.mul(group, word[Pack.BLOCKS]), block.index), word[Pack.LANES])
            vector = f.add(
                f.mul(f.add(f.mul(to, word[Pack.BLOCKS]), block.index), word[Pack.GATES]), gate.index
            )
            with f.loop(int_(0), word[Pack.LANES]) as lane:
                unit = f.add(first, lane.index)
                column = f.add(f.mul(gate.index, word[Pack.UNITS]), unit)
                exists = f.binary("and", within, f.icmp("slt", unit, word[Pack.UNITS]))
                at = f.select(exists, f.add(source, f.mul(column, word[Pack.FROM_U])), int_(0))
                value = from_memory(
                    f, f.load(f.gep(word[Pack.FROM], at, memory_type(dtype)), memory_type(dtype)), dtype
                )
                value = f.select(exists, value, V("zeroinitializer", value.type))
                index = f.add(f.mul(vector, word[Pack.LANES]), lane.index)
                f.store(value, f.gep(word[Pack.TO], index, value.type))
    f.ret()
    f.finish()
    return module.text()
