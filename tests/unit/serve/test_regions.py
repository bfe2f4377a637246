"""Shared memory of clients is read and written within its bounds, and only by plain names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import InferRequest, InferResponse, RequestedOutput, Tensor
from sardonyx.serve import regions
from sardonyx.serve.regions import Regions


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Regions]:
    monkeypatch.setattr(regions, "FOLDER", tmp_path)
    (tmp_path / "data").write_bytes(np.arange(8, dtype=np.float32).tobytes())
    found = Regions(allowed=True)
    yield found
    found.unregister()


def lying(size: Any, offset: Any = 0, region: str = "r", shape: tuple[int, ...] = (2,)) -> InferRequest:
    parameters = {regions.REGION: region, regions.SIZE: size, regions.OFFSET: offset}
    return InferRequest("m", [Tensor("x", "FP32", shape, np.empty(0, np.float32), parameters)])


def test_inputs_are_read_where_they_lie(opened: Regions) -> None:
    opened.register("r", "/data", 8, 24)
    request = lying(8, 4)
    opened.fill(request)
    assert request.inputs[0].data.tolist() == [3, 4]
    assert opened.status("r") == [{"name": "r", "key": "/data", "offset": 8, "byte_size": 24}]


def test_outputs_are_written_where_they_are_wanted(opened: Regions, tmp_path: Path) -> None:
    opened.register("r", "data", 0, 32)
    tensor = Tensor("y", "FP32", (2,), np.float32([70, 80]))
    wanted: Any = {regions.REGION: "r", regions.SIZE: 8, regions.OFFSET: 16}
    request = InferRequest("m", [], outputs=[RequestedOutput("y", wanted)])
    opened.place(request, InferResponse("m", "1", [tensor]))
    assert np.frombuffer((tmp_path / "data").read_bytes(), np.float32).tolist() == [0, 1, 2, 3, 70, 80, 6, 7]
    assert tensor.parameters == {regions.REGION: "r", regions.SIZE: 8, regions.OFFSET: 16}
    wanted[regions.SIZE] = 4
    with pytest.raises(ServeError, match="at least 8 bytes"):
        opened.place(request, InferResponse("m", "1", [tensor]))


@pytest.mark.parametrize("key", ["../data", "/a/b", "", ".hidden", "absent"])
def test_keys_are_plain_names_of_what_is_there(opened: Regions, key: str) -> None:
    with pytest.raises(ServeError) as error:
        opened.register("r", key, 0, 4)
    assert error.value.code is Code.INVALID_ARGUMENT
    assert opened.status() == []


def test_links_are_not_followed(opened: Regions, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "data")
    with pytest.raises(ServeError):
        opened.register("r", "link", 0, 4)


@pytest.mark.parametrize(("size", "offset"), [(33, 0), (8, 28), (-1, 0), (8, -8), (8.0, 0), (True, 0)])
def test_nothing_outside_of_a_region_is_touched(opened: Regions, size: Any, offset: Any) -> None:
    opened.register("r", "data", 0, 32)
    with pytest.raises(ServeError):
        opened.fill(lying(size, offset))


def test_memory_that_shrinks_is_an_error_and_no_end(opened: Regions, tmp_path: Path) -> None:
    opened.register("r", "data", 0, 32)
    (tmp_path / "data").write_bytes(b"abcd")
    with pytest.raises(ServeError, match="smaller"):
        opened.fill(lying(8, 16))


def test_names_are_given_once_and_only_if_allowed(opened: Regions) -> None:
    opened.register("r", "data", 0, 32)
    with pytest.raises(ServeError, match="already"):
        opened.register("r", "data", 0, 32)
    opened.unregister("r")
    opened.unregister("never there")
    with pytest.raises(ServeError, match="Unable to find"):
        opened.status("r")
    with pytest.raises(ServeError, match="--allow-client-shm"):
        Regions(allowed=False).register("r", "data", 0, 4)
