"""Runs of channels as words of a call; what kernels read of them is asked by test_conv."""

from __future__ import annotations

from sardonyx.kernels.convolution.parts import run_table, runs_by_group


def test_runs_of_each_group() -> None:
    runs = ((0, 9), (48, 11), (9, 7), (16, 2), (59, 5), (64, 6))
    assert runs_by_group(runs, 20) == [[(0, 9), (48, 11)], [(9, 7), (16, 2), (59, 5), (64, 6)]]
    assert runs_by_group((), 20) == []


def test_behind_the_last_run_of_a_group_no_channel_follows() -> None:
    table = run_table([[(0, 9), (48, 11)], [(9, 7), (16, 2), (59, 11)]])
    assert table.tolist() == [
        [[0, 0], [48, 9], [0, 20], [0, 20]],
        [[9, 0], [16, 7], [59, 9], [0, 20]],
    ]
