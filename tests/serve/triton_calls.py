"""Every call that tritonclient has, against a server; run as a program of its own: HTTP_URL GRPC_URL.

In the same process with other clients its protobuf messages would meet others of the same names. What of the
clients' public methods was not called is listed at the end, and is a failure.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from functools import partial, wraps
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
KINDS = [rpc.InferenceServerClient, rpc_aio.InferenceServerClient]
KINDS += [http.InferenceServerClient, http_aio.InferenceServerClient]
KINDS += [getattr(m, k) for m in (rpc, http) for k in ("InferInput", "InferRequestedOutput", "InferResult")]
NOT_CALLED: set[str] = set()


def watch(kind: type) -> None:
    """Note all public methods of a class, and strike out each that is called."""
    for name in [name for name in dir(kind) if not name.startswith("_")]:
        member = inspect.getattr_static(kind, name)
        bound = type(member) if isinstance(member, staticmethod | classmethod) else None
        function = member.__func__ if bound else member
        key = f"{kind.__module__}.{kind.__name__}.{name}"
        NOT_CALLED.add(key)

        @wraps(function)
        def noted(*arguments: Any, key: str = key, function: Any = function, **options: Any) -> Any:
            NOT_CALLED.discard(key)
            return function(*arguments, **options)

        setattr(kind, name, bound(noted) if bound else noted)


class Waited:
    """An asynchronous client whose calls are waited for, so that it is asked as the others are."""

    def __init__(self, client: Any, runner: asyncio.Runner) -> None:
        self._client, self._runner = client, runner

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            async def made() -> Any:
                given = getattr(self._client, name)(*arguments, **options)
                return await given if inspect.isawaitable(given) else given

            return self._runner.run(made())

        return call


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
    refused(partial(client.register_cuda_shared_memory, "c", b"", 0, 1), "no CUDA shared memory")
    client.unregister_cuda_shared_memory()
    seen = []
    client.register_plugin(lambda request: seen.append(request.headers))
    assert client.plugin() is not None
    assert client.is_server_live(headers={"mine": "1"})
    client.unregister_plugin()
    assert len(seen) == 1
    index = as_json(client.get_model_repository_index())
    assert {row["name"] for row in index.get("models", index.get("rows"))} > {"simple"}


def memory(module: Any, client: Any, *, as_json: Any) -> None:
    """Inputs and outputs in shared memory."""
    handles = {}
    for name, size in (("in0", LEFT.nbytes), ("in1", RIGHT.nbytes), ("out0", LEFT.nbytes)):
        key = f"/sardonyx_{'_'.join(module.__name__.split('.')[1:])}_{name}"
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
        assert output.name() == "OUTPUT0"
        result = client.infer("simple", tensors, outputs=[output, module.InferRequestedOutput("OUTPUT1")])
        found = shm.get_contents_as_numpy(handles["out0"], np.int32, list(LEFT.shape))
        np.testing.assert_array_equal(found, LEFT + RIGHT)
        np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), LEFT - RIGHT)
        output.unset_shared_memory()
        again = client.infer("simple", tensors, outputs=[output]).as_numpy("OUTPUT0")
        np.testing.assert_array_equal(again, LEFT + RIGHT)
        assert "in0" in str(as_json(client.get_system_shared_memory_status()))
        refused(partial(client.register_system_shared_memory, "in0", "/x", 1), "already in manager")
        refused(partial(client.register_system_shared_memory, "bad", "/../etc/passwd", 1), "not a key")
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
        parts(http, client)
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
        body, size = client.generate_request_body(inputs(http))
        assert 0 < size < len(body)
        parsed = client.parse_response_body(b'{"model_name": "simple", "outputs": []}')
        assert parsed.get_response()["model_name"] == "simple"
        assert http.InferResult.from_response_body(b'{"outputs": []}').get_output("y") is None
        sequences(http, client)
        questions(client, as_json=rows)
        memory(http, client, as_json=str)


def rows(answer: Any) -> dict[str, Any]:
    return answer if isinstance(answer, dict) else {"rows": answer}


def parts(module: Any, client: Any) -> None:
    """What can be asked of tensors and results."""
    tensor = module.InferInput("x", [1, 1], "FP32")
    tensor.set_shape([1, 2])
    assert (tensor.name(), tensor.datatype(), tensor.shape()) == ("x", "FP32", [1, 2])
    tensor.set_data_from_numpy(np.array([[1, 2]], np.float32))
    result = client.infer("same_float32", [tensor])
    assert "same_float32" in str(result.get_response())
    assert "FP32" in str(result.get_output("y"))


def sequences(module: Any, client: Any) -> None:
    """Two sequences at once; each adds what it was told."""
    for number in range(3):
        for key in (3, 4):
            tensor = module.InferInput("INPUT", [1, 1], "INT32")
            tensor.set_data_from_numpy(np.full((1, 1), key, np.int32))
            result = client.infer(
                "accumulated",
                [tensor],
                sequence_id=key,
                sequence_start=number == 0,
                sequence_end=number == 2,
            )
            assert result.as_numpy("OUTPUT").tolist() == [[key * (number + 1) + (key if number == 2 else 0)]]


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
        questions(client, as_json=to_json)
        memory(rpc, client, as_json=str)
        parts(rpc, client)
        sequences(rpc, client)
        streamed(client)
        decoupled(client)
        streamed_sequence(client)
        context = client.async_infer("simple", inputs(rpc), lambda result, error: done.put(error or result))
        context.cancel()
        done.get(timeout=60)


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


def repeated(count: int) -> list[Any]:
    """What makes the decoupled model give so many answers."""
    values = {"IN": np.arange(count, dtype=np.int32), "DELAY": np.full(count, 500, np.uint32)}
    values["WAIT"] = np.zeros(1, np.uint32)
    tensors = []
    for name, data in values.items():
        tensors.append(rpc.InferInput(name, data.shape, np_to_triton_dtype(data.dtype)))
        tensors[-1].set_data_from_numpy(data)
    return tensors


def decoupled(client: Any) -> None:
    """Many answers to one message, others between them, and an end that is told."""
    done: Queue[Any] = Queue()
    client.start_stream(lambda result, error: done.put(error or result), compression_algorithm="gzip")
    for count in (40, 0, 3):
        client.async_stream_infer(
            "repeat_int32", repeated(count), request_id=str(count), enable_empty_final_response=True
        )
    client.async_stream_infer("simple", inputs(rpc), request_id="one")
    answers = [done.get(timeout=60).get_response() for _ in range(40 + 0 + 3 + 3 + 1)]
    client.stop_stream()
    order = [answer.id for answer in answers]
    assert [order.count(name) for name in ("40", "0", "3", "one")] == [41, 1, 4, 1]
    assert order.index("one") < len(order) - 1
    for name in ("40", "0", "3"):
        finals = [a.parameters["triton_final_response"].bool_param for a in answers if a.id == name]
        assert finals == [False] * int(name) + [True]
    client.start_stream(lambda result, error: done.put(error or result))
    client.async_stream_infer("repeat_int32", repeated(10_000), request_id="left")
    done.get(timeout=60)
    client.stop_stream(cancel_requests=True)
    refused(partial(client.infer, "repeat_int32", repeated(1)), "decoupled")


def streamed_sequence(client: Any) -> None:
    done: Queue[Any] = Queue()
    client.start_stream(lambda result, error: done.put(error or result))
    for number in range(4):
        tensor = rpc.InferInput("INPUT", [1, 1], "INT32")
        tensor.set_data_from_numpy(np.ones((1, 1), np.int32))
        client.async_stream_infer(
            "accumulated",
            [tensor],
            sequence_id=9,
            sequence_start=number == 0,
            sequence_end=number == 3,
        )
    answers = [done.get(timeout=60).as_numpy("OUTPUT").item() for _ in range(4)]
    client.stop_stream()
    assert answers == [1, 2, 3, 4 + 9]


def aio(http_url: str, rpc_url: str) -> None:
    with asyncio.Runner() as runner:
        for module, url in ((http_aio, http_url), (rpc_aio, rpc_url)):
            client = runner.run(opened(module, url))
            waited = Waited(client, runner)
            for result in runner.run(at_once(client, module)):
                check(result)
            every_type(module, waited)
            sequences(module, waited)
            questions(waited, as_json=rows if module is http_aio else to_json)
            memory(module, waited, as_json=str)
            if module is http_aio:
                assert waited.generate_request_body(inputs(http_aio))[1]
                assert waited.parse_response_body(b'{"outputs": []}').get_response() == {"outputs": []}
            else:
                runner.run(streams(client))
            waited.close()


async def opened(module: Any, url: str) -> Any:
    return module.InferenceServerClient(url)


async def at_once(client: Any, module: Any) -> Any:
    return await asyncio.gather(*(client.infer("simple", inputs(module)) for _ in range(8)))


async def streams(client: Any) -> None:
    async def requests() -> Any:
        for number in range(5):
            yield {"model_name": "simple", "inputs": inputs(rpc_aio), "request_id": str(number)}
        yield {"model_name": "repeat_int32", "inputs": repeated(4), "request_id": "many"}

    order = []
    async for result, error in client.stream_infer(requests()):
        assert error is None
        order.append(result.get_response().id)
    assert [name for name in order if name != "many"] == list("01234")
    assert order.count("many") == 4

    async def endless() -> Any:
        yield {"model_name": "repeat_int32", "inputs": repeated(10_000)}
        await asyncio.Event().wait()

    call = client.stream_infer(endless())
    await anext(call)
    call.cancel()


def main() -> None:
    for kind in KINDS:
        watch(kind)
    watched = len(NOT_CALLED)
    http_url, rpc_url = sys.argv[1:]
    over_http(http_url)
    over_rpc(rpc_url)
    aio(http_url, rpc_url)
    assert not NOT_CALLED, sorted(NOT_CALLED)
    print(f"all {watched} calls answered")


if __name__ == "__main__":
    main()
