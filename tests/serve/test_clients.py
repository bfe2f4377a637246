"""Clients that others wrote: they run as processes of their own against a server of ours."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import numpy as np
import pytest

from sardonyx.protocol.datatypes import BY_ONNX, DATATYPES
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.server import Server
from tests.serve.clients import PYTHON, REASON
from tests.serve.models import (
    ACCUMULATED,
    ACCUMULATED_CONFIG,
    SUM_AND_DIFFERENCE,
    identity,
    repeating,
    repository,
    save,
)
from tests.serve.running import running

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120


@pytest.fixture
def models(tmp_path: Path) -> Path:
    repository(
        tmp_path, {"simple": (SUM_AND_DIFFERENCE, ""), "accumulated": (ACCUMULATED, ACCUMULATED_CONFIG)}
    )
    repeating(tmp_path)
    for row in DATATYPES.values():
        name = "bytes" if row.name == "BYTES" else np.dtype(row.numpy).name
        save(identity(row.onnx), tmp_path / f"same_{name}.onnx")
    assert len(BY_ONNX) == len(DATATYPES)
    return tmp_path


async def run_client(server: Server, script: str) -> tuple[int | None, str]:
    """Run a script of this folder against the server; its exit code and all that it wrote."""
    client = await asyncio.create_subprocess_exec(
        *(str(PYTHON), str(ROOT / "tests" / "serve" / script)),
        *(f"127.0.0.1:{server.http_port}", f"127.0.0.1:{server.grpc_port}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(client.communicate(), TIMEOUT_S)
    return client.returncode, output.decode()


@pytest.mark.skipif(PYTHON is None, reason=REASON)
def test_every_call_of_tritonclient(models: Path) -> None:
    async def run() -> tuple[int | None, str]:
        async with running(models, ServeOptions(allow_client_shm=True)) as server:
            return await run_client(server, "triton_calls.py")

    code, output = asyncio.run(run())
    assert code == 0, output
    found = re.search(r"all (\d+) calls answered", output)
    assert found and int(found[1]) > 130, output


@pytest.mark.skipif(PYTHON is None, reason=REASON)
def test_every_call_of_the_kserve_clients(models: Path) -> None:
    async def run() -> tuple[int | None, str]:
        async with running(models) as server:
            return await run_client(server, "kserve_calls.py")

    code, output = asyncio.run(run())
    assert code == 0, output
