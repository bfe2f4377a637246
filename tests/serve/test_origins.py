"""Pages of other origins: which may ask, by every way that a request can take."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from sardonyx.serve.options import ServeOptions
from tests.serve.running import client_of, running
from tests.unit.serve.steps import adding

INFER, SCORE = "/v2/models/add/infer", "/score/add"
PAGE, OTHER = "https://app.example.org", "https://example.com"
BODIES: dict[str, Any] = {
    INFER: {
        "inputs": [{"name": name, "datatype": "FP32", "shape": [1, 2], "data": [1, 2]} for name in ("a", "b")]
    },
    SCORE: {"a": [[1, 2]], "b": [[3, 4]]},
}
pytestmark = pytest.mark.slow
ALLOWED = "access-control-allow-origin"


def answers(root: Path, origins: tuple[str, ...], origin: str) -> list[httpx.Response]:
    """What a page is answered: to its inferences, a fault of its own, and questions before they are sent."""
    sent = {"origin": origin}
    before = sent | {
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }

    async def use() -> list[httpx.Response]:
        options = ServeOptions(cors_origins=origins)
        async with running(adding(root), options) as server, client_of(server) as client:
            await client.post(INFER, json=BODIES[INFER])
            return [
                *[await client.post(path, json=BODIES[path], headers=sent) for path in (INFER, INFER, SCORE)],
                await client.post(INFER, json={}, headers=sent),
                *[await client.options(path, headers=before) for path in (INFER, SCORE)],
            ]

    return asyncio.run(use())


@pytest.mark.parametrize(("origins", "allowed"), [((OTHER, PAGE), PAGE), (("*",), "*")])
def test_pages_may_ask(tmp_path: Path, origins: tuple[str, ...], allowed: str) -> None:
    found = answers(tmp_path, origins, PAGE)
    assert [answer.status_code for answer in found] == [200, 200, 200, 400, 200, 200]
    assert {answer.headers.get(ALLOWED) for answer in found} == {allowed}
    assert "authorization" in found[-1].headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in found[-1].headers


@pytest.mark.parametrize("origins", [(), (OTHER,)])
def test_others_may_not(tmp_path: Path, origins: tuple[str, ...]) -> None:
    found = answers(tmp_path, origins, PAGE)
    assert not any(ALLOWED in answer.headers for answer in found)
    assert all(answer.status_code >= 400 for answer in found[-2:])
