"""What the models that are named on a command line mean."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sardonyx.gateway import run
from sardonyx.gateway.options import GatewayOptions
from sardonyx.gateway.run import serve
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.registry.fetching import Fetching
from sardonyx.serve.options import ServeOptions
from tests.unit.serve.steps import adding


class Core:
    """What is loaded of the models that are offered."""

    rows: tuple[dict[str, str], ...] = ()

    def index(self) -> list[dict[str, str]]:
        return list(self.rows)


class Noted:
    """A gateway that notes what it is given, and knows digits."""

    made: list[Any]
    core: Any = None

    def __init__(self, options: GatewayOptions, serve: ServeOptions, sources: list[Any]) -> None:
        self.options, self.sources = options, sources
        self.core = Core()
        Noted.made.append(self)

    def registered(self, pattern: str) -> bool:
        return pattern == "digits"

    async def __aenter__(self) -> Noted:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    Noted.made = []
    monkeypatch.setattr(run, "Gateway", Noted)

    def served(*models: str, name: str = "") -> Any:
        async def until_ready() -> None:
            ready = asyncio.Event()
            options = GatewayOptions(home=tmp_path / "home")
            serving = asyncio.ensure_future(
                serve(models, name, ServeOptions(), options, lambda gateway: ready.set())
            )
            waiting = asyncio.ensure_future(ready.wait())
            await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if serving.done():
                await serving
            serving.cancel()

        asyncio.run(until_ready())
        return Noted.made[-1]

    return served


def test_without_names_all_of_the_registry_is_served(served: Any) -> None:
    assert (served().options.patterns, served().sources) == (("*",), [])


def test_paths_are_sources_and_other_names_are_of_the_registry(served: Any, tmp_path: Path) -> None:
    folder = adding(tmp_path / "models")
    found = served(str(folder), "digits")
    assert found.options.patterns == ("digits",)
    (source,) = found.sources
    assert [offer.name for offer in source.offers()] == ["add"]
    assert [offer.name for offer in served(str(folder / "add"), name="other").sources[0].offers()] == [
        "other"
    ]


def test_a_url_is_fetched_into_the_home(served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fetched(self: Fetching, url: str, into: Path) -> Path:
        asked.append(url)
        (into / "model.onnx").write_bytes(b"content")
        return into / "model.onnx"

    monkeypatch.setattr(Fetching, "fetched", fetched)
    (source,) = served("https://host/m.onnx", name="digits").sources
    (offer,) = source.offers()
    assert (offer.name, asked) == ("digits", ["https://host/m.onnx"])
    assert offer.path.is_relative_to(tmp_path / "home/work/served")


def test_a_name_that_nobody_knows_is_told(served: Any) -> None:
    with pytest.raises(ServeError, match="'nowhere' is neither a file or folder nor a registered") as caught:
        served("nowhere")
    assert caught.value.code is Code.NOT_FOUND


def test_a_path_of_which_nothing_can_be_served_ends_it(
    served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adding(tmp_path / "models")
    (tmp_path / "models/other/1").mkdir(parents=True)
    (tmp_path / "models/other/1/model.onnx").write_bytes(b"none")
    broken = {"name": "other", "version": "1", "state": "UNAVAILABLE", "reason": "that is no model"}
    monkeypatch.setattr(Core, "rows", ({**broken, "name": "add", "state": "READY", "reason": ""}, broken))
    assert len(served(str(tmp_path / "models")).sources) == 1
    with pytest.raises(ServeError, match="that is no model"):
        served(str(tmp_path / "models/other"))
