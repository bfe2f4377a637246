"""Marks of drawings as SVG."""

from __future__ import annotations

from xml.etree import ElementTree

from sardonyx.base import svg


def test_a_file_with_marks_of_every_kind() -> None:
    marks = (
        svg.text(1, 2, "<a> & b", "end", "soft"),
        svg.bar(1, 2, 3.04, 4, "mark"),
        svg.line(0, 0, 1, 1),
        svg.dot(5, 6, 2, hint="x < y"),
        svg.dot(5, 6, 2),
        svg.course([(0, 1), (2.04, 3)], "roof"),
    )
    root = ElementTree.fromstring(svg.document(10, 20, "t & u", marks))
    assert root.attrib["viewBox"] == "0 0 10 20"
    title, style, paper, words, bar, line, pointed, dot, course = root
    assert (title.text, paper.attrib["class"]) == ("t & u", "paper")
    assert (words.text, words.attrib["class"], words.attrib["text-anchor"]) == ("<a> & b", "soft", "end")
    assert bar.attrib == {"class": "mark", "x": "1.0", "y": "2.0", "width": "3.0", "height": "4.0"}
    assert "class" not in line.attrib and len(dot) == 0
    assert course.attrib == {"class": "roof", "d": "M0.0 1.0 L2.0 3.0"}
    assert [hint.text for hint in pointed] == ["x < y"]
    assert style.text and "prefers-color-scheme: dark" in style.text
