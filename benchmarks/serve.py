"""Measure serving beside kserve.ModelServer, MLServer, a plain FastAPI application, and next to nothing.

    python benchmarks/serve.py [--seconds 2] [--rounds 3] [CASE ...]

Prints a table and draws a picture. Each server runs on one core, the client on another; rounds are
interleaved, figures are medians over them.
`CPU` is what a request takes of the server's core, which other work on the machine changes little.
kserve runs in the environment of `make clients`, MLServer in that of `make mlserver`; what is not there is
said. Of gRPC's empty calls one waits for messages as gRPC does by itself, one as `sardonyx serve` has it do.
`batching`, `16 tokens` and `6 layers` ask real encoders for short texts, from 16 clients,
and `endpoint` asks what `small` asks by the names of endpoints.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import shared_memory
from pathlib import Path

import numpy as np
import onnx
from serving.picture import draw
from serving.processes import (
    HERE,
    Load,
    Running,
    free_port,
    http_load,
    http_request,
    rpc_load,
    server,
)

from sardonyx.base.knobs import EFFORT
from sardonyx.client import Client
from sardonyx.protocol.wire import inference_pb2 as pb
from sardonyx.serve.grpcio import LISTENER
from sardonyx.zoo.fetch import fetch_one

SERVER_CORE, CLIENT_CORE = 0, 1
CONNECTIONS = 8
SOURCES = str(HERE.parents[1] / "src")
MODELS = {
    "simple": """<ir_version: 10, opset_import: ["" : 21]>
simple (int32[N, 16] INPUT0, int32[N, 16] INPUT1) => (int32[N, 16] OUTPUT0, int32[N, 16] OUTPUT1) {
    OUTPUT0 = Add(INPUT0, INPUT1)
    OUTPUT1 = Sub(INPUT0, INPUT1)
}""",
    "line": """<ir_version: 10, opset_import: ["" : 21]>
line (float[N, 64] x) => (float[N, 64] y) {
    y = Relu(x)
}""",
    "image": """<ir_version: 10, opset_import: ["" : 21]>
image (float[N, 3, 224, 224] x) => (float[N, 3] y) <int64[2] axes = {2, 3}> {
    y = ReduceMean<keepdims = 0>(x, axes)
}""",
}
SMALL = np.arange(16, dtype=np.int32).reshape(1, 16)
NUMBERS = np.round(np.random.default_rng(0).normal(size=(1, 64)), 4).astype(np.float32)
IMAGE = np.random.default_rng(0).random((1, 3, 224, 224), np.float32)
KSERVE = HERE.parents[1] / ".venv" / "clients" / "bin" / "python"
MLSERVER = HERE.parents[1] / ".venv" / "mlserver" / "bin" / "mlserver"
INFER = "/inference.GRPCInferenceService/ModelInfer"
ENDPOINTS = ("one deployment", "two deployments", "with a shadow")
ASKED_OF_PEERS = frozenset({"small", "json", "grpc"})


@dataclass(frozen=True)
class Encoder:
    """An encoder of sentences in the zoo; its inputs are all [batch, tokens], `output` is asked for."""

    name: str
    inputs: tuple[str, ...]
    output: str

    @property
    def alone(self) -> str:
        """The name under which its requests are not joined."""
        return f"{self.name}_alone"


THREE_LAYERS = Encoder("minilm_l3_fp32", ("input_ids", "attention_mask"), "461")
SIX_LAYERS = Encoder(
    "minilm_l6_int8w", ("input_ids", "attention_mask", "token_type_ids"), "last_hidden_state"
)
BATCHED = {"batching": (THREE_LAYERS, 5), "16 tokens": (THREE_LAYERS, 16), "6 layers": (SIX_LAYERS, 5)}
"""Encoders and the tokens of a text by case. The floats of 3 layers take 21 MB, those of 6 take 43."""
CASES = ("small", "json", "grpc", "image", "latency", "endpoint", *BATCHED)


@dataclass(frozen=True)
class Measurement:
    """One server asked in one way."""

    case: str
    who: str
    measure: Callable[[], Load]


def binary(model: str, **tensors: np.ndarray) -> bytes:
    """A request with tensors behind the JSON."""
    header = json.dumps(
        {
            "inputs": [
                {**_tensor(name, array), "parameters": {"binary_data_size": array.nbytes}}
                for name, array in tensors.items()
            ],
            "parameters": {"binary_data_output": True},
        }
    ).encode()
    body = header + b"".join(array.tobytes() for array in tensors.values())
    return http_request(
        f"/v2/models/{model}/infer",
        body,
        Content_Type="application/octet-stream",
        Inference_Header_Content_Length=str(len(header)),
    )


def in_json(model: str, **tensors: np.ndarray) -> bytes:
    """A request in JSON alone."""
    rows = [{**_tensor(name, array), "data": array.ravel().tolist()} for name, array in tensors.items()]
    return http_request(
        f"/v2/models/{model}/infer", json.dumps({"inputs": rows}).encode(), Content_Type="application/json"
    )


def _tensor(name: str, array: np.ndarray) -> dict[str, object]:
    kind = {"int32": "INT32", "float32": "FP32", "int64": "INT64"}[str(array.dtype)]
    return {"name": name, "datatype": kind, "shape": list(array.shape)}


def encoding(model: str, encoder: Encoder, length: int) -> bytes:
    """A request for the embedding of one text of so many tokens."""
    ids = np.random.default_rng(length).integers(1000, 20_000, (1, length))
    known = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    tensors = {name: known[name] for name in encoder.inputs}
    rows = [
        {**_tensor(name, array), "parameters": {"binary_data_size": array.nbytes}}
        for name, array in tensors.items()
    ]
    wanted = [{"name": encoder.output, "parameters": {"binary_data": True}}]
    header = json.dumps({"inputs": rows, "outputs": wanted}).encode()
    return http_request(
        f"/v2/models/{model}/infer",
        header + b"".join(array.tobytes() for array in tensors.values()),
        Content_Type="application/octet-stream",
        Inference_Header_Content_Length=str(len(header)),
    )


def message(model: str, **tensors: np.ndarray) -> bytes:
    """A request of gRPC."""
    request = pb.ModelInferRequest(model_name=model)
    for name, array in tensors.items():
        row = _tensor(name, array)
        request.inputs.add(name=name, datatype=row["datatype"], shape=array.shape)
        request.raw_input_contents.append(array.tobytes())
    text: bytes = request.SerializeToString()
    return text


def main() -> None:
    """Start all servers that can be started, measure in turns, print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)} (default: all)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of load for each server, case and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--picture", type=Path, default=HERE.parent / "results" / "serve.svg")
    options = parser.parse_args()
    os.environ[EFFORT.env] = "full"
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        paths = {name: save(text, Path(folder) / "models" / f"{name}.onnx") for name, text in MODELS.items()}
        wanted = frozenset(options.cases or CASES)
        for encoder in {BATCHED[case][0] for case in wanted & BATCHED.keys()}:
            save_encoder(encoder, Path(folder) / "models")
        rows = prepared(stack, Path(folder), paths, options.seconds, wanted)
        measurements = [row for row in rows if row.case in wanted]
        found: dict[tuple[str, str], list[Load]] = {}
        for name, folder_ in (("kserve.ModelServer", KSERVE), ("MLServer", MLSERVER)):
            if wanted & ASKED_OF_PEERS and not folder_.exists():
                print(f"{name} is not installed: make clients mlserver", file=sys.stderr)
        for _ in range(options.rounds):
            for row in measurements:
                try:
                    found.setdefault((row.case, row.who), []).append(row.measure())
                except subprocess.CalledProcessError as error:
                    print(f"{row.case}, {row.who}: {error.stderr.decode().strip()}", file=sys.stderr)
    medians = {key: median(loads) for key, loads in found.items() if loads}
    print(table(medians))
    draw(medians, options.picture)
    print(f"a picture of them: {options.picture}")


def save(text: str, path: Path) -> Path:
    """Write a model."""
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(onnx.parser.parse_model(text), path)
    return path


def save_encoder(encoder: Encoder, folder: Path) -> None:
    """An encoder as it is, and once more with a configuration by which its requests are not joined."""
    source = fetch_one(encoder.name)
    (folder / f"{encoder.name}.onnx").symlink_to(source)
    (folder / encoder.alone / "1").mkdir(parents=True)
    (folder / encoder.alone / "1" / "model.onnx").symlink_to(source)
    (folder / encoder.alone / "config.pbtxt").write_text("max_batch_size: 32\n")


def prepared(
    stack: ExitStack, folder: Path, paths: dict[str, Path], seconds: float, wanted: frozenset[str]
) -> Iterator[Measurement]:
    """What can be measured here, the wanted cases among it; the servers run until the stack is closed."""
    small = {"INPUT0": SMALL, "INPUT1": SMALL}
    named = [f"{name}={path}" for name, path in paths.items()]

    def http(running: Running, request: bytes, connections: int = CONNECTIONS) -> Callable[[], Load]:
        return lambda: http_load(running, request, connections, seconds, CLIENT_CORE)

    def rpc(running: Running, method: str, text: bytes) -> Callable[[], Load]:
        return lambda: rpc_load(running, method, text, CONNECTIONS, seconds, CLIENT_CORE)

    ours = stack.enter_context(sardonyx_server(folder / "models"))
    empty = stack.enter_context(script("empty.py", 400))
    plain = stack.enter_context(script("plain.py", *named, grpc=False))
    yield Measurement("small", "sardonyx", http(ours, binary("simple", **small)))
    yield Measurement("small", "empty handler", http(empty, binary("simple", **small)))
    yield Measurement(
        "small", "plain FastAPI", http(plain, http_request("/binary/simple", SMALL.tobytes() * 2))
    )
    yield Measurement("json", "sardonyx", http(ours, in_json("line", x=NUMBERS)))
    yield Measurement("json", "empty handler", http(empty, in_json("line", x=NUMBERS)))
    yield Measurement("json", "plain FastAPI", http(plain, plain_json("line", NUMBERS)))
    yield Measurement("grpc", "sardonyx", rpc(ours, INFER, message("simple", **small)))
    yield Measurement("grpc", "empty call", rpc(empty, "/empty.Empty/Call", b""))
    if "grpc" in wanted:
        alike = stack.enter_context(script("empty.py", 400, GRPC_EXPERIMENTS=LISTENER))
        yield Measurement("grpc", "same listener", rpc(alike, "/empty.Empty/Call", b""))
    yield Measurement("image", "sardonyx", http(ours, binary("image", x=IMAGE)))
    yield Measurement("image", "empty handler", http(empty, binary("image", x=IMAGE)))
    yield Measurement("image", "plain FastAPI, JSON", http(plain, plain_json("image", IMAGE)))
    yield Measurement("image", "shared memory", http(ours, in_memory(stack, ours)))
    yield Measurement("latency", "sardonyx", http(ours, binary("simple", **small), 1))
    yield Measurement("latency", "empty handler", http(empty, binary("simple", **small), 1))
    for who in endpoints(ours, paths["simple"]) if "endpoint" in wanted else ():
        name = "sardonyx" if who == ENDPOINTS[0] else who
        yield Measurement("endpoint", name, http(ours, binary(who.replace(" ", "-"), **small)))
    for case, (encoder, length) in BATCHED.items():
        for model, who in ((encoder.name, "sardonyx"), (encoder.alone, "not batched")):
            yield Measurement(case, who, http(ours, encoding(model, encoder, length), 16))
    for running, who, requests in peers(stack, folder, paths) if wanted & ASKED_OF_PEERS else ():
        for case, request in requests.items():
            work = rpc(running, INFER, request) if case == "grpc" else http(running, request)
            yield Measurement(case, who, work)


@contextmanager
def sardonyx_server(models: Path) -> Iterator[Running]:
    """`sardonyx serve` on the core of servers."""
    ports = free_port(), free_port()
    command = [sys.executable, "-m", "sardonyx", "serve", str(models), "--allow-client-shm", "--home"]
    command += [str(models.parent / "home")]
    command += ["--http-port", str(ports[0]), "--grpc-port", str(ports[1])]
    with server(command, *ports, SERVER_CORE) as running:
        while not _is_ready(running):
            time.sleep(0.1)
        yield running


def endpoints(ours: Running, path: Path) -> tuple[str, ...]:
    """Endpoints of one deployment, of two that share the traffic, and of one with a shadow."""
    with Client(f"http://127.0.0.1:{ours.http}") as client:
        client.register("registered", path)
        for who in ENDPOINTS:
            endpoint = who.replace(" ", "-")
            client.deploy(endpoint, "registered", name="blue")
            if who != ENDPOINTS[0]:
                client.deploy(endpoint, "registered", name="green")
        client.set_traffic("two-deployments", {"blue": 50, "green": 50})
        client.set_traffic("with-a-shadow", {"blue": 100}, shadows={"green": 100})
    return ENDPOINTS


def _is_ready(running: Running) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{running.http}/v2/health/ready").close()
    except urllib.error.HTTPError:
        return False
    return True


@contextmanager
def script(
    name: str, *arguments: object, python: str = sys.executable, grpc: bool = True, **environment: str
) -> Iterator[Running]:
    """A script of benchmarks/serving on the core of servers."""
    ports = free_port(), free_port()
    listened = ports if grpc else ports[:1]
    command = [python, str(HERE / name), *map(str, listened), *map(str, arguments)]
    with server(command, ports[0], ports[1], SERVER_CORE, PYTHONPATH=SOURCES, **environment) as running:
        yield running


def plain_json(model: str, array: np.ndarray) -> bytes:
    """A request as the plain application takes it."""
    body = json.dumps({"inputs": {"x": array.tolist()}}).encode()
    return http_request(f"/predict/{model}", body, Content_Type="application/json")


def in_memory(stack: ExitStack, ours: Running) -> bytes:
    """A request whose input lies in shared memory, which is registered here."""
    memory = shared_memory.SharedMemory(create=True, size=IMAGE.nbytes)
    stack.callback(memory.unlink)
    stack.callback(memory.close)
    np.ndarray(IMAGE.shape, IMAGE.dtype, memory.buf)[:] = IMAGE
    register = json.dumps({"key": f"/{memory.name.lstrip('/')}", "byte_size": IMAGE.nbytes}).encode()
    url = f"http://127.0.0.1:{ours.http}/v2/systemsharedmemory/region/image/register"
    urllib.request.urlopen(urllib.request.Request(url, register, method="POST")).close()
    where = {"shared_memory_region": "image", "shared_memory_byte_size": IMAGE.nbytes}
    body = json.dumps({"inputs": [{**_tensor("x", IMAGE), "parameters": where}]}).encode()
    return http_request("/v2/models/image/infer", body, Content_Type="application/json")


def peers(
    stack: ExitStack, folder: Path, paths: dict[str, Path]
) -> Iterator[tuple[Running, str, dict[str, bytes]]]:
    """The servers of others that are installed somewhere, and what each can be asked."""
    small = {"INPUT0": SMALL, "INPUT1": SMALL}
    if KSERVE.exists():
        named = [f"{name}={path}" for name, path in paths.items()]
        running = stack.enter_context(script("kserve_server.py", *named, python=str(KSERVE)))
        requests = {"small": binary("simple", **small), "json": in_json("line", x=NUMBERS)}
        yield running, "kserve.ModelServer", {**requests, "grpc": message("simple", **small)}
    if MLSERVER.exists():
        ports = free_port(), free_port()
        write_mlserver_settings(folder / "mlserver", paths, *ports)
        search = os.pathsep.join([str(HERE), SOURCES])
        running = stack.enter_context(
            server([str(MLSERVER), "start", str(folder / "mlserver")], *ports, SERVER_CORE, PYTHONPATH=search)
        )
        requests = {"small": in_json("simple", **small), "json": in_json("line", x=NUMBERS)}
        yield running, "MLServer", {**requests, "grpc": message("simple", **small)}


def write_mlserver_settings(folder: Path, paths: dict[str, Path], http: int, grpc: int) -> None:
    """The files that `mlserver start` reads."""
    for name, path in paths.items():
        (folder / name).mkdir(parents=True)
        settings = {
            "name": name,
            "implementation": "mlserver_runtime.Served",
            "parameters": {"uri": str(path)},
        }
        (folder / name / "model-settings.json").write_text(json.dumps(settings))
    ports = {"http_port": http, "grpc_port": grpc, "metrics_port": free_port(), "parallel_workers": 0}
    (folder / "settings.json").write_text(json.dumps(ports))


def median(loads: list[Load]) -> Load:
    """The median of each figure."""
    return Load(
        *(
            statistics.median(getattr(load, name) for load in loads)
            for name in ("per_second", "median_us", "p99_us", "cpu_us")
        )
    )


def table(found: dict[tuple[str, str], Load]) -> str:
    """The figures, with ours as 1."""
    lines = [
        f"{'':10}{'':22}{'req/s':>9}{'median':>10}{'p99':>10}{'CPU':>10}{'CPU / ours':>12}{'rate / ours':>13}"
    ]
    for (case, who), load in found.items():
        ours = found.get((case, "sardonyx"), load)
        lines.append(
            f"{case:10}{who:22}{load.per_second:9.0f}{load.median_us:7.0f} us{load.p99_us:7.0f} us"
            f"{load.cpu_us:7.0f} us{load.cpu_us / ours.cpu_us:12.2f}{load.per_second / ours.per_second:13.2f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
