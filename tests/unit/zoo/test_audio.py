"""A synthetic voice and what is measured of it: frames, spectra and mel bands by their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.zoo.audio import frames, log_mel, power, voice


@pytest.mark.parametrize("rate", [8000, 16000])
def test_the_voice_is_a_sound(rate: int) -> None:
    sound = voice(1.0, rate)
    assert (sound.shape, sound.dtype) == ((rate,), np.float32)
    assert 0.1 < np.abs(sound).max() <= 1
    assert np.array_equal(sound, voice(1.0, rate))


def test_frames_overlap() -> None:
    assert frames(np.arange(7), 3, 2).tolist() == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
    assert frames(np.arange(8), 3, 2).shape == (3, 3), "what is left over is not a frame"


def test_a_tone_lies_in_its_bin_and_band() -> None:
    rate, size = 16000, 400
    tone = np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)
    assert (power(tone, size, 160).argmax(1) == 1000 * size // rate).all()
    bands = log_mel(tone, 40, size, 160)
    top = 2595 * np.log10(1 + rate / 1400)
    expected = 2595 * np.log10(1 + 1000 / 700) / top * 41 - 1
    assert np.abs(bands.argmax(1) - expected).max() <= 1
    assert log_mel(np.zeros(800), 40, size, 160).max() == -10, "silence has a floor"
