"""Calls of matrix products and determinants."""

from __future__ import annotations

import numpy as np

from tests.property.operators.draw import Array, Draw, kind_of
from tests.property.operators.judges import formula
from tests.property.operators.recipe import Call, recipe


def _operand(d: Draw, shape: tuple[int, ...]) -> Array:
    return d.array(shape, specials="nonfinite")


def _largest(a: Array, b: Array) -> float:
    sizes = (np.abs(x.astype(np.float64)) for x in (a, b) if kind_of(x.dtype) == "f")
    return float(np.prod([s[np.isfinite(s)].max(initial=0) for s in sizes]))


@recipe("MatMul")
def matmul(d: Draw) -> Call:
    m, k, n = d.shape(3, 3, high=17)
    left, right = d.broadcasting(2, most=2)
    a = (k,) if d.integer(0, 3) == 3 else (*left, m, k)
    b = (k,) if d.integer(0, 3) == 3 else (*right, k, n)
    x, y = _operand(d, a), _operand(d, b)
    return Call([x, y], judge=formula(np.matmul), length=k + 1, magnitude=k * _largest(x, y))


@recipe("Gemm")
def gemm(d: Draw) -> Call:
    m, k, n = d.shape(3, 3, high=17)
    turn_a, turn_b = (d.maybe(int(d.flag())) for _ in range(2))
    a, b = _operand(d, (k, m) if turn_a else (m, k)), _operand(d, (n, k) if turn_b else (k, n))
    whole = d.opset < 7 and not d.flag()
    sizes = (m, n) if whole else tuple(size if d.flag() else 1 for size in (m, n))[d.integer(0, 2) :]
    c = _operand(d, sizes) if d.opset < 11 or d.flag() else None
    real = kind_of(d.element) == "f"
    alpha, beta = (d.maybe(d.one_of(0.5, 2.0, -1.0)) if real else None for _ in range(2))

    def run(a: Array, b: Array, c: Array | None = None) -> Array:
        y = (a.T if turn_a else a) @ (b.T if turn_b else b)
        y = y if alpha is None else y * alpha
        return y if c is None else y + (c if beta is None else c * beta)

    largest = 2 * k * _largest(a, b) + (0.0 if c is None else 2 * _largest(c, np.ones(1)))
    attributes = {"transA": turn_a, "transB": turn_b, "alpha": alpha, "beta": beta}
    if d.opset < 7:
        attributes["broadcast"] = None if whole else 1
    return Call([a, b, c], 1, formula(run), k + 2, largest, **attributes)


EQUATIONS = (
    *(
        "ij,jk->ik",
        "bij,bjk->bik",
        "ij,kj",
        "i,i->",
        "i,j->ij",
        "ii->i",
        "ii->",
        "ij->ji",
        "ij->",
        "...i->...",
    ),
    *(
        "...ij,...jk->...ik",
        "...ij,jk",
        "ij,jk,kl->il",
        "bhqd,bhkd->bhqk",
        "ij,ij->i",
        "iij->j",
        "i j , j->i",
    ),
    *("i...,i...->...", "...,...->...", "abc,cd,bd->ad"),
)


@recipe("Einsum")
def einsum(d: Draw) -> Call:
    equation = d.one_of(*EQUATIONS)
    sizes: dict[str, int] = {}
    batch = d.shape(most=2, high=3)
    xs = []
    for term in equation.split("->")[0].replace(" ", "").split(","):
        letters = [sizes.setdefault(c, d.integer(0, 4)) for c in term.replace("...", "")]
        at = term.replace("...", ".").find(".")
        shape = letters if at < 0 else [*letters[:at], *batch, *letters[at:]]
        xs.append(d.array(shape, specials="none"))
    terms = int(np.prod([max(n, 1) for n in sizes.values()]))
    top = float(np.prod([np.abs(x.astype(np.float64)).max(initial=0) for x in xs]))
    judge = formula(lambda *xs: np.asarray(np.einsum(equation, *xs)))
    return Call(xs, judge=judge, length=terms, magnitude=terms * top, equation=equation)


@recipe("Det")
def det(d: Draw) -> Call:
    n = d.integer(1, 6)
    x = d.within((*d.shape(most=2), n, n), -2, 2)
    return Call([x], judge=formula(np.linalg.det), length=n**3, magnitude=float(n**3 * 2**n))
