"""`sardonyx register` sends all that was said, and shows the version that came of it."""

from __future__ import annotations

import json

import pytest

from sardonyx.protocol import records as r
from sardonyx.tools.commands import register
from sardonyx.tools.console import UserError
from tests.unit.tools.commands.running import BY, Server

VERSION = r.Version(model="a", version="3", digest="d", size_bytes=1, **BY)
PATH = "POST /api/models/a/versions"


def test_an_address_is_read_by_the_server(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.says(PATH, VERSION)
    words = ["--alias", "best", "--stage", "staging", "--describe", "d", "--tag", "t=1", "--force"]
    words += [word for name in register.LINEAGE for word in (f"--{name}", f"my {name}")]
    assert (
        server.run(register, "register", "a", "https://x/m.onnx", *words, "--samples", "https://x/s.npz") == 0
    )
    assert capsys.readouterr().out.startswith("version     a:3\n")
    assert server.asked[0][1] == {
        "source": "https://x/m.onnx", "samples": "https://x/s.npz", "aliases": ["best"], "stage": "staging",
        "description": "d", "tags": {"t": "1"}, "config": {}, "force": True,
        "lineage": {"source": "", **{name: f"my {name}" for name in register.LINEAGE}},
    }  # fmt: skip
    assert server.run(register, "register", "a", "https://x/m.onnx", "--json") == 0
    assert json.loads(capsys.readouterr().out)["version"] == "3"


def test_a_file_is_sent(server: Server, model: str) -> None:
    server.says(PATH, VERSION)
    assert server.run(register, "register", "a", model) == 0
    assert b'filename="model.onnx"' in server.asked[0][1]
    with pytest.raises(UserError, match="--tag x: expected KEY=VALUE"):
        server.run(register, "register", "a", model, "--tag", "x")
