"""One server of all parts: what it puts together, and what holds while the database is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from sardonyx.gateway.gateway import Gateway
from sardonyx.gateway.options import GatewayOptions
from sardonyx.protocol.records import NewKey
from sardonyx.serve.folder import FolderSource
from sardonyx.serve.options import ServeOptions
from tests.unit.serve.steps import adding


def served(
    home: Path,
    use: Callable[[Gateway, httpx.AsyncClient], Awaitable[None]],
    *models: Path,
    trusted: bool = True,
) -> None:
    async def run() -> None:
        options = GatewayOptions(home=home, trusted=trusted)
        serving = ServeOptions(http_port=0, grpc_port=0, drain_s=1)
        async with Gateway(options, serving, [FolderSource(path) for path in models]) as gateway:
            url = gateway.server.http_url
            async with httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as client:
                await asyncio.wait_for(use(gateway, client), 30)

    asyncio.run(run())


def test_every_part_is_reached_at_its_place(tmp_path: Path) -> None:
    async def use(gateway: Gateway, client: httpx.AsyncClient) -> None:
        assert (await client.get("/v2/models/add/ready")).json()["ready"]
        assert (await client.get("/api/models")).json() == []
        assert "<html" in (await client.get("/console/")).text
        assert "<html" in (await client.get("/", follow_redirects=True)).text
        assert "sardonyx_build_info" in (await client.get("/metrics")).text
        assert gateway.registered("none") is False

    served(tmp_path / "home", use, adding(tmp_path / "models"))


def test_once_there_is_a_key_it_is_needed_everywhere(tmp_path: Path) -> None:
    async def use(gateway: Gateway, client: httpx.AsyncClient) -> None:
        new = NewKey(name="boss", role="admin")
        issued = await asyncio.to_thread(gateway.administration.keys.create, new, "tester")
        await asyncio.to_thread(gateway._changed)
        for path in ("/v2/models/add", "/api/models", "/metrics"):
            assert (await client.get(path)).status_code == 401, path
            headers = {"authorization": f"Bearer {issued.secret}"}
            assert (await client.get(path, headers=headers)).status_code == 200, path

    served(tmp_path / "home", use, adding(tmp_path / "models"))
