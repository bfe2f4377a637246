"""Kinds of machines are told by features and said in words; a machine that is held back is known as such."""

from __future__ import annotations

from pathlib import Path

import machines
import pytest

from sardonyx import targets
from sardonyx.base.knobs import TARGET
from sardonyx.tools import bench


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


@pytest.mark.parametrize(
    ("cpuinfo", "said"),
    [
        ("cpu family\t: 25\nmodel\t\t: 17\nmodel name\t: EPYC\n", "EPYC (Zen 4 class)"),
        ("cpu family\t: 25\nmodel\t\t: 99\nmodel name\t: EPYC\n", "EPYC"),
        (None, "EPYC"),
    ],
)
def test_processors(cpuinfo: str | None, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    if cpuinfo is not None:
        file.write_text(cpuinfo)
    monkeypatch.setattr(machines, "CPUINFO", file)
    monkeypatch.setattr(bench, "machine", lambda: {"processor": "EPYC"})
    assert machines.processor() == said


def test_a_machine_that_is_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TARGET.env, raising=False)
    assert not machines.restriction()
    monkeypatch.setenv(TARGET.env, "x86_64-v3")
    assert machines.restriction() == "x86_64-v3"
