"""A client of a home folder, without a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from sardonyx.datasets import get_example
from sardonyx.gateway import inside
from sardonyx.gateway.inside import client_inside
from sardonyx.protocol.errors import ServeError


def test_the_owner_of_a_home_may_do_everything(tmp_path: Path) -> None:
    with client_inside(tmp_path) as client:
        version = client.register("mul", get_example("mul_1.onnx"))
        assert (version.version, version.created_by.endswith(" on this machine")) == ("1", True)
        assert [model.name for model in client.models()] == ["mul"]
        with pytest.raises(ServeError):
            client.model("none")
    with client_inside(tmp_path) as client:
        assert [model.name for model in client.models()] == ["mul"]


def test_whoever_has_no_name_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid")

    monkeypatch.setattr(inside.getpass, "getuser", nobody)
    who = inside._Owner().admit({}, "admin", "")
    assert who.name == "unknown on this machine"
    assert "admin" in who.scopes
