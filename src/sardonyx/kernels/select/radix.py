"""Sorting entries by digits of their keys: as many passes as there are bytes in which keys differ.

Decides the digits. Must not know what keys stand for.
"""

from __future__ import annotations

from sardonyx.llvm.vec import Function, Module, V, int_

ENTRY_BYTES = 16
_ENTRY = "<2 x i64>"
_DIGIT_BITS = 8
_DIGITS = 1 << _DIGIT_BITS


def entry_at(f: Function, entries: V, at: V) -> V:
    """The address of an entry: an unsigned key, and behind it what goes with the key, two i64."""
    return f.gep(entries, at, _ENTRY)


def load_key(f: Function, entry: V) -> V:
    """The key of an entry."""
    return f.load(entry, "i64", 8)


def load_payload(f: Function, entry: V) -> V:
    """What goes with the key of an entry."""
    return f.load(f.gep(entry, int_(1), "i64"), "i64", 8)


def store_entry(f: Function, entry: V, key: V, payload: V) -> None:
    """Write an entry."""
    f.store(key, entry, 8)
    f.store(payload, f.gep(entry, int_(1), "i64"), 8)


def define_radix(module: Module, name: str) -> str:
    """Add `ptr @name_radix(ptr entries, ptr other, i64 size, i64 varying)`; returns its name.

    The entries are sorted by their keys, equal ones as they stood, where they are or in `other`, memory for
    as many: the result says where. `varying` has all bits in which two keys differ.
    """
    symbol = f"{name}_radix"
    params = [("entries", "ptr"), ("other", "ptr"), ("size", "i64"), ("varying", "i64")]
    f = Function(module, symbol, params, "ptr", internal=True, attributes="nounwind noinline")
    entries, other, size, varying = f.params
    ends = f.alloca("i64", _DIGITS)
    more = [entries, other, varying, int_(0)]
    with f.repeat(lambda *carried: f.icmp("ne", carried[2], int_(0)), more) as digits:
        source, sink, rest, passed = digits.carried
        skipped = f.call("llvm.cttz.i64", "i64", rest, int_(1, "i1"))
        shift = f.add(passed, skipped)
        _count(f, ends, source, size, shift)
        with f.loop(int_(0), size) as loop:
            entry = entry_at(f, source, loop.index)
            slot = _slot(f, ends, entry, shift)
            to = f.load(slot, "i64")
            f.store(f.add(to, int_(1)), slot)
            f.store(f.load(entry, _ENTRY, 8), entry_at(f, sink, to), 8)
        left = f.binary("lshr", f.binary("lshr", rest, skipped), int_(_DIGIT_BITS))
        digits.next(sink, source, left, f.add(shift, int_(_DIGIT_BITS)))
    f.ret(digits.carried[0])
    f.finish()
    return symbol


def _slot(f: Function, slots: V, entry: V, shift: V) -> V:
    """The slot of an entry's digit."""
    digit = f.binary("and", f.binary("lshr", load_key(f, entry), shift), int_(_DIGITS - 1))
    return f.gep(slots, digit, "i64")


def _count(f: Function, begins: V, source: V, size: V, shift: V) -> None:
    """Set where the entries of each digit begin."""
    with f.loop(int_(0), int_(_DIGITS)) as digit:
        f.store(int_(0), f.gep(begins, digit.index, "i64"))
    with f.loop(int_(0), size) as loop:
        slot = _slot(f, begins, entry_at(f, source, loop.index), shift)
        f.store(f.add(f.load(slot, "i64"), int_(1)), slot)
    with f.loop(int_(0), int_(_DIGITS), 1, [int_(0)]) as digit:
        slot = f.gep(begins, digit.index, "i64")
        count = f.load(slot, "i64")
        f.store(digit.carried[0], slot)
        digit.next(f.add(digit.carried[0], count))
