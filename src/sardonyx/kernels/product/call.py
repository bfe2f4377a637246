"""A matrix product with its epilogue -> one call of the GEMM kernel."""

from __future__ import annotations

from collections.abc import Mapping

from sardonyx.base import broadcasting
from sardonyx.base import dim as dims
from sardonyx.base.assumed import assumed
from sardonyx.base.dataclass import replace
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile
from sardonyx.errors import CompileError
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place, Storage
from sardonyx.ir.value import Value
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.call import Address, Argument, Entry, NativeCall
from sardonyx.kernels.contraction import Contraction, EndWords
from sardonyx.kernels.epilogue import match_finish
from sardonyx.kernels.loops import Emissions
from sardonyx.kernels.packing import packed
from sardonyx.kernels.product.blockwise import pack_blocks, pack_levels
from sardonyx.kernels.product.choose import chosen, chosen_blockwise
from sardonyx.kernels.product.levels.floats import few_bytes
from sardonyx.kernels.product.levels.points import point_bytes
from sardonyx.kernels.product.pack import matrix_shape, pack_b, pack_matrix, packed_shape, parts_b
from sardonyx.kernels.scratch import product_bytes
from sardonyx.kernels.tiles.shape import operand_of
from sardonyx.loops.lower import lower
from sardonyx.loops.nest import Affine, Axis, Kernel, Store
from sardonyx.loops.rewrite import merge_outer


def dot_call(
    group: Group, places: Mapping[int, Place], goal: Goal, emissions: Emissions
) -> tuple[NativeCall, Mapping[str, str]]:
    """The call, and the IR modules it needs by name.

    Raises CompileError if the batch axes cannot be merged into two.
    """
    target = goal.target
    anchor = group.anchor
    assert anchor is not None
    a, b = anchor.args
    kernel = lower(group, places)[0]
    *lead, row, column = kernel.outer
    inner = Axis("k", a.shape[-1])
    constant = b.is_numeric_const
    matrix = chosen(anchor, goal)
    packed_b = _packed(b, goal, matrix) if constant else None
    a_at = _operand(a, places[a.id], anchor.shape, (*lead, row, inner))
    if packed_b is not None:
        b_at = _packed_batches(b, packed_b, anchor.shape, lead)
    else:
        b_at = _operand(b, places[b.id], anchor.shape, (*lead, inner, column))
    kernel, (a_at, b_at) = merge_outer(kernel, (a_at, b_at))
    kernel = _with_most_rows(kernel, a_at, b_at)
    sources = (places[a.id].storage, packed_b or places[b.id].storage)
    operand = operand_of(a.dtype, b.data if constant else None, goal)
    tile = goal.tile(operand)
    words = _operand_words(kernel, inner, (a_at, b_at), sources, tile.k_step)
    how = f"{matrix.name}_" if matrix else ""
    words |= {Gemm.L2_BYTES: target.l2_bytes}
    end = _end_words(kernel, anchor.dtype, emissions)
    call = Contraction(Gemm, words, end, kernel, sources).call(
        f"sdx_gemm_{how}{operand}" if packed_b else f"sdx_gemm_{how}dynamic_{operand}",
        "gemm",
        work=dims.product([*(x.extent for x in kernel.outer), inner.extent]) * 2,
        scratch_bytes=product_bytes(target),
        arithmetic=str(matrix or tile),
        plan=_plan(kernel, inner, end),
    )
    return call, end.modules


def blockwise_call(
    group: Group, places: Mapping[int, Place], goal: Goal, emissions: Emissions
) -> tuple[NativeCall, Mapping[str, str]]:
    """The call of a product with weights of few bits, and the IR modules it needs by name.

    Raises CompileError if the batch axes cannot be merged into two.
    """
    anchor = group.anchor
    assert anchor is not None
    a, w, scales, zeros = anchor.args
    bits, block, count = anchor.attrs["bits"], anchor.attrs["block"], a.shape[-1]
    assert isinstance(count, int)
    kernel = lower(group, places)[0]
    *lead, row, _ = kernel.outer
    inner = Axis("k", count)
    kernel, (a_at,) = merge_outer(kernel, (_operand(a, places[a.id], anchor.shape, (*lead, row, inner)),))
    points = anchor.attrs["points"] == "made"
    levels = packed(w, ("levels", bits, count, goal), lambda v: pack_levels(v, bits, count, goal))
    usual = zeros.data is not None and (zeros.data == 1 << bits - 1).all()
    of_blocks = {Gemm.SCALES: scales} if usual else {Gemm.SCALES: scales, Gemm.ZEROS: zeros}
    blocks = {
        word: packed(v, ("blocks", goal), lambda v: pack_blocks(v, goal)) for word, v in of_blocks.items()
    }
    sources = (places[a.id].storage, levels)
    tile = None if points else chosen_blockwise(anchor, goal)
    how = f"points{bits}" if points else f"blockwise{bits}"
    how = f"{tile.name}_{how}" if tile else how
    words = _operand_words(kernel, inner, (a_at, Affine()), sources, 1)
    words |= {word: Address(storage) for word, storage in blocks.items()}
    words |= {Gemm.BLOCK: block, Gemm.L2_BYTES: goal.target.l2_bytes}
    end = _end_words(kernel, anchor.dtype, emissions)
    call = Contraction(Gemm, words, end, kernel, (*sources, *blocks.values())).call(
        f"sdx_gemm_{how}_f32",
        "gemm",
        work=dims.product([*(x.extent for x in kernel.outer), inner.extent]) * 2,
        scratch_bytes=_scratch_bytes(anchor, goal),
        arithmetic=f"{tile or goal.tile('i8' if points else 'f32')}, weights of {bits} bits",
        plan=_plan(kernel, inner, end),
    )
    return call, end.modules


def _scratch_bytes(anchor: Value, goal: Goal) -> Dim:
    """Bytes of scratch for a product with weights of few bits."""
    count = anchor.args[0].shape[-1]
    assert isinstance(count, int)
    if anchor.attrs["points"] == "made":
        return point_bytes(goal.target, count, anchor.attrs["block"])
    return max(product_bytes(goal.target), few_bytes(goal.target, count))


def _with_most_rows(kernel: Kernel, a_at: Affine, b_at: Affine) -> Kernel:
    """The longest batch axis that B does not follow as the row axis, if it is longer than that."""
    *lead, row, column = kernel.outer

    def length(axis: Axis) -> tuple[int, bool]:
        return assumed(axis.extent), isinstance(a_at.factor(axis), int)

    longest = max((axis for axis in lead if b_at.factor(axis) == 0), key=length, default=row)
    if length(longest) <= length(row):
        return kernel
    # The former row axis stays, even if of extent 1: it is what the tile is addressed by.
    others = [axis for axis in lead if axis is not longest]
    return replace(kernel, outer=(*others, row, longest, column))


def _batch(kernel: Kernel) -> list[Axis | None]:
    """The axes before row and column as the kernel's two batch axes."""
    lead = kernel.outer[:-2]
    if len(lead) > 2:
        raise CompileError(f"{kernel.name}: {len(lead)} batch axes cannot be merged into two")
    return [*([None] * (2 - len(lead))), *lead]


def _operand_words(
    kernel: Kernel, inner: Axis, at: tuple[Affine, Affine], sources: tuple[Storage, Storage], depth: int
) -> dict[int, Argument]:
    """Sizes, addresses and strides of the operands, of which a k step takes `depth` elements."""
    (a_at, b_at), (row, column) = at, kernel.outer[-2:]
    words: dict[int, Argument] = {
        Gemm.A: Address(sources[0], a_at.const),
        Gemm.B: Address(sources[1], b_at.const),
    }
    words |= {Gemm.M: row.extent, Gemm.N: column.extent, Gemm.K: dims.floordiv(inner.extent, depth)}
    words |= {Gemm.A_M: a_at.factor(row), Gemm.A_K: a_at.factor(inner)}
    words |= {Gemm.B_K: b_at.factor(inner), Gemm.B_N: b_at.factor(column)}
    for position, axis in enumerate(_batch(kernel)):
        words[Gemm.BATCH0 + position] = axis.extent if axis else 1
        words[Gemm.A_BATCH0 + position] = a_at.factor(axis) if axis else 0
        words[Gemm.B_BATCH0 + position] = dims.floordiv(b_at.factor(axis), depth) if axis else 0
    return words


def _end_words(kernel: Kernel, dtype: DType, emissions: Emissions) -> EndWords:
    finish = match_finish(kernel)
    row, column = kernel.outer[-2:]
    if finish is None or finish.to.factor(column) != 1:
        end, ir = emissions.call(kernel)
        words = {Gemm.EPILOGUE: Entry(end.symbol), **_result(kernel, dtype)}
        return EndWords(words, end.words, {end.symbol: ir})
    words = _result(kernel, dtype)
    batch = _batch(kernel)
    first, second = (axis or Axis("none", 1) for axis in batch)
    for position, word in enumerate(finish.words(dtype, (first, second, row))):
        words[Gemm.FINISH + position] = word
    return EndWords(words)


def _result(kernel: Kernel, dtype: DType) -> dict[int, Argument]:
    """Where results go, if they lie as sums of that type do; nothing otherwise."""
    *_, store = kernel.body
    row, column = kernel.outer[-2:]
    if not isinstance(store, Store) or store.picks or store.at.factor(column) != 1:
        return {}
    if store.buffer.dtype.size_bytes != dtype.size_bytes:
        return {}
    words: dict[int, Argument] = {Gemm.C: Address(store.buffer.key, store.at.const)}
    words[Gemm.C_M] = store.at.factor(row)
    for position, axis in enumerate(_batch(kernel)):
        words[Gemm.C_BATCH0 + position] = store.at.factor(axis) if axis else 0
    return words


def _plan(kernel: Kernel, inner: Axis, end: EndWords) -> str:
    *lead, row, column = kernel.outer
    batch = "".join(f"{a.extent} x " for a in lead)
    return f"{batch}{row.extent} x {column.extent} x {inner.extent}, end {end.plan}"


def _operand(value: Value, place: Place, result: tuple[Dim, ...], axes: tuple[Axis, ...]) -> Affine:
    """The address of an operand's element over the loop axes; batch axes of size 1 repeat."""
    place = place.spread(value.shape, (*result[:-2], *value.shape[-2:]))
    at = Affine(place.offset)
    for axis, stride in zip(axes, place.strides, strict=True):
        at = at + Affine(0, ((axis, stride),))
    return at


def _packed(b: Value, goal: Goal, matrix: MatrixTile | None) -> Storage:
    assert b.data is not None
    if matrix and b.dtype.is_float:
        dims_ = matrix_shape(b.data.shape, matrix)
        return packed(b, ("dot", matrix), lambda w: pack_matrix(w, matrix), dims_, lambda w: parts_b(w, goal))
    shape = packed_shape(b.data.shape, b.data.dtype, goal)
    return packed(b, ("dot", goal), lambda w: pack_b(w, goal), shape, lambda w: parts_b(w, goal))


def _packed_batches(b: Value, storage: Storage, result: tuple[Dim, ...], lead: list[Axis]) -> Affine:
    at, stride = Affine(), dims.floordiv(storage.size, dims.product(b.shape[:-2]))
    for number in reversed(range(len(lead))):
        size = b.shape[number]
        at = at + Affine(0, ((lead[number], broadcasting.broadcast_stride(size, result[number], stride)),))
        stride = stride * size
    return at
