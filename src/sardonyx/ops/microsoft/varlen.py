"""Operators over runs packed behind each other: VarlenCausalConvWithState, VarlenNGramHashMapping."""

from __future__ import annotations

from itertools import pairwise

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.value import Value, concat, dim_value, iota, map_, scalar
from sardonyx.ops.demands import along, ranked, shaped
from sardonyx.ops.onnx.conv import with_kernel
from sardonyx.ops.onnx.index import within
from sardonyx.ops.table import op

MICROSOFT = "com.microsoft"
MOST_UPDATES = 8


@dataclass(frozen=True, slots=True)
class Runs:
    """Where each run begins among `total` tokens, how long it is [B], and whose each token is [T]; int64."""

    total: Dim
    starts: Value
    lengths: Value
    owners: Value

    @staticmethod
    def of(ends: Value, total: Dim) -> Runs:
        """From the sums of lengths [B + 1]."""
        ranked(ends, "cumulative_sequence_length", 1)
        batch = ends.shape[0] - 1
        bounds = within(ends.cast(dt.I64), total + 1)
        starts, stops = (bounds.slice((n,), (batch,)) for n in (0, 1))
        token = iota((total, 1), 0, dt.I64)
        owners = stops.reshape((1, batch)).le(token).cast(dt.I64).sum(1).reshape((total,))
        return Runs(total, starts, stops - starts, owners)

    @property
    def batch(self) -> Dim:
        """How many runs there are."""
        return self.starts.shape[0]

    @property
    def places(self) -> Value:
        """Where each token stands in its run [T]."""
        return iota((self.total,), 0, dt.I64) - self.starts.gather(self.owners, 0)

    def at(self, x: Value, before: Value, runs: Value, places: Value) -> Value:
        """What stands at places of runs, both [...], of x [T, ...]; below 0 of `before` [B, R, ...]."""
        reach = before.shape[1]
        past = before.reshape((self.batch * reach, *x.shape[1:]))
        size = dim_value(reach, dt.I64)
        old = runs * size + (places + size).max(0)
        new = self.starts.gather(runs, 0) + places + dim_value(self.batch * reach, dt.I64)
        index = places.lt(scalar(0, dt.I64)).where(old, new)
        return concat([past, x], 0).gather(index, 0)

    def last(self, x: Value, before: Value) -> Value:
        """The end of every run [B, R, ...], as what comes before the next."""
        reach = before.shape[1]
        ends = self.lengths.reshape((self.batch, 1)) - dim_value(reach, dt.I64)
        return self.at(x, before, self._each(reach), ends + iota((1, reach), 1, dt.I64))

    def _each(self, count: Dim) -> Value:
        """The number of each run, so many times [B, count]."""
        return iota((self.batch, count), 0, dt.I64)

    def captured(self, capture_count: Value | None, capacity: int) -> tuple[Value, Value]:
        """The first tokens of every run, as runs and places [B, capacity]; places of those not wanted are -1.

        Raises ShapeError if counts and capacity do not agree.
        """
        if not 0 <= capacity <= MOST_UPDATES:
            raise ShapeError(f"state_update_capacity is {capacity}, it must be between 0 and {MOST_UPDATES}")
        if (capture_count is None) != (capacity == 0):
            raise ShapeError("capture_count is needed if state_update_capacity is above 0, and only then")
        slots = iota((self.batch, capacity), 1, dt.I64)
        if capture_count is None:
            return self._each(capacity), slots
        counts = shaped(capture_count, "capture_count", self.batch).cast(dt.I64)
        wanted = map_("min", counts, self.lengths).reshape((self.batch, 1))
        return self._each(capacity), slots.lt(wanted).where(slots, -1)


@op("VarlenCausalConvWithState", domain=MICROSOFT)
def varlen_causal_conv_with_state(
    x: Value,
    weight: Value,
    cumulative_sequence_length: Value,
    bias: Value | None,
    initial_state: Value,
    capture_count: Value | None = None,
    kernel_delta: Value | None = None,
    previous_mask: Value | None = None,
    *,
    activation: str = "none",
    delta_offset: int = 0,
    dilation: int = 1,
    group_size: int = 1,
    state_update_capacity: int = 0,
) -> tuple[Value, Value, Value]:
    """Channels of x [T, C] convolved with what came before in a run; the state is the end of each run."""
    if kernel_delta is not None or previous_mask is not None:
        raise UnsupportedOp("VarlenCausalConvWithState with weights that change by token")
    if activation not in ("none", "silu", "swish"):
        raise UnsupportedOp(f'activation="{activation}"')
    ranked(x, "the input", 2)
    ranked(weight, "the weight", 3)
    weight = with_kernel(weight, ())
    taps, channels = int(weight.shape[2]), x.shape[1]  # type: ignore[arg-type]
    weight = shaped(weight, "the weight", channels, 1, taps).reshape((channels, taps))
    if dilation < 1:
        raise ShapeError(f"dilation is {dilation}, it must be at least 1")
    runs, reach = Runs.of(cumulative_sequence_length, x.shape[0]), (taps - 1) * dilation
    before = shaped(initial_state, "initial_state", runs.batch, channels, reach).transpose(0, 2, 1)
    y = x * weight.slice((0, taps - 1), (channels, 1)).reshape((channels,))
    for tap in range(taps - 1):
        shifted = runs.at(x, before, runs.owners, runs.places - (taps - 1 - tap) * dilation)
        y = y + shifted * weight.slice((0, tap), (channels, 1)).reshape((channels,))
    if bias is not None:
        y = y + along(bias, "the bias", y, 1)
    state = runs.last(x, before).transpose(0, 2, 1)
    where, places = runs.captured(capture_count, state_update_capacity)
    none = scalar(0, x.dtype).broadcast((runs.batch, 1, channels))
    update = runs.at(x, none, where, places)
    return y if activation == "none" else y * y.sigmoid(), state, update


@op("VarlenNGramHashMapping", domain=MICROSOFT)
def varlen_ngram_hash_mapping(
    input_ids: Value,
    multipliers: Value,
    vocab_sizes: Value,
    cumulative_sequence_length: Value,
    past_ids: Value | None = None,
    head_offsets: Value | None = None,
    eos_token_id: Value | None = None,
    segment_ids: Value | None = None,
    past_segment_ids: Value | None = None,
    capture_count: Value | None = None,
    *,
    max_ngram_size: int,
    n_head_per_ngram: int,
    pad_id: int,
    reset_on_eos: int = 0,
    state_update_capacity: int = 0,
) -> tuple[Value, Value, Value | None, Value]:
    """NGramHashMapping of runs packed behind each other [T]: hashes, and the ids that the next call needs."""
    ranked(input_ids, "the ids", 1)
    if max_ngram_size < 2:
        raise ShapeError(f"max_ngram_size is {max_ngram_size}, it must be at least 2")
    runs, reach = Runs.of(cumulative_sequence_length, input_ids.shape[0]), max_ngram_size - 1
    pad = scalar(pad_id, input_ids.dtype)
    blank = pad if eos_token_id is None else eos_token_id.reshape(())
    before = blank.broadcast((runs.batch, reach))
    if past_ids is not None:
        before = shaped(past_ids, "past_ids", runs.batch, reach)
    sizes = shaped(vocab_sizes, "vocab_sizes", reach * n_head_per_ngram)
    shifted = [runs.at(input_ids, before, runs.owners, runs.places - s) for s in range(max_ngram_size)]
    changes = _changes(runs, segment_ids, past_segment_ids, reach)
    ended = scalar(0, dt.BOOL).broadcast((runs.total,))
    mixed = shifted[0] * multipliers.slice((0,), (1,))
    results: list[Value] = []
    for s in range(1, max_ngram_size):
        if eos_token_id is not None and reset_on_eos:
            ended = ended.logical_or(shifted[s].eq(blank))
        if changes:
            ended = ended.logical_or(changes[s - 1])
        mixed = map_("bitxor", mixed, ended.where(blank, shifted[s]) * multipliers.slice((s,), (1,)))
        size = sizes.slice(((s - 1) * n_head_per_ngram,), (n_head_per_ngram,))
        results.append(map_("mod", mixed.reshape((runs.total, 1)), size.reshape((1, n_head_per_ngram))))
    y = concat(results, 1)
    if head_offsets is not None:
        y = y + shaped(head_offsets, "head_offsets", reach * n_head_per_ngram)
    segments = None
    if segment_ids is not None:
        before_segments = _past_segments(runs, segment_ids, past_segment_ids, reach)
        segments = runs.last(segment_ids, before_segments)
    update = _states(runs, input_ids, before, pad, capture_count, state_update_capacity)
    return y, runs.last(input_ids, before), segments, update


def _past_segments(runs: Runs, segments: Value, given: Value | None, reach: int) -> Value:
    """The segments before each run [B, R]; where they are not known, that of its first token, if any."""
    if given is not None:
        return shaped(given, "past_segment_ids", runs.batch, reach)
    first = map_("min", runs.starts, dim_value(runs.total - 1, dt.I64))
    return segments.gather(first, 0).reshape((runs.batch, 1)).broadcast((runs.batch, reach))


def _changes(runs: Runs, segments: Value | None, past: Value | None, reach: int) -> list[Value]:
    """For each step back whether the token before belongs to another segment [T]; none without segments."""
    if segments is None:
        return []
    segments = shaped(segments, "segment_ids", runs.total)
    before = _past_segments(runs, segments, past, reach)
    seen = [runs.at(segments, before, runs.owners, runs.places - s) for s in range(reach + 1)]
    return [a.eq(b).logical_not() for a, b in pairwise(seen)]


def _states(
    runs: Runs, ids: Value, before: Value, pad: Value, capture_count: Value | None, capacity: int
) -> Value:
    """The last ids after each token that is captured [B, capacity, R], `pad` for others."""
    where, places = runs.captured(capture_count, capacity)
    reach = before.shape[1]
    shape = (runs.batch, capacity, reach)
    ends = places.reshape((runs.batch, capacity, 1))
    back = iota((1, 1, reach), 2, dt.I64) - dim_value(reach - 1, dt.I64)
    of_runs = where.reshape((runs.batch, capacity, 1)).broadcast(shape)
    found = runs.at(ids, before, of_runs, (ends + back).broadcast(shape))
    return ends.lt(scalar(0, dt.I64)).where(pad, found)
