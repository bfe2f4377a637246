"""What a code image is, in memory and as bytes. Pure data: linked by `link.py`, placed by the runtime."""

from __future__ import annotations

import struct

from sardonyx.base.dataclass import dataclass
from sardonyx.errors import CompileError

_TRAILER = struct.Struct("<8sIII")
_MAGIC = b"sdximg1\0"


@dataclass(frozen=True, slots=True)
class Image:
    """Machine code and constants, and the offsets of its public symbols in bytes.

    The code may be placed at any address that is a multiple of 64, read-only and executable.
    """

    code: bytes
    symbols: dict[str, int]

    def to_bytes(self) -> bytes:
        """One blob that starts with the code, so that a mapped file is executable as it is."""
        names = "\n".join(self.symbols).encode()
        offsets = struct.pack(f"<{len(self.symbols)}I", *self.symbols.values())
        trailer = _TRAILER.pack(_MAGIC, len(self.code), len(self.symbols), len(names))
        return b"".join((self.code, offsets, names, trailer))

    @staticmethod
    def read_symbols(blob: bytes | memoryview) -> tuple[int, dict[str, int]]:
        """The size of the code and the symbols of a blob made by `to_bytes`.

        Raises CompileError if it is not such a blob.
        """
        view = memoryview(blob)
        if len(view) < _TRAILER.size:
            raise CompileError("not a code image: too short")
        magic, size, count, names_size = _TRAILER.unpack(view[-_TRAILER.size :])
        if magic != _MAGIC or size + 4 * count + names_size + _TRAILER.size != len(view):
            raise CompileError("not a code image: the trailer does not fit")
        names = bytes(view[size + 4 * count : size + 4 * count + names_size]).decode()
        offsets = struct.unpack_from(f"<{count}I", view, size)
        return size, dict(zip(names.split("\n") if names else [], offsets, strict=True))
