"""What a task comes to: words for a person, data for a program, a picture or sound that says more."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sardonyx.base.files import writing
from sardonyx.zoo.maker import Array

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class Answer:
    """The result of a task.

    Attributes:
        text: lines that a person reads.
        data: the same as JSON.
        picture: the input with what was found drawn on it.
        sound: samples from -1 to 1 and how many there are in a second.
    """

    text: str
    data: Any
    picture: Image.Image | None = None
    sound: tuple[Array, int] | None = None

    def save(self, path: str | Path) -> None:
        """Write the picture, the sound, or else the text."""
        with writing(path):
            if self.picture is not None:
                self.picture.save(path)
            elif self.sound is not None:
                write_sound(Path(path), *self.sound)
            else:
                Path(path).write_text(f"{self.text}\n", encoding="utf-8")


def write_sound(path: Path, samples: Array, rate: int) -> None:
    """A wav file of 16 bits and one channel."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def percent(part: float) -> str:
    """`97.3%`"""
    return f"{part:.1%}"
