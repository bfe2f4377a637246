"""Where the time of a model goes: measured on demand, for sizes that are numbers, one at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sardonyx.gateway.console.desk import Desk
from sardonyx.gateway.console.pages.models import ModelPages
from sardonyx.gateway.console.pages.profile import ProfilePages
from tests.serve.models import SUM_AND_DIFFERENCE, save
from tests.unit.gateway.console.browsing import Browser, visited
from tests.unit.serve.steps import adding


def pages(desk: Desk) -> dict[str, Any]:
    made = ProfilePages(desk, ModelPages(desk, asyncio.Event()))
    return {"GET /models/{model}/profile": made.show, "POST /models/{model}/profile": made.measure}


def test_kernels_are_measured_on_demand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(SUM_AND_DIFFERENCE, tmp_path / "models/sum.onnx")
    adding(tmp_path / "models", "step")
    asked: list[dict[str, int]] = []

    def measured(session: Any, sizes: dict[str, int]) -> dict[str, Any]:
        asked.append(sizes)
        raise ValueError("enough")

    monkeypatch.setattr("sardonyx.gateway.console.pages.profile.measured", measured)

    async def use(browser: Browser) -> None:
        assert "Kernels" in (await browser.get("/models/sum/profile")).text
        for wrong in ("0", "-1", "x", str(2 << 20)):
            answer = await browser.submit("/models/sum/profile", **{"size.N": wrong})
            assert answer.text == f"{wrong!r} is not a size: give a whole number from 1 on"
        answer = await browser.submit("/models/step/profile")
        assert "has no kernels of its own" in answer.text
        for _ in range(2):
            with pytest.raises(ValueError, match="enough"):
                await browser.submit("/models/sum/profile", **{"size.N": "3"})
        assert asked == [{"N": 3}] * 2

    visited(tmp_path, pages, use)
