"""Some functions of a module as a module of their own, which is to be linked to the others.

Knows LLVM syntax only; must not know how functions are written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping


def part(functions: Mapping[str, str], others: Mapping[str, str], tables: Mapping[str, str]) -> str:
    """The text of a module with these functions; `others` are functions and declarations that they may call.

    Of others and of tables it has what the functions name. Internal functions become hidden ones.
    """
    texts = [text.replace("define internal ", "define hidden ", 1) for text in functions.values()]
    asked = sorted(set(re.findall(r"@([\w.]+)", "\n".join(texts))) - set(functions))
    held = [tables[name] for name in asked if name in tables]
    declared = [declaration(others[name]) for name in asked if name not in tables]
    return "\n".join([*held, *texts, *declared]) + "\n"


def declaration(function: str) -> str:
    """The declaration of a function of which the first line suffices; a declaration stays as it is."""
    if function.startswith("declare "):
        return function
    head = function.partition("\n")[0].rpartition(")")[0]
    head = head.replace("define internal ", "declare hidden ").replace("define ", "declare ")
    return re.sub(r" %\w+", "", head) + ")"
