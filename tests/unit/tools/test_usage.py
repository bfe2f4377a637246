"""Wrong usage is told with the command that was asked, and with what it takes instead."""

from __future__ import annotations

import pytest

from sardonyx.tools.cli import parser


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bench", "--json"], "required: MODEL"),
        (["zoo", "list", "--nothing"], "unrecognized arguments: --nothing"),
        (["zoo", "buy", "--json", "x"], "invalid choice: 'buy'"),
        (["monitor"], "required: ACT; ACT is one of list, show, "),
        (["deploy", "a", "b", "--wieght=1"], "usage: sardonyx deploy "),
        (["deploy", "a", "b", "--wieght=1"], "unrecognized arguments: --wieght=1; did you mean --weight?"),
        (["key", "create", "a", "--scopse", "x"], "usage: sardonyx key create "),
    ],
)
def test_wrong_usage(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(words)
    assert ended.value.code == 2 and said in capsys.readouterr().err
