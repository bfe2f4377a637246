"""Tasks on recordings: when somebody speaks, when a wake word was said, how good speech sounds."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import sardonyx
from sardonyx.base.files import no_file
from sardonyx.zoo.asking import FetchError
from sardonyx.zoo.maker import Array
from sardonyx.zoo.pull import pull
from sardonyx.zoo.tasks.answer import Answer, percent

RATE = 16000
WINDOW, CONTEXT = 512, 64
SPEAKS, SILENT, LEAST_SECONDS = 0.5, 0.35, 0.25
MELS, STEP, WORDS = 76, 8, 16
QUALITY_SAMPLES = 144160
# From the scores that the network was trained on to the scale of listeners.
CURVES = {
    "signal": (-0.08397278, 1.22083953, 0.0052439),
    "background": (-0.13166888, 1.60915514, -0.39604546),
    "overall": (-0.06766283, 1.11546468, 0.04602535),
}


def make(task: str, model: str) -> Callable[[Any], Answer]:
    """The pipeline of a task; it takes a wav file, or samples from -1 to 1 at 16 kHz."""
    session = sardonyx.InferenceSession(str(pull(model)))
    if task == "voice":
        return lambda source: _voice(session, samples(source))
    if task == "speech-quality":
        return lambda source: _quality(session, samples(source))
    parts = [sardonyx.InferenceSession(str(pull(name))) for name in ("oww_melspectrogram", "oww_embedding")]
    return lambda source: _wake_word(session, parts, samples(source), model.removeprefix("oww_"))


def samples(source: Any) -> Array:
    """One channel at 16 kHz, float32 from -1 to 1, of a wav file or as given."""
    if isinstance(source, np.ndarray):
        return np.ascontiguousarray(source.reshape(-1), np.float32)
    try:
        with wave.open(str(Path(source)), "rb") as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            data = file.readframes(file.getnframes())
    except (FileNotFoundError, IsADirectoryError) as error:
        raise FetchError(no_file(source)) from error
    except (wave.Error, EOFError, OSError) as error:
        raise FetchError(
            f"{source} is not a wav file that can be read ({error}); convert it to one"
        ) from error
    if width not in (1, 2, 4) or not data:
        raise FetchError(f"{source}: wav files of 8, 16 or 32 bits with sound in them are read")
    whole = np.frombuffer(data, {1: "u1", 2: "<i2", 4: "<i4"}[width]).astype(np.float64)
    whole = (whole - 128) / 128 if width == 1 else whole / 2.0 ** (8 * width - 1)
    return _resampled(whole.reshape(-1, channels).mean(1), rate).astype(np.float32)


def _resampled(signal: Array, rate: int) -> Array:
    """At 16 kHz, by cutting or padding the spectrum."""
    if rate == RATE:
        return signal
    count = round(len(signal) * RATE / rate)
    spectrum = np.fft.rfft(signal)[: count // 2 + 1]
    return np.fft.irfft(spectrum, count) * (count / len(signal))


def _voice(session: Any, signal: Array) -> Answer:
    """Windows of 32 ms after each other, with the end of the one before and the network's state."""
    state, context = np.zeros((2, 1, 128), np.float32), np.zeros(CONTEXT, np.float32)
    chances = []
    for start in range(0, len(signal), WINDOW):
        window = np.pad(signal[start : start + WINDOW], (0, max(0, start + WINDOW - len(signal))))
        feeds = {
            "input": np.concatenate([context, window])[None],
            "state": state,
            "sr": np.array(RATE, np.int64),
        }
        chance, state = session.run(None, feeds)
        chances.append(float(chance[0, 0]))
        context = window[-CONTEXT:]
    spans = _spans(chances, WINDOW / RATE)
    lines = [f"{start:7.2f} s to {end:.2f} s" for start, end in spans]
    return Answer("\n".join(lines) or "nobody speaks", [{"start": a, "end": b} for a, b in spans])


def _spans(chances: list[float], seconds: float) -> list[tuple[float, float]]:
    """Times between a clear beginning and a clear end; shorter ones are noise."""
    spans, began = [], -1
    for at, chance in enumerate([*chances, 0.0]):
        if began < 0 and chance >= SPEAKS:
            began = at
        elif began >= 0 and chance < SILENT:
            if (at - began) * seconds >= LEAST_SECONDS:
                spans.append((round(began * seconds, 2), round(at * seconds, 2)))
            began = -1
    return spans


def _wake_word(session: Any, parts: list[Any], signal: Array, word: str) -> Answer:
    """Mel spectrogram, an embedding of each 0.76 s, and the head over the last 1.3 s."""
    quiet = np.zeros(2 * RATE, np.float32)
    loud = np.round(np.concatenate([quiet, signal, quiet[: RATE // 2]]) * 32767)[None].astype(np.float32)
    (mels,) = parts[0].run(None, {parts[0].get_inputs()[0].name: loud})
    mels = mels.reshape(-1, 32) / 10 + 2
    starts = range(0, len(mels) - MELS + 1, STEP)
    windows = np.stack([mels[start : start + MELS] for start in starts])[..., None].astype(np.float32)
    (vectors,) = parts[1].run(None, {parts[1].get_inputs()[0].name: windows})
    vectors = vectors.reshape(len(windows), -1)
    name = session.get_inputs()[0].name
    steps = range(WORDS, len(vectors) + 1)
    scores = [float(session.run(None, {name: vectors[None, at - WORDS : at]})[0].max()) for at in steps]
    times = [((at - 1) * STEP + MELS) / 100 - 2 for at in steps]
    heard = [(time, score) for time, score in zip(times, scores, strict=True) if score >= SPEAKS]
    best = max(scores, default=0.0)
    text = f"{word.replace('_', ' ')}: " + (
        f"heard at {heard[0][0]:.1f} s ({percent(best)})" if heard else f"not heard (at most {percent(best)})"
    )
    return Answer(text, {"word": word, "best": best, "times": [round(time, 2) for time, _ in heard]})


def _quality(session: Any, signal: Array) -> Answer:
    """Scores of 9 seconds each, as the sound is repeated or cut to, on the scale of listeners."""
    times = -(-QUALITY_SAMPLES // max(len(signal), 1))
    whole = np.tile(signal, times) if len(signal) < QUALITY_SAMPLES else signal
    starts = range(0, len(whole) - QUALITY_SAMPLES + 1, RATE)
    rows = np.stack([whole[start : start + QUALITY_SAMPLES] for start in list(starts)[:60]])
    (raw,) = session.run(None, {"input_1": rows.astype(np.float32)})
    scores = {
        name: float(np.polyval(curve, raw[:, at]).mean()) for at, (name, curve) in enumerate(CURVES.items())
    }
    return Answer("\n".join(f"{name:10} {score:.2f} of 5" for name, score in scores.items()), scores)
