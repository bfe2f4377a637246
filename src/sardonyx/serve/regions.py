"""System shared memory: tensors that a client on the same machine leaves in /dev/shm instead of sending them.

Decides which memory may be named and read. Regions are read and written as files: a client that shrinks its
memory meanwhile gets an error, where a mapping would end the process. Must not know models.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.protocol.datatypes import Array, datatype, from_raw, to_raw
from sardonyx.protocol.errors import Code, ServeError, invalid, not_found
from sardonyx.protocol.known import bytes_of
from sardonyx.protocol.messages import InferRequest, InferResponse, Parameters, Tensor

FOLDER = Path("/dev/shm")
REGION, SIZE, OFFSET = "shared_memory_region", "shared_memory_byte_size", "shared_memory_offset"
_KEY = re.compile(r"/?([A-Za-z0-9_][A-Za-z0-9_.-]{0,254})")


@dataclass(frozen=True, slots=True)
class Region:
    """A registered part of a shared memory object; sizes in bytes."""

    name: str
    key: str
    offset: int
    byte_size: int
    file: int


class Regions:
    """The registered regions by name."""

    def __init__(self, *, allowed: bool) -> None:
        self._allowed = allowed
        self._regions: dict[str, Region] = {}

    def register(self, name: str, key: str, offset: int, byte_size: int) -> None:
        """Open shared memory `key` under a name; INVALID_ARGUMENT if it is not there or too small."""
        if not self._allowed:
            raise ServeError(
                Code.UNSUPPORTED,
                "shared memory of clients is off; the server must be started with --allow-client-shm",
            )
        if name in self._regions:
            raise ServeError(
                Code.INVALID_ARGUMENT,
                f"shared memory region '{name}' already in manager; unregister it first",
            )
        match = _KEY.fullmatch(key)
        if not name or match is None:
            raise invalid(
                f"'{key}' is not a key of shared memory; a key is one plain name, such as /input_data"
            )
        file = _open(name, match[1])
        try:
            _check_size(Region(name, key, offset, byte_size, file))
        except ServeError:
            os.close(file)
            raise
        self._regions[name] = Region(name, key, offset, byte_size, file)

    def unregister(self, name: str = "") -> None:
        """Close a region, all of them without a name; an unknown name is ignored."""
        for key in [name] if name else list(self._regions):
            region = self._regions.pop(key, None)
            if region is not None:
                os.close(region.file)

    def status(self, name: str = "") -> list[dict[str, Any]]:
        """The named region, or all; NOT_FOUND if there is none of that name."""
        if name and name not in self._regions:
            raise not_found(f"Unable to find system shared memory region: '{name}'")
        return [
            {"name": row.name, "key": row.key, "offset": row.offset, "byte_size": row.byte_size}
            for row in self._regions.values()
            if name in ("", row.name)
        ]

    def fill(self, request: InferRequest) -> None:
        """Read the inputs that lie in shared memory."""
        for tensor in request.inputs:
            if REGION in tensor.parameters:
                kind = datatype(tensor.datatype, tensor.name)
                region, offset, size = self._place(tensor.parameters, f"input '{tensor.name}'")
                buffer = np.empty(size, np.uint8).data
                _read(region, offset, buffer)
                tensor.data = from_raw(tensor.name, kind, tensor.shape, buffer)

    def reader(self, inputs: Sequence[Tensor], feeds: Sequence[Array]) -> Callable[[], bool]:
        """What reads inputs that all lie in shared memory into feeds; False if it cannot be done."""
        rows = [(t.parameters, f"input '{t.name}'", bytes_of(f)) for t, f in zip(inputs, feeds, strict=True)]

        def read() -> bool:
            try:
                for parameters, where, buffer in rows:
                    region, offset, size = self._place(parameters, where)
                    if size != len(buffer):
                        return False
                    _read(region, offset, buffer)
            except ServeError:
                return False
            return True

        return read

    def place(self, request: InferRequest, response: InferResponse) -> None:
        """Write those outputs that the request wants in shared memory."""
        wanted = {
            output.name: output.parameters for output in request.outputs or () if REGION in output.parameters
        }
        for tensor in response.outputs:
            if tensor.name in wanted:
                self._write(tensor, wanted[tensor.name])

    def _write(self, tensor: Tensor, wanted: Parameters) -> None:
        region, offset, size = self._place(wanted, f"output '{tensor.name}'")
        raw = to_raw(tensor.data)
        if len(raw) > size:
            raise invalid(
                f"shared memory size specified with the request for output '{tensor.name}' ({size} bytes) "
                f"should be at least {len(raw)} bytes to hold the results"
            )
        _check_size(region)
        position = region.offset + offset
        while raw:
            written = os.pwrite(region.file, raw, position)
            raw, position = raw[written:], position + written
        where: Parameters = {REGION: region.name, SIZE: len(to_raw(tensor.data))}
        tensor.parameters = {**tensor.parameters, **where, **({OFFSET: offset} if offset else {})}

    def _place(self, parameters: Parameters, where: str) -> tuple[Region, int, int]:
        name, size, offset = parameters[REGION], parameters.get(SIZE), parameters.get(OFFSET, 0)
        if type(size) is not int or type(offset) is not int or size < 0 or offset < 0:
            raise invalid(f"{where}: '{SIZE}' and '{OFFSET}' must be numbers of bytes")
        region = self._regions.get(str(name))
        if region is None:
            raise not_found(f"Unable to find shared memory region: '{name}' of {where}")
        if offset + size > region.byte_size:
            raise invalid(
                f"Invalid offset + byte size for shared memory region: '{name}' has {region.byte_size} "
                f"bytes, {where} asks for {size} from {offset} on"
            )
        return region, offset, size


def _open(name: str, key: str) -> int:
    try:
        file = os.open(FOLDER / key, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise invalid(f"Unable to open shared memory region: '{name}': {key}: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise invalid(f"Unable to open shared memory region: '{name}': {key} is not shared memory")
    return file


def _check_size(region: Region) -> None:
    size = os.fstat(region.file).st_size
    if region.offset + region.byte_size > size:
        raise invalid(
            f"failed to register shared memory region '{region.name}': invalid args: '{region.key}' has "
            f"{size} bytes, {region.byte_size} from {region.offset} on were named"
        )


def _read(region: Region, offset: int, buffer: memoryview) -> None:
    done = 0
    while done < len(buffer):
        count = os.preadv(region.file, [buffer[done:]], region.offset + offset + done)
        if count == 0:
            raise invalid(f"shared memory region '{region.name}' has become smaller than it was")
        done += count
