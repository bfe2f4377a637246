"""What this machine does at most with a number of threads: products a second, bytes a second by amount.

Measured by native loops of a few milliseconds; must not know models.
"""

from __future__ import annotations

import time
from functools import reduce
from typing import NamedTuple

import numpy as np

from sardonyx import targets
from sardonyx.base.abi import Context
from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile, RegisterTile
from sardonyx.errors import CompileError
from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.kernels.tiles.microkernel import added
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm import matrix
from sardonyx.llvm.products import add_steps
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, int_
from sardonyx.object import executor
from sardonyx.object.engine import compile_object
from sardonyx.object.link import link
from sardonyx.runtime.allocate import aligned_bytes
from sardonyx.runtime.image import load
from sardonyx.runtime.team import Launch, Team

_CHAINS, _SUMS, _VECTORS, _APART_BYTES = 12, 4, 4, 256
_STREAMS = 4
"""That are read at once; a power of two."""
_ROUNDS, _TRIALS, _LEAST_SECONDS = 100_000, 10, 0.02
_LEAST_BYTES, _MOST_BYTES, _COPIED_BYTES = 1 << 15, 1 << 27, 1 << 25


class Peak(NamedTuple):
    """Operations a second, and (bytes touched, bytes a second) by amount.

    `flops` are those of fp32, an FMA is two; `products` those of other instructions by what a report calls
    the arithmetic of a kernel.
    """

    threads: int
    flops: float
    rates: tuple[tuple[int, float], ...]
    products: tuple[tuple[str, float], ...] = ()

    def rate(self, size: float) -> float:
        """Bytes a second of a loop that touches that many: at the nearest smaller amount, or a larger one."""
        nearest = max((at for at, (amount, _) in enumerate(self.rates) if amount <= size), default=0)
        return max(rate for _, rate in self.rates[nearest:])

    def text(self) -> str:
        """For readers."""
        near, far = max(rate for _, rate in self.rates), self.rates[-1][1]
        others = "".join(f"{rate / 1e9:.0f} of {name}, " for name, rate in self.products)
        return (
            f"peak of {self.threads} thread{'s' if self.threads > 1 else ''}, measured: "
            f"{self.flops / 1e9:.0f} GFLOP/s (fp32 FMA), {others}{near / 1e9:.0f} GB/s in the caches, "
            f"{far / 1e9:.0f} GB/s in memory"
        )

    def share(self, flops: float, size: float, seconds: float, arithmetic: str = "") -> float:
        """How near the nearer of two roofs is, arithmetic and memory: 1 = as fast as this machine can."""
        most = next((rate for name, rate in self.products if arithmetic.startswith(name)), self.flops)
        return max(flops / most, size / self.rate(size)) / seconds


def measure(threads: int) -> Peak:
    """The best of several short runs on that many threads, which take some tenths of a second.

    Raises CompileError on machines without native code.
    """
    goal = Goal(targets.detect())
    target = goal.target
    if target.executor is None:
        raise CompileError(f"{target.name} executes no native code, whose peak could be measured")
    image = load(link([compile_object(text, target) for text in (executor.ir(target), ir(goal))], target))
    team = Team(image, threads)
    memory = aligned_bytes(_MOST_BYTES)
    memory[:] = 0
    try:

        def seconds(symbol: str, *words: int) -> float:
            arguments = np.array(words, np.int64)
            records = np.array([[image.address(symbol), arguments.ctypes.data, 0]], np.int64)
            launch = Launch(image, records, threads=threads, keep=arguments)
            found, end = list[float](), time.monotonic() + _LEAST_SECONDS
            while len(found) < _TRIALS or time.monotonic() < end:
                found.append(float(team.profile(launch)[1].busy_ns.max()))
            return min(found) * 1e-9

        flops = {}
        for tile in _tiles(goal):
            lanes = TileShape.of(goal, tile.operand).lanes
            work = 2 * tile.k_step * tile.instruction.steps * lanes * _CHAINS * _ROUNDS * threads
            flops[tile.operand] = work / seconds(f"products_{tile.operand}", memory.ctypes.data, _ROUNDS)
        products = tuple((str(tile), flops[tile.operand]) for tile in _tiles(goal)[1:])
        for matrix_tile in _matrices(goal):
            shape = MatrixShape(matrix_tile)
            together = TileShape.of(goal, "i8").depth if matrix_tile.operand == "i8" else 1
            k = shape.k_step * together / len(shape.terms)
            each = 2 * matrix_tile.rows**2 * k
            rate = (
                each
                * _SUMS
                * _ROUNDS
                * threads
                / seconds(f"products_{matrix_tile.name}", memory.ctypes.data, _ROUNDS)
            )
            products += ((str(matrix_tile), rate),)
        rates = []
        size = _LEAST_BYTES * threads
        while size <= _MOST_BYTES:
            rounds = max(1, _COPIED_BYTES // size)
            whole = _STREAMS * _step(goal)
            each = size // threads // whole * whole
            least = min(seconds(name, memory.ctypes.data, each, rounds) for name in ("copy", "read"))
            rates.append((size, each * threads * rounds / least))
            size *= 4
    finally:
        team.close()
    return Peak(threads, flops["f32"], tuple(rates), products)


def _tiles(goal: Goal) -> list[RegisterTile]:
    """What multiplies on this machine, fp32 first."""
    return [
        tile
        for operand in ("f32", "f64", "bf16", "i16", "i8", "i8pairs")
        if (tile := goal.find_tile(operand))
    ]


def _matrices(goal: Goal) -> list[MatrixTile]:
    """What multiplies on matrix registers, if there are any."""
    asked = [(operand, everywhere) for operand in ("f32", "fixed24", "i8") for everywhere in (False, True)]
    found = (goal.find_matrix(operand, everywhere=everywhere) for operand, everywhere in asked)
    return list(dict.fromkeys(tile for tile in found if tile))


def _step(goal: Goal) -> int:
    return 4 * goal.target.lanes * _VECTORS


def ir(goal: Goal) -> str:
    """Functions `products_*` (memory, rounds) of sums; `copy` and `read` (memory, bytes a thread, rounds).

    A thread of `copy` writes the first half of its bytes to the second, one of `read` reads some parts side
    by side: which is faster depends on the cache.
    """
    module = Module()
    for tile in _tiles(goal):
        _products(module, goal, tile)
    for matrix_tile in _matrices(goal):
        _matrix_products(module, matrix_tile)
    _copy(module, goal)
    _read(module, goal)
    return module.text()


def _products(module: Module, goal: Goal, tile: RegisterTile) -> None:
    params = [("args", "ptr"), ("ctx", "ptr")]
    f = Function(module, f"products_{tile.operand}", params)
    args, ctx = f.params
    shape = TileShape.of(goal, tile.operand)
    far = f.mul(f.word(ctx, Context.TID), int_(_APART_BYTES))
    mine = f.gep(f.word(args, 0, "ptr"), far, "i8")
    seed = f.load(mine, shape.vector)
    with f.loop(int_(0), f.word(args, 1), 1, [seed] * _CHAINS) as loop:
        steps = tile.instruction.steps
        loop.next(*(add_steps(f, x, [(x, x)] * steps, tile.instruction) for x in loop.carried))
    f.store(reduce(lambda x, y: added(f, x, y), loop.carried), mine)
    f.ret()
    f.finish()


def _matrix_products(module: Module, tile: MatrixTile) -> None:
    f = Function(module, f"products_{tile.name}", [("args", "ptr"), ("ctx", "ptr")])
    by = tile.instruction
    matrix.configure(f, by)
    with f.loop(int_(0), f.word(f.params[0], 1)):
        for register in range(_SUMS):
            matrix.add_product(f, by, register, _SUMS, _SUMS + 1)
    matrix.release(f, by)
    f.ret()
    f.finish()


def _copy(module: Module, goal: Goal) -> None:
    f = Function(module, "copy", [("args", "ptr"), ("ctx", "ptr")])
    args, ctx = f.params
    count, rounds = f.word(args, 1), f.word(args, 2)
    source = f.gep(f.word(args, 0, "ptr"), f.mul(f.word(ctx, Context.TID), count), "i8")
    half = f.binary("lshr", count, int_(1))
    to = f.gep(source, half, "i8")
    vector, step = vector_of("float", goal.target.lanes), _step(goal)
    offsets = [int_(n) for n in range(0, step, step // _VECTORS)]
    with f.loop(int_(0), rounds), f.loop(int_(0), half, step) as loop:
        read, written = (f.gep(base, loop.index, "i8") for base in (source, to))
        for offset in offsets:
            f.store(f.load(f.gep(read, offset, "i8"), vector), f.gep(written, offset, "i8"))
    f.ret()
    f.finish()


def _read(module: Module, goal: Goal) -> None:
    f = Function(module, "read", [("args", "ptr"), ("ctx", "ptr")])
    args, ctx = f.params
    count, rounds = f.word(args, 1), f.word(args, 2)
    first = f.gep(f.word(args, 0, "ptr"), f.mul(f.word(ctx, Context.TID), count), "i8")
    vector, step = vector_of("i32", goal.target.lanes), _step(goal)
    part = f.binary("lshr", count, int_(_STREAMS.bit_length() - 1))
    streams = [f.gep(first, f.mul(part, int_(n)), "i8") for n in range(_STREAMS)]
    offsets = [int_(n) for n in range(0, step, step // _VECTORS)]
    seen = [f.load(first, vector)] * _STREAMS
    with f.loop(int_(0), rounds, 1, seen) as again:
        with f.loop(int_(0), part, step, again.carried) as loop:
            found = list(loop.carried)
            for number, stream in enumerate(streams):
                at = f.gep(stream, loop.index, "i8")
                for offset in offsets:
                    read = f.load(f.gep(at, offset, "i8"), vector)
                    found[number] = f.binary("or", found[number], read)
            loop.next(*found)
        again.next(*loop.carried)
    f.store(reduce(lambda x, y: f.binary("or", x, y), again.carried), first)
    f.ret()
    f.finish()
