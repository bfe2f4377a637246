"""Ray Serve with a real cluster of two nodes: both protocols, and a node that is killed under load."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from sardonyx.client import Client, Code, ServeError
from sardonyx.gateway.inside import client_inside
from sardonyx.protocol.wire import inference_pb2 as pb
from tests.gateway.test_pages import free_ports

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
X = np.float32([1, 2])


class Cluster:
    """Two nodes; requests come in at the first, replicas are on both."""

    def __init__(self, home: Path) -> None:
        import ray
        from ray import serve
        from ray.cluster_utils import Cluster as Nodes

        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        self.ports = free_ports()
        self.home = home
        self._ray, self._serve = ray, serve
        self._nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 1, "resources": {"front": 1}})
        self._second = self._nodes.add_node(num_cpus=1)
        self._nodes.wait_for_nodes()
        ray.init(self._nodes.address, logging_level="error")
        serve.start(
            proxy_location="HeadOnly",
            http_options={"port": self.ports[0]},
            grpc_options={
                "port": self.ports[1],
                "grpc_servicer_functions": ["sardonyx.gateway.ray.add_servicer"],
            },
        )

    def run(self, **options: Any) -> None:
        from sardonyx.gateway.ray import APPLICATION, build

        args = {"database": f"sqlite:///{self.home}/sardonyx.db", "artefacts": f"{self.home}/artefacts"}
        self._serve.run(build({**args, "front": "front", **options}), name=APPLICATION, route_prefix="/")

    def client(self, key: str | None = None) -> Client:
        return Client(f"http://127.0.0.1:{self.ports[0]}", key, retries=0, timeout_s=120)

    def kill_second(self) -> None:
        self._nodes.remove_node(self._second, allow_graceful=False)

    def close(self) -> None:
        self._serve.shutdown()
        self._ray.shutdown()
        self._nodes.shutdown()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    pytest.importorskip("ray", reason="ray is not installed")
    cluster = Cluster(tmp_path / "home")
    yield cluster
    cluster.close()


def message(model: str) -> Any:
    """An inference, with the name of the model as its id."""
    request = pb.ModelInferRequest(model_name=model, id=model)
    request.inputs.add(name="x", datatype="FP32", shape=[2])
    request.raw_input_contents.append(X.tobytes())
    return request


def streamed(channel: Any, metadata: Any) -> list[Any]:
    """The first number or the error of the answers to a stream of three messages, the second one wrong."""
    call = channel.stream_stream(
        "/inference.GRPCInferenceService/ModelStreamInfer",
        pb.ModelInferRequest.SerializeToString,
        pb.ModelStreamInferResponse.FromString,
    )
    names = ("sum", "none", "sum")
    answers = list(call(iter([message(name) for name in names]), metadata=metadata, timeout=60))
    assert [answer.infer_response.id for answer in answers] == list(names)
    return [
        answer.error_message
        or float(np.frombuffer(answer.infer_response.raw_output_contents[0], np.float32)[0])
        for answer in answers
    ]


def check_calls(port: int, mine: Any) -> None:
    """Calls of gRPC with a key: questions, an inference with an id, an error, a stream."""
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        ask = channel.unary_unary("/inference.GRPCInferenceService/ModelReady")
        infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        answer, call = infer.with_call(
            message("sum").SerializeToString(), metadata=(*mine, ("x-request-id", "r7")), timeout=60
        )
        assert pb.ModelInferResponse.FromString(answer).id == "sum"
        assert ("x-request-id", "r7") in [tuple(row) for row in call.trailing_metadata()]
        assert ask(b"\n\x03sum", metadata=mine, timeout=60) == b"\x08\x01"
        describe = channel.unary_unary("/inference.GRPCInferenceService/ModelMetadata")
        with pytest.raises(grpc.RpcError) as refused:
            describe(b"\n\x04none", metadata=mine, timeout=60)
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
        assert streamed(channel, mine) == [2.0, "Request for unknown model: 'none' is not found", 2.0]


def until_all_answer(client: Client, number: float) -> None:
    """Wait until all replicas give this number."""
    deadline = time.monotonic() + 10
    while {client.infer("sum", {"x": X})["y"][0] for _ in range(20)} != {number}:
        assert time.monotonic() < deadline, "the replicas do not agree"


def test_a_registry_over_two_nodes_and_one_of_them_dies(
    cluster: Cluster, adding: Callable[[int], Path]
) -> None:
    with client_inside(cluster.home) as local:
        for number in (1, 2):
            local.register("add", adding(number))
        local.deploy("sum", "add", "1")
        local.deploy("sum", "add", "2")
        key = local.create_key("root", role="admin").secret
    cluster.run(replicas=2)
    with cluster.client(key) as client, cluster.client() as stranger:
        np.testing.assert_array_equal(client.infer("sum", {"x": X})["y"], X + 1)
        for act in (lambda: stranger.infer("sum", {"x": X}), stranger.models):
            with pytest.raises(ServeError) as caught:
                act()
            assert caught.value.code is Code.UNAUTHENTICATED
        assert [model.name for model in client.models()] == ["add"]
        check_calls(cluster.ports[1], (("authorization", f"Bearer {key}"),))
        console = httpx.get(f"http://127.0.0.1:{cluster.ports[0]}/console/", trust_env=False)
        assert console.status_code == 501
        assert "sardonyx serve" in console.json()["error"]

        client.promote("sum", "green")
        until_all_answer(client, 3.0)
        answers: Counter[object] = Counter()
        ended = threading.Event()

        def load() -> None:
            with cluster.client(key) as loading:
                while not ended.is_set():
                    try:
                        answers[float(loading.infer("sum", {"x": X})["y"][0])] += 1
                    except ServeError as error:
                        answers[error.message] += 1

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(3)
        before = answers.total()
        cluster.kill_second()
        time.sleep(15)
        ended.set()
        for thread in threads:
            thread.join()
    assert before > 0
    assert answers.total() > before
    assert set(answers) == {3.0}, answers


def test_a_replica_holds_the_models_that_it_is_asked_for(
    cluster: Cluster, adding: Callable[[int], Path]
) -> None:
    with client_inside(cluster.home) as local:
        for number in (1, 2, 3):
            local.register(f"add{number}", adding(number))
    cluster.run(replicas=1, multiplexed=2)
    with cluster.client() as client:
        for number in (1, 2, 3, 1):
            np.testing.assert_array_equal(client.infer(f"add{number}", {"x": X})["y"], X + number)
        deadline = time.monotonic() + 20
        while len(client.repository()) > 2:
            assert time.monotonic() < deadline, client.repository()
        assert "add1" in {row["name"] for row in client.repository()}


def test_the_file_for_serve_deploy_is_one() -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    import yaml
    from ray.serve.schema import ServeDeploySchema

    from sardonyx.gateway.ray import ClusterOptions, build

    document = yaml.safe_load(
        (Path(__file__).parents[2] / "deploy/ray/serve.yaml").read_text(encoding="utf-8")
    )
    application = ServeDeploySchema.model_validate(document).applications[0]
    assert application.import_path == f"{build.__module__}:{build.__name__}"
    assert ClusterOptions.of(application.args).max_replicas == 8
    with pytest.raises(ServeError, match="is not an option"):
        ClusterOptions.of({**application.args, "replica": 1})
    with pytest.raises(ServeError, match="is needed"):
        ClusterOptions.of({})
