"""What options are called in errors and notes: as in Python, and as on the command line.

Whatever converts says them as Python has them; the command turns them into its own.
"""

from __future__ import annotations

import re

SAMPLE = "sample=..."
KIND = "kind=..."
FIXED = "dynamic=('_',)"
DOUBLE = "double=True"
FORCE = "force=True"
PATTERNS = (
    (re.escape(SAMPLE), "--sample FILE"),
    (re.escape(KIND), "--from KIND"),
    (re.escape(FIXED), "--dynamic _"),
    (re.escape(DOUBLE), "--double"),
    (re.escape(FORCE), "--force"),
    (r"options=\{'inputs': \['([^']*)'\]\}", r"--input \1"),
    (r"options=\{'part': '([^']*)'\}", r"--part \1"),
)


def an_input(stated: str) -> str:
    """The option that states an input, such as `x=1,3,224,224`."""
    return f"options={{'inputs': ['{stated}']}}"


def a_part(name: str) -> str:
    """The option that chooses a part of a model."""
    return f"options={{'part': '{name}'}}"


def on_the_command_line(said: str) -> str:
    """The same with options as the command has them."""
    for pattern, option in PATTERNS:
        said = re.sub(pattern, option, said)
    return said
