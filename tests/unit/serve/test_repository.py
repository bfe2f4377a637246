"""The models that are served: which is asked, what replaces what, what is taken from clients, and memory."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sardonyx.base.garbage import uncollected
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.serve import repository as repositories
from sardonyx.serve.folder import FolderSource
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.repository import Repository
from sardonyx.serve.seams import Offer
from tests.unit.serve.steps import ADD, ADD_CONFIG, adding

ALL = ADD_CONFIG + "version_policy { all { } }\n"


def served(root: Path, use: Callable[[Repository], Awaitable[Any]], **options: Any) -> Any:
    async def run() -> Any:
        repository = Repository(FolderSource(root), ServeOptions(**options))
        await repository.refresh()
        try:
            return await asyncio.wait_for(use(repository), 30)
        finally:
            await repository.close()

    return asyncio.run(run())


def refused(code: Code, message: str) -> Any:
    return pytest.raises(ServeError, match=message, check=lambda error: error.code is code)


def version(root: Path, number: int, program: str = ADD) -> None:
    (root / f"add/{number}").mkdir(exist_ok=True)
    (root / f"add/{number}/model.py").write_text(program)


def test_the_newest_version_is_asked_unless_one_is_named(tmp_path: Path) -> None:
    adding(tmp_path, config=ALL)
    version(tmp_path, 10)
    version(tmp_path, 9)

    async def use(repository: Repository) -> None:
        assert repository.model("add").version == "10"
        assert repository.model("add", "9").version == "9"
        assert sorted(repository.versions("add"), key=int) == ["1", "9", "10"]
        assert len(repository.loaded()) == len(repository.sizes()) == 3
        assert [m.version for m in repository.loaded("add", "9")] == ["9"]
        with refused(Code.NOT_FOUND, "unknown model: 'none' is not found"):
            repository.model("none")
        with refused(Code.NOT_FOUND, "'add' version 7 is not found"):
            repository.model("add", "7")

    served(tmp_path, use)


def test_a_changed_file_replaces_and_a_removed_one_goes(tmp_path: Path) -> None:
    adding(tmp_path)
    adding(tmp_path, "other")

    async def use(repository: Repository) -> None:
        first = repository.model("add")
        await repository.refresh()
        assert repository.model("add") is first
        os.utime(tmp_path / "add/1/model.py", (1, 1))
        (tmp_path / "other/1/model.py").unlink()
        await repository.refresh()
        assert repository.model("add") is not first
        assert [row["name"] for row in repository.index()] == ["add"]

    served(tmp_path, use)


def test_models_that_go_together_are_looked_for_once(tmp_path: Path) -> None:
    adding(tmp_path, config=ALL)
    adding(tmp_path, "other")
    version(tmp_path, 2)
    searches: list[str] = []

    def searched(phase: str, found: dict[str, int]) -> None:
        searches.append(phase)

    async def use(repository: Repository) -> None:
        await repository.unload("add")
        assert searches == ["start", "stop"]
        await repository.load("add")
        assert [model.name for model in repository.loaded()] == ["add", "add", "other"]
        searches.clear()

    with uncollected():
        gc.callbacks.append(searched)
        try:
            served(tmp_path, use)
        finally:
            gc.callbacks.remove(searched)
    assert searches == ["start", "stop"]


def test_what_cannot_be_loaded_leaves_the_old_one_serving(tmp_path: Path) -> None:
    adding(tmp_path)
    adding(tmp_path, "bad", program="1 / 0")

    async def use(repository: Repository) -> None:
        with refused(Code.UNAVAILABLE, "'bad' is not ready: unavailable: .*ZeroDivisionError"):
            repository.model("bad")
        assert not repository.ready()
        assert repository.ready("add")
        first = repository.model("add")
        version(tmp_path, 1, "1 / 0")
        with refused(
            Code.INVALID_ARGUMENT, "failed to load 'add': the old file goes on serving, the new one"
        ):
            await repository.load("add")
        assert repository.model("add") is first
        assert [row["name"] for row in repository.index(ready=True)] == ["add"]

    served(tmp_path, use)


@pytest.mark.parametrize("strict", [True, False])
def test_a_lenient_server_is_ready_without_all(tmp_path: Path, strict: bool) -> None:
    adding(tmp_path, program="1 / 0")

    async def use(repository: Repository) -> None:
        assert repository.ready() is not strict

    served(tmp_path, use, strict_readiness=strict)


def test_what_was_unloaded_stays_in_the_list_and_comes_back(tmp_path: Path) -> None:
    adding(tmp_path)

    async def use(repository: Repository) -> None:
        await repository.unload("add")
        assert repository.index() == [
            {"name": "add", "version": "1", "state": "UNAVAILABLE", "reason": "unloaded"}
        ]
        assert repository.ready()
        await repository.refresh()
        with refused(Code.UNAVAILABLE, "'add' is not ready: unavailable: unloaded"):
            await repository.awake("add")
        await repository.load("add")
        assert repository.ready("add")
        with refused(Code.NOT_FOUND, "failed to unload 'none', no such model"):
            await repository.unload("none")

    served(tmp_path, use)


def test_an_ensemble_takes_those_that_it_asks_along(tmp_path: Path) -> None:
    adding(tmp_path)
    (tmp_path / "whole/1").mkdir(parents=True)
    steps = """ensemble_scheduling { step [ { model_name: "add" model_version: -1
        input_map { key: "a" value: "a" } input_map { key: "b" value: "b" }
        output_map { key: "sum" value: "sum" } } ] }"""
    (tmp_path / "whole/config.pbtxt").write_text(ADD_CONFIG + steps)

    async def use(repository: Repository) -> None:
        await repository.unload("whole", dependents=True)
        assert repository.versions("add") == repository.versions("whole") == []

    served(tmp_path, use)


def test_an_ensemble_is_loaded_after_its_steps_and_only_if_they_fit(tmp_path: Path) -> None:
    adding(tmp_path)
    steps = """ensemble_scheduling { step [ { model_name: "PART" model_version: -1
        input_map { key: "a" value: "a" } input_map { key: "b" value: "b" }
        output_map { key: "sum" value: "sum" } } ] }"""
    for name, part, config in (
        ("aa", "add", ADD_CONFIG),
        ("wrong", "add", ADD_CONFIG.replace("FP32", "FP64")),
        ("alone", "nobody", ADD_CONFIG),
    ):
        (tmp_path / name / "1").mkdir(parents=True)
        (tmp_path / name / "config.pbtxt").write_text(config + steps.replace("PART", part))

    async def use(repository: Repository) -> None:
        reasons = {row["name"]: row["reason"] for row in repository.index()}
        assert reasons["aa"] == ""
        assert reasons["wrong"] == "ensemble 'wrong': step 'add' takes FP32 as 'a', 'a' is FP64"
        assert reasons["alone"] == (
            "ensemble 'alone': step 'nobody': Request for unknown model: 'nobody' is not found"
        )

    served(tmp_path, use)


def test_files_that_vanish_meanwhile_are_no_fault_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adding(tmp_path)
    prepare = repositories.prepare

    def prepared_and_gone(offer: Offer, options: ServeOptions) -> Any:
        made = prepare(offer, options)
        offer.path.unlink()
        return made

    async def use(repository: Repository) -> None:
        monkeypatch.setattr(repositories, "prepare", prepared_and_gone)
        await repository.load("add")
        assert repository.ready("add")
        monkeypatch.setattr(repositories, "prepare", prepare)
        monkeypatch.setattr(FolderSource, "offers", lambda source: (tmp_path / "gone").stat())
        with refused(Code.UNAVAILABLE, "the models cannot be read now: .*gone: No such file or directory"):
            await repository.load("add")
        assert repository.ready("add")

    served(tmp_path, use)


def test_a_configuration_that_is_none_costs_no_other_model(tmp_path: Path) -> None:
    adding(tmp_path)
    for name, text in (("odd", b"max_batch_size: oops {"), ("binary", b"\xff\xfe")):
        (tmp_path / name / "1").mkdir(parents=True)
        (tmp_path / name / "1/model.onnx").write_bytes(b"")
        (tmp_path / name / "config.pbtxt").write_bytes(text)

    async def use(repository: Repository) -> None:
        assert repository.versions("add") == ["1"]
        reasons = {row["name"]: row["reason"] for row in repository.index()}
        assert "odd/config.pbtxt: 1:17" in reasons["odd"]
        assert "binary/config.pbtxt" in reasons["binary"]
        await repository.load("add")
        with refused(Code.INVALID_ARGUMENT, "failed to load 'odd': .*odd/config.pbtxt"):
            await repository.load("odd")

    served(tmp_path, use)


def test_a_configuration_may_be_replaced(tmp_path: Path) -> None:
    adding(tmp_path)

    async def use(repository: Repository) -> None:
        given = dict(repository.model("add").config)
        await repository.load("add", {**given, "max_batch_size": 2})
        assert repository.model("add").config["max_batch_size"] == 2
        with refused(Code.INVALID_ARGUMENT, "failed to load 'add': the configuration must be a JSON object"):
            await repository.load("add", "[1]")
        with refused(Code.INVALID_ARGUMENT, "failed to load 'add': "):
            await repository.load("add", "{")
        with refused(Code.INVALID_ARGUMENT, "failed to load 'none', .*there is no such model"):
            await repository.load("none")

    served(tmp_path, use)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"1/model.py": b""}, "'1/model.py' is a program; those are not taken from clients"),
        ({"../1/model.onnx": b""}, "is not a path below the folder of a model"),
        ({"/1/model.onnx": b""}, "is not a path below the folder of a model"),
        ({"": b""}, "is not a path below the folder of a model"),
        ({"1/model.onnx": b"no model"}, "failed to load 'new': "),
        ({"notes.txt": b""}, "there is no such model"),
    ],
)
def test_files_of_clients_are_looked_at(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    adding(tmp_path)

    async def use(repository: Repository) -> None:
        with refused(Code.INVALID_ARGUMENT, message):
            await repository.load("new", {"max_batch_size": 1}, files)
        with refused(Code.INVALID_ARGUMENT, "override files need a 'config' beside them"):
            await repository.load("new", None, files)
        assert [row["name"] for row in repository.index()] == ["add"]

    served(tmp_path, use)


def test_what_was_not_asked_for_longest_gives_way_and_comes_back(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        adding(tmp_path, name)

    async def use(repository: Repository) -> None:
        assert len(repository.loaded()) == 1
        assert repository.versions("a") == ["1"]
        with refused(Code.UNAVAILABLE, "'a' is not ready: ready"):
            repository.model("a")
        assert (await repository.awake("a")).name == "a"
        assert [model.name for model in repository.loaded()] == ["a"]
        assert repository.ready()

    served(tmp_path, use, memory_bytes=1)
