"""The page of a graph, and the file that it shows: a model without its weights."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import onnx

from sardonyx.gateway.console.desk import Desk
from sardonyx.gateway.console.pages.graph import GraphPages
from sardonyx.gateway.console.pages.models import ModelPages
from tests.serve.models import SUM_AND_DIFFERENCE, save
from tests.unit.gateway.console.browsing import Browser, visited


def pages(desk: Desk) -> dict[str, Any]:
    made = GraphPages(desk, ModelPages(desk, asyncio.Event()))
    return {"GET /models/{model}/graph": made.show, "GET /models/{model}/file/{file}": made.file}


def test_a_graph_is_shown_from_its_file(tmp_path: Path) -> None:
    path = save(SUM_AND_DIFFERENCE, tmp_path / "models/sum.onnx")

    async def use(browser: Browser) -> None:
        assert "file%2Fsum.onnx" in (await browser.get("/models/sum/graph")).text
        answer = await browser.get("/models/sum/file/sum.onnx")
        assert [node.op_type for node in onnx.load_from_string(answer.content).graph.node] == ["Add", "Sub"]
        path.unlink()
        gone = await browser.get("/models/sum/file/sum.onnx")
        assert (gone.status_code, gone.text) == (404, "'sum' has no file of its own")
        assert (await browser.get("/models/none/graph")).status_code == 404

    visited(tmp_path, pages, use)
