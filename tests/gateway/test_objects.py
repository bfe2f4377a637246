"""Artefacts in a real S3 API: gateways on different machines serve what one of them registered."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from sardonyx.client import Client, Code, ServeError
from sardonyx.registry.artefacts import ArtefactStore
from tests.gateway.running import client_of, running
from tests.gateway.test_pages import free_ports

X = {"x": np.float32([1, 2])}
STORE = "s3://models/sardonyx"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]


class Bucket:
    """A server of S3 with a bucket, which may be gone and come back."""

    def __init__(self, port: int) -> None:
        import boto3

        moto = pytest.importorskip("moto.server", reason="moto with its server is not installed")
        self._start, self._port, self._server = moto.ThreadedMotoServer, port, None
        self.client = boto3.client("s3")
        self.begin()

    def begin(self) -> None:
        if self._server is None:
            self._server = self._start("127.0.0.1", self._port, verbose=False)
            self._server.start()
        self.client.create_bucket(Bucket="models")

    def end(self) -> None:
        self._server.stop()
        self._server = None

    def keys(self) -> list[str]:
        return [row["Key"] for row in self.client.list_objects_v2(Bucket="models").get("Contents", [])]

    def put(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket="models", Key=key, Body=body)

    def remove(self) -> None:
        for key in self.keys():
            self.client.delete_object(Bucket="models", Key=key)
        self.client.delete_bucket(Bucket="models")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket that the standard variables of AWS point at."""
    s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed")
    port = free_ports()[0]
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    bucket = Bucket(port)
    yield bucket
    bucket.remove()
    bucket.end()
    bucket.client.close()
    s3fs.S3FileSystem.clear_instance_cache()


def code_of(act: Callable[[], object]) -> Code | None:
    try:
        act()
    except ServeError as error:
        return error.code
    return None


def added(client: Client) -> int:
    return int(client.infer("add", X)["y"][0]) - 1


def test_what_one_gateway_registers_another_serves(
    bucket: Bucket, tmp_path: Path, adding: Callable[[int], Path]
) -> None:
    database = f"sqlite:///{tmp_path / 'shared.db'}"
    with running(tmp_path / "first", artefacts=STORE, database=database) as first, client_of(first) as client:
        client.register("add", adding(1))
        assert added(client) == 1
        (key,) = bucket.keys()
        assert key.startswith("sardonyx/sha256/")
        with (
            running(tmp_path / "second", artefacts=STORE, database=database) as second,
            client_of(second) as other,
        ):
            assert added(other) == 1
            client.register("add", adding(2))
            deadline = time.monotonic() + 20
            while added(other) != 2:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            other.download("add", "1", tmp_path / "down")
            assert (tmp_path / "down/model.onnx").read_bytes() == adding(1).read_bytes()
        client.delete_version("add", "1")
        assert len(bucket.keys()) == 1


def test_what_the_bucket_holds_is_checked(
    bucket: Bucket, tmp_path: Path, adding: Callable[[int], Path]
) -> None:
    store = ArtefactStore(STORE, tmp_path / "one")
    files = store.put({"model.onnx": adding(1)})
    assert store.verify(files) == []
    assert not store.missing(files)
    assert (store.materialise("d" * 64, files) / "model.onnx").read_bytes() == adding(1).read_bytes()
    (key,) = bucket.keys()
    bucket.put(key, b"something else")
    late = ArtefactStore(STORE, tmp_path / "two")
    with pytest.raises(ServeError, match="damaged in the store s3://"):
        late.materialise("d" * 64, files)
    assert late.verify(files) == [f"model.onnx: {files[0].sha256} is damaged"]
    late.put({"model.onnx": adding(1)})
    assert late.verify(files) == []
    late.remove([files[0].sha256])
    assert late.missing(files)
    assert late.verify(files) == [f"model.onnx: {files[0].sha256} is missing"]


@pytest.mark.parametrize("gone", ["bucket", "server"])
def test_without_its_store_a_gateway_serves_what_is_loaded_and_says_what_it_lacks(
    bucket: Bucket, tmp_path: Path, adding: Callable[[int], Path], gone: str
) -> None:
    with running(tmp_path / "home", artefacts=STORE) as gateway, client_of(gateway, retries=0) as client:
        client.register("add", adding(1))
        assert added(client) == 1
        bucket.end() if gone == "server" else bucket.remove()
        with pytest.raises(ServeError, match="artefact store s3://") as caught:
            client.register("add", adding(2))
        assert caught.value.code is Code.UNAVAILABLE
        assert [version.version for version in client.versions("add")] == ["1"]
        assert added(client) == 1
        bucket.begin()
        assert client.register("add", adding(2)).version == "2"
        assert added(client) == 2
