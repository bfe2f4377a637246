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


class Noted:
    """A gateway that notes what it is given, and knows digits."""

    made: list[Any]

    def __init__(self, options: GatewayOptions, serve: ServeOptions, sources: list[Any]) -> None:
        self.options, self.sources = options, sources
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
