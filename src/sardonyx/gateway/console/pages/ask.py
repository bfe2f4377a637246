"""The page that asks a model: a form made from its signature, and its answer.

Decides how each input is asked for and what of a form becomes a tensor. Must not know how answers are read.
"""

from __future__ import annotations

import json
import math
import time
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from sardonyx.base import dtype as dt
from sardonyx.base.drawn import drawn
from sardonyx.gateway.console.access import credentials
from sardonyx.gateway.console.answer import read
from sardonyx.gateway.console.desk import Desk
from sardonyx.gateway.console.pages.models import ModelPages
from sardonyx.gateway.console.pictures import SCALES, Layout, layout_of, tensor_of
from sardonyx.protocol.datatypes import datatype
from sardonyx.protocol.errors import ServeError, invalid
from sardonyx.protocol.messages import Context, InferRequest, Tensor
from sardonyx.serve.signature import Port

Array = npt.NDArray[Any]

_CELLS = 32
_MOST_SHOWN = 400
_MOST_ELEMENTS = 8 << 20


class AskPages:
    """Handlers of this page."""

    def __init__(self, desk: Desk, models: ModelPages) -> None:
        self._desk, self._models = desk, models

    async def form(self, request: Request) -> Response:
        """The empty form."""
        name = request.path_params["model"]
        who = self._desk.admit(request, "metadata", name)
        return self._page(request, name, who, {}, None, None)

    async def ask(self, request: Request) -> Response:
        """The form with the answer; for a script the answer alone."""
        name = request.path_params["model"]
        who = self._desk.admit(request, "infer", name)
        form = await self._desk.form(request)
        values = {key: value for key, value in form.items() if isinstance(value, str)}
        try:
            answer, refused = await self._answer(request, name, form, who.principal), None
        except ServeError as error:
            answer, refused = None, error.message
        if request.headers.get("x-fragment"):
            return self._desk.fragment(request, "answer.html", who, answer=answer, refused=refused)
        return self._page(request, name, who, values, answer, refused)

    def _page(
        self, request: Request, name: str, who: Any, values: dict[str, str], answer: Any, refused: str | None
    ) -> Response:
        about = self._models.about(name, values.get("version", request.query_params.get("version", "")))
        fields = [_field(port, values) for port in about["model"].signature.inputs] if about["model"] else []
        return self._desk.page(
            request,
            "ask.html",
            "models",
            who,
            fields=fields,
            scales=SCALES,
            answer=answer,
            refused=refused,
            **about,
        )

    async def _answer(self, request: Request, name: str, form: FormData, principal: Any) -> dict[str, Any]:
        core = self._desk.parts.core
        version = str(form.get("version", ""))
        model = core.model(name, version)
        tensors, picture = [], None
        for port in model.signature.inputs:
            data, size = await _tensor(port, form)
            picture = picture or size
            tensors.append(Tensor(port.name, port.datatype, data.shape, data))
        key = self._desk.sessions.key(request.cookies.get("sardonyx_session", ""))
        headers = credentials(request.headers, key)
        context = Context("console", {k: v for k, v in headers.items() if k != "authorization"}, principal)
        asked = InferRequest(name, tensors, version, context=context)
        began = time.perf_counter()
        response = await core.infer(asked)
        return {
            "cards": read(response.outputs, model.labels_of, picture),
            "seconds": time.perf_counter() - began,
            "model": response.model,
            "version": response.version,
            "picture": picture,
            "curl": _curl(str(request.base_url), request.scope.get("root_path", ""), name, tensors),
        }


def _field(port: Port, values: dict[str, str]) -> dict[str, Any]:
    """How an input is asked for."""
    layout = layout_of(port)
    sizes = [size if isinstance(size, int) else 1 for size in port.dims]
    count = math.prod(sizes)
    kind = "json"
    if layout is not None:
        kind = "picture"
    elif port.datatype == "BYTES":
        kind = "text"
    elif port.ranked and 0 < count <= _CELLS:
        kind = "cells"
    return {
        "name": port.name,
        "datatype": port.datatype,
        "dims": port.dims if port.ranked else ("…",),
        "kind": kind,
        "layout": layout,
        "count": count,
        "whole": port.datatype.startswith(("INT", "UINT")),
        "example": _example(port, sizes),
        "values": values,
        "scale": "raw" if port.datatype in ("UINT8", "INT8") else _usual_scale(layout),
    }


def _usual_scale(layout: Layout | None) -> str:
    return (
        "imagenet" if layout is not None and layout.channels == 3 and (layout.height or 224) >= 32 else "unit"
    )


def _example(port: Port, sizes: list[int]) -> str:
    if math.prod(sizes) > _MOST_SHOWN:
        return "random"
    zero: Any = False if port.datatype == "BOOL" else 0.0 if port.datatype.startswith(("FP", "BF")) else 0
    for size in reversed(sizes):
        zero = [zero] * size
    return json.dumps(zero)


async def _tensor(port: Port, form: FormData) -> tuple[Array, tuple[int, int] | None]:
    """The tensor of an input, and the size of its picture if it is one."""
    name = port.name
    dtype = datatype(port.datatype).numpy
    uploaded = form.get(f"picture.{name}")
    layout = layout_of(port)
    if isinstance(uploaded, UploadFile) and layout is not None:
        width, height = _size(str(form.get(f"size.{name}", "")))
        pixels = await uploaded.read()
        scale, order = str(form.get(f"scale.{name}", "raw")), str(form.get(f"order.{name}", "rgb"))
        return tensor_of(pixels, width, height, layout, dtype, scale, order), (width, height)
    text = form.get(f"in.{name}")
    cells = [value for key, value in form.multi_items() if key == f"cell.{name}"]
    if cells:
        numbers = [_cell(port, str(value)) for value in cells]
        shape = [size if isinstance(size, int) else 1 for size in port.dims]
        return np.array(numbers).astype(dtype).reshape(shape), None
    if not isinstance(text, str) or not text.strip():
        raise invalid(f"there is nothing for the input {name!r} yet")
    if port.datatype == "BYTES":
        return _texts(port, text), None
    if text.strip().lower() == "random":
        return _random(port, dtype), None
    return _numbers(port, text, dtype), None


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and len(text) < 12):
        raise invalid(f"{text!r} is not a size of a picture, such as 224x224")
    return int(width), int(height)


def _cell(port: Port, text: str) -> float:
    try:
        return float(text.strip() or "0")
    except ValueError:
        raise invalid(f"{text!r} is not a number for the input {port.name!r}") from None


def _texts(port: Port, text: str) -> Array:
    """One text for a model with a fixed shape, else one for each line."""
    lines = text.replace("\r\n", "\n").split("\n")
    fixed = math.prod(size for size in port.dims if isinstance(size, int))
    free = any(not isinstance(size, int) for size in port.dims)
    items = [line for line in lines if line.strip()] if free and fixed == 1 else [text]
    array = np.empty(len(items), object)
    array[:] = [item.encode() for item in items]
    shape = [size if isinstance(size, int) else -1 for size in port.dims]
    if shape.count(-1) > 1:
        shape = [len(items), *[1 if size == -1 else size for size in shape[1:]]]
    return array.reshape(shape or ())


def _numbers(port: Port, text: str, dtype: Any) -> Array:
    try:
        values = json.loads(text)
        array = np.array(values)
        if array.dtype == object or array.dtype.kind not in "fiub":
            raise ValueError("the lists have different lengths or hold something else than numbers")
        return array.astype(dtype)
    except (ValueError, OverflowError, RecursionError) as error:
        raise invalid(f"the input {port.name!r} is not a JSON list of numbers: {error}") from None


def _random(port: Port, dtype: Any) -> Array:
    shape = [size if isinstance(size, int) else 1 for size in port.dims]
    if math.prod(shape) > _MOST_ELEMENTS:
        raise invalid(f"the input {port.name!r} is too large to be asked from a form")
    return drawn(dt.by_numpy(dtype), shape, np.random.default_rng())


def _curl(base: str, root: str, name: str, tensors: list[Tensor]) -> str:
    """The same question for a shell; "" if it is too long to be read."""
    if sum(t.data.size for t in tensors) > _MOST_SHOWN:
        return ""
    inputs = [
        {"name": t.name, "shape": list(t.shape), "datatype": t.datatype, "data": _plain(t.data)}
        for t in tensors
    ]
    body = msgspec.json.encode({"inputs": inputs}).decode().replace("'", "'\\''")
    return f"{base.rstrip('/').removesuffix(root)}/v2/models/{name}/infer \\\n  -d '{body}'"


def _plain(data: Array) -> list[Any]:
    flat = data.reshape(-1)
    if flat.dtype.kind == "O":
        return [item.decode("utf-8", "replace") for item in flat]
    if flat.dtype.kind == "f" or flat.dtype.name == "bfloat16":
        return [float(f"{float(v):.6g}") for v in flat]
    return list(flat.tolist())
