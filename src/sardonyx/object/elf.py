"""Reads ELF64 x86-64 relocatable objects into sections, symbols and relocations.

Decides which sections and relocation types a code image can hold; must not know how they are laid out.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sardonyx.base.dataclass import dataclass
from sardonyx.errors import CompileError


class Kind(IntEnum):
    """What a relocation writes: a distance of 32 or 64 bits, or that to an entry of an address table."""

    UNKNOWN = 0
    RELATIVE32 = 1
    RELATIVE64 = 2
    TABLE_RELATIVE32 = 3


@dataclass(eq=False, slots=True)
class Relocations:
    """Of one section, as arrays: at byte `offset` write the address of `symbol` + `addend` - place."""

    offset: npt.NDArray[np.int64]
    kind: npt.NDArray[np.uint8]
    symbol: npt.NDArray[np.int64]
    addend: npt.NDArray[np.int64]


@dataclass(eq=False, slots=True)
class Section:
    """Bytes that go into the image; compared by identity."""

    name: str
    data: memoryview
    align: int
    executable: bool
    relocations: Relocations | None = None


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


_KINDS = np.zeros(256, np.uint8)
_KINDS[[2, 4]] = Kind.RELATIVE32  # PC32, PLT32
_KINDS[24] = Kind.RELATIVE64  # PC64
_KINDS[[9, 41, 42]] = Kind.TABLE_RELATIVE32  # GOTPCREL, GOTPCRELX, REX_GOTPCRELX
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = np.dtype([("offset", "<i8"), ("type", "<u4"), ("symbol", "<u4"), ("addend", "<i8")])
_PROGBITS, _SYMTAB, _RELA, _NOBITS, _GROUP = 1, 2, 4, 8, 17
_WRITE, _ALLOC, _EXEC = 1, 2, 4


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


def read(data: bytes) -> Object:
    """Parse one object.

    Raises CompileError if it is no x86-64 ELF object or holds writable data or an absolute address.
    """
    if data[:6] != b"\x7fELF\x02\x01" or data[16:20] != b"\x01\x00\x3e\x00":
        raise CompileError("not an x86-64 ELF object")
    view = memoryview(data)
    heads = _section_heads(data)
    sections = {index: _section(head, view) for index, head in enumerate(heads) if _wanted(head)}
    symtab = next((head for head in heads if head.type == _SYMTAB), None)
    symbols = _symbols(symtab, heads[symtab.link].offset, data, sections) if symtab else []
    for head in heads:
        if head.type == _RELA and head.info in sections:
            section = sections[head.info]
            section.relocations = _relocations(head, data, symbols, section.name)
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
        symbols.append(Symbol(text, section, value, local=info >> 4 == 0, weak=info >> 4 == 2))
    return symbols


def _relocations(head: _Head, data: bytes, symbols: list[Symbol], section: str) -> Relocations:
    rows = np.frombuffer(data, _RELOCATION, head.size // _RELOCATION.itemsize, head.offset)
    kinds = _KINDS[np.minimum(rows["type"], 255)]
    if (unknown := np.flatnonzero(kinds == Kind.UNKNOWN)).size:
        row = rows[unknown[0]]
        where = f"{section}+{row['offset']:#x} ({symbols[row['symbol']].name})"
        raise CompileError(f"{where} needs relocation type {row['type']}, which is not position independent")
    return Relocations(rows["offset"], kinds, rows["symbol"].astype(np.int64), rows["addend"])
