"""Frameworks that need not be installed, as far as our converters call them; tensors are numpy's arrays."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest

TEXT = '<ir_version: 8, opset_import: ["" : 17]> g (float[N, 2] x) => (float[N, 2] y) { y = Relu(x) }'


def install(monkeypatch: pytest.MonkeyPatch, name: str, **content: Any) -> ModuleType:
    """A module of that dotted name, which `import` finds."""
    parent, _, last = name.rpartition(".")
    module = ModuleType(name)
    vars(module).update(content)
    monkeypatch.setitem(sys.modules, name, module)
    if parent:
        setattr(sys.modules[parent], last, module)
    return module


def some_model(path: str | Path) -> None:
    """Write an ONNX file as an exporter would."""
    Path(path).write_bytes(onnx.parser.parse_model(TEXT).SerializeToString())


class Calls(list[dict[str, Any]]):
    """What an exporter was asked, call by call; it writes a model, or raises what it is told to."""

    def __init__(self, path: Callable[..., str | Path], *errors: Exception | None) -> None:
        super().__init__()
        self.path, self.errors = path, list(errors)

    def __call__(self, *args: Any, **named: Any) -> None:
        self.append({"args": args, **named})
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        some_model(self.path(*args, **named))


class Tensor:
    """One of PyTorch's."""

    def __init__(self, array: Any) -> None:
        self.array = np.asarray(array)

    @property
    def dtype(self) -> Any:
        return self.array.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def float(self) -> Tensor:
        return Tensor(self.array.astype(np.float32))

    def numpy(self) -> np.ndarray:
        return self.array

    def numel(self) -> int:
        return self.array.size

    def element_size(self) -> int:
        return self.array.itemsize

    def __add__(self, other: Any) -> Tensor:
        return Tensor(self.array + getattr(other, "array", other))


class Module:
    """torch.nn.Module: a call is its forward."""

    trained = True

    def eval(self) -> Module:
        self.trained = False
        return self

    def parameters(self) -> list[Tensor]:
        return []

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self.forward(*args, **named)  # type: ignore[attr-defined]


class ExportedProgram:
    """A program of torch.export."""


def places(answer: Any, *path: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """The parts of a nested answer in order, each after the steps to it, as trees of PyTorch and JAX do."""
    steps = (
        answer.items()
        if isinstance(answer, dict)
        else enumerate(answer)
        if isinstance(answer, list | tuple)
        else None
    )
    if steps is None:
        return [(path, answer)]
    return [found for step, part in steps for found in places(part, *path, SimpleNamespace(key=step))]


def torch(monkeypatch: pytest.MonkeyPatch, *errors: Exception | None) -> SimpleNamespace:
    """PyTorch with an exporter that fails as told; `exports` are its calls."""
    exporter = Calls(lambda model, args, path, **_: path, *errors)
    made = install(
        monkeypatch,
        "torch",
        Tensor=Tensor,
        bfloat16="bfloat16",
        int64=np.int64,
        no_grad=contextlib.nullcontext,
        from_numpy=Tensor,
        zeros=lambda shape, dtype: Tensor(np.zeros(shape, dtype)),
        nn=SimpleNamespace(Module=Module),
        jit=SimpleNamespace(),
    )
    dim = type("Dim", (str,), {"AUTO": "auto"})
    install(monkeypatch, "torch.export", ExportedProgram=ExportedProgram, Dim=dim)
    install(monkeypatch, "torch.onnx", export=exporter)
    install(monkeypatch, "torch.utils")
    install(monkeypatch, "torch.utils._pytree", tree_flatten_with_path=lambda answer: (places(answer), None))
    return SimpleNamespace(module=made, exports=exporter)
