"""Places a code image in executable memory.

Decides where an image comes from; must not know what the code does nor import llvmlite.
"""

from __future__ import annotations

from sardonyx.base.executable import Executable, Mapped, copied
from sardonyx.errors import CompileError
from sardonyx.object.image import Image
from sardonyx.runtime.cache import HEADER_BYTES, Cache


class LoadedImage:
    """A code image that can be called. The memory stays mapped as long as this object lives.

    Attributes:
        symbols: the absolute address of each public function.
        size_bytes: of the code.
    """

    def __init__(self, memory: Executable, offsets: dict[str, int], size_bytes: int = 0) -> None:
        self._memory = memory
        self.size_bytes = size_bytes
        self.symbols = {name: memory.address + offset for name, offset in offsets.items()}

    def address(self, symbol: str) -> int:
        """The address of a function; CompileError if the image has none of that name."""
        try:
            return self.symbols[symbol]
        except KeyError:
            raise CompileError(
                f"the code image has no function {symbol}; it was built for another program"
            ) from None

    def __contains__(self, symbol: str) -> bool:
        return symbol in self.symbols


def load(image: Image) -> LoadedImage:
    """Copy an image into executable memory."""
    return LoadedImage(copied(image.code), image.symbols, len(image.code))


def load_blob(blob: bytes | memoryview) -> LoadedImage:
    """Copy an image from the form of `Image.to_bytes` into executable memory."""
    size, offsets = Image.read_symbols(blob)
    return LoadedImage(copied(memoryview(blob)[:size]), offsets, size)


def load_cached(cache: Cache, key: str) -> LoadedImage | None:
    """Map the `image` entry of that key out of the cache; None if there is no sound one."""
    entry = cache.map("image", key, check=True, execute=True)
    if entry is None:
        return None
    try:
        if not entry.may_run:
            return load_blob(entry.payload.data)
        size, offsets = Image.read_symbols(entry.payload.data)
        return LoadedImage(Mapped(entry.mapped, HEADER_BYTES), offsets, size)
    except (OSError, CompileError):
        return None
