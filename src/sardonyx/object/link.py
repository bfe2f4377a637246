"""Links relocatable objects into one flat, position-independent code image.

Decides the layout (all code, then all constants) and resolves every reference; must not import llvmlite
nor know an object format or a processor: `elf.py` hands in sections, symbols and references, the target says
how a reference is written.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sardonyx.base.named import NamedTuple
from sardonyx.base.relocation import Relocations
from sardonyx.base.target import Target
from sardonyx.errors import CompileError
from sardonyx.object import elf
from sardonyx.object.elf import Object, References, Symbol
from sardonyx.object.image import Image

_LINE = 64
_UNDEFINED = -1


def link(objects: Sequence[bytes], target: Target) -> Image:
    """Join objects of a target; references between them are resolved by symbol name.

    Byte-identical objects and link-once definitions of the same name are kept once.
    Raises CompileError for undefined or doubly defined symbols, writable data, and references that
    need an absolute address.
    """
    relocations = target.relocations
    if relocations is None:
        raise CompileError(f"{target.name} executes no native code")
    parsed = _without_repeated_groups([elf.read(data, relocations) for data in dict.fromkeys(objects)])
    code, starts = _lay_out(parsed)
    public = _public_symbols(parsed, starts)
    missing: dict[str, None] = {}
    for obj in parsed:
        addresses = np.array([_address(s, starts, public) for s in obj.symbols], np.int64)
        for section in obj.sections.values():
            if section.references is not None:
                names = [symbol.name for symbol in obj.symbols]
                known = _Known(names, addresses, starts[id(section)])
                missing |= dict.fromkeys(_resolve(section.references, known, relocations, code))
    if missing:
        undefined = ", ".join(missing)
        raise CompileError(
            f"undefined in the linked code: {undefined}. There is no C library to call; define it"
        )
    return Image(code.tobytes(), public)


def _without_repeated_groups(parsed: Sequence[Object]) -> list[Object]:
    seen: set[str] = set()
    kept = []
    for obj in parsed:
        dropped: set[int] = set()
        for signature, members in obj.groups:
            if signature in seen:
                dropped |= members
            seen.add(signature)
        kept.append(obj._replace(sections={i: s for i, s in obj.sections.items() if i not in dropped}))
    return kept


def _lay_out(parsed: Sequence[Object]) -> tuple[npt.NDArray[np.uint8], dict[int, int]]:
    """The concatenated sections, and the start of each by its identity."""
    code = bytearray()
    starts: dict[int, int] = {}
    for executable in (True, False):
        for obj in parsed:
            # A line of its own for each object: the speed of a kernel must not depend on its neighbours.
            code += bytes(-len(code) % _LINE)
            for section in obj.sections.values():
                if section.executable == executable:
                    if section.align > _LINE:
                        raise CompileError(
                            f"{section.name} wants alignment {section.align}; images give {_LINE}"
                        )
                    code += bytes(-len(code) % section.align)
                    starts[id(section)] = len(code)
                    code += section.data
    code += bytes(-len(code) % _LINE)
    return np.frombuffer(code, np.uint8), starts


def _public_symbols(parsed: Sequence[Object], starts: dict[int, int]) -> dict[str, int]:
    public: dict[str, int] = {}
    weak: set[str] = set()
    for obj in parsed:
        for symbol in obj.symbols:
            if symbol.local or id(symbol.section) not in starts:
                continue
            if symbol.name in public and symbol.name not in weak and not symbol.weak:
                raise CompileError(f"{symbol.name} is defined by two different objects; rename one of them")
            if symbol.name not in public or (symbol.name in weak and not symbol.weak):
                public[symbol.name] = starts[id(symbol.section)] + symbol.value
                weak = weak | {symbol.name} if symbol.weak else weak - {symbol.name}
    return public


def _address(symbol: Symbol, starts: dict[int, int], public: dict[str, int]) -> int:
    if not symbol.local:
        return public.get(symbol.name, _UNDEFINED)
    start = starts.get(id(symbol.section), _UNDEFINED)
    return start if start == _UNDEFINED else start + symbol.value


class _Known(NamedTuple):
    """Where the symbols of an object lie in the code, and where its section does."""

    names: Sequence[str]
    addresses: npt.NDArray[np.int64]
    start: int


def _resolve(
    references: References, known: _Known, relocations: Relocations, code: npt.NDArray[np.uint8]
) -> list[str]:
    """Write the references of a section into the code; returns the names that nothing defines."""
    defined = known.addresses[references.symbol]
    missing = [known.names[n] for n in references.symbol[defined == _UNDEFINED]]
    places, wanted = known.start + references.offset, defined + references.addend
    for type_ in () if missing else set(references.type.tolist()):
        rows = np.flatnonzero(references.type == type_)
        held = relocations.writers[type_](code, places[rows], wanted[rows])
        for row in rows[~held]:
            name = known.names[references.symbol[row]]
            raise CompileError(f"the address of {name} cannot be written where it is used; make it dso_local")
    return missing
