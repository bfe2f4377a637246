"""Links relocatable objects into one flat, position-independent code image.

Decides the layout (all code, then all constants) and resolves every reference; must not import llvmlite
nor know an object format: `elf.py` hands in sections, symbols and relocations.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sardonyx.errors import CompileError
from sardonyx.object import elf
from sardonyx.object.elf import Kind, Object, Relocations, Symbol
from sardonyx.object.image import Image

_LINE = 64
_UNDEFINED = -1


def link(objects: Sequence[bytes]) -> Image:
    """Join objects; references between them are resolved by symbol name.

    Byte-identical objects and link-once definitions of the same name are kept once.
    Raises CompileError for undefined or doubly defined symbols, writable data, and references that
    need an absolute address.
    """
    parsed = _without_repeated_groups([elf.read(data) for data in dict.fromkeys(objects)])
    code, starts = _lay_out(parsed)
    public = _public_symbols(parsed, starts)
    missing: dict[str, None] = {}
    for obj in parsed:
        addresses = np.array([_address(s, starts, public) for s in obj.symbols], np.int64)
        for section in obj.sections.values():
            if section.relocations is not None:
                _relocate(section.relocations, starts[id(section)], addresses, obj.symbols, code, missing)
    if missing:
        names = ", ".join(missing)
        raise CompileError(f"undefined in the linked code: {names}. There is no C library to call; define it")
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


def _relocate(
    relocations: Relocations,
    start: int,
    addresses: npt.NDArray[np.int64],
    symbols: Sequence[Symbol],
    code: npt.NDArray[np.uint8],
    missing: dict[str, None],
) -> None:
    place = start + relocations.offset
    target = addresses[relocations.symbol]
    for row in np.flatnonzero(target == _UNDEFINED):
        missing[symbols[relocations.symbol[row]].name] = None
    for row in np.flatnonzero(relocations.kind == Kind.TABLE_RELATIVE32):
        _load_becomes_address(code, int(place[row]), symbols[relocations.symbol[row]].name)
    distance = target + relocations.addend - place
    wide = relocations.kind == Kind.RELATIVE64
    for chosen, dtype in ((~wide, np.dtype("<i4")), (wide, np.dtype("<i8"))):
        spots = place[chosen, None] + np.arange(dtype.itemsize)
        code[spots] = distance[chosen].astype(dtype).view(np.uint8).reshape(spots.shape)


def _load_becomes_address(code: npt.NDArray[np.uint8], place: int, name: str) -> None:
    """Iterate `mov symbol@GOT(%rip), r` into `lea symbol(%rip), r`: images have no table of addresses."""
    if code[place - 2] != 0x8B or code[place - 1] & 0xC7 != 0x05:
        raise CompileError(f"the address of {name} is used where only a table entry fits; make it dso_local")
    code[place - 2] = 0x8D
