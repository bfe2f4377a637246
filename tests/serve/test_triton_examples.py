"""Triton's own client examples against a server of ours; TRITON_EXAMPLES names the folder that holds them.

They are others' and not kept here: client/src/python/examples of triton-inference-server on GitHub.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from sardonyx.serve.options import ServeOptions
from tests.serve.models import triton_repository
from tests.serve.running import running

FOLDER = Path(os.environ.get("TRITON_EXAMPLES", ""))
EXAMPLES = [
    "grpc_explicit_byte_content_client",
    "grpc_explicit_int8_content_client",
    "grpc_explicit_int_content_client",
    "reuse_infer_objects_client",
    "simple_grpc_aio_infer_client",
    "simple_grpc_aio_sequence_stream_infer_client",
    "simple_grpc_aio_sequence_stream_infer_client --dyna",
    "simple_grpc_async_infer_client",
    "simple_grpc_custom_args_client",
    "simple_grpc_health_metadata",
    "simple_grpc_infer_client",
    "simple_grpc_keepalive_client",
    "simple_grpc_sequence_stream_infer_client",
    "simple_grpc_sequence_stream_infer_client --dyna",
    "simple_grpc_sequence_sync_infer_client",
    "simple_grpc_sequence_sync_infer_client --dyna",
    "simple_grpc_shm_client",
    "simple_grpc_shm_string_client",
    "simple_grpc_string_infer_client",
    "simple_http_aio_infer_client",
    "simple_http_async_infer_client",
    "simple_http_health_metadata",
    "simple_http_infer_client",
    "simple_http_infer_client --request-compression-algorithm gzip --response-compression-algorithm deflate",
    "simple_http_sequence_sync_infer_client",
    "simple_http_sequence_sync_infer_client --dyna",
    "simple_http_shm_client",
    "simple_http_shm_string_client",
    "simple_http_string_infer_client",
    "simple_http_model_control",
]
TIMEOUT_S = 60

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("TRITON_EXAMPLES"), reason="TRITON_EXAMPLES names no folder"),
]


async def run_examples(models: Path) -> dict[str, str]:
    """What the examples that failed wrote."""
    options = ServeOptions(name="triton", allow_client_shm=True)
    failed = {}
    async with running(models, options) as server:
        for example in EXAMPLES:
            script, *arguments = example.split()
            port = server.grpc_port if "grpc" in script else server.http_port
            client = await asyncio.create_subprocess_exec(
                *(sys.executable, str(FOLDER / f"{script}.py"), "-u", f"localhost:{port}", *arguments),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            output, _ = await asyncio.wait_for(client.communicate(), TIMEOUT_S)
            if client.returncode:
                failed[example] = output.decode()[-2000:]
    return failed


def test_examples_pass(tmp_path: Path) -> None:
    failed = asyncio.run(run_examples(triton_repository(tmp_path)))
    assert not failed, "\n".join(f"{name}:\n{text}" for name, text in failed.items())
