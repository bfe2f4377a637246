"""Triton's own client examples against a server of ours; TRITON_EXAMPLES names the folder that holds them.

They are others' and not kept here: client/src/python/examples of triton-inference-server on GitHub. Those of
CUDA's shared memory are the only ones that are not run: there is none here.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sardonyx.serve.options import ServeOptions
from sardonyx.serve.server import Server
from tests.serve.clients import PYTHON, REASON
from tests.serve.models import pictures_repository, repeating, triton_repository
from tests.serve.running import running

FOLDER = Path(os.environ.get("TRITON_EXAMPLES", ""))
GRPC = [
    "grpc_explicit_byte_content_client",
    "grpc_explicit_int8_content_client",
    "grpc_explicit_int_content_client",
    "reuse_infer_objects_client -i grpc",
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
]
HTTP = [
    "reuse_infer_objects_client",
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
# Of a model whose answers have no fixed number, and of a server with eight models.
DECOUPLED = ["simple_grpc_custom_repeat", "simple_grpc_model_control"]
PICTURES = [
    "grpc_client",
    *(
        f"{client} {options} -m densenet_onnx -c 3 -s INCEPTION {{picture}}"
        for client in ("image_client", "image_client -i grpc", "grpc_image_client")
        for options in ("", "-a")
    ),
    "image_client -i grpc -m densenet_onnx -s VGG {picture}",
    "image_client -i grpc --streaming -m densenet_onnx {picture}",
    "grpc_image_client --streaming -m densenet_onnx {picture}",
    "ensemble_image_client -m preprocess_inception_ensemble -c 1 {picture}",
    "ensemble_image_client -i grpc -m preprocess_inception_ensemble -c 1 {picture}",
    "memory_growth_test -r 50",
    "memory_growth_test -r 50 -i grpc",
]
# They have no argument that names a server.
AT_HOME = {"memory_growth_test"}
TIMEOUT_S = 60

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("TRITON_EXAMPLES"), reason="TRITON_EXAMPLES names no folder"),
    pytest.mark.skipif(PYTHON is None, reason=REASON),
]


async def run_example(server: Server, example: str, folder: Path) -> str:
    """What the example wrote, if it failed."""
    name, *arguments = example.split()
    over_grpc = "grpc" in example
    script = FOLDER / f"{name}.py"
    if name in AT_HOME:
        text = script.read_text().replace("localhost:8000", f"localhost:{server.http_port}")
        script = folder / script.name
        script.write_text(text.replace("localhost:8001", f"localhost:{server.grpc_port}"))
    else:
        arguments += ["-u", f"localhost:{server.grpc_port if over_grpc else server.http_port}"]
    client = await asyncio.create_subprocess_exec(
        *(str(PYTHON), str(script), *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(client.communicate(), TIMEOUT_S)
    return output.decode()[-2000:] if client.returncode else ""


def check(models: Path, examples: list[str], folder: Path) -> None:
    """Run the examples against the models; each must end well."""

    async def run() -> str:
        options = ServeOptions(name="triton", allow_client_shm=True)
        async with running(models, options) as server:
            said = {example: await run_example(server, example, folder) for example in examples}
        return "\n".join(f"{name}:\n{text}" for name, text in said.items() if text)

    failed = asyncio.run(run())
    assert not failed, failed


@pytest.mark.parametrize("examples", [GRPC, HTTP], ids=["grpc", "http"])
def test_examples_pass(tmp_path: Path, examples: list[str]) -> None:
    check(triton_repository(tmp_path / "models"), examples, tmp_path)


def test_examples_of_models_with_many_answers_pass(tmp_path: Path) -> None:
    check(repeating(triton_repository(tmp_path / "models")), DECOUPLED, tmp_path)


def test_examples_of_pictures_pass(tmp_path: Path) -> None:
    picture = tmp_path / "picture.jpg"
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    Image.fromarray(noise).save(picture)
    models = pictures_repository(tmp_path / "models")
    check(models, [example.format(picture=picture) for example in PICTURES], tmp_path)
