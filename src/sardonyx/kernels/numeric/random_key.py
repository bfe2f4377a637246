"""A number that is new in every run: from the processor's clock, or the next one after a seed."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from sardonyx.base.abi import Context, RandomState
from sardonyx.base.policy import Goal
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place
from sardonyx.kernels.call import Address, Calls, NativeCall
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.vec import Function, Module, V, int_

_SYMBOL = "sdx_random_key"
_STEP = 0x9E3779B97F4A7C15 - (1 << 64)


def random_key_calls(group: Group, places: Mapping[int, Place], goal: Goal) -> Calls:
    """The call that draws the key of one node."""
    del places, goal
    root, place = group.root, group.place
    assert place is not None
    stream = zlib.crc32(str(root.attrs["stream"]).encode())
    call = NativeCall(
        _SYMBOL,
        (Address.of(place), stream),
        (),
        (place.storage,),
        root.origins,
        work=20,
        kind="random",
        plan="key",
    )
    yield call, {_SYMBOL: random_key_ir}


def random_key_ir() -> str:
    """The module with `void @sdx_random_key(ptr args, ptr ctx)`: args are an address of u32 and a stream."""
    module = Module()
    f = Function(module, _SYMBOL, [("args", "ptr"), ("ctx", "ptr")])
    args, ctx = f.params
    with f.when(f.icmp("eq", f.word(ctx, Context.TID), int_(0))):
        clock = Lanes(f, f.call("llvm.readcyclecounter", "i64"))
        who = Lanes(f, f.value("i64", f"ptrtoint {ctx} to i64"))
        state = f.word(ctx, Context.RANDOM, "ptr")
        seeded = f.icmp("ne", f.word(state, RandomState.SEEDED), int_(0))
        place = f.gep(state, int_(RandomState.STATE), "i64")
        following = f.value("i64", f"atomicrmw add {place}, i64 {_STEP} monotonic")
        drawn = f.select(seeded, following, (_mixed(clock) + who).v)
        key = _mixed(_mixed(Lanes(f, drawn)) + Lanes(f, f.word(args, 1)))
        f.store(f.convert("trunc", key.v, "i32"), f.word(args, 0, "ptr"))
    f.ret()
    f.finish()
    return module.text()


def _mixed(x: Lanes) -> Lanes:
    """Mix the bits of 64-bit numbers (Steele, Lea and Flood's splitmix64)."""
    x = x + Lanes(x.f, V(str(_STEP), "i64"))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ x.shift_right(shift)) * Lanes(x.f, V(str(factor - (1 << 64)), "i64"))
    return x ^ x.shift_right(31)
