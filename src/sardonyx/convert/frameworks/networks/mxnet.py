"""MXNet, which is no longer maintained: symbols and parameters through its own exporter of 2022."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sardonyx.convert.framework import Array, Case, ConvertError, Exported, Feeds, Request
from sardonyx.convert.frameworks.networks import tensors

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
    for symbol in symbols:
        prefix = re.sub(r"-symbol\.json$", "", symbol.name)
        found = sorted(folder.glob(f"{prefix}-*.params"))
        if found:
            return symbol, found[-1]
    raise ConvertError(f"{path} has no NAME-symbol.json with its NAME-0000.params beside it")


def export(model: Any, request: Request, path: Path) -> Exported:
    """Convert a network on inputs of the stated shapes or of a sample."""
    import mxnet
    import onnx

    symbol, parameters, names = model
    feeds, drawn = _feeds(names, request)
    free = [
        tuple(None if axis == 0 else size for axis, size in enumerate(part.shape)) for part in feeds.values()
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
            said = " ".join(str(error).split())[:300]
            raise ConvertError(f"MXNet cannot export it ({type(error).__name__}: {said})") from error
    exported = onnx.load(str(path))
    exported.opset_import[0].version = OPSET
    onnx.save(exported, str(path))
    axes = {name: {0: "batch"} for name in feeds}
    network = mxnet.gluon.SymbolBlock.imports(str(symbol), list(feeds), str(parameters))
    cases = [Case(part, _answered(network, part)) for part in tensors.other_sizes(feeds, axes, drawn=drawn)]
    return Exported(path, cases, drawn, batch=False, axes=axes)


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


def _feeds(names: list[str], request: Request) -> tuple[Feeds, bool]:
    names = [name for name in names if not name.endswith("label")]
    feeds, drawn = tensors.chosen(request, names, {})
    return tensors.at_least_two(feeds) if drawn else feeds, drawn


def _answered(network: Any, feeds: Feeds) -> list[Array]:
    import mxnet

    answer = network(*(mxnet.nd.array(part, dtype=part.dtype) for part in feeds.values()))
    parts = answer if isinstance(answer, list | tuple) else [answer]
    return [part.asnumpy() for part in parts]
