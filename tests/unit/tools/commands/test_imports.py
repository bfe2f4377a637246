"""`sardonyx import` registers version by version, tells what it left, and fails if that is everything."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import msgspec
import pytest

from sardonyx.protocol import records as r
from sardonyx.tools.commands import imports
from sardonyx.tools.console import UserError
from tests.unit.tools.commands.running import BY, Server

VERSION = r.Version(
    model="net", version="7", digest="d", size_bytes=1, checks=[r.Check(name="smoke", verdict="passed")], **BY
)


@pytest.fixture
def repository(tmp_path: Path, model: str) -> Path:
    """A Triton repository: a model in ONNX, and one in Python."""
    for name in ("net/1", "steps/1"):
        (tmp_path / "repository" / name).mkdir(parents=True)
    (tmp_path / "repository/net/1/model.onnx").write_bytes(Path(model).read_bytes())
    (tmp_path / "repository/steps/1/model.py").write_text("raise SystemExit")
    return tmp_path / "repository"


def test_what_comes_over_and_what_does_not(
    repository: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.says("POST /api/models/net/versions", VERSION)
    assert server.run(imports, "import", str(repository), "--json") == 0
    one, other = json.loads(capsys.readouterr().out)
    assert (one["name"], one["version"], one["checks"][0]["verdict"]) == ("net", "7", "passed")
    assert other == {
        "name": "steps",
        "origin": f"triton:{repository}/steps/1",
        "why": "it is not an ONNX file: model.py",
    }
    first, (question, sent) = server.asked
    assert first[0] == "GET /api/models/net/versions"
    assert (
        question == "POST /api/models/net/versions"
        and b'"triton.version":"1"' in sent
        and b'"force":false' in sent
    )


def test_what_is_there_is_left_as_it_is(
    repository: Path, server: Server, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = Path(model).read_bytes()
    file = r.File(path="model.onnx", sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))
    there = msgspec.structs.replace(
        VERSION, files=[file], lineage=r.Lineage(source=f"triton:{repository}/net/1")
    )
    server.says("GET /api/models/net/versions", [there])
    assert server.run(imports, "import", str(repository)) == 0
    assert [question for question, _ in server.asked] == ["GET /api/models/net/versions"]
    line = capsys.readouterr().out.splitlines()[0]
    assert line.split()[2] == "7" and line.endswith("it was there already")


def test_a_refusal_is_a_row_and_nothing_a_failure(
    repository: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert server.run(imports, "import", str(repository), "--force") == 1
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[0].split()[0] == "net"
        and "left  there is no POST" in lines[0]
        and b'"force":true' in server.asked[1][1]
    )


def test_what_is_missing_is_named(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(
        UserError, match=r"mlflow is missing; install it with: pip install 'sardonyx\[mlflow\]'"
    ):
        server.run(imports, "import", "mlflow:models:/net")
    with pytest.raises(UserError, match="is not a folder"):
        server.run(imports, "import", str(tmp_path / "none"))
