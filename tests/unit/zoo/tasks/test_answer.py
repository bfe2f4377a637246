"""An answer is saved as what it is: a sound, or else its text."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from sardonyx.zoo.tasks.answer import Answer, percent


def test_sounds_and_texts(tmp_path: Path) -> None:
    Answer("a\nb", []).save(tmp_path / "t.txt")
    assert (tmp_path / "t.txt").read_text() == "a\nb\n"
    Answer("", [], sound=(np.array([0, 1, -1, 2.0]), 8000)).save(tmp_path / "s.wav")
    with wave.open(str(tmp_path / "s.wav")) as file:
        assert (file.getframerate(), file.getnchannels()) == (8000, 1)
        samples = np.frombuffer(file.readframes(9), "<i2")
    assert samples.tolist() == [0, 32767, -32767, 32767]
    assert percent(0.973) == "97.3%"
