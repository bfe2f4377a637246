"""PaddlePaddle: inference programs of paddle.jit.save through paddle2onnx."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.convert.framework import Array, ConvertError, Exported, Feeds, Request, shaped
from sardonyx.convert.frameworks.networks import tensors
from sardonyx.convert.frameworks.networks.tensors import Tensor

OPSET = 17
PROGRAM = re.compile(rb'"magic"\s*:\s*"pir"')
OPERATOR = re.compile(r'"#"\s*:\s*"1\.(\w+)"\s*,\s*"A"')
SUSPECTS = "operators that paddle2onnx may not know: "
RENAMED = {
    "subtract": "elementwise_sub",
    "multiply": "elementwise_mul",
    "divide": "elementwise_div",
    "maximum": "elementwise_max",
    "minimum": "elementwise_min",
    "remainder": "elementwise_mod",
    "floor_divide": "elementwise_floordiv",
    "nonzero": "where_index",
    "arange": "range",
    "flatten": "flatten_contiguous_range",
}
"""What programs call operators that paddle2onnx lists under names that are not alike."""
PARAMETER = re.compile(rb'"#"\s*:\s*"p"')


def load(source: str, request: Request) -> Any:
    """The program of a folder or of one of its files, with where it lies."""
    import paddle

    program = _program_file(Path(source))
    prefix = program.with_suffix("")
    try:
        return program, paddle.jit.load(str(prefix))
    except Exception as error:
        said = str(error).strip().splitlines()[-1]
        raise ConvertError(f"{source} cannot be read by PaddlePaddle: {said}; is it whole?") from error


def _program_file(path: Path) -> Path:
    if path.is_file():
        found = [path] if path.suffix in (".json", ".pdmodel") else []
    else:
        found = sorted(entry for entry in path.iterdir() if entry.suffix in (".json", ".pdmodel"))
    whole = [entry for entry in found if _is_whole(entry)]
    if not whole:
        raise ConvertError(f"{path} has no program (.json or .pdmodel) with its .pdiparams beside it")
    tensors.refuse_several(path, whole)
    return whole[0]


def _is_whole(program: Path) -> bool:
    """PaddlePaddle 3 writes no weights for a network without parameters."""
    if program.with_suffix(".pdiparams").is_file():
        return True
    content = program.read_bytes() if program.suffix == ".json" else b""
    return bool(PROGRAM.search(content)) and not PARAMETER.search(content)


def export(model: Any, request: Request, path: Path) -> Exported:
    """Convert a program and ask it for its answers."""
    import paddle2onnx

    program, layer = model
    weights = program.with_suffix(".pdiparams")
    layer.eval()
    specs = [_tensor(spec, at) for at, spec in enumerate(layer._input_spec())]
    cases, axes, drawn = tensors.cases_of(specs, request)
    print(f"{SUSPECTS}{', '.join(_suspects(program))}", file=sys.stderr, flush=True)
    try:
        paddle2onnx.export(
            str(program),
            str(weights) if weights.is_file() else "",
            str(path),
            opset_version=min(request.opset or OPSET, OPSET),
            optimize_tool="None",
            enable_onnx_checker=False,
        )
    except Exception as error:
        said = " ".join(str(error).split())[:300]
        raise ConvertError(f"paddle2onnx cannot convert it ({type(error).__name__}: {said})") from error
    if not path.is_file():
        raise ConvertError("paddle2onnx cannot convert it; an operator has no ONNX form (see its log above)")
    checked = tensors.asked(cases, lambda part: _answered(layer, specs, part), drawn=drawn)
    sources = tuple(str(file) for file in (program, weights) if file.is_file())
    names = tensors.output_names([(at,) for at, _ in enumerate(checked[0].answers)])
    return Exported(
        path,
        checked,
        drawn,
        outputs=names,
        batch=False,
        axes=axes,
        sources=sources,
        notes=tensors.rounded(specs, request),
    )


def last_words(log: str) -> str:
    """What is to say of a process that paddle2onnx ended, by its log: which operators it may lack."""
    if "unsupported operators" not in log:
        return ""
    found = re.search(f"{SUSPECTS}(.+)", log)
    which = f": {found[1]}" if found else ""
    return (
        f"PaddlePaddle's network has an operator that has no ONNX form{which}; replace it by others, or save "
        "a network that leaves it out and compute it outside"
    )


def _suspects(program: Path) -> list[str]:
    """The operators of a program of PaddlePaddle 3 that are not alike to any that paddle2onnx lists."""
    from paddle2onnx.paddle2onnx_cpp2py_export import get_all_supported_operators_pir

    known = {_plain(name) for name in get_all_supported_operators_pir()} | {"data", "fetch", "feed"}
    text = program.read_text(encoding="utf-8") if program.suffix == ".json" else ""
    names = dict.fromkeys(OPERATOR.findall(text))
    return [name for name in names if _plain(RENAMED.get(name, name)) not in known]


def _plain(name: str) -> str:
    """A name without what programs and paddle2onnx write differently."""
    return re.sub(r"^(elementwise|reduce)_|_v?\d*$|_|(?<=squeeze)2$", "", name)


def _tensor(spec: Any, at: int) -> Tensor:
    shape = tuple(None if size is None or size < 0 else int(size) for size in spec.shape)
    return Tensor(spec.name or f"x{at}", shape, str(spec.dtype).rpartition(".")[2].lower())


def _answered(layer: Any, specs: list[Tensor], feeds: Feeds) -> list[Array]:
    import paddle

    with paddle.no_grad():
        answer = layer(*(paddle.to_tensor(feeds[spec.name]) for spec in specs))
    parts = answer if isinstance(answer, list | tuple) else [answer]
    return shaped([np.asarray(part.numpy()) for part in parts])
