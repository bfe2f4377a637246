"""Ordinals of features: how many of its thresholds a number passes, by two comparisons. Writes code."""

from __future__ import annotations

from sardonyx.kernels.trees.arguments import Forest, Word
from sardonyx.kernels.trees.ordinals import SEARCHED
from sardonyx.kernels.trees.totals import Words
from sardonyx.llvm.convert import memory_type
from sardonyx.llvm.vec import Function, V, int_

_PASSES = ("ogt", "oge", "olt", "ole")
"""What numbers do that a node of each mode says no to."""


class Searches:
    """Writes the searches of a forest into a function being written."""

    def __init__(self, f: Function, forest: Forest, word: Words) -> None:
        self.f, self.forest, self.word = f, forest, word
        self.real = memory_type(forest.dtype)

    def write(self, row: V, to: V, step: int) -> None:
        """The ordinals of a row of X, one each `step` bytes; those that no NaN passes behind the others."""
        f, word = self.f, self.word
        features = f.gep(word[Word.X], f.mul(row, word[Word.FEATURES]), self.real)
        with f.loop(int_(0), word[Word.SEARCHES]) as search:
            asked = f.convert("zext", f.load(f.gep(word[Word.ASKED], search.index, "i32"), "i32"), "i64")
            x = f.load(f.gep(features, asked, self.real), self.real)
            found = self._search(x, search.index)
            unknown = f.convert("sext", f.fcmp("uno", x, x), "i8")
            f.store(f.binary("or", found, unknown), f.gep(to, f.mul(search.index, int_(step)), "i8"))
            if self.forest.missing:
                place = f.add(word[Word.SEARCHES], search.index)
                f.store(found, f.gep(to, f.mul(place, int_(step)), "i8"))

    def _search(self, x: V, search: V) -> V:
        f, word = self.f, self.word
        pivots = f.gep(word[Word.PIVOTS], f.mul(search, int_(SEARCHED)), self.real)
        passed = f.mul(self._passed(x, pivots), int_(SEARCHED))
        limits = f.gep(word[Word.LIMITS], f.mul(search, word[Word.SEARCH_LIMITS]), self.real)
        found = f.add(passed, self._passed(x, f.gep(limits, passed, self.real)))
        return f.convert("trunc", found, "i8")

    def _passed(self, x: V, limits: V) -> V:
        """How many of some thresholds a number passes."""
        f = self.f
        many = f.splat(x, SEARCHED)
        passes = f.fcmp(_PASSES[self.forest.modes[0]], many, f.load(limits, many.type))
        bits = f.convert("zext", f.bitcast(passes, f"i{SEARCHED}"), "i64")
        return f.call("llvm.ctpop.i64", "i64", bits)
