"""Damage to the bytes of a file, whatever they mean."""

from __future__ import annotations

from random import Random


def damage(data: bytes, other: bytes, chance: Random) -> bytes:
    """One to four times: change, drop, insert, repeat or cut bytes, or splice in some of another file."""
    spoiled = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        at = chance.randrange(len(spoiled) + 1)
        length = chance.choice((1, 1, 2, 4, 8, 40))
        match chance.randrange(8):
            case 0 | 1:
                spoiled[at : at + 1] = bytes([chance.randrange(256)])
            case 2:
                spoiled[at : at + 1] = bytes([b ^ 1 << chance.randrange(8) for b in spoiled[at : at + 1]])
            case 3:
                del spoiled[at : at + length]
            case 4:
                spoiled[at:at] = chance.randbytes(length)
            case 5:
                spoiled[at:at] = spoiled[max(0, at - length) : at]
            case 6 if chance.random() < 0.3:
                del spoiled[at:]
            case _:
                start = chance.randrange(len(other) + 1)
                spoiled[at : at + length] = other[start : start + length]
    return bytes(spoiled)
