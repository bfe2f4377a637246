"""`sardonyx models` and `model`: references, what is changed where, and how versions read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sardonyx.protocol import records as r
from sardonyx.tools.commands import models
from sardonyx.tools.console import UserError
from tests.unit.tools.commands.running import BY, Server

SPEC = r.TensorSpec(name="x", type="tensor(float)", shape=["N", 3])
VERSION = r.Version(
    model="add",
    version="2",
    digest="0123456789abcdef",
    size_bytes=2000,
    aliases=["best"],
    stage="staging",
    tags={"team": "a"},
    signature=r.Signature(inputs=[SPEC], outputs=[SPEC]),
    lineage=r.Lineage(framework="by hand"),
    checks=[
        r.Check(name="smoke", verdict="passed"),
        r.Check(name="native", verdict="warning", detail="one is not"),
    ],
    **BY,
)
MODEL = r.Model(name="add", description="adds", versions=["1", "2"], aliases={"best": "2"}, latest="2", **BY)
PATH = "/api/models/add"


@pytest.mark.parametrize(
    ("text", "found"), [("a", ("a", "")), ("a:3", ("a", "3")), ("a@b", ("a", "@b")), ("a:3@b", ("a:3", "@b"))]
)
def test_references(text: str, found: tuple[str, str]) -> None:
    assert models.split_reference(text) == found


def test_pairs() -> None:
    assert models.pairs(["a=1", "b=", "c=d=e"], "--tag") == {"a": "1", "b": "", "c": "d=e"}
    for wrong in ("a", "=1", ""):
        with pytest.raises(UserError, match=f"--tag {wrong}: expected KEY=VALUE"):
            models.pairs([wrong], "--tag")


def test_how_a_version_reads() -> None:
    assert models.version_text(VERSION).splitlines() == [
        "version       add:2 @best",
        "stage         staging",
        "digest        0123456789abcdef",
        "size          2.0 kB",
        "registered    2026-01-02 03:04 by me",
        "tag           team=a",
        "framework     by hand",
        "input x       tensor(float) [N, 3]",
        "output x      tensor(float) [N, 3]",
        "check smoke   passed",
        "check native  warning one is not",
    ]
    assert models._row(VERSION)[2:] == ("staging", "2.0 kB", "0123456789ab", "2026-01-02 03:04", "see native")


def test_the_list(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.says("GET /api/models?name=%2A", [])
    assert server.run(models, "models") == 0
    assert capsys.readouterr().out.startswith("no model is registered;")
    server.says("GET /api/models?name=a%2A&tag=team%3Da", [MODEL])
    assert server.run(models, "models", "a*", "--tag", "team=a") == 0
    assert capsys.readouterr().out.split() == ["add", "2", "versions", "@best=2", "2026-01-02", "03:04"]


def test_one_model_or_version(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.says(f"GET {PATH}", MODEL)
    server.says(f"GET {PATH}/versions", [VERSION])
    server.says(f"GET {PATH}/versions/@best", VERSION)
    assert server.run(models, "model", "add") == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["add", "adds"]
    assert server.run(models, "model", "add@best") == 0
    assert capsys.readouterr().out.startswith("version ")
    assert server.run(models, "model", "add", "--json") == 0
    assert json.loads(capsys.readouterr().out)["versions"][0]["version"] == "2"
    assert server.run(models, "model", "add@best", "--json") == 0
    assert json.loads(capsys.readouterr().out)["version"] == "2"


@pytest.mark.parametrize(
    ("words", "question", "sent"),
    [
        (["add", "--describe", "d"], f"PATCH {PATH}", {"description": "d", "tags": {}}),
        (["add", "--tag", "t="], f"PATCH {PATH}", {"description": None, "tags": {"t": None}}),
        (["add:2", "--tag", "t=1"],
         f"PATCH {PATH}/versions/2", {"stage": None, "description": None, "tags": {"t": "1"}}),
        (["add:2", "--stage", "none"],
         f"PATCH {PATH}/versions/2", {"stage": "none", "description": None, "tags": {}}),
        (["add:2", "--alias", "next"], f"PUT {PATH}/aliases/next", {"version": "2"}),
        (["add", "--remove-alias", "next"], f"DELETE {PATH}/aliases/next", None),
        (["add:2", "--delete"], f"DELETE {PATH}/versions/2", None),
        (["add", "--delete"], f"DELETE {PATH}", None),
    ],
)  # fmt: skip
def test_what_is_changed_where(words: list[str], question: str, sent: Any, server: Server) -> None:
    for known in (f"GET {PATH}", question):
        server.says(known, MODEL if "versions" not in known else VERSION)
    server.says(f"GET {PATH}/versions", [VERSION])
    server.says(f"GET {PATH}/versions/2", VERSION)
    assert server.run(models, "model", *words) == 0
    assert server.asked[0] == (question, sent)


@pytest.mark.parametrize(
    ("aliases", "expected"), [({}, "2"), ({"champion": "1"}, "1"), ({"other": "1"}, "2")]
)
def test_an_alias_without_a_version(aliases: dict[str, str], expected: str, server: Server) -> None:
    server.says(f"GET {PATH}", msgspec.structs.replace(MODEL, aliases=aliases))
    server.says(f"GET {PATH}/versions", [VERSION])
    server.says(f"PUT {PATH}/aliases/next", MODEL)
    assert server.run(models, "model", "add", "--alias", "next") == 0
    assert server.asked[1] == (f"PUT {PATH}/aliases/next", {"version": expected})


def test_files_come_here(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server.says(f"GET {PATH}", MODEL)
    server.says(f"GET {PATH}/versions/2", VERSION)
    assert server.run(models, "model", "add", "--download", str(tmp_path)) == 0
    assert capsys.readouterr().out == f"add:2 is in {tmp_path}\n"


def test_what_cannot_be(server: Server) -> None:
    with pytest.raises(UserError, match="a stage belongs to a version: write add:VERSION"):
        server.run(models, "model", "add", "--stage", "staging")
    server.says(f"GET {PATH}", msgspec.structs.replace(MODEL, latest=""))
    with pytest.raises(UserError, match="add has no version yet"):
        server.run(models, "model", "add", "--alias", "next")
