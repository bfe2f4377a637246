"""Feeds that one graph serves read alike, and others do not."""

from __future__ import annotations

import numpy as np

from sardonyx.base.dependence import FeedDependence, content
from sardonyx.errors import NeedsContent

FEEDS = [np.zeros((2, 3)), np.array([1, 2]), np.array(["a", "b"], object)]


def read(needs: FeedDependence, *feeds: object) -> object:
    return needs.reader(["x", "i", "s"])(feeds)


def test_contents_tell_feeds_apart_whatever_their_type() -> None:
    needs = FeedDependence(contents=frozenset(["i", "s"]))
    assert read(needs, *FEEDS) == read(needs, np.ones((9, 9)), *FEEDS[1:])
    assert read(needs, *FEEDS) != read(needs, FEEDS[0], np.array([1, 3]), FEEDS[2])
    assert read(needs, *FEEDS) != read(needs, *FEEDS[:2], np.array(["a", "c"], object))
    assert read(needs, *FEEDS) != read(needs, FEEDS[0], np.array([[1, 2]]), FEEDS[2]), "shapes belong to it"


def test_sizes_shapes_and_units() -> None:
    sizes = FeedDependence(sizes=frozenset([("n", "x", 0)]))
    assert read(sizes, *FEEDS) != read(sizes, np.zeros((3, 3)), *FEEDS[1:])
    assert read(sizes, *FEEDS) == read(sizes, np.zeros((2, 9)), *FEEDS[1:])
    units = FeedDependence(units=frozenset([("n", "x", 0)]))
    assert read(units, *FEEDS) == read(units, np.zeros((7, 3)), *FEEDS[1:])
    assert read(units, *FEEDS) != read(units, np.zeros((1, 3)), *FEEDS[1:])
    assert read(units, np.zeros((0, 3)), *FEEDS[1:]) != read(units, np.zeros((1, 3)), *FEEDS[1:])
    assert read(FeedDependence(shapes=frozenset(["x"])), *FEEDS) == ((2, 3),)


def test_needs_grow_and_read_the_same_in_any_order() -> None:
    one = NeedsContent("", inputs=("i",), sizes=(("n", "x", 0),))
    two = NeedsContent("", shapes=("s",), units=(("m", "x", 1),), tensors=("t",))
    both, swapped = FeedDependence().with_(one).with_(two), FeedDependence().with_(two).with_(one)
    assert both == swapped
    assert both.text() == swapped.text() != FeedDependence().text()


def test_content_is_hashable() -> None:
    assert hash(content(FEEDS[1])) != hash(content(FEEDS[2]))
