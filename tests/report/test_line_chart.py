"""A line as SVG: what is drawn stands where it should."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from alphaseeker.report.line_chart import LEFT, RIGHT, TOP, WIDTH, line_chart, thinned

START = 1_704_067_200 * 10**9


def points(svg):
    (line,) = (e for e in ElementTree.fromstring(svg) if e.tag == "polyline")
    return [tuple(map(float, pair.split(","))) for pair in line.get("points").split()]


def test_the_line_goes_through_its_points():
    stamps = START + 10**9 * np.array([0, 10, 40])
    svg = line_chart(stamps, np.array([1.0, 3.0, 2.0]), title="t", height=200, style="equity")
    inner = WIDTH - LEFT - RIGHT
    (x0, y0), (x1, y1), (x2, y2) = points(svg)
    assert (x0, x1, x2) == pytest.approx((LEFT, LEFT + inner / 4, WIDTH - RIGHT), abs=0.06)
    assert y1 == pytest.approx(TOP)
    assert y2 == pytest.approx((y0 + y1) / 2, abs=0.06)


@pytest.mark.parametrize("values", [[5.0], [0.0, 0.0], [1e9, 1e9 + 1], [-1e-9, 1e-9], [1e-300, 0]])
def test_any_range_gives_a_chart(values):
    stamps = START + np.arange(len(values))
    svg = line_chart(stamps, np.array(values), title="t", height=100, style="down", baseline=0.0)
    assert "nan" not in svg
    assert len(points(svg)) == len(values)


def test_a_long_line_keeps_its_extremes():
    values = np.random.default_rng(1).normal(size=100_000)
    places = thinned(values)
    assert len(places) < 1_700
    kept = values[places]
    assert (kept.min(), kept.max()) == (values.min(), values.max())
    assert (places[0], places[-1]) == (0, len(values) - 1)


def test_times_are_worded_by_how_long_the_line_is():
    for days, form in (
        (1 / 48, r"\d\d:\d\d:\d\d"),
        (2, r"01-0\d \d\d:\d\d"),
        (30, r"2024-01-\d\d"),
    ):
        stamps = np.array([START, START + int(days * 86_400 * 10**9)])
        svg = line_chart(stamps, np.array([1.0, 2.0]), title="t", height=100, style="equity")
        assert re.search(rf">{form}</text>", svg)


@pytest.mark.parametrize(
    ("low", "high", "first", "last"),
    [
        (9_990.0, 10_010.0, "9,990", "10,010"),
        (0.2, 0.25, "0.20", "0.25"),
        (0.0, 3e6, "0", "3,000,000"),
    ],
)
def test_numbers_on_the_axis_have_the_decimals_that_tell_them_apart(low, high, first, last):
    stamps = np.array([START, START + 10**9])
    svg = line_chart(stamps, np.array([low, high]), title="t", height=100, style="equity")
    texts = [e.text for e in ElementTree.fromstring(svg) if e.get("text-anchor") == "end"]
    assert (texts[0], texts[:-1][-1]) == (first, last)
    assert len(set(texts)) == len(texts)
