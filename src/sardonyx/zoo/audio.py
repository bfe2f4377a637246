"""Feeds made of sound: a synthetic voice, its frames and its mel spectrograms."""

from __future__ import annotations

import functools
from functools import partial

import numpy as np

from sardonyx.zoo.maker import Array, Feeds, Maker, dice, repeated

SYLLABLE_SECONDS = 0.22
FORMANT_WIDTH = 90.0  # Hz
# First four formants in Hz of a, e, i, o, u, as a man speaks them.
VOWELS = np.array(
    [
        [730, 1090, 2440, 3400],
        [530, 1840, 2480, 3500],
        [270, 2290, 3010, 3700],
        [570, 840, 2410, 3300],
        [300, 870, 2240, 3200],
    ],
    np.float64,
)
DNSMOS_SAMPLES = 144160
MEL_FLOOR = 1e-10


@functools.cache
def voice(seconds: float, rate: int = 16000) -> Array:
    """A voice speaking vowels with breath between them: float32 [seconds * rate], -1 to 1.

    Harmonics of a falling pitch, weighted by the resonances of the vowel that is spoken at the time.
    """
    count = round(seconds * rate)
    time = np.arange(count) / rate
    syllable = time / SYLLABLE_SECONDS
    place, phase = syllable.astype(np.int64), syllable % 1
    order = dice(5).integers(0, len(VOWELS), int(syllable[-1]) + 2)
    blend = np.clip(phase * 3, 0, 1)[:, None]
    formants = VOWELS[order[place]] * blend + VOWELS[order[np.maximum(place - 1, 0)]] * (1 - blend)
    pitch = 118 + 14 * np.sin(2 * np.pi * 0.7 * time) - 12 * (time % 2.2)
    angle = 2 * np.pi * np.cumsum(pitch) / rate
    sound = np.zeros(count)
    for harmonic in range(1, 31):
        frequency = harmonic * pitch
        distance = (frequency[:, None] - formants) / FORMANT_WIDTH
        level = (1 / (1 + distance**2)).sum(1) / harmonic**0.5
        sound += np.where(frequency < rate / 2, level, 0) * np.sin(harmonic * angle)
    pause = np.where(place % 7 == 6, 0.02, 1.0)
    sound *= np.sin(np.pi * phase) ** 0.5 * pause
    breath = dice(6).normal(0, 1, count) * (0.01 + 0.05 * (phase < 0.12) * pause)
    sound = 0.4 * sound / np.abs(sound).max() + 0.3 * breath
    return np.ascontiguousarray(np.clip(sound, -1, 1), np.float32)


def frames(signal: Array, size: int, hop: int) -> Array:
    """Windows of `size` rows of the signal, one every `hop`: [count, size, ...]."""
    starts = hop * np.arange(1 + (len(signal) - size) // hop)
    windows: Array = signal[starts[:, None] + np.arange(size)]
    return windows


def power(signal: Array, size: int, hop: int) -> Array:
    """Power spectra of Hann windows: float64 [frames, size // 2 + 1]."""
    window = np.hanning(size + 1)[:-1]
    spectra: Array = np.fft.rfft(frames(signal, size, hop) * window)
    return np.abs(spectra) ** 2


def log_mel(signal: Array, bands: int, size: int, hop: int, rate: int = 16000) -> Array:
    """Decimal logarithm of the mel bands: float64 [frames, bands]."""
    top = 2595 * np.log10(1 + rate / 1400)
    corners = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)
    bins = np.linspace(0, rate / 2, size // 2 + 1)
    rising = (bins - corners[:-2, None]) / np.diff(corners)[:-1, None]
    falling = (corners[2:, None] - bins) / np.diff(corners)[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    bands_of: Array = np.maximum(power(signal, size, hop) @ triangles.T, MEL_FLOOR)
    return np.log10(bands_of)


def _decibel_mel(signal: Array, bands: int, size: int, hop: int, length: int) -> Array:
    """Mel bands in decibel below the loudest, -80..0 mapped to -1..1: float32 [length, bands]."""
    level = 10 * log_mel(np.pad(signal, size), bands, size, hop)
    level = np.maximum(level - level.max(), -80)
    level = np.pad(level, ((0, max(0, length - len(level))), (0, 0)), mode="edge")[:length]
    return (level / 40 + 1).astype(np.float32)


def _silero(batch: int = 1, rate: int = 16000) -> Feeds:
    """One window after its context: 512 + 64 samples at 16 kHz, half as many at 8 kHz."""
    size = 576 * rate // 16000
    chunk = voice(1.0, rate)[rate // 4 : rate // 4 + size]
    return {
        "input": repeated(chunk[None], batch),
        "state": np.zeros((2, batch, 128), np.float32),
        "sr": np.array(rate, np.int64),
    }


def _silero_sequence(seconds: float = 4) -> Feeds:
    signal = np.concatenate([np.zeros(64, np.float32), voice(seconds)])
    state = np.zeros((1, 1, 128), np.float32)
    return {"input": frames(signal, 576, 512), "h": state, "c": state.copy()}


def _silero_v4(batch: int = 1, rate: int = 16000) -> Feeds:
    size = 512 * rate // 16000
    state = np.zeros((2, batch, 64), np.float32)
    return {
        "input": repeated(voice(1.0, rate)[None, rate // 4 : rate // 4 + size], batch),
        "sr": np.array(rate, np.int64),
        "h": state,
        "c": state.copy(),
    }


def _oww_mel(seconds: float = 2, batch: int = 1) -> Feeds:
    return {"input": repeated(np.round(voice(seconds) * 32767)[None], batch)}


def _oww_embedding(batch: int = 16) -> Feeds:
    bands = (log_mel(voice(4.0), 32, 512, 160) / 2 + 3).astype(np.float32)
    return {"input_1": np.ascontiguousarray(frames(bands, 76, 8)[:batch, :, :, None])}


def _wake_word(name: str, batch: int = 1) -> Feeds:
    return {name: dice(7).normal(0, 10, (batch, 16, 96)).astype(np.float32)}


def _dnsmos(batch: int = 1) -> Feeds:
    return {"input_1": repeated(voice(9.01)[None, :DNSMOS_SAMPLES], batch)}


def _dnsmos_p808(batch: int = 1) -> Feeds:
    return {"input_1": repeated(_decibel_mel(voice(9.01), 120, 320, 160, 900)[None], batch)}


def _aecmos(seconds: float = 6) -> Feeds:
    """Far end, near end and the cleaned signal, alike but for their loudness."""
    length = int(seconds * 16000 / 256)
    signals = [_decibel_mel(voice(seconds) ** power, 160, 512, 256, length) for power in (1, 3, 5)]
    return {"input": np.stack(signals)[None], "h0": np.zeros((4, 1, 64), np.float32)}


def _plcmos(seconds: float = 4) -> Feeds:
    spectrum = np.log(np.maximum(power(voice(seconds), 512, 256), 1e-12)) / 20
    rater = dice(8).normal(size=(1, 64)).astype(np.float32)
    return {"degraded_audio": spectrum[None, None].astype(np.float32), "rater_embed": rater}


def _smart_turn(batch: int = 1) -> Feeds:
    signal = voice(8.0)
    signal = (signal - signal.mean()) / np.sqrt(signal.var() + 1e-7)
    bands = log_mel(np.pad(signal, 200, mode="reflect"), 80, 400, 160)[:800].T
    bands = (np.maximum(bands, bands.max() - 8) + 4) / 4
    return {"input_features": repeated(bands[None].astype(np.float32), batch)}


_BATCHES = ({"batch": 1}, {"batch": 3})
_RATES = ({"batch": 1}, {"batch": 3}, {"rate": 8000})
_DURATIONS = ({"seconds": 4}, {"seconds": 2})

MAKERS = {
    "silero_vad_v6": Maker(_silero, _RATES),
    "silero_vad_16k_op15": Maker(_silero, _BATCHES),
    "silero_vad_ifless": Maker(_silero, _RATES),
    "silero_vad_sequence": Maker(_silero_sequence, _DURATIONS),
    "silero_vad_v4": Maker(_silero_v4, _RATES),
    "oww_melspectrogram": Maker(_oww_mel, ({"seconds": 2}, {"seconds": 1, "batch": 2})),
    "oww_embedding": Maker(_oww_embedding, ({"batch": 16}, {"batch": 1})),
    "oww_alexa": Maker(partial(_wake_word, "onnx::Flatten_0")),
    "oww_hey_jarvis": Maker(partial(_wake_word, "x.1")),
    "oww_hey_mycroft": Maker(partial(_wake_word, "input_1"), ({"batch": 1}, {"batch": 4})),
    "dnsmos_sig_bak_ovr": Maker(_dnsmos, ({"batch": 1}, {"batch": 2})),
    "dnsmos_p808": Maker(_dnsmos_p808, ({"batch": 1}, {"batch": 2})),
    "aecmos": Maker(_aecmos, ({"seconds": 6}, {"seconds": 3})),
    "plcmos_v2": Maker(_plcmos, _DURATIONS),
    "smart_turn_whisper_qdq": Maker(_smart_turn, ({"batch": 1}, {"batch": 2})),
}
