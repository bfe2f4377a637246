"""From a file to a smaller file: read, rewrite, judge, leave the worst nodes alone, write."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import onnx

from sardonyx.base.files import writing
from sardonyx.base.folders import file_name
from sardonyx.compression import calibration, dynamic, few_bits, precision, static
from sardonyx.compression.judge import Judgement, Rewrite, errors_by_node, fewest_left_alone, judged
from sardonyx.compression.norms import fold_norms
from sardonyx.compression.overflow import overflowing
from sardonyx.compression.runs import Feeds, opened_with
from sardonyx.compression.scope import every_graph, forget_unused_weights, opset
from sardonyx.convert.finish import opened, weights_are_no_inputs
from sardonyx.convert.upgrade import first_line, upgraded
from sardonyx.errors import SardonyxError
from sardonyx.frontend.order import ordered

Kind = Literal["dynamic", "static", "weights"]
LARGE_BYTES = 1 << 31
_BF16_OPSET = 22
"""From which on convolutions, pools and recurrent layers take bfloat16."""
Chosen = Collection[str] | None


class CompressionError(SardonyxError):
    """A model that cannot be made smaller in the way that was asked for; the message says why."""


@dataclass(frozen=True)
class Compressed:
    """What was written.

    `changed` and `left` are identities of nodes: rewritten, and left alone because of the error asked for.
    `judgement` is None if there were no samples.
    """

    path: Path
    bytes_before: int
    bytes_after: int
    changed: list[str]
    left: list[str]
    judgement: Judgement | None
    notes: list[str]


def quantize(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    kind: Kind = "dynamic",
    samples: Sequence[Feeds] = (),
    *,
    method: calibration.Method = "minmax",
    percentile: float = calibration.PERCENTILE,
    per_channel: bool = True,
    kinds: Chosen = None,
    bits: int = 0,
    block: int = few_bits.BLOCK,
    symmetric: bool = False,
    leave: Collection[str] = (),
    max_error: float | None = None,
    by_node: bool = False,
) -> Compressed:
    """Write a model whose weights, or weights and activations, have 8 or 4 bits.

    Args:
        source: an ONNX file of float32.
        output: the file to write.
        kind: `dynamic` measures activations at every run; `static` takes their ranges from samples and writes
            QuantizeLinear and DequantizeLinear pairs; `weights` packs matrices alone.
        samples: feeds as the model will see them; needed for `static`, for `max_error` and `by_node`.
        method: how `static` finds ranges; see `calibration.ranges`.
        percentile: of the method of that name.
        per_channel: with `static`, a scale for each output channel.
        kinds: operators to rewrite; None are those of the kind.
        bits: of a weight: 8 or 7 for `static` and `dynamic`, 4 or 8 for `weights`; 0 is the first of them.
        block: with `weights`, how many weights share a scale.
        symmetric: with `weights`, without zero points.
        leave: names of nodes (or of their first outputs) to leave alone.
        max_error: leave the worst nodes alone until the error of all outputs is at most this.
        by_node: measure the error of every node.

    Raises:
        CompressionError: nothing to rewrite, no samples where they are needed, or an error that even the
            float model would not hold.
        CalibrationError: a range that is not finite.
    """
    model, notes = _read(Path(source), least_opset=static.OPSET if kind == "static" else 11)
    _check_bits(kind, bits)
    kinds = _checked_kinds(kind, kinds)
    if kind == "static" and (joined := fold_norms(model.graph)):
        notes.append(f"norms that joined the convolutions before them: {joined}")
    if kind == "weights" and (block < 16 or block & (block - 1)):
        raise CompressionError(f"blocks of {block} weights: they are powers of two from 16 on")
    rewrite: Rewrite
    if kind == "dynamic":
        rewrite = lambda m, left: dynamic.quantized(m, left, kinds, bits or 8)  # noqa: E731
    elif kind == "weights":
        rewrite = lambda m, left: few_bits.quantized(m, left, bits or 4, block, symmetric, kinds)  # noqa: E731
    else:
        rewrite = _static(model, samples, kinds, method, percentile, per_channel, bits or 8)
    taken = f"{kind} takes {', '.join(kinds)} with constant weights"
    task = _Task(Path(source), Path(output), model, rewrite, rewrite, samples, leave, notes, taken)
    return task.done(max_error, by_node)


def convert_precision(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    to: Literal["fp16", "bf16"] = "fp16",
    samples: Sequence[Feeds] = (),
    *,
    edges: bool = False,
    leave: Collection[str] = (),
    max_error: float | None = None,
    by_node: bool = False,
) -> Compressed:
    """Write a model that computes in float16 or bfloat16.

    Args:
        source: an ONNX file of float32.
        output: the file to write.
        to: the new type.
        samples: feeds of float32; needed for `max_error` and `by_node`.
        edges: change the types of inputs and outputs, too.
        leave: names of nodes to leave alone.
        max_error: leave the worst nodes alone until the error of all outputs is at most this.
        by_node: measure the error of every node.

    Raises:
        CompressionError: as `quantize`.
    """
    model, notes = _read(Path(source), least_opset=13 if to == "bf16" else 1)
    if to == "bf16" and precision.waits_for(model, _BF16_OPSET, to):
        model = _upgraded(model, _BF16_OPSET, notes)
    types = _all_types(model)

    def inside(changing: onnx.ModelProto, left: Collection[str]) -> list[str]:
        return precision.converted(changing, _all_types(changing), to, left)

    def whole(changing: onnx.ModelProto, left: Collection[str]) -> list[str]:
        return precision.converted(changing, types, to, left, edges)

    if to == "fp16" and samples and opset(model) >= 7:
        large = overflowing(model, types, samples)
        leave = [*leave, *large]
        if large:
            count = f"{len(large)} nodes stay" if len(large) > 1 else "1 node stays"
            notes.append(f"{count} float32: float16 cannot hold all numbers there")
    taken = f"operators and weights that {to} can hold"
    task = _Task(Path(source), Path(output), model, whole, inside, samples, leave, notes, taken)
    return task.done(max_error, by_node)


def _read(path: Path, least_opset: int) -> tuple[onnx.ModelProto, list[str]]:
    model = opened(path)
    notes: list[str] = []
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    weights_are_no_inputs(model)
    for graph in every_graph(model.graph):
        _sort(graph)
    if opset(model) < least_opset:
        model = _upgraded(model, least_opset, notes)
        if opset(model) < least_opset:
            why = notes[-1] if notes else "the model imports no opset of ai.onnx"
            raise CompressionError(f"{path}: opset {least_opset} is needed; {why}")
    return model, notes


def _upgraded(model: onnx.ModelProto, to: int, notes: list[str]) -> onnx.ModelProto:
    before = opset(model)
    model = upgraded(model, to, notes)
    if before < opset(model):
        notes[:] = [f"upgraded to opset {to}"]
    return model


def _sort(graph: onnx.GraphProto) -> None:
    """Bring nodes into the order that ONNX asks for, which engines do not."""
    defined = {row.name for row in (*graph.input, *graph.initializer)}
    given = graph.node
    found = ordered(given, defined)
    if found is not given:
        nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in found]
        del given[:]
        given.extend(nodes)


def _check_bits(kind: Kind, bits: int) -> None:
    allowed = (4, 8) if kind == "weights" else (7, 8)
    if bits and bits not in allowed:
        raise CompressionError(f"weights of {bits} bits: {kind} knows {allowed[0]} and {allowed[1]}")


_DEFAULT: dict[Kind, tuple[str, ...]] = {
    "dynamic": dynamic.KINDS,
    "static": static.KINDS,
    "weights": few_bits.KINDS,
}
_NAMED: dict[Kind, tuple[str, ...]] = {"dynamic": dynamic.NAMED, "static": static.SCALED, "weights": ()}


def _checked_kinds(kind: Kind, kinds: Chosen) -> Collection[str]:
    known = _DEFAULT[kind] + _NAMED[kind]
    unknown = [name for name in kinds or () if name not in known]
    if unknown:
        raise CompressionError(f"{kind} cannot rewrite {unknown[0]}: it knows {', '.join(known)}")
    return kinds or _DEFAULT[kind]


def _static(
    model: onnx.ModelProto,
    samples: Sequence[Feeds],
    kinds: Collection[str],
    method: calibration.Method,
    percentile: float,
    per_channel: bool,
    bits: int,
) -> Rewrite:
    types = _all_types(model)
    floats = {name for name, element in types.items() if element == onnx.TensorProto.FLOAT}
    names = static.activations(model, floats, kinds=kinds)
    ranges = calibration.ranges(model, names, samples, method, percentile)

    def rewrite(changing: onnx.ModelProto, left: Collection[str]) -> list[str]:
        return static.quantized(changing, ranges, left, kinds, per_channel, bits)

    return rewrite


def _all_types(model: onnx.ModelProto) -> dict[str, int]:
    """Element types of values; those that ONNX's inference does not know, the engine tells."""
    try:
        types = precision.types_of(model)
    except onnx.shape_inference.InferenceError as error:
        raise CompressionError(f"the model is damaged: {first_line(error)}") from error
    missing = [name for node in model.graph.node for name in node.output if name and name not in types]
    if missing:
        for told in opened_with(model, missing).get_outputs():
            types[told.name] = precision.element_of(told.type)
    return types


@dataclass(frozen=True)
class _Task:
    """One model on its way: `whole` rewrites it, `alone` single nodes of it."""

    source: Path
    output: Path
    model: onnx.ModelProto
    whole: Rewrite
    alone: Rewrite
    samples: Sequence[Feeds]
    leave: Collection[str]
    notes: list[str]
    taken: str

    def done(self, max_error: float | None, by_node: bool) -> Compressed:
        _check_names(self.model, self.leave)
        if (max_error is not None or by_node) and not self.samples:
            raise CompressionError("errors are measured on samples: give inputs as the model will see them")
        searched = max_error is not None or by_node
        errors = errors_by_node(self.model, self.alone, self.samples) if searched else {}
        left = [] if max_error is None else self._left(errors, max_error)
        made, changed = self._rewritten(left)
        if not changed:
            raise CompressionError(
                f"{self.source}: nothing to rewrite ({self.taken}); it has {_kinds_text(self.model)}"
            )
        judgement = judged(self.model, made, self.samples) if self.samples else None
        if judgement is not None:
            judgement.nodes.update(errors)
        before = _bytes(self.source)
        _write(made, self.output)
        return Compressed(self.output, before, _bytes(self.output), changed, left, judgement, self.notes)

    def _left(self, errors: Mapping[str, float], max_error: float) -> list[str]:
        def holds(worst: list[str]) -> bool:
            made, changed = self._rewritten(worst)
            return not changed or judged(self.model, made, self.samples, timed=False).error <= max_error

        left = fewest_left_alone(errors, holds)
        if errors and len(left) == len(errors):
            raise CompressionError(
                f"no node can be rewritten with an error of at most {max_error:g}: the best one alone "
                f"({left[-1]}) makes {errors[left[-1]]:.1e}"
            )
        return left

    def _rewritten(self, left: Collection[str]) -> tuple[onnx.ModelProto, list[str]]:
        made = onnx.ModelProto()
        made.CopyFrom(self.model)
        changed = self.whole(made, [*self.leave, *left])
        forget_unused_weights(made.graph)
        return made, changed


def _bytes(path: Path) -> int:
    """Of a model's file, with those that hold its weights."""
    from sardonyx.frontend.summary import summarize

    beside = [path.parent / file_name(name) for name in summarize(path).external_files]
    return path.stat().st_size + sum(file.stat().st_size for file in beside)


def _write(model: onnx.ModelProto, output: Path) -> None:
    """Whole or not at all."""
    large = model.ByteSize() >= LARGE_BYTES
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}-") as folder:
        made = Path(folder) / output.name
        with writing(output):
            onnx.save(model, made, save_as_external_data=large, location=f"{output.name}.data")
        for file in sorted(Path(folder).iterdir(), key=lambda path: path == made):
            file.replace(output.parent / file.name)


def _check_names(model: onnx.ModelProto, leave: Collection[str]) -> None:
    known = {
        name
        for graph in every_graph(model.graph)
        for node in graph.node
        for name in (node.name, *node.output)
    }
    unknown = [name for name in leave if name not in known]
    if unknown:
        raise CompressionError(f"the model has no node {unknown[0]!r}")


def _kinds_text(model: onnx.ModelProto) -> str:
    kinds = sorted({node.op_type for graph in every_graph(model.graph) for node in graph.node})
    return f"only {', '.join(kinds[:12])}{', ...' if len(kinds) > 12 else ''}"
