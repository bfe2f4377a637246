"""Stray quotes of a CSV are refused by their lines; cells that have several lines by right are read."""

from __future__ import annotations

import csv
import io
import random

import pytest

from sardonyx.train.quotes import check_quotes

ROWS = ["name,size,hue,price", *(f"p{at},{at},red,{at * 3}" for at in range(1, 30))]


def with_lines(changed: dict[int, str]) -> str:
    return "\n".join(changed.get(at, row) for at, row in enumerate(ROWS, start=1)) + "\n"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({10: '"p9,9,red,27'}, "line 10 is never closed; take it away"),
        ({10: '"p9,9,red,27', 20: '"p19",19,red,57'}, "line 10 ends it in line 20"),
        ({10: '"p9,9,red,27', 20: 'p19",19,red,57'}, "line 10 ends it in line 20"),
        ({10: '"p9,9,red,27', 12: '"p11,11,red,57'}, "line 10 ends it in line 12"),
        ({10: 'p9,"9,red,27', 11: 'p10,10,red",30'}, "line 10 ends it in line 11"),
        ({10: '"p9,9,red,27', 11: 'p10",10,red,30'}, "line 10 ends it in line 11"),
        ({10: 'p9,"9,red,27', 11: 'p10,10",red,30'}, "line 10 ends it in line 11"),
        (
            {5: '"p,\n4",4,"a ""b""",12', 10: 'p9,"9,red,27', 11: 'p10,10,red",30'},
            "line 11 ends it in line 12",
        ),
    ],
)
def test_stray_quotes(changed: dict[int, str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        check_quotes(with_lines(changed), ",", 4)


@pytest.mark.parametrize(
    "changed",
    [
        {10: 'p9,5",red,27', 20: 'p19,7",red,57'},
        {10: '"p\n9, of Main St",9,"a ""b""\n",27'},
        {10: '"p\n\n9",9,red,27', 29: 'p,"28",red,"one, two\nthree"'},
        {10: 'p9,"9" ,"red"x,27'},
        {10: '"p9, 9, blue, old\nsecond",9,red,27'},
    ],
    ids=("inches", "two in a row", "at the end", "odd but of one line", "commas of a row"),
)
def test_quotes_by_right(changed: dict[int, str]) -> None:
    check_quotes(with_lines(changed), ",", 4)


def test_texts_of_two_columns() -> None:
    text = "name,address\n" + 'a,"Main 5\nTown, IL\nUSA"\n' * 9
    check_quotes(text, ",", 2)
    with pytest.raises(ValueError, match="line 3 ends it in line 7"):
        check_quotes('a,b\n1,2\n"3,4\n5,6\n7,8\n9,9\n0",2\n', ",", 2)


@pytest.mark.parametrize("delimiter", [",", "|"])
def test_what_a_library_writes_is_never_refused(delimiter: str) -> None:
    draw = random.Random(0)
    rows = [["".join(draw.choices('ab|,"\n ;', k=draw.randrange(9))) for _ in range(5)] for _ in range(2000)]
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows([list("vwxyz"), *rows])
    check_quotes(file.getvalue(), delimiter, 5)
