"""Kinds of machines are told by features and said in words; a machine that is held back is known as such."""

from __future__ import annotations

import machines
import pytest

from sardonyx import targets
from sardonyx.base.knobs import TARGET


@pytest.mark.parametrize(
    ("target", "kind", "words"),
    [
        ("x86_64-v3", "x86_64-v3", "AVX2"),
        ("x86_64-v3+avxvnni", "x86_64-v3 avxvnni", "AVX2, AVX-VNNI"),
        ("x86_64-v4+avx512bf16+avx512vnni", "x86_64-v4 avx512vnni", "AVX-512, VNNI"),
        (
            "x86_64-v4+avx512vnni+amx-tile+amx-int8",
            "x86_64-v4 amx-int8 amx-tile avx512vnni",
            "AVX-512, VNNI, AMX",
        ),
    ],
)
def test_kinds(monkeypatch: pytest.MonkeyPatch, target: str, kind: str, words: str) -> None:
    monkeypatch.setattr(targets, "detect", lambda: targets.by_name(target))
    assert machines.kind() == kind
    assert machines.in_words(kind) == words


def test_a_machine_that_is_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TARGET.env, raising=False)
    assert not machines.restriction()
    monkeypatch.setenv(TARGET.env, "x86_64-v3")
    assert machines.restriction() == "x86_64-v3"
