"""Looks at a model that is to be registered, in a process of its own: `python -m sardonyx.registry.examine`.

Decides what the checks are and what they find: ONNX's checker, a run on made-up numbers, parity with given
samples, operators that would not run native. Must not know the registry: a model that crashes or hangs
takes this process down and nothing else.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sardonyx.base.drawn import drawn
from sardonyx.base.report import Report
from sardonyx.base.signature import TensorInfo
from sardonyx.base.stored import read_npz
from sardonyx.errors import SardonyxError
from sardonyx.frontend.check import check_file
from sardonyx.frontend.summary import Summary, summarize
from sardonyx.ort.feeds import FeedSpec
from sardonyx.ort.logger import FATAL
from sardonyx.ort.options import SessionOptions
from sardonyx.ort.session import InferenceSession
from sardonyx.protocol.records import Check, Signature, TensorSpec

Array = npt.NDArray[Any]

RELATIVE, ABSOLUTE = 1e-3, 1e-4
"""How far an output may be from its sample: |a - b| <= ABSOLUTE + RELATIVE * |b|."""

_FREE_SIZE = 8
_SHOWN = 5


def signature_of(summary: Summary) -> Signature:
    """What the registry keeps of a model file's description."""
    return Signature(
        inputs=[_spec(info) for info in summary.inputs],
        outputs=[_spec(info) for info in summary.outputs],
        opsets=summary.opsets,
        operators=summary.operators,
        producer=summary.producer,
        metadata=dict(summary.metadata.custom_metadata_map),
        parameters=sum(summary.parameters.values()),
    )


def examine(path: Path, samples: Path | None) -> Iterator[Check]:
    """The checks of a model file, one after the other; those that need a session end where it fails."""
    yield _checker(path)
    summary = summarize(path)
    try:
        options = SessionOptions()
        options.log_severity_level = FATAL
        session = InferenceSession(str(path), options)
    except Exception as error:
        yield Check(name="smoke", verdict="failed", detail=f"the engine cannot load it: {error}")
        return
    yield _smoke(session, summary)
    yield _native(session.report)
    if samples is None:
        yield Check(name="parity", verdict="skipped", detail="no samples were given")
    else:
        yield _parity(session, samples)


def _spec(info: TensorInfo) -> TensorSpec:
    return TensorSpec(name=info.name, type=info.type, shape=None if info.shape is None else list(info.shape))


def _checker(path: Path) -> Check:
    try:
        check_file(path)
    except SardonyxError as error:
        return Check(name="checker", verdict="failed", detail=str(error))
    return Check(name="checker", verdict="passed")


def _smoke(session: InferenceSession, summary: Summary) -> Check:
    try:
        feeds = {info.name: _made_up(info) for info in summary.inputs}
    except ValueError as error:
        return Check(name="smoke", verdict="skipped", detail=str(error))
    try:
        results = session.run(None, feeds)
    except Exception as error:
        return Check(name="smoke", verdict="warning", detail=f"it fails on made-up numbers: {error}")
    shapes = ", ".join(str(list(r.shape)) for r in results if isinstance(r, np.ndarray))
    return Check(name="smoke", verdict="passed", detail=f"outputs {shapes}")


def _native(report: Report) -> Check:
    if not report.fallbacks:
        return Check(name="native", verdict="passed", detail="every operator runs native")
    operators = sorted({note.op for note in report.fallbacks})
    return Check(name="native", verdict="warning", detail=f"does not run native: {', '.join(operators)}")


def _parity(session: InferenceSession, samples: Path) -> Check:
    try:
        given = read_npz(samples)
    except (OSError, ValueError) as error:
        return Check(name="parity", verdict="failed", detail=f"the samples cannot be read: {error}")
    inputs = {argument.name for argument in session.get_inputs()}
    outputs = [argument.name for argument in session.get_outputs() if argument.name in given]
    if not outputs or not inputs & given.keys():
        known = ", ".join([*sorted(inputs), *(argument.name for argument in session.get_outputs())])
        return Check(
            name="parity",
            verdict="failed",
            detail=f"the samples hold {', '.join(given)}; needed are one input and one output of {known}",
        )
    try:
        results = session.run(outputs, {name: given[name] for name in inputs & given.keys()})
    except Exception as error:
        return Check(name="parity", verdict="failed", detail=f"it fails on the samples: {error}")
    return _compared(dict(zip(outputs, results, strict=True)), given)


def _compared(results: Mapping[str, Any], expected: Mapping[str, Array]) -> Check:
    distances = {}
    for name, result in results.items():
        got, want = np.asarray(result), expected[name]
        if got.shape != want.shape:
            return Check(
                name="parity",
                verdict="failed",
                detail=f"{name} has shape {got.shape}, the sample {want.shape}",
            )
        if want.dtype.kind not in "fc":
            if not np.array_equal(got, want):
                return Check(name="parity", verdict="failed", detail=f"{name} differs from its sample")
            continue
        if not np.allclose(got, want, RELATIVE, ABSOLUTE, equal_nan=True):
            far = np.nanmax(np.abs(got.astype(np.float64) - want.astype(np.float64)), initial=0.0)
            return Check(name="parity", verdict="failed", detail=f"{name} is up to {far:.3g} from its sample")
        distances[name] = float(np.nanmax(np.abs(got - want), initial=0.0))
    worst = max(distances.values(), default=0.0)
    return Check(name="parity", verdict="passed", detail=f"{len(results)} outputs, at most {worst:.3g} apart")


def _made_up(info: TensorInfo) -> Array:
    """A value of an input's type; free first sizes are 1, others 8."""
    spec = FeedSpec.of(info)
    if spec.kind != "tensor" or spec.element is None or spec.optional:
        raise ValueError(f"the input {info.name} is {info.type}; random values exist for tensors only")
    shape = [
        size if isinstance(size, int) else (1 if axis == 0 else _FREE_SIZE)
        for axis, size in enumerate(info.shape or ())
    ]
    if spec.element.kind == "O":
        return np.full(shape, "a", object)
    return drawn(spec.element, shape, np.random.default_rng(0))


def main(arguments: list[str]) -> int:
    """Print the signature and every check as a line of JSON as soon as it is known."""
    _be_ended_first()
    path, samples = Path(arguments[0]), Path(arguments[1]) if len(arguments) > 1 else None
    try:
        summary = summarize(path)
    except (SardonyxError, OSError) as error:
        print(json.dumps({"check": msgspec.to_builtins(_unreadable(error))}), flush=True)
        return 0
    print(json.dumps({"signature": msgspec.to_builtins(signature_of(summary))}), flush=True)
    for check in examine(path, samples):
        print(json.dumps({"check": msgspec.to_builtins(check)}), flush=True)
    return 0


def _be_ended_first() -> None:
    """Where memory runs out, let Linux end this process and not the server."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _unreadable(error: Exception) -> Check:
    return Check(name="checker", verdict="failed", detail=str(error))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
