"""Texts become sounds by espeak-ng, sounds become ids with pads, ids become a wave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sardonyx.zoo.asking import FetchError
from sardonyx.zoo.tasks import speak


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An espeak-ng that spells as it likes, by the words that it is given."""
    path = tmp_path / "path" / "espeak-ng"
    path.parent.mkdir()
    path.write_text(
        '#!/bin/sh\nread words\n[ "$words" = silence ] && exit 0\n'
        '[ "$words" = wrong ] && echo no voice >&2 && exit 1\n'
        '[ "$words" = asked ] && echo "ð ?" && exit 0\necho "ð"\necho " $4"\n'
    )
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")
    return path


def test_sounds_of_a_text(program: Path) -> None:
    assert speak.phonemes("hello", "en-x") == "ð en-x."
    assert speak.phonemes("asked", "en-x") == "ð ?"
    with pytest.raises(FetchError, match="finds no sounds in 'silence'"):
        speak.phonemes("silence", "en-x")
    with pytest.raises(FetchError, match="no sounds in 'wrong': no voice"):
        speak.phonemes("wrong", "en-x")


def test_without_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FetchError, match="install it"):
        speak.phonemes("hello", "en")
    monkeypatch.setattr(speak, "pull", lambda name: pytest.fail("58 MB are brought for nothing"))
    with pytest.raises(FetchError, match="install it"):
        speak.make("speak", "piper_joe_vits")


def test_sounds_as_numbers() -> None:
    known = {"^": [1], "_": [0], "$": [2], "a": [5], "b": [6, 7]}
    assert speak._ids("ab?a", known) == [1, 0, 5, 0, 6, 7, 0, 5, 0, 2]
    assert speak._ids("", known) == [1, 0, 2]


def test_a_wave_is_spoken(program: Path, made_up_zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Session:
        def __init__(self, path: str) -> None:
            pass

        def run(self, _: Any, feeds: Any) -> list[Any]:
            assert feeds["input"].shape == (1, feeds["input_lengths"][0])
            np.testing.assert_allclose(feeds["scales"], [speak.NOISE, speak.PACE, speak.RHYTHM])
            return [np.zeros((1, 1, 50 * feeds["input_lengths"][0]), np.float32)]

    monkeypatch.setattr(speak, "pull", lambda name: made_up_zoo / name)
    monkeypatch.setattr(speak.sardonyx, "InferenceSession", Session)
    answer = speak.make("speak", "piper_joe_vits")("hello")
    assert answer.data == {"seconds": 2.5, "phonemes": "ð en-x."}
    assert answer.text == "2.5 s: ð en-x." and answer.sound is not None and answer.sound[1] == 100
