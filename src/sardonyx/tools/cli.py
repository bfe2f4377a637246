"""The command `sardonyx`: its parser, its exit codes, its error messages.

0 = done, 1 = the request could not be met (the message says why), 2 = wrong usage, 130 = interrupted.
Must not know what a command does.
"""

from __future__ import annotations

import argparse
import difflib
import functools
import io
import os
import re
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NoReturn

from sardonyx.base.knobs import DEBUG, unknown_variables
from sardonyx.errors import SardonyxError
from sardonyx.ort.exceptions import STATUS
from sardonyx.tools.commands import (
    backup,
    bench,
    cache,
    compile,
    convert,
    diff,
    endpoints,
    explain,
    imports,
    inspect,
    keys,
    knobs,
    models,
    monitor,
    precision,
    quantize,
    ray,
    register,
    run,
    serve,
    task,
    traffic,
    train,
    view,
    vision,
    zoo,
)
from sardonyx.tools.console import UserError
from sardonyx.version import __version__

COMMANDS: tuple[ModuleType, ...] = (
    *(run, inspect, explain, view, diff, bench, compile, cache, serve, ray),
    *(register, imports, models, endpoints, traffic, monitor, keys, backup, knobs),
    *(convert, quantize, precision, train, vision, zoo, task),
)

_EXPECTED: tuple[type[Exception], ...] = (
    *(UserError, SardonyxError, OSError, MemoryError),
    *(row[0] for row in STATUS),
)
_REFUSALS: tuple[type[Exception], ...] = (*_EXPECTED, ImportError, ValueError, RuntimeError)

_EXTRAS = {"train": "train", "vision": "vision", "zoo": "zoo", "task": "zoo", "view": "view"}


class Parser(argparse.ArgumentParser):
    """A parser whose options may stand between its other words, where their number is free too.

    argparse alone gives the first run of words to all of them: `task ocr --model M page.png` had no input.
    """

    _is_within = False

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """As argparse does, and of a misspelt word only the nearest is told."""
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError:
            near = difflib.get_close_matches(str(value), map(str, action.choices or ()), n=1)
            if not near:
                raise
            raise argparse.ArgumentError(action, f"there is no {value!r}; did you mean {near[0]}?") from None

    def error(self, message: str) -> NoReturn:
        """As argparse does, and of a word that is missing it is told which there are."""
        missing = message.partition("required: ")[2].split(", ")
        for word in self._get_positional_actions():
            if word.choices and word.metavar in missing:
                message += f"; {word.metavar} is one of {', '.join(map(str, word.choices))}"
        super().error(message)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does; words that nothing takes are told with the usage of the command asked."""
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self._refuse(unknown, options)
        return options

    def _refuse(self, unknown: Sequence[str], options: argparse.Namespace) -> NoReturn:
        for word in self._get_positional_actions():
            asked = getattr(options, word.dest, None)
            if isinstance(word, argparse._SubParsersAction) and asked is not None:
                word.choices[asked]._refuse(unknown, options)
        name = unknown[0].partition("=")[0]
        near = difflib.get_close_matches(name, self._option_string_actions, n=1)
        advice = f"; did you mean {near[0]}?" if near else ""
        self.error(f"unrecognized arguments: {' '.join(unknown)}{advice}")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, by its own two steps where they apply."""
        words = self._get_positional_actions()
        is_free = any(word.nargs in ("*", "?", "+") for word in words)
        has_commands = any(word.nargs in (argparse.PARSER, argparse.REMAINDER) for word in words)
        if self._is_within or not is_free or has_commands or "--" in (args or ()):
            return super().parse_known_args(args, namespace)
        self._is_within = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_within = False


@functools.cache
def parser() -> Parser:
    """The parser of all commands; every command module adds itself with `add`."""
    top = Parser(
        prog="sardonyx", description="Compile ONNX models to native code and run, explain or measure them."
    )
    top.add_argument("--version", action="version", version=f"sardonyx {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper) and not _writes_all_names(sys.stdout):
        sys.stdout.reconfigure(errors="backslashreplace")  # names are written in any terminal, as by stderr
    options = parser().parse_args(arguments)
    if options.command is None:
        parser().print_help(sys.stderr)
        return 2
    for name in unknown_variables():
        print(
            f"sardonyx: the environment variable {name} is not an option; see `sardonyx knobs`",
            file=sys.stderr,
        )
    warnings.formatwarning = _warned
    try:
        code: int = options.command_function(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print(f"sardonyx {options.command}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except _REFUSALS as error:
        if _debugging():
            raise
        print(f"sardonyx {options.command}: {_told(error, options.command)}", file=sys.stderr)
        return 1
    return code


def _writes_all_names(stream: io.TextIOWrapper) -> bool:
    """Whether any text can be written; in the locale C names of files can, and letters beyond ASCII not."""
    return stream.errors != "strict" and (
        stream.errors != "surrogateescape" or stream.encoding.lower() in ("utf-8", "utf8")
    )


def _warned(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    return f"sardonyx: {message}\n"


def _debugging() -> bool:
    try:
        return DEBUG.read() > 0
    except ValueError:
        return False


def _told(error: Exception, command: str) -> str:
    """What is wrong, and what to do about it as far as that is known."""
    if isinstance(error, ModuleNotFoundError) and command in _EXTRAS and error.name:
        return f"{error.name} is missing; pip install 'sardonyx[{_EXTRAS[command]}]'"
    expected = isinstance(error, _EXPECTED) or type(error) is ImportError
    return _plain(error) + ("" if expected else f" ({type(error).__name__}; {DEBUG.env}=1 shows where)")


def _plain(error: Exception) -> str:
    if isinstance(error, OSError) and (error.strerror or error.filename is not None):
        return _of_the_system(error)
    text = str(error) or (
        "there is not enough memory" if isinstance(error, MemoryError) else type(error).__name__
    )
    return _without_status(text) if text.startswith("[ONNXRuntimeError]") else text


def _without_status(text: str) -> str:
    """What onnxruntime's API says of an error, without what it repeats."""
    text = text.split(" : ", 3)[-1]
    found = re.fullmatch(r"Load model from (.+?) failed:(.+)", text, re.DOTALL)
    if found is None:
        return text
    model, why = found.groups()
    return why if model in why else f"{model}: {why}"


def _of_the_system(error: OSError) -> str:
    """An error of the operating system without its number, and with the file it is about."""
    what = error.filename if error.filename2 is None else f"{error.filename} -> {error.filename2}"
    if isinstance(error, FileNotFoundError) and what is not None:
        return f"there is no file or folder {what}"
    if isinstance(error, IsADirectoryError) and what is not None:
        return f"{what} is a folder; give a file"
    why = error.strerror or ", ".join(map(str, error.args))
    return why if what is None else f"{what}: {why}"
