"""Every option of the engine as one typed row, and the options of one compilation read from them.

The rows feed the environment, the session config entries, `sardonyx knobs` and the docs table. Must not
know what any stage does with a value.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from sardonyx.base.dataclass import dataclass, field, fields

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

T = TypeVar("T", int, str, bool)

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})


@dataclass(frozen=True, slots=True)
class Knob(Generic[T]):
    """One option: `SARDONYX_<NAME>` in the environment, `sardonyx.<name>` as a session config entry."""

    name: str
    default: T
    help: str
    choices: tuple[str, ...] = ()
    changes_code: bool = False

    @property
    def env(self) -> str:
        """The environment variable."""
        return f"SARDONYX_{self.name.upper()}"

    @property
    def entry(self) -> str:
        """The key of the session config entry."""
        return f"sardonyx.{self.name}"

    @property
    def is_set(self) -> bool:
        """Whether the environment gives it a value."""
        return bool(os.environ.get(self.env))

    @property
    def type(self) -> type[T]:
        """The type of the value: int, str or bool."""
        return type(self.default)

    def parse(self, text: str, source: str) -> T:
        """The value written as `text`; ValueError names `source`, what was given and what is expected."""
        value: Any = text.strip()
        if self.type is bool:
            if value.lower() not in _TRUE | _FALSE:
                raise ValueError(f"{source}={text!r}: expected 0 or 1")
            value = value.lower() in _TRUE
        elif self.type is int:
            try:
                value = int(value)
            except ValueError:
                raise ValueError(f"{source}={text!r}: expected a whole number") from None
        elif self.choices and value not in self.choices:
            raise ValueError(f"{source}={text!r}: expected one of {', '.join(self.choices)}")
        return self.type(value)

    def read(self, entries: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None) -> T:
        """The value of the config entry, else of the environment variable, else the default."""
        if entries and (text := entries.get(self.entry)) is not None:
            return self.parse(text, self.entry)
        text = (os.environ if environ is None else environ).get(self.env)
        return self.default if text is None or text == "" else self.parse(text, self.env)


PRECISIONS = ("fp32", "strict", "bf16")

CACHE = Knob("cache", "", "folder of compiled code; empty = the user's cache folder, off = keep nothing")
THREADS = Knob("threads", 0, "threads of the team, the caller included; 0 = the cores this process may use")
TARGET = Knob(
    "target",
    "",
    "machine to compile for, at most this one, such as x86_64-v3; reference = numpy, slow; empty = this one",
)
PRECISION = Knob(
    "precision",
    "fp32",
    "fp32: within 1e-5 rms of exact; strict: IEEE fp32, same bits for any threads and batch; bf16: fastest",
    choices=PRECISIONS,
    changes_code=True,
)
WINOGRAD = Knob(
    "winograd",
    "auto",
    "convolutions by transforms (3x3, 5x5, and 3, 5 or 7 taps along an axis): auto = where it is faster,"
    " off = never, f2 or f4 = always, 3x3 with tiles of 2x2 or 4x4 outputs; where precision is strict,"
    " of integers alone",
    choices=("auto", "off", "f2", "f4"),
    changes_code=True,
)
STRASSEN = Knob(
    "strassen",
    "auto",
    "products with constant weights by seven multiplications of quarters in the place of eight: auto = where"
    " it is faster, off = never, on = wherever it is possible; never where precision is strict",
    choices=("auto", "off", "on"),
    changes_code=True,
)
SHORT_WEIGHTS = Knob(
    "short_weights",
    "auto",
    "weights of products with up to 4 rows (2 on AVX2), with AVX-512 recurrent ones up to 5, in 24 bits,"
    " which changes results by less than fp32 promises: auto = where they do not stay in caches and rows are"
    " few or likely to be, off = never, on = wherever it is possible; never where precision is strict",
    choices=("auto", "off", "on"),
    changes_code=True,
)
FALLBACK = Knob(
    "fallback",
    "allow",
    "operators without native code: allow = run them in numpy and report it, error = refuse the model",
    choices=("allow", "error"),
    changes_code=True,
)
EFFORT = Knob(
    "effort",
    "auto",
    "how code is compiled: full = well, at once; quick = in a third of the time; auto = quick, and in full in"
    " the background once a session has run for a while",
    choices=("auto", "quick", "full"),
)
JOBS = Knob(
    "jobs", 0, "threads of a cold compile; 0 = the cores this process may use, 1 = no thread of its own"
)
SPIN_US = Knob("spin_us", 50, "microseconds an idle thread of the team waits actively before it sleeps")
LOG = Knob("log", 2, "least severity logged to stderr: 0 verbose, 1 info, 2 warning, 3 error, 4 fatal")
DEBUG = Knob(
    "debug", 0, "1 = a line per compile stage, 2 = and the report, 3 = and kernel texts, 4 = and LLVM IR"
)
DUMP = Knob("dump", "", "folder for the text of every compile stage that changed something")
VERIFY = Knob("verify", False, "check the invariants of every stage's result while compiling")

KNOBS: tuple[Knob[Any], ...] = (
    *(
        CACHE,
        THREADS,
        TARGET,
        PRECISION,
        WINOGRAD,
        STRASSEN,
        SHORT_WEIGHTS,
        FALLBACK,
        EFFORT,
        JOBS,
        SPIN_US,
        LOG,
        DEBUG,
        DUMP,
        VERIFY,
    ),
)


OTHER_VARIABLES = (
    "SARDONYX_ZOO",
    "SARDONYX_OFFLINE",
    "SARDONYX_MIRRORS",
    "SARDONYX_HOME",
    "SARDONYX_SERVER",
    "SARDONYX_KEY",
    "SARDONYX_CERTIFICATE",
    "SARDONYX_CERTIFICATE_KEY",
)
"""Variables that are read by others than the engine."""


def unknown_variables(environ: Mapping[str, str] | None = None) -> list[str]:
    """Variables that start with `SARDONYX_` and are not knobs: most likely misspelt."""
    known = {*OTHER_VARIABLES, *(knob.env for knob in KNOBS)}
    names = os.environ if environ is None else environ
    return sorted(name for name in names if name.startswith("SARDONYX_") and name not in known)


def cache_folder(cache: str | None = None) -> Path | None:
    """The folder that a value of the cache knob stands for; None if nothing is to be kept."""
    from pathlib import Path

    root = cache_root(cache)
    return None if root is None else Path(root)


def cache_root(cache: str | None = None) -> str | None:
    """The same as text: a start needs no more, and `pathlib` takes milliseconds to import."""
    text = CACHE.read() if cache is None else cache
    if text.lower() in {"off", "none", "0"}:
        return None
    if text:
        return os.path.expanduser(text)
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or os.path.expanduser(r"~\AppData\Local")
        return os.path.join(local, "sardonyx")
    if sys.platform == "darwin":
        return os.path.expanduser("~/Library/Caches/sardonyx")
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "sardonyx")


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """The options of one compilation; the first fields are knobs, the rest belongs to one session.

    `level` is the number of a GraphOptimizationLevel. `dims` and `denotations` fix free dimensions by name.
    `initializers` replace or supply model tensors by name; `fed` names those that become the program's last
    inputs, in the model's order. `outputs` are tensors of the model to compute instead of its own outputs.
    `external_folder` is where external data lies (None = beside the model, of bytes in the working folder).
    `flush_denormals` takes denormal floats as zeros.
    """

    cache: str = CACHE.default
    threads: int = THREADS.default
    target: str = TARGET.default
    precision: str = PRECISION.default
    winograd: str = WINOGRAD.default
    strassen: str = STRASSEN.default
    short_weights: str = SHORT_WEIGHTS.default
    fallback: str = FALLBACK.default
    effort: str = EFFORT.default
    jobs: int = JOBS.default
    spin_us: int = SPIN_US.default
    log: int = LOG.default
    debug: int = DEBUG.default
    dump: str = DUMP.default
    verify: bool = VERIFY.default
    level: int = 99
    dims: Mapping[str, int] = field(default_factory=dict)
    denotations: Mapping[str, int] = field(default_factory=dict)
    initializers: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    fed: tuple[str, ...] = ()
    distinct: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    external_folder: str | None = None
    flush_denormals: bool = False

    @classmethod
    def resolve(
        cls,
        entries: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
        **explicit: Any,
    ) -> CompileOptions:
        """Options in which an explicit value wins over a config entry, that over the environment.

        An explicit None counts as not given. Raises ValueError for a value outside its knob's range.
        """
        given = {name: value for name, value in explicit.items() if value is not None}
        for knob in KNOBS:
            if knob.name not in given:
                given[knob.name] = knob.read(entries, environ)
            elif knob.choices and given[knob.name] not in knob.choices:
                raise ValueError(
                    f"{knob.name}={given[knob.name]!r}: expected one of {', '.join(knob.choices)}"
                )
        return cls(**given)

    def code_key(self) -> str:
        """A text equal for two options exactly if they ask for the same program, of one model and machine."""
        knobs = {knob.name: getattr(self, knob.name) for knob in KNOBS if knob.changes_code}
        names = sorted(self.initializers)
        tensors = [(name, array_digest(self.initializers[name])) for name in names]
        sizes = (sorted(self.dims.items()), sorted(self.denotations.items()), self.distinct)
        rest = (self.level, self.fed, self.outputs, *sizes, tensors)
        return f"{knobs!r} {rest!r}"


def array_digest(array: npt.NDArray[Any]) -> str:
    """A digest of dtype, shape and bytes."""
    import hashlib

    data = np.ascontiguousarray(array)
    text = (
        repr(data.tolist()).encode()
        if data.dtype.kind == "O"
        else data.view(np.uint8).data
        if data.size
        else b""
    )
    return hashlib.sha256(f"{data.dtype} {data.shape} ".encode() + bytes(text)).hexdigest()


assert [f.name for f in fields(CompileOptions)][: len(KNOBS)] == [knob.name for knob in KNOBS]
