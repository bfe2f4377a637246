"""Tokens are found where other tools keep them, and sent to nobody else."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from sardonyx.zoo import tokens


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HF_TOKEN", "HF_HOME", "HF_TOKEN_PATH", "NETRC", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    return tmp_path


def test_nothing_is_sent_without_a_login() -> None:
    assert tokens.of_hub() == tokens.of_host("a.b") == tokens.of_registry("a.b") == {}


def test_the_hub(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = home / ".cache" / "huggingface" / "token"
    file.parent.mkdir(parents=True)
    file.write_text("from file\n")
    assert tokens.of_hub() == {"Authorization": "Bearer from file"}
    monkeypatch.setenv("HF_TOKEN", "named")
    assert tokens.of_hub() == {"Authorization": "Bearer named"}


def test_hosts_have_their_own(home: Path) -> None:
    (home / ".netrc").write_text("machine a.b login ann password secret\n")
    assert tokens.of_host("a.b:443") == {"Authorization": f"Basic {base64.b64encode(b'ann:secret').decode()}"}
    assert tokens.of_host("other.b") == {}
    (home / ".netrc").write_text("machine a.b nonsense\n")
    assert tokens.of_host("a.b") == {}


def test_registries(home: Path) -> None:
    file = home / ".docker" / "config.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"auths": {"https://r.io/v2/": {"auth": "abc"}, "q.io": {"auth": "def"}}}))
    assert tokens.of_registry("r.io") == {"Authorization": "Basic abc"}
    assert tokens.of_registry("q.io") == {"Authorization": "Basic def"}
    assert tokens.of_registry("io") == {}
    file.write_text("[]")
    assert tokens.of_registry("r.io") == {}
