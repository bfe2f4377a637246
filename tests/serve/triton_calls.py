"""Every call that tritonclient has, against a server; run as a program of its own: HTTP_URL GRPC_URL.

In the same process with other clients its protobuf messages would meet others of the same names.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from queue import Queue
from typing import Any

import numpy as np
import tritonclient.grpc as rpc
import tritonclient.grpc.aio as rpc_aio
import tritonclient.http as http
import tritonclient.http.aio as http_aio
import tritonclient.utils.shared_memory as shm
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

LEFT = np.arange(32, dtype=np.int32).reshape(2, 16)
RIGHT = np.full((2, 16), 3, np.int32)
TYPES = [np.bool_, np.uint8, np.uint16, np.uint32, np.uint64, np.int8, np.int16, np.int32, np.int64]
TYPES += [np.float16, np.float32, np.float64]


def inputs(module: Any, **options: Any) -> list[Any]:
    tensors = []
    for name, data in (("INPUT0", LEFT), ("INPUT1", RIGHT)):
        tensor = module.InferInput(name, data.shape, "INT32")
        tensor.set_data_from_numpy(data, **options)
        tensors.append(tensor)
    return tensors


def check(result: Any) -> None:
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), LEFT + RIGHT)
    np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), LEFT - RIGHT)


def refused(call: Any, text: str) -> None:
    try:
        call()
    except InferenceServerException as error:
        assert text in str(error), error
    else:
        raise AssertionError(f"not refused: {text}")


def questions(client: Any, *, as_json: Any) -> None:
    """What both clients ask beside inference; `as_json` makes a dict of an answer."""
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("simple")
    assert not client.is_model_ready("none")
    assert as_json(client.get_server_metadata())["extensions"]
    metadata = as_json(client.get_model_metadata("simple"))
    assert [int(size) for size in metadata["inputs"][0]["shape"]] == [-1, 16]
    config = as_json(client.get_model_config("simple"))
    config = config.get("config", config)
    assert config["input"][0]["data_type"] == "TYPE_INT32"
    assert [int(size) for size in config["input"][0]["dims"]] == [16]
    statistics = as_json(client.get_inference_statistics("simple"))["model_stats"][0]
    assert int(statistics["inference_count"]) > 0
    assert int(statistics["inference_stats"]["success"]["count"]) > 0
    assert as_json(client.get_inference_statistics())["model_stats"]
    client.unload_model("simple")
    assert not client.is_model_ready("simple")
    refused(partial(client.load_model, "none"), "failed to load")
    client.load_model("simple")
    client.load_model("simple", config='{"max_batch_size": 4}')
    config = as_json(client.get_model_config("simple"))
    assert config.get("config", config)["max_batch_size"] == 4
    client.load_model("simple")
    assert client.is_model_ready("simple")
    settings = as_json(
        client.update_trace_settings("simple", {"trace_level": ["TIMESTAMPS"], "trace_rate": "5"})
    )
    assert "5" in str(settings)
    assert "TIMESTAMPS" in str(as_json(client.get_trace_settings("simple")))
    client.update_trace_settings("simple", {"trace_level": None, "trace_rate": None})
    assert "TIMESTAMPS" not in str(as_json(client.get_trace_settings("simple")))
    refused(partial(client.update_trace_settings, settings={"trace_file": "x"}), "trace file")
    assert "2" in str(as_json(client.update_log_settings({"log_verbose_level": 2})))
    client.update_log_settings({"log_verbose_level": 0})
    assert "log_info" in str(as_json(client.get_log_settings()))
    assert client.get_cuda_shared_memory_status() is not None
    client.unregister_cuda_shared_memory()


def memory(module: Any, client: Any, *, as_json: Any) -> None:
    """Inputs and outputs in shared memory."""
    handles = {}
    for name, size in (("in0", LEFT.nbytes), ("in1", RIGHT.nbytes), ("out0", LEFT.nbytes)):
        key = f"/sardonyx_{module.__name__.split('.')[1]}_{name}"
        handles[name] = shm.create_shared_memory_region(name, key, size)
        client.register_system_shared_memory(name, key, size)
    try:
        shm.set_shared_memory_region(handles["in0"], [LEFT])
        shm.set_shared_memory_region(handles["in1"], [RIGHT])
        tensors = [module.InferInput(f"INPUT{i}", LEFT.shape, "INT32") for i in (0, 1)]
        tensors[0].set_shared_memory("in0", LEFT.nbytes)
        tensors[1].set_shared_memory("in1", RIGHT.nbytes)
        output = module.InferRequestedOutput("OUTPUT0")
        output.set_shared_memory("out0", LEFT.nbytes)
        result = client.infer("simple", tensors, outputs=[output, module.InferRequestedOutput("OUTPUT1")])
        found = shm.get_contents_as_numpy(handles["out0"], np.int32, list(LEFT.shape))
        np.testing.assert_array_equal(found, LEFT + RIGHT)
        np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), LEFT - RIGHT)
        assert "in0" in str(as_json(client.get_system_shared_memory_status()))
        refused(partial(client.register_system_shared_memory, "in0", "/x", 1), "already in manager")
        refused(partial(client.register_system_shared_memory, "bad", "/../etc/passwd", 1), "no key")
        refused(partial(client.register_system_shared_memory, "big", "/sardonyx_none", 1), "Unable to open")
    finally:
        client.unregister_system_shared_memory("in0")
        client.unregister_system_shared_memory()
        for handle in handles.values():
            shm.destroy_shared_memory_region(handle)


def every_type(module: Any, client: Any, **options: Any) -> None:
    for kind in TYPES:
        if not options.get("binary_data", True) and kind is np.float16:
            continue
        data = np.array([[0, 1, 1, 0]], kind)
        tensor = module.InferInput("x", data.shape, np_to_triton_dtype(data.dtype))
        tensor.set_data_from_numpy(data, **options)
        name = f"same_{np.dtype(kind).name}"
        result = client.infer(name, [tensor]).as_numpy("y")
        np.testing.assert_array_equal(result, data)
        assert result.dtype == data.dtype, (result.dtype, data.dtype)
    texts = np.array([["ä\0b".encode(), b"", b"long" * 100]], object)
    tensor = module.InferInput("x", texts.shape, "BYTES")
    tensor.set_data_from_numpy(texts, **options)
    np.testing.assert_array_equal(client.infer("same_bytes", [tensor]).as_numpy("y"), texts)


def over_http(url: str) -> None:
    with http.InferenceServerClient(url, concurrency=4) as client:
        for options in ({"binary_data": True}, {"binary_data": False}):
            check(client.infer("simple", inputs(http, **options), request_id="1", query_params={"a": 1}))
            every_type(http, client, **options)
        for coding in ("gzip", "deflate"):
            check(
                client.infer(
                    "simple",
                    inputs(http),
                    request_compression_algorithm=coding,
                    response_compression_algorithm=coding,
                )
            )
        wanted = [
            http.InferRequestedOutput("OUTPUT0", binary_data=False),
            http.InferRequestedOutput("OUTPUT1", class_count=2),
        ]
        result = client.infer("simple", inputs(http), outputs=wanted)
        assert result.as_numpy("OUTPUT1").tolist()[0][0] == b"12:15"
        check(client.async_infer("simple", inputs(http)).get_result())
        refused(partial(client.infer, "none", inputs(http)), "unknown model")
        refused(partial(client.infer, "simple", inputs(http)[:1]), "missing required input")
        questions(client, as_json=lambda answer: answer if isinstance(answer, dict) else {"rows": answer})
        memory(http, client, as_json=lambda answer: answer)
        assert {row["name"] for row in client.get_model_repository_index()} > {"simple"}


def over_rpc(url: str) -> None:
    with rpc.InferenceServerClient(url) as client:
        check(client.infer("simple", inputs(rpc), request_id="1", client_timeout=60, headers={"a": "b"}))
        check(client.infer("simple", inputs(rpc), compression_algorithm="gzip", parameters={"mine": 1}))
        every_type(rpc, client)
        done: Queue[Any] = Queue()
        client.async_infer("simple", inputs(rpc), lambda result, error: done.put(error or result))
        check(done.get(timeout=60))
        wanted = [rpc.InferRequestedOutput("OUTPUT0", class_count=1)]
        result = client.infer("simple", inputs(rpc), outputs=wanted).as_numpy("OUTPUT0")
        assert result.tolist() == [[b"18:15"], [b"34:15"]]
        refused(partial(client.infer, "none", inputs(rpc)), "unknown model")
        refused(partial(client.infer, "simple", inputs(rpc), parameters={"triton_x": 1}), "reserved")
        questions(client, as_json=lambda message: to_json(message))
        memory(rpc, client, as_json=str)
        streamed(client)
        names = {row.name for row in client.get_model_repository_index().models}
        assert names > {"simple"}


def to_json(message: Any) -> dict[str, Any]:
    from google.protobuf.json_format import MessageToDict

    document: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    return document


def streamed(client: Any) -> None:
    done: Queue[Any] = Queue()
    client.start_stream(lambda result, error: done.put(error or result))
    for number in range(20):
        model = "none" if number == 7 else "simple"
        client.async_stream_infer(model, inputs(rpc), request_id=str(number))
    answers = [done.get(timeout=60) for _ in range(20)]
    client.stop_stream()
    assert isinstance(answers[7], InferenceServerException)
    rest = [answer for number, answer in enumerate(answers) if number != 7]
    for answer in rest:
        check(answer)
    assert [answer.get_response().id for answer in rest] == [str(n) for n in range(20) if n != 7]


async def aio(http_url: str, rpc_url: str) -> None:
    async with http_aio.InferenceServerClient(http_url) as client:
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready("simple")
        for result in await asyncio.gather(*(client.infer("simple", inputs(http_aio)) for _ in range(8))):
            check(result)
        assert (await client.get_model_metadata("simple"))["name"] == "simple"
        assert (await client.get_model_config("simple"))["name"] == "simple"
        assert (await client.get_inference_statistics("simple"))["model_stats"]
        assert await client.get_model_repository_index()
    async with rpc_aio.InferenceServerClient(rpc_url) as client:
        assert await client.is_server_live()
        for result in await asyncio.gather(*(client.infer("simple", inputs(rpc_aio)) for _ in range(8))):
            check(result)

        async def requests() -> Any:
            for number in range(5):
                yield {"model_name": "simple", "inputs": inputs(rpc_aio), "request_id": str(number)}

        async for result, error in client.stream_infer(requests()):
            assert error is None
            check(result)


def main() -> None:
    http_url, rpc_url = sys.argv[1:]
    over_http(http_url)
    over_rpc(rpc_url)
    asyncio.run(aio(http_url, rpc_url))
    print("all calls answered")


if __name__ == "__main__":
    main()
