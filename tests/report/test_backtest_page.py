"""The page of a backtest stands by itself and holds what the result holds."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from alphaseeker.report.backtest_page import backtest_page, write_backtest_page
from known_markets import frame, run, walk


class Balanced(HTMLParser):
    """Checks that every element is closed where it should be."""

    alone = frozenset({"meta", "line", "rect", "polyline", "polygon", "br"})

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in self.alone:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.alone:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def result():
    bids, asks = walk(3_000, seed=4, step=0.05)
    sides = np.random.default_rng(4).choice([-1, 0, 1], 3_000, p=[0.1, 0.8, 0.1])
    return run(frame(bids, asks, symbol="<A&B>"), sides)


def test_the_page_stands_by_itself(result, tmp_path):
    path = write_backtest_page(tmp_path / "new" / "page.html", result, source="file <1>")
    page = path.read_text(encoding="utf-8")
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert not re.search(r"https?://|<script|<link|@import|src=", page)
    assert "prefers-color-scheme:dark" in page
    assert "&lt;A&amp;B&gt;" in page
    assert "file &lt;1&gt;" in page


def test_it_holds_what_the_result_holds(result):
    page = backtest_page(result)
    m = result.metrics
    for text in (f"{m['net_return']:+.2%}", f"{m['trades']:,}", f"{-m['fees']:+,.2f}"):
        assert text in page
    assert page.count("<tr>") - 1 > min(len(result.trades), 200)
    last = result.trades.iloc[-1]
    assert f"{last.net_pnl:+,.2f}" in page


def test_folds_and_warnings_are_shown_where_there_are_any(result):
    assert "<h2>Folds</h2>" not in backtest_page(result)
    fold = {"fold": 1, **result.metrics}
    page = backtest_page(replace(result, folds=(fold,), warnings=("mind <this>",)))
    assert "<h2>Folds</h2>" in page
    assert "mind &lt;this&gt;" in page


def test_nothing_traded_gives_a_page_too():
    bids = np.full(100, 100.0)
    page = backtest_page(run(frame(bids, bids + 0.01), np.zeros(100)))
    assert "Net return by trade" not in page
    assert "nan" not in page
