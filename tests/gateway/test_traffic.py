"""From registration to traffic over a live gateway: what answers, and what answers after each change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from sardonyx.client import Client, Code, ServeError
from sardonyx.gateway.gateway import Gateway
from sardonyx.protocol.records import Version
from tests.gateway.running import client_of, entered, running

Enter = Callable[..., Version]
X = np.float32([1, 2])


def added(client: Client, model: str, **options: object) -> int:
    """What the model that answers adds."""
    return int(client.infer(model, {"x": X}, **options)["y"][0]) - 1


def test_a_model_goes_into_production_and_back(client: Client, enter: Enter) -> None:
    enter("add", 1)
    enter("add", 2)
    assert added(client, "add") == 2
    with pytest.raises(ServeError, match="give it an alias or deploy it"):
        added(client, "add", version="1")
    client.set_alias("add", "champion", "1")
    assert added(client, "add") == 1
    assert added(client, "add@champion") == 1
    assert [added(client, "add", version=version) for version in ("1", "2")] == [1, 2]

    endpoint = client.deploy("sum", "add", "1")
    assert [(d.name, d.version, d.weight) for d in endpoint.deployments] == [("blue", "1", 100)]
    assert added(client, "sum") == 1
    client.deploy("sum", "add", "2")
    assert added(client, "sum") == 1
    assert added(client, "sum", headers={"azureml-model-deployment": "green"}) == 2
    client.promote("sum")
    assert added(client, "sum") == 2
    client.rollback("sum", reason="it adds too much")
    assert added(client, "sum") == 1
    client.set_traffic("sum", {"blue": 50, "green": 50})
    seen = Counter(added(client, "sum") for _ in range(60))
    assert set(seen) == {1, 2}
    client.rollback("sum")
    assert [t.number for t in client.traffic("sum") if t.current] == [1]
    with pytest.raises(ServeError) as caught:
        client.rollback("sum")
    assert caught.value.code is Code.CONFLICT
    actions = [entry.action for entry in client.audit(subject="sum")]
    assert actions[:3] == ["traffic.rollback", "traffic.set", "traffic.rollback"]


def test_score_asks_the_only_endpoint_and_the_deployment_that_its_header_names(
    client: Client, enter: Enter
) -> None:
    enter("add", 1)
    enter("add", 2)
    enter("other", 5)

    def score(path: str = "/score", **headers: str) -> float:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = client._http.post(path, json={"input_data": [1, 2]}, headers=given)
        assert answer.status_code == 200, answer.text
        return float(answer.json()[0]) - 1

    client.deploy("sum", "add", "1")
    client.deploy("sum", "add", "2")
    assert score() == 1
    assert score(azureml_model_deployment="green") == 2
    assert score(azureml_model_deployment="other") == 5
    client.deploy("more", "other", "1")
    refused = client._http.post("/score", json={"input_data": [1, 2]})
    assert (refused.status_code, refused.json()["error"].split("; ")[1]) == (400, "there are: more, sum")
    assert score("/score/sum", azureml_model_deployment="green") == 2


def test_score_passes_over_endpoints_that_this_server_does_not_serve(
    tmp_path: Path, adding: Callable[[int], Path]
) -> None:
    with running(tmp_path / "home") as gateway, client_of(gateway) as client:
        entered(gateway, "add", adding(1))
        client.deploy("sum", "add")
    with running(tmp_path / "home", [adding(3)], patterns=()) as gateway, client_of(gateway) as client:
        answer = client._http.post("/score", json={"input_data": [1, 2]})
        assert (answer.status_code, answer.json()) == (200, [4, 5])


def test_score_reads_a_body_for_the_deployment_that_is_asked(
    client: Client, gateway: Gateway, adding: Callable[[int], Path], tmp_path: Path
) -> None:
    entered(gateway, "add", adding(1))
    model = onnx.load(adding(2))
    model.graph.input[0].name = model.graph.node[1].input[0] = "renamed"
    onnx.save(model, tmp_path / "renamed.onnx")
    entered(gateway, "renamed", tmp_path / "renamed.onnx")
    client.deploy("sum", "add")
    client.deploy("sum", "renamed")
    green = {"azureml-model-deployment": "green"}
    answer = client._http.post("/score/sum", json={"input_data": [1, 2]}, headers=green)
    assert (answer.status_code, answer.json()) == (200, [3, 4])
    client.set_traffic("sum", {"blue": 50, "green": 50})
    answers = [client._http.post("/score/sum", json={"input_data": [1, 2]}) for _ in range(30)]
    assert {tuple(answer.json()) for answer in answers} == {(2, 3), (3, 4)}


def test_an_alias_that_moves_takes_its_deployments_along(client: Client, enter: Enter) -> None:
    enter("add", 1, aliases=["champion"])
    client.deploy("sum", "add", "@champion")
    assert added(client, "sum") == 1
    enter("add", 5, aliases=["champion"])
    assert added(client, "sum") == 5
    with pytest.raises(ServeError, match="needs add:@champion"):
        client.remove_alias("add", "champion")


def test_what_is_deployed_stays_and_what_is_not_can_go(client: Client, enter: Enter) -> None:
    enter("add", 1)
    enter("add", 2)
    client.deploy("sum", "add", "1")
    for refuse in (
        lambda: client.delete_model("add"),
        lambda: client.delete_version("add", "1"),
        lambda: client.undeploy("sum", "blue"),
        lambda: client.deploy("sum", "add", "2", name="blue"),
    ):
        with pytest.raises(ServeError) as caught:
            refuse()
        assert caught.value.code is Code.CONFLICT
    client.delete_endpoint("sum")
    client.delete_version("add", "1")
    assert added(client, "add") == 2
    client.delete_model("add")
    with pytest.raises(ServeError) as caught:
        added(client, "add")
    assert caught.value.code is Code.NOT_FOUND


def test_a_spread_that_is_none_is_refused(client: Client, enter: Enter) -> None:
    enter("add", 1)
    client.deploy("sum", "add")
    spreads: list[dict[str, float]] = [
        *({}, {"blue": 50}, {"blue": 101}, {"blue": 50, "red": 50}, {"blue": -1}, {"blue": 1e400})
    ]
    for weights in spreads:
        with pytest.raises(ServeError) as caught:
            client.set_traffic("sum", weights)
        assert caught.value.code is Code.INVALID_ARGUMENT, weights


def test_uploads_bring_external_data_and_samples(client: Client, tmp_path: Path) -> None:
    text = (
        """<ir_version: 10, opset_import: ["" : 21]> add (float[300] x) => (float[300] y) { y = Add(x, w) }"""
    )
    model = onnx.parser.parse_model(text)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.full(300, 2, np.float32), "w"))
    folder = tmp_path / "model"
    folder.mkdir()
    onnx.save(model, folder / "a.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    (folder / "labels.txt").write_text("one\ntwo\n", encoding="utf-8")
    x = np.ones(300, np.float32)
    np.savez(tmp_path / "samples.npz", x=x, y=x + 2)
    version = client.register("add", folder, samples=tmp_path / "samples.npz")
    assert [file.path for file in version.files] == ["labels.txt", "model.onnx", "w.bin"]
    assert {check.name: check.verdict for check in version.checks}["parity"] == "passed"
    np.testing.assert_array_equal(client.infer("add", {"x": x})["y"], x + 2)
    client.download("add", "1", tmp_path / "copy")
    assert (tmp_path / "copy/w.bin").read_bytes() == (folder / "w.bin").read_bytes()
    np.savez(tmp_path / "samples.npz", x=x, y=x + 3)
    with pytest.raises(ServeError, match="parity"):
        client.register("add", folder, samples=tmp_path / "samples.npz")


def test_an_endpoint_is_served_by_its_name_with_its_deployments_and_traffic(
    tmp_path: Path, adding: Callable[[int], Path]
) -> None:
    with running(tmp_path / "home", patterns=("sum",)) as gateway, client_of(gateway) as client:
        for number in (1, 2, 3):
            entered(gateway, "add", adding(number))
        entered(gateway, "more", adding(7))
        client.deploy("sum", "add", "1")
        client.deploy("sum", "add", "2")
        client.set_traffic("sum", {"blue": 50, "green": 50})
        assert gateway.registered("sum")
        assert {added(client, "sum") for _ in range(60)} == {1, 2}
        ready = {(row["name"], row["version"]) for row in gateway.core.index() if row["state"] == "READY"}
        assert ready == {("add", "1"), ("add", "2")}
        client.deploy("sum", "more", "1", name="grey")
        client.promote("sum", "grey")
        assert added(client, "sum") == 7
        for name in ("blue", "green"):
            client.undeploy("sum", name)
        ready = {(row["name"], row["version"]) for row in gateway.core.index() if row["state"] == "READY"}
        assert ready == {("more", "1")}
        client.deploy("other", "add", "3")
        with pytest.raises(ServeError) as caught:
            added(client, "other")
        assert caught.value.code is Code.NOT_FOUND
    with running(tmp_path / "home", patterns=("sum",)) as gateway, client_of(gateway) as client:
        assert added(client, "sum") == 7
