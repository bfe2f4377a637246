"""Reads relocatable objects (ELF, 64 bits, little-endian) into sections, symbols and references.

Decides which sections a code image can hold; must not know how they are laid out, nor a processor.
"""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from sardonyx.base.dataclass import dataclass
from sardonyx.base.named import NamedTuple
from sardonyx.base.relocation import Relocations
from sardonyx.errors import CompileError


@dataclass(eq=False, slots=True)
class References:
    """Of one section, as arrays: at byte `offset` refer to `symbol` + `addend`, in the way of `type`."""

    offset: npt.NDArray[np.int64]
    type: npt.NDArray[np.uint32]
    symbol: npt.NDArray[np.int64]
    addend: npt.NDArray[np.int64]


@dataclass(eq=False, slots=True)
class Section:
    """Bytes that go into the image; compared by identity."""

    name: str
    data: memoryview
    align: int
    executable: bool
    references: References | None = None


class Symbol(NamedTuple):
    """A name for an offset in a section; without a section it must be defined by another object."""

    name: str
    section: Section | None
    value: int
    local: bool
    weak: bool


class Object(NamedTuple):
    """One object file: sections by index, symbols, and (signature, member indices) of link-once groups."""

    sections: dict[int, Section]
    symbols: list[Symbol]
    groups: list[tuple[str, set[int]]]


_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_REFERENCE = np.dtype([("offset", "<i8"), ("type", "<u4"), ("symbol", "<u4"), ("addend", "<i8")])
_ELF64_LITTLE, _RELOCATABLE = b"\x7fELF\x02\x01", 1
_PROGBITS, _SYMTAB, _RELA, _NOBITS, _GROUP = 1, 2, 4, 8, 17
_WRITE, _ALLOC, _EXEC = 1, 2, 4
_LOCAL, _WEAK = 0, 2


class _Head(NamedTuple):
    """One row of the section table."""

    name: str
    type: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    align: int


def read(data: bytes, relocations: Relocations) -> Object:
    """Parse one object of the processor with those relocations.

    Raises CompileError if it is not such an object, or holds writable data or an absolute address.
    """
    if data[:6] != _ELF64_LITTLE or data[16:20] != struct.pack("<HH", _RELOCATABLE, relocations.machine):
        raise CompileError(f"not an {relocations.name} ELF object")
    view = memoryview(data)
    heads = _section_heads(data)
    sections = {index: _section(head, view) for index, head in enumerate(heads) if _wanted(head)}
    symtab = next((head for head in heads if head.type == _SYMTAB), None)
    symbols = _symbols(symtab, heads[symtab.link].offset, data, sections) if symtab else []
    for head in heads:
        if head.type == _RELA and head.info in sections:
            section = sections[head.info]
            section.references = _references(head, data)
            _check_types(section, symbols, relocations)
    groups = []
    for head in heads:
        if head.type == _GROUP:
            words = struct.unpack_from(f"<{head.size // 4}I", data, head.offset)
            groups.append((symbols[head.info].name, set(words[1:])))
    return Object(sections, symbols, groups)


def _section_heads(data: bytes) -> list[_Head]:
    header = _HEADER.unpack_from(data)
    table, count, names_index = header[6], header[12], header[13]
    rows = list(_SECTION.iter_unpack(data[table : table + count * _SECTION.size]))
    names = rows[names_index][4]
    return [_Head(_text(data, names + r[0]), r[1], r[2], r[4], r[5], r[6], r[7], r[8]) for r in rows]


def _text(data: bytes, start: int) -> str:
    return data[start : data.index(b"\0", start)].decode()


def _wanted(head: _Head) -> bool:
    if not head.flags & _ALLOC or head.size == 0 or head.name.startswith(".eh_frame"):
        return False
    if head.flags & _WRITE or head.type == _NOBITS:
        raise CompileError(f"section {head.name} holds writable data or addresses; code images are read-only")
    return head.type == _PROGBITS


def _section(head: _Head, view: memoryview) -> Section:
    data = view[head.offset : head.offset + head.size]
    return Section(head.name, data, max(head.align, 1), bool(head.flags & _EXEC))


def _symbols(symtab: _Head, names: int, data: bytes, sections: dict[int, Section]) -> list[Symbol]:
    symbols = []
    for name, info, _, index, value, _ in _SYMBOL.iter_unpack(
        data[symtab.offset : symtab.offset + symtab.size]
    ):
        section = sections.get(index)
        text = _text(data, names + name) if name else (section.name if section else "")
        symbols.append(Symbol(text, section, value, info >> 4 == _LOCAL, info >> 4 == _WEAK))
    return symbols


def _references(head: _Head, data: bytes) -> References:
    rows = np.frombuffer(data, _REFERENCE, head.size // _REFERENCE.itemsize, head.offset)
    return References(rows["offset"], rows["type"], rows["symbol"].astype(np.int64), rows["addend"])


def _check_types(section: Section, symbols: list[Symbol], relocations: Relocations) -> None:
    """Raise CompileError if a reference is of a type that an image cannot hold."""
    references = section.references
    assert references is not None
    for unknown in set(references.type.tolist()) - set(relocations.writers):
        row = int(np.argmax(references.type == unknown))
        where = f"{section.name}+{references.offset[row]:#x} ({symbols[references.symbol[row]].name})"
        raise CompileError(f"{where} needs relocation type {unknown}, which is not position independent")
