"""MXNet, which is no longer maintained: symbols and parameters through its own exporter of 2022."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sardonyx.convert.framework import Array, ConvertError, Exported, Feeds, Request
from sardonyx.convert.frameworks.networks import tensors

UNKNOWN = re.compile(r"No conversion function registered for op type (\w+)")
OPSET = 13  # its translators stop there, though it stamps whatever onnx is installed


def load(source: str, request: Request) -> Any:
    """The files of a network and its inputs: NAME-symbol.json and NAME-0000.params."""
    symbol, parameters = _files(Path(source))
    import mxnet

    try:
        network = mxnet.sym.load(str(symbol))
        weights = mxnet.nd.load(str(parameters))
    except mxnet.MXNetError as error:
        raise ConvertError(f"{source} cannot be read by MXNet: {str(error).splitlines()[0]}") from error
    known = {name.partition(":")[2] or name for name in weights}
    return symbol, parameters, [name for name in network.list_inputs() if name not in known]


def _files(path: Path) -> tuple[Path, Path]:
    folder = path if path.is_dir() else path.parent
    symbols = [path] if path.is_file() else sorted(folder.glob("*-symbol.json"))
    whole = {symbol: parameters for symbol in symbols if (parameters := _parameters(symbol))}
    if not whole:
        raise ConvertError(f"{path} has no NAME-symbol.json with its NAME-0000.params beside it")
    tensors.refuse_several(path, whole)
    return next(iter(whole.items()))


def _parameters(symbol: Path) -> Path | None:
    """The parameters of the last epoch, if there are any."""
    name = symbol.name.removesuffix("-symbol.json")
    epochs = re.compile(rf"{re.escape(name)}-\d+\.params")
    found = sorted(entry for entry in symbol.parent.iterdir() if epochs.fullmatch(entry.name))
    return found[-1] if found else None


def export(model: Any, request: Request, path: Path) -> Exported:
    """Convert a network on inputs of the stated shapes or of a sample."""
    import mxnet
    import onnx

    symbol, parameters, names = model
    feeds, drawn = _feeds(names, request)
    axes = tensors.free_axes(feeds, request.dynamic or ("batch",))
    free = [
        tuple(None if axis in axes[name] else size for axis, size in enumerate(part.shape))
        for name, part in feeds.items()
    ]
    with contextlib.redirect_stdout(io.StringIO()), _opset_of_its_time():
        try:
            mxnet.onnx.export_model(
                str(symbol),
                str(parameters),
                in_shapes=[part.shape for part in feeds.values()],
                in_types=[part.dtype.type for part in feeds.values()],
                onnx_file_path=str(path),
                dynamic=True,
                dynamic_input_shapes=free,
            )
        except Exception as error:
            raise ConvertError(_refusal(error, symbol)) from error
    exported = onnx.load(str(path))
    exported.opset_import[0].version = OPSET
    onnx.save(exported, str(path))
    network = mxnet.gluon.SymbolBlock.imports(str(symbol), list(feeds), str(parameters))
    parts = tensors.other_sizes(feeds, axes, drawn=drawn)
    cases = tensors.asked(parts, lambda part: _answered(network, part), drawn=drawn)
    return Exported(path, cases, drawn, batch=False, axes=axes, sources=(str(symbol), str(parameters)))


@contextlib.contextmanager
def _opset_of_its_time() -> Iterator[None]:
    """Let the exporter write and check what it knows, not the newest opset of the onnx beside it."""
    import onnx

    newest, check = onnx.defs.onnx_opset_version, onnx.checker.check_graph
    onnx.defs.onnx_opset_version, onnx.checker.check_graph = lambda: OPSET, lambda graph: None
    try:
        yield
    finally:
        onnx.defs.onnx_opset_version, onnx.checker.check_graph = newest, check


def _refusal(error: Exception, symbol: Path) -> str:
    """What the exporter says, as a sentence; an operator that it does not know with its node in the file."""
    said = " ".join(str(error).split())[:300]
    found = UNKNOWN.search(said)
    if not found:
        return f"MXNet cannot export it ({type(error).__name__}: {said})"
    nodes = json.loads(symbol.read_text(encoding="utf-8"))["nodes"]
    place = next((f" (node {node['name']} of {symbol.name})" for node in nodes if node["op"] == found[1]), "")
    return (
        f"MXNet's operator {found[1]}{place} has no ONNX form; replace it by others, or save a network "
        "that leaves it out and compute it outside"
    )


def _feeds(names: list[str], request: Request) -> tuple[Feeds, bool]:
    names = [name for name in names if not name.endswith("label")]
    feeds, drawn = tensors.chosen(request, names, {})
    is_free = not request.dynamic or request.dynamic[0] != "_"
    return tensors.at_least_two(feeds) if drawn and is_free else feeds, drawn


def _answered(network: Any, feeds: Feeds) -> list[Array]:
    import mxnet

    answer = network(*(mxnet.nd.array(part, dtype=part.dtype) for part in feeds.values()))
    parts = answer if isinstance(answer, list | tuple) else [answer]
    return [part.asnumpy() for part in parts]
