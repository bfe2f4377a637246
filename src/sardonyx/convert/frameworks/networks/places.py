"""Where in the user's own code something comes from, as tracebacks and traces of frameworks tell it."""

from __future__ import annotations

import linecache
import re

LINE = re.compile(r'File "([^"]+)", line (\d+), in (\S+)(?:[ \t]*\n(?![ \t]*File ")[ \t]*([^\n]+))?')
LIBRARY = (
    "site-packages",
    "dist-packages",
    "/torch/",
    "/sardonyx/convert/",
    "/lib/python3",
    "<frozen",
    "<string>",
)


def place_of(text: str) -> str:
    """The last line of the user's own code, as ", in function (file:line: code)"; "" if there is none."""
    own = [found for found in LINE.findall(text) if not any(part in found[0] for part in LIBRARY)]
    if not own:
        return ""
    file, line, function, code = own[-1]
    code = (code or linecache.getline(file, int(line))).strip()
    return f", in {function} ({file}:{line}{code and f': {code}'})"
