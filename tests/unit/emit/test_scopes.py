"""Values and pointers follow the loops: a fixed axis moves its pointers until the scope ends."""

from __future__ import annotations

import pytest

from sardonyx import targets
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.emit.scopes import Scopes
from sardonyx.emit.words import Words
from sardonyx.llvm.vec import Function, Module, V, int_
from sardonyx.loops.nest import Affine, Axis, Buffer, Kernel, Load, Store

ROW, COLUMN = Axis("r", 3), Axis("c", 4)
X, Y = Buffer("x", dt.F32, "in"), Buffer("y", dt.F32, "out")
AT = Affine(5, ((ROW, 4), (COLUMN, 1)))


class Literals(Words):
    """Words that are literals."""

    def __init__(self, function: Function) -> None:
        super().__init__(
            function, V("%args", "ptr"), Kernel("k", (), (), ()), 8, frozenset(), frozenset(), {}
        )

    def word(self, buffer: Buffer | None, dim: Dim) -> V:
        assert isinstance(dim, int)
        return V(f"%{buffer.name}_{dim}", "ptr") if buffer else int_(dim)


class Plain(Scopes):
    """Scopes whose words are literals."""

    def __init__(self) -> None:
        super().__init__(Function(Module(), "f", [("x", "ptr"), ("y", "ptr")]), targets.detect(), COLUMN, 8)
        self.words = Literals(self.f)

    def reuses_scratch(self, axis: Axis) -> bool:
        return False


@pytest.fixture
def scopes() -> Plain:
    made = Plain()
    made.open_accesses([Store(Y, AT, (), Load(X, AT, dt.F32))])
    return made


def test_pointers_begin_at_their_constant_part(scopes: Plain) -> None:
    assert scopes.pointer(X, AT).text == "%x_5"
    assert scopes.pointer(Y, AT).text == "%y_5"


def test_a_fixed_axis_moves_what_changes_with_it_until_the_scope_ends(scopes: Plain) -> None:
    before = scopes.pointer(X, AT)
    with scopes.scope():
        scopes.enter(ROW, int_(2))
        assert scopes.is_entered(ROW)
        assert scopes.index(ROW).text == "2"
        assert scopes.pointer(X, AT) != before
        moved = scopes.pointer(X, AT)
        scopes.enter(ROW, int_(1), keep=True)
        assert scopes.index(ROW).text != "2"
        assert scopes.pointer(X, AT) != moved
        scopes.enter(Axis("other", 2), int_(1))
    assert scopes.pointer(X, AT) == before
    assert not scopes.is_entered(ROW)


def test_values_of_a_scope_are_forgotten_unless_they_are_kept(scopes: Plain) -> None:
    kept: dict[int, V] = {}
    with scopes.scope(kept):
        scopes.values[-1][1] = int_(7)
    assert kept == {1: int_(7)}
    assert len(scopes.values) == 1


def test_copies_stand_side_by_side(scopes: Plain) -> None:
    scopes.enter(COLUMN, int_(0))
    with scopes.copying(COLUMN, [0, 8, 16]) as copies:
        for number, _ in enumerate(scopes.each_copy()):
            assert scopes.current is copies[number]
            scopes.sums["r"] = int_(number)
            assert scopes.index(COLUMN).text == str(8 * number) or number
    assert [copy.sums["r"].text for copy in copies] == ["0", "1", "2"]
    assert scopes.sums["r"].text == "0", "the first goes on"
    assert list(scopes.each_copy()) == [None]


def test_points_that_alternate_keep_what_they_know(scopes: Plain) -> None:
    scopes.enter(ROW, int_(1))
    two = scopes.f.icmp("slt", int_(1), int_(2))
    with scopes.alternating(ROW, two):
        assert [scopes.current.exists for _ in scopes.each_alternate()] == [None, two]
        for number, _ in enumerate(scopes.each_alternate()):
            scopes.values[-1][1] = scopes.sums["r"] = int_(number)
            assert scopes.is_entered(ROW)
            assert scopes.copies == [scopes.current]
        assert [(scopes.values[-1][1].text, scopes.sums["r"].text) for _ in scopes.each_alternate()] == [
            ("0", "0"),
            ("1", "1"),
        ]
        pointers = [scopes.pointer(X, AT).text for _ in scopes.each_alternate()]
        assert len(set(pointers)) == 2
    assert "r" not in scopes.sums
    assert list(scopes.each_alternate()) == [None]
