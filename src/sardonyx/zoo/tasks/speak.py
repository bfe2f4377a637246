"""Text to speech: espeak-ng spells the sounds, the network speaks them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import numpy as np

import sardonyx
from sardonyx.zoo.asking import FetchError
from sardonyx.zoo.catalog import catalog
from sardonyx.zoo.pull import pull
from sardonyx.zoo.tasks.answer import Answer

NOISE, PACE, RHYTHM = 0.667, 1.0, 0.8
ENDS = ".!?"


def make(task: str, model: str) -> Callable[[Any], Answer]:
    """The pipeline; FetchError if what spells texts is not installed, before the model is brought."""
    _speller()
    session = sardonyx.InferenceSession(str(pull(model)))
    voice = json.loads(catalog().assets["joe_voice.json"].path.read_text(encoding="utf-8"))

    def run(text: Any) -> Answer:
        sounds = phonemes(str(text), voice["espeak"]["voice"])
        ids = np.array([_ids(sounds, voice["phoneme_id_map"])], np.int64)
        feeds = {
            "input": ids,
            "input_lengths": np.array([ids.shape[1]], np.int64),
            "scales": np.array([NOISE, PACE, RHYTHM], np.float32),
        }
        (wave,) = session.run(None, feeds)
        samples, rate = wave.reshape(-1), int(voice["audio"]["sample_rate"])
        seconds = len(samples) / rate
        return Answer(
            f"{seconds:.1f} s: {sounds}", {"seconds": seconds, "phonemes": sounds}, sound=(samples, rate)
        )

    return run


def phonemes(text: str, voice: str) -> str:
    """The sounds of a text in IPA; a stop after each sentence."""
    done = subprocess.run(
        [_speller(), "-q", "--ipa", "-v", voice, "--stdin"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not done.stdout.strip():
        raise FetchError(f"espeak-ng finds no sounds in {text!r}: {done.stderr.strip()}")
    spelt = " ".join(done.stdout.split())
    return spelt if spelt[-1] in ENDS else f"{spelt}."


def _speller() -> str:
    program = shutil.which("espeak-ng") or shutil.which("espeak")
    if program is None:
        raise FetchError(
            "speaking needs espeak-ng for the sounds of words; install it (apt install espeak-ng)"
        )
    return program


def _ids(sounds: str, known: dict[str, list[int]]) -> list[int]:
    """The numbers of sounds with pads between them; unknown ones are left out."""
    ids = [*known["^"], *known["_"]]
    for sound in sounds:
        if sound in known:
            ids += [*known[sound], *known["_"]]
    return [*ids, *known["$"]]
