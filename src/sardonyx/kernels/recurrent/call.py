"""A recurrent layer of the graph -> calls of its kernels: packed weights, workspace, argument words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.base.policy import Goal
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place, Storage
from sardonyx.ir.value import Value, const
from sardonyx.kernels.call import Address, Argument, Call, Calls, Entry, NativeCall, in_order
from sardonyx.kernels.product.pack import aligned_zeros
from sardonyx.kernels.recurrent import matrix, short
from sardonyx.kernels.recurrent.driver import layer_ir
from sardonyx.kernels.recurrent.layer import Layer, Word
from sardonyx.kernels.recurrent.pack import Pack, pack_ir, pack_symbol
from sardonyx.kernels.recurrent.quantise import scratch_bytes
from sardonyx.kernels.recurrent.sums import UNROLL, Panel
from sardonyx.llvm.types import size_of
from sardonyx.passes.short_sums import summands

Array = np.ndarray[Any, Any]

_GATES = {"lstm": 4, "gru": 3, "rnn": 1}
_ACTIVATIONS = {"lstm": 3, "gru": 2, "rnn": 1}
_ROLES = {
    "lstm": "gates r h c",
    "lstm_quantized": "gates r scale zero h c",
    "gru": "gates r h",
    "rnn": "gates r h",
}


def recurrent_calls(group: Group, places: Mapping[int, Place], goal: Goal) -> Calls:
    """One call for all directions, or one for each if their activations differ."""
    layer = _Layer(group, places, goal)
    count, per = layer.directions, _ACTIVATIONS[layer.family]
    activations = [tuple(group.root.attrs["activations"][d * per : (d + 1) * per]) for d in range(count)]
    yield from layer.pack()
    if all(a == activations[0] for a in activations):
        yield layer.call(activations[0], 0, count)
        return
    for direction, own in enumerate(activations):
        yield layer.call(own, direction, 1)


class _Layer:
    """One layer: its operands by role, and its packed weights."""

    def __init__(self, group: Group, places: Mapping[int, Place], goal: Goal) -> None:
        self.root, self.results, self.places, self.goal = group.root, group.results, places, goal
        root = self.root
        roles = _ROLES[root.prim].split()
        self.given = dict(zip([*roles, *root.attrs["extras"]], root.args, strict=True))
        self.dtype: DType = self.given["gates"].dtype
        self.compute = dt.F64 if self.dtype is dt.F64 else dt.F32
        self.family = root.prim.partition("_")[0]
        reset_first = self.family == "gru" and not root.attrs["linear_before_reset"]
        self.kind = "gru_reset" if reset_first else self.family
        self.units: Dim = self.given["h"].shape[2]
        directions = self.given["h"].shape[0]
        assert isinstance(directions, int)
        self.directions = directions
        rows = self.given["gates"].shape[1]
        self.short = short.chosen(self.given["r"], rows, goal)
        self.matrix = matrix.chosen(self.given["r"], rows, goal)
        known = self.units if isinstance(self.units, int) else 0
        self.is_matrix = self.matrix is not None and matrix.serves_all(known, rows, self.matrix)
        self.keeps_floats = self.short and not self.matrix and short.needs_floats(rows, goal)
        self.matrices: list[Storage] = []
        self.packed: list[Storage] = []
        self.floats: list[Storage] = []
        self.rests: Storage | None = None
        self.rests_stride = 0

    def layer(self, activations: tuple[tuple[str, float, float], ...]) -> Layer:
        """What the kernel is generated for."""
        attrs = self.root.attrs
        extra = "peepholes" in self.given or "bias" in self.given
        ragged, forget = "lens" in self.given, bool(attrs.get("input_forget", False))
        quantised = "scale" in self.given
        facts = activations, attrs["clip"], extra, ragged, forget, quantised
        if self.is_matrix:
            return Layer(self.kind, self.dtype, *facts, matrix=True)
        hands_over = self.matrix is not None or self.keeps_floats
        return Layer(self.kind, self.dtype, *facts, short=self.short, hands_over=hands_over)

    def panels(self) -> list[tuple[Panel, int]]:
        """The panels with their first gate."""
        panels = self.layer(()).panels(self.goal)
        starts = [sum(p.gates for p in panels[:n]) for n in range(len(panels))]
        return list(zip(panels, starts, strict=True))

    def stride(self, panel: Panel) -> Dim:
        """Lanes that the packed weights of one direction fill."""
        groups = _ceil_div(self.units, panel.units * panel.lanes)
        rows = _ceil_div(self.units, UNROLL * panel.depth) * UNROLL
        return groups * rows * (panel.weight_bytes // size_of(panel.dtype))

    def pack(self) -> Calls:
        """Pack the weights: now if they are constant, else by a call."""
        r = self.given["r"]
        for panel, first in self.panels():
            if self.matrix:
                assert r.data is not None
                self.matrices.append(
                    _stored(matrix.packed(self._gates(r.data, panel, first), panel, self.matrix), dt.F32)
                )
            if self.is_matrix:
                continue
            if r.is_numeric_const:
                self.packed.append(self._packed(r, panel, first))
                if self.keeps_floats:
                    self.floats.append(self._packed(r, replace(panel, short=False), first))
                continue
            storage = Storage("arena", self.compute, self.stride(panel) * r.shape[0])
            self.packed.append(storage)
            yield self._pack_call(r, panel, first, storage)

    def _pack_call(self, r: Value, panel: Panel, first: int, to: Storage) -> Call:
        place = self.places[r.id]
        directions, rows, _ = r.shape
        words: dict[int, Argument] = {
            Pack.FROM: Address(place.storage, place.offset + self.units * first * place.strides[2]),
            Pack.TO: Address(to),
            Pack.DIRECTIONS: directions,
            Pack.ROWS: rows,
            Pack.UNITS: self.units,
            Pack.BLOCKS: panel.units,
            Pack.GATES: panel.gates,
            Pack.LANES: panel.lanes,
        }
        words |= dict(zip((Pack.FROM_D, Pack.FROM_K, Pack.FROM_U), place.strides, strict=True))
        symbol = pack_symbol(r.dtype)
        call = NativeCall(
            symbol,
            tuple(words[n] for n in range(Pack.WORDS)),
            (place.storage,),
            (to,),
            self.root.origins,
            work=to.size,
            kind="recurrent",
            plan="pack weights",
        )
        return call, {symbol: lambda: pack_ir(r.dtype, self.goal.target)}

    def call(self, activations: tuple[tuple[str, float, float], ...], first: int, count: int) -> Call:
        """The sweep over time of `count` directions."""
        layer = self.layer(activations)
        steps, batch = self.given["gates"].shape[:2]
        state = Storage("arena", self.compute, self._state_size(layer, batch) * count)
        reverse = self.root.attrs["direction"] == "reverse"
        words: dict[int, Argument] = {}
        words |= {Word.STEPS: steps, Word.BATCH: batch, Word.UNITS: self.units, Word.DIRECTIONS: count}
        words |= {Word.BACKWARD: 1 if reverse else 2 >> first, Word.STATE: Address(state)}
        reads, writes = [*self.packed, *self.floats], [state]
        for role, word, axes in _OPERANDS:
            value = self.given.get(role)
            if value is not None:
                reads.append(self._operand(words, self.places[value.id], word, axes, first))
        for place, (word, axes) in zip(self.results, _RESULTS, strict=False):
            if place is not None:
                writes.append(self._operand(words, place, word, axes, first))
        panels = [panel for panel, _ in self.panels()]
        words |= self._weights(layer.weights, panels, self.packed, first)
        whole = [replace(panel, short=False) for panel in panels]
        words |= self._weights((Word.WEIGHTS, Word.INNER), whole, self.floats, first)
        for word, storage in zip((Word.MATRIX, Word.MATRIX_INNER), self.matrices, strict=False):
            reads.append(storage)
            each = storage.size // self.directions
            words |= {word: Address(storage, each * first), Word(word + 1): each}
        modules = {layer.symbol: lambda: layer_ir(layer, self.goal)}
        if layer.hands_over:
            many = replace(layer, short=False, hands_over=False, matrix=self.matrix is not None)
            words[Word.MANY] = Entry(many.symbol)
            modules[many.symbol] = lambda: layer_ir(many, self.goal)
        if self.rests is not None:
            reads.append(self.rests)
            words |= {Word.RESTS: Address(self.rests, self.rests_stride * first)}
            words |= {Word.RESTS_D: self.rests_stride}
        if layer.quantised:
            columns = self._columns()
            reads.append(columns)
            stride = columns.size // self.directions
            words |= {Word.COLUMNS: Address(columns, stride * first), Word.COLUMNS_D: stride}
        macs = self.units * self.units * _GATES[self.family] * batch * steps * count
        call = NativeCall(
            layer.symbol,
            in_order(words, Word.WORDS),
            tuple(reads),
            tuple(writes),
            self.root.origins,
            work=2 * macs,
            flops=2 * macs,
            scratch_bytes=self._scratch_bytes(batch, layer),
            arithmetic=str(self.matrix if layer.matrix else self.goal.tile(layer.operand(self.goal))),
            kind="recurrent",
            plan=f"{self.kind} of {self.units} units{', weights of 24 bits' if self.short else ''}, "
            f"{count} directions, {steps} steps of {batch} rows",
        )
        return call, modules

    def _weights(
        self, names: tuple[Word, ...], panels: list[Panel], packed: list[Storage], first: int
    ) -> dict[int, Argument]:
        """Where the panels of directions from the first one on are, and how far apart those of each."""
        words: dict[int, Argument] = {}
        for word, panel, storage in zip(names, panels, packed, strict=False):
            words[word] = Address(storage, self.stride(panel) * panel.depth * first)
            words[word + 1] = self.stride(panel)
        return words

    def _scratch_bytes(self, batch: Dim, layer: Layer) -> Dim:
        if self.matrix:
            return matrix.scratch_bytes(batch, self.units, self.matrix)
        return scratch_bytes(batch, self.units) if layer.quantised else 0

    def _state_size(self, layer: Layer, batch: Dim) -> Dim:
        lanes = layer.panels(self.goal)[0].lanes
        return _ceil_div(self.units, lanes) * lanes * batch * layer.slabs

    def _operand(
        self, words: dict[int, Argument], place: Place, word: Word, axes: str, first: int
    ) -> Storage:
        """Fill in the address and the strides of an operand; a "." axis has no word."""
        offset = place.offset
        for axis, stride in zip(axes, place.strides, strict=True):
            if axis == "D":
                offset = offset + stride * first
            if axis != ".":
                words[Word[f"{word.name}_{axis}"]] = stride
        words[word] = Address(place.storage, offset)
        return place.storage

    def _packed(self, r: Value, panel: Panel, first: int) -> Storage:
        """Constant weights as the kernel wants them."""
        kept = r.data
        assert kept is not None
        if panel.depth == 1:
            dtype = self.compute
            kept = kept.astype(dtype.numpy)
        else:
            dtype = dt.I8 if panel.depth == 4 else dt.I16
            kept = (kept.astype(np.int32) - self._shift()).astype(dtype.numpy)
        if panel.instruction.widen:
            return self._packed_in_parts(kept, panel)
        return _stored(self._panels(kept, panel, first), dtype)

    def _panels(self, kept: Array, panel: Panel, first: int) -> Array:
        """Weights [D, K, gates * H] as panels of the gates from the first one on."""
        return panel.pack(self._gates(kept, panel, first))

    def _gates(self, kept: Array, panel: Panel, first: int) -> Array:
        """The gates of a panel, the first of which is that one, of weights [D, K, gates * H]."""
        gates = kept.reshape(*kept.shape[:2], _GATES[self.family], -1)
        return gates[:, :, first : first + panel.gates]

    def _packed_in_parts(self, kept: Array, panel: Panel) -> Storage:
        """Bytes that sums of 16 bits hold; what is too much of some goes to rows of its own."""
        small, others = summands(kept, self.goal.tile("i8"))
        packed = self._panels(small, panel, 0)
        more = np.array([self._panels(some, panel, 0) for some in others], np.int8)
        rows = more.reshape(len(others), *packed.shape[:3], panel.row_bytes).transpose(1, 2, 0, 3, 4)
        used = rows.any(-1)
        counts = used.sum((2, 3))
        size, (directions, groups) = panel.row_bytes // 4 + 1, counts.shape
        before = (np.cumsum(counts) - counts.reshape(-1)).reshape(counts.shape)
        begins = before * size + 2 * groups * (directions - np.arange(directions))[:, None]
        *_, numbers = np.nonzero(used)
        rests = np.concatenate([numbers[:, None].astype(np.int32), rows[used].view(np.int32)], 1)
        self.rests = _stored(
            np.concatenate([np.stack([begins, counts], -1).reshape(-1), rests.reshape(-1)]).astype(np.int32),
            dt.I32,
        )
        self.rests_stride = 2 * groups
        return _stored(packed, dt.I8)

    def _shift(self) -> int:
        """What makes unsigned bytes signed."""
        return 128 if self.given["r"].dtype is dt.U8 else 0

    def _columns(self) -> Storage:
        """For each column of 8-bit weights: its sum, its zero point, the bits of its scale."""
        r, scale, zero = (self.given[role].data for role in ("r", "scale", "zero"))
        assert r is not None
        assert scale is not None
        assert zero is not None
        origin = np.broadcast_to(zero.astype(np.int32), (self.directions, r.shape[2]))
        sums = r.astype(np.int32).sum(1, dtype=np.int32) - origin * r.shape[1]
        steps = np.broadcast_to(scale.astype(np.float32), origin.shape).view(np.int32)
        lanes = self.panels()[0][0].lanes
        rows = np.stack([sums, origin - self._shift(), steps], 1)
        rows = rows.reshape(self.directions, 3, _GATES[self.family], -1)
        rows = np.pad(rows, [(0, 0), (0, 0), (0, 0), (0, -rows.shape[3] % lanes)])
        rows = rows.reshape(*rows.shape[:3], -1, lanes).transpose(0, 3, 2, 1, 4)
        packed = aligned_zeros(rows.shape, np.dtype(np.int32))
        packed[...] = rows
        return _stored(packed, dt.I32)


def _ceil_div(a: Dim, b: int) -> Dim:
    return dims.floordiv(a + (b - 1), b)


def _stored(packed: Array, dtype: DType) -> Storage:
    value = const(packed)
    return Storage("packed", dtype, packed.size, 0, value)


_OPERANDS = (
    ("gates", Word.GATES, "TBD."),
    ("h", Word.H, "DBU"),
    ("c", Word.C, "DBU"),
    ("lens", Word.LENS, "B"),
    ("peepholes", Word.EXTRA, "D."),
    ("bias", Word.EXTRA, "D."),
)
_RESULTS = ((Word.Y, "TDB."), (Word.LAST_H, "DB."), (Word.LAST_C, "DB."))
