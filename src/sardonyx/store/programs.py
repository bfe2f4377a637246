"""Programs in the cache: written after a compilation, read by later sessions without compiler or ONNX.

An entry of kind `plan` begins with a line that says whose it is, and names an `image` of machine code and a
file of `weights`, which are mapped, not read. Decides how entries are written; must not know how programs are
made or run.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from sardonyx.base.dependence import FeedDependence
from sardonyx.base.named import NamedTuple
from sardonyx.base.report import Report
from sardonyx.base.signature import ModelMeta, TensorInfo
from sardonyx.runtime.cache import Cache
from sardonyx.runtime.cache import key as key_of
from sardonyx.runtime.data import ProgramData
from sardonyx.runtime.image import LoadedImage, load_cached
from sardonyx.runtime.weights import Packed, Row, Weights, pack
from sardonyx.store.identity import Model, build

if TYPE_CHECKING:
    from pathlib import Path

    from sardonyx.base.deferred import Constant
    from sardonyx.object.draft import Draft

Array = np.ndarray[Any, Any]

_CHECKED_BYTES = 1 << 20
"""Weights up to this size are compared with their digest; larger ones only with their size."""
_NUMPY = frozenset(
    {
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
        ("numpy._core.numeric", "_frombuffer"),
    }
)
_DAMAGED = (
    *(ArithmeticError, AttributeError, EOFError, ImportError, LookupError, OSError),
    *(pickle.UnpicklingError, TypeError, ValueError),
)


class Signature(NamedTuple):
    """What a model shows of itself, and what of a feed decides its graph."""

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    initializer_inputs: tuple[TensorInfo, ...]
    metadata: ModelMeta
    dependence: FeedDependence


class Head(NamedTuple):
    """Whose a plan is: how the model was called and the digest of its file; names of image and weights."""

    model: str
    digest: str
    image: str = ""
    weights: str = ""


class StoredProgram(NamedTuple):
    """A program ready to run: its parts, and its report when it is asked for.

    `code` is the key of its full image, `draft` gives what that is made of if `image` was compiled quickly.
    """

    data: ProgramData
    weights: Weights
    image: LoadedImage
    report: Callable[[], Report]
    code: str
    draft: Callable[[], Draft | None] | None = None


class KeptWeights(NamedTuple):
    """The entry with the constants of a program, and what `Weights.mapped` must know of them."""

    name: str
    rows: list[Row]
    objects: list[Array]


class _Entry(NamedTuple):
    data: ProgramData
    image: str
    weights: str
    rows: list[Row]
    objects: list[Array]
    report: bytes


def read(store: Cache, key: str, files: Sequence[Path] = ()) -> StoredProgram | Signature | None:
    """What is kept under the key; None if it is incomplete or damaged. `files` are those of external data."""
    payload = store.get("plan", key)
    if payload is None:
        return None
    try:
        data = io.BytesIO(payload)
        data.readline()
        entry = _Unpickler(data).load()
        if isinstance(entry, Signature):
            return entry
        return _open(store, entry, files) if isinstance(entry, _Entry) else None
    except _DAMAGED:
        return None


def _open(store: Cache, entry: _Entry, files: Sequence[Path]) -> StoredProgram | None:
    image, draft = load_cached(store, entry.image), None
    if image is None:
        from sardonyx.runtime.promotion import load_quick, read_draft

        image, draft = load_quick(store, entry.image), partial(read_draft, store, entry.image)
    if image is None:
        return None
    if entry.weights:
        mapped = store.map("weights", entry.weights, populate=True)
        if mapped is not None and mapped.payload.size <= _CHECKED_BYTES:
            mapped = store.map("weights", entry.weights, check=True)
        if mapped is None:
            return None
        payload = mapped.payload
    else:
        payload = np.empty(0, np.uint8)
    payloads = [payload]
    if any(row[3] for row in entry.rows):
        from sardonyx.base.mapped import map_file

        payloads += [np.frombuffer(map_file(path), np.uint8) for path in files]
    weights = Weights.mapped(payloads, entry.rows, entry.objects)
    return StoredProgram(entry.data, weights, image, lambda: _report(entry.report), entry.image, draft)


def _report(text: bytes) -> Report:
    """The report of a program that was found: nothing was compiled for it."""
    import json

    report = Report.from_json(json.loads(text))
    report.counters["compiles"] = 0
    return report


def read_head(store: Cache, key: str) -> Head | None:
    """Whose a plan is; None if that cannot be read."""
    import json

    payload = store.get("plan", key)
    try:
        return None if payload is None else Head(*json.loads(io.BytesIO(payload).readline()))
    except (TypeError, ValueError):
        return None


def write(
    store: Cache, key: str, owner: Head, data: ProgramData, weights: KeptWeights, image: str, report: Report
) -> bool:
    """Keep a program whose weights and image are in the cache already; whether that worked."""
    import json

    text = json.dumps(report.as_json()).encode()
    entry = _Entry(data, image, weights.name, weights.rows, weights.objects, text)
    return _put(store, key, owner._replace(image=image, weights=weights.name), entry)


def keep_weights(store: Cache, weights: Sequence[Constant], model: Model | None = None) -> KeptWeights | None:
    """Keep the constants of a program; None if that does not work.

    What is as it is in a file of external data is not stored again.
    """
    packed = pack(weights, list(model.files) if model else ())
    name = _put_weights(store, packed, model) if packed.stored else ""
    return None if name is None else KeptWeights(name, packed.rows, packed.objects)


def _put_weights(store: Cache, packed: Packed, model: Model | None) -> str | None:
    """Store constants under the digest of their content, or of what large ones are made of."""
    from sardonyx.base.deferred import Deferred

    if not any(isinstance(constant, Deferred) for constant in packed.stored):
        return store.put_by_content("weights", packed.pieces())
    name = key_of("weights", build(), *_origins(packed.stored, model))
    checked = sum(constant.nbytes for constant in packed.stored) <= _CHECKED_BYTES
    if store.map("weights", name, check=checked):
        return name
    return name if store.put("weights", name, packed.pieces(), checked=checked) else None


def _origins(constants: Sequence[Constant], model: Model | None) -> Iterator[str]:
    """Texts that are equal for equal constants only: where they stand or their content, and what is done."""
    from sardonyx.base.deferred import in_memory

    contents: dict[int, str] = {}
    for constant in constants:
        source = constant if isinstance(constant, np.ndarray) else constant.source
        arrangement = None if isinstance(constant, np.ndarray) else constant.arrangement
        content = contents.get(id(source))
        if content is None:
            lying = in_memory(source)
            content = model.place_of(lying) if model else None
            if content is None:
                content = key_of(np.ascontiguousarray(lying).reshape(-1).view(np.uint8).data)
            if lying is not source:
                content += " transposed"
        contents[id(source)] = content
        yield f"{content} {source.dtype} {source.shape} {arrangement!r}"


def write_signature(store: Cache, key: str, owner: Head, signature: Signature) -> bool:
    """Keep what a model whose graph depends on its feeds shows of itself."""
    return _put(store, key, owner, signature)


def _put(store: Cache, key: str, head: Head, entry: _Entry | Signature) -> bool:
    import json

    pickled = pickle.dumps(entry, protocol=pickle.HIGHEST_PROTOCOL)
    return store.put("plan", key, (json.dumps(head).encode() + b"\n", pickled))


class _Unpickler(pickle.Unpickler):
    """Makes objects of this package and arrays, nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        own = module.startswith("sardonyx.") and "." not in name
        arrays = (module, name) in _NUMPY or (module in ("numpy.dtypes", "ml_dtypes") and "." not in name)
        plain = module == "builtins" and name in ("complex", "frozenset", "set", "slice", "bytearray")
        if not (own or arrays or plain):
            raise pickle.UnpicklingError(f"a plan does not hold {module}.{name}")
        found = super().find_class(module, name)
        if own and getattr(found, "__module__", "") != module:
            raise pickle.UnpicklingError(f"{module}.{name} is of another module")
        return found
