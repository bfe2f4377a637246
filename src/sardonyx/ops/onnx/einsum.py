"""Einsum as transposes, products and sums: operands are joined from left to right."""

from __future__ import annotations

from collections import Counter

from sardonyx.base import dim as dims
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.value import Value
from sardonyx.ops.operands import needs_size
from sardonyx.ops.table import op


@dataclass(frozen=True, slots=True)
class Term:
    """An operand with one label for each of its axes."""

    value: Value
    labels: tuple[str, ...]

    def over(self, labels: tuple[str, ...]) -> Value:
        """The value with its axes in the order of `labels`; absent ones have size 1."""
        at = {label: axis for axis, label in enumerate(self.labels)}
        x = self.value.transpose(*(at[label] for label in labels if label in at))
        return x.reshape([self.value.shape[at[label]] if label in at else 1 for label in labels])

    def sizes(self, labels: tuple[str, ...]) -> tuple[Dim, ...]:
        """The sizes of some of its labels."""
        at = {label: axis for axis, label in enumerate(self.labels)}
        return tuple(self.value.shape[at[label]] for label in labels)


@op("Einsum", since=12)
def einsum(*xs: Value, equation: str) -> Value:
    """The sum of products that an equation such as "...ij,jk->...ik" names."""
    inputs, output = parse(equation, [x.rank for x in xs])
    terms = [_diagonal(Term(x, labels)) for x, labels in zip(xs, inputs, strict=True)]
    result = _alone(terms[0], {label for t in terms[1:] for label in t.labels} | set(output))
    for index, term in enumerate(terms[1:], 2):
        needed = {label for t in terms[index:] for label in t.labels} | set(output)
        result = _joined(result, _alone(term, needed | set(result.labels)), needed)
    result = _alone(result, set(output))
    missing = set(output) - set(result.labels)
    if missing:
        raise ShapeError(
            f'equation "{equation}": the result names {", ".join(sorted(missing))}, no operand does'
        )
    return result.over(output)


def parse(equation: str, ranks: list[int]) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """The labels of each operand and of the result.

    The axes of an ellipsis are labelled "-1", "-2", ... from its end.
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    texts = left.split(",")
    if len(texts) != len(ranks):
        raise ShapeError(f'equation "{equation}" names {len(texts)} operands, there are {len(ranks)}')
    inputs = []
    for text, rank in zip(texts, ranks, strict=True):
        hidden = rank - len(text.replace("...", ""))
        if hidden < 0 or (hidden and "..." not in text):
            raise ShapeError(f'equation "{equation}": "{text}" does not fit rank {rank}')
        inputs.append(_labels(text, hidden))
    widest = max((sum(label[0] == "-" for label in labels) for labels in inputs), default=0)
    if arrow:
        return inputs, _labels(right, widest)
    counts = Counter(label for labels in inputs for label in labels)
    single = sorted(label for label, n in counts.items() if n == 1 and label[0] != "-")
    return inputs, (*_labels("...", widest), *single)


def _labels(text: str, hidden: int) -> tuple[str, ...]:
    before, dots, after = text.partition("...")
    if not all(c.isalpha() for c in before + after):
        raise UnsupportedOp(f'the term "{text}"')
    return (*before, *(f"{-n}" for n in range(hidden, 0, -1) if dots), *after)


def _diagonal(term: Term) -> Term:
    """Repeated labels of one operand: its diagonal."""
    double = next((label for label, n in Counter(term.labels).items() if n > 1), None)
    if double is None:
        return term
    first, second = [axis for axis, label in enumerate(term.labels) if label == double][:2]
    rest = [axis for axis in range(term.value.rank) if axis not in (first, second)]
    size = term.value.shape[first]
    if not isinstance(size, int):
        raise needs_size(size, "the size of a diagonal")
    x = term.value.transpose(*rest, first, second)
    kept = x.shape[:-2]
    flat = x.reshape((*kept, size * size))
    y = flat.slice((0,) * flat.rank, (*kept, size), (*(1,) * len(kept), size + 1))
    return _diagonal(Term(y, (*(term.labels[a] for a in rest), double)))


def _alone(term: Term, needed: set[str]) -> Term:
    """Sum over labels that nothing else names."""
    axes = [axis for axis, label in enumerate(term.labels) if label not in needed]
    if not axes:
        return term
    kept = tuple(axis for axis in range(term.value.rank) if axis not in axes)
    y = term.value.sum(*axes).reshape([term.value.shape[a] for a in kept])
    return Term(y, tuple(term.labels[a] for a in kept))


def _joined(a: Term, b: Term, needed: set[str]) -> Term:
    """The product of two operands, summed over shared labels that nothing after it names."""
    shared = tuple(label for label in a.labels if label in b.labels)
    inner = tuple(label for label in shared if label not in needed)
    batch = tuple(label for label in shared if label in needed)
    rows = tuple(label for label in a.labels if label not in shared)
    columns = tuple(label for label in b.labels if label not in shared)
    if not inner:
        labels = (*batch, *rows, *columns)
        return Term(a.over(labels) * b.over(labels), labels)
    depth = dims.product(a.sizes(inner))
    left, right = a.over((*batch, *rows, *inner)), b.over((*batch, *inner, *columns))
    left = left.reshape((*a.sizes(batch), dims.product(a.sizes(rows)), depth))
    right = right.reshape((*b.sizes(batch), dims.product(b.sizes(inner)), dims.product(b.sizes(columns))))
    y = left.dot(right)
    y = y.reshape((*y.shape[: len(batch)], *a.sizes(rows), *b.sizes(columns)))
    return Term(y, (*batch, *rows, *columns))
