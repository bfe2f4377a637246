"""Small models in Python for the tests of this folder: nothing is compiled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from sardonyx.protocol.messages import InferRequest, Tensor
from sardonyx.serve.core import Core
from sardonyx.serve.folder import FolderSource
from sardonyx.serve.options import ServeOptions
from tests.serve.models import step

T = TypeVar("T")
ADD = "def run(a, b):\n    return {'sum': a + b}\n"
ADD_CONFIG = """max_batch_size: 4
input [ { name: "a" data_type: TYPE_FP32 dims: [ 2 ] }, { name: "b" data_type: TYPE_FP32 dims: [ 2 ] } ]
output [ { name: "sum" data_type: TYPE_FP32 dims: [ 2 ] } ]
"""


def adding(root: Path, name: str = "add", program: str = ADD, config: str = ADD_CONFIG) -> Path:
    """A folder with a model that adds."""
    step(root, name, program, config)
    return root


def with_core(root: Path, use: Callable[[Core], Awaitable[T]], **options: Any) -> T:
    """What `use` gives, with a core of the models of a folder."""

    async def run() -> T:
        core = Core(FolderSource(root), replace(ServeOptions(), **options))
        await core.start()
        try:
            return await asyncio.wait_for(use(core), 30)
        finally:
            await core.close()

    return asyncio.run(run())


def tensor(name: str, *rows: list[float]) -> Tensor:
    array = np.float32(rows)
    return Tensor(name, "FP32", array.shape, array)


def request(model: str = "add", *rows: list[float], **fields: Any) -> InferRequest:
    """Rows added to themselves."""
    given = rows or ([1, 2],)
    return InferRequest(model, [tensor("a", *given), tensor("b", *given)], **fields)
