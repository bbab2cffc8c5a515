import json
from html.parser import HTMLParser

import numpy as np
import pytest

from alphaseeker.config import Config
from alphaseeker.factors.evaluation import evaluate_factor_blocks
from alphaseeker.factors.grade import GRADES
from alphaseeker.report.factors import factor_page, save_factor_page

VOID = {"meta", "br", "link", "img"}


class Page(HTMLParser):
    """Reads a page, and fails where a tag is left open or closed in vain."""

    def __init__(self, text):
        super().__init__()
        self.open, self.words, self.tags = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(self.words)

    def count(self, tag):
        return sum(name == tag for name, _ in self.tags)


def beside(name, place, blocks):
    """What an evaluation adds to a factor beside its grade."""
    ics = [None if block == 2 else 0.01 * (block - place) for block in range(blocks)]
    return {
        "ic_decay": [
            {"horizon_s": 10.0, "ic": 0.1, "ic_t": 5.0, "p_value": 1e-6, "return_spread_bp": 1.0},
            {"horizon_s": 60.0, "ic": 0.0, "ic_t": 0.0, "p_value": 1.0, "return_spread_bp": 0.0},
        ],
        "rolling_ic": ics,
        "autocorrelation": 0.5,
        "cluster": min(place, 1),
        "redundant_with": "best & <first>" if place == 2 else None,
        "redundant_correlation": -0.97 if place == 2 else 0.0,
        "ic_by_day": [{"day": f"2024-01-0{day}", "ic": 0.1, "n_blocks": 9} for day in (1, 2)],
        "ic_by_regime": {
            regime: {"ic": 0.1, "n_blocks": 13} for regime in ("calm", "middle", "wild")
        },
        "sign_share": {"blocks": 0.75, "days": 1.0},
        "by_symbol": [{"symbol": "A<B", "ic": 0.1, "ic_t": 2.0, "p_value": 0.05, "n_blocks": 40}],
    }


@pytest.fixture(scope="module")
def plain():
    from known_factors import SHAPES, block_of, mid_of, planted, times

    random = np.random.default_rng(1)
    shape = SHAPES["4 h of a 1 s grid"]
    timestamp = times(random, shape)
    mid = mid_of(random, timestamp, "normal")
    columns = np.column_stack(
        [
            planted(random, timestamp, mid, 0.3, 60.0),
            random.standard_normal(len(mid)),
            np.full(len(mid), np.nan),
        ]
    )
    names = ["best & <first>", "noise", "never"]
    result = evaluate_factor_blocks([block_of(timestamp, mid, columns, names=names)], Config())
    del result["blocks"]
    for factor in result["factor_results"]:
        for key in beside("", 0, 0):
            factor.pop(key, None)
    return result


@pytest.fixture(scope="module")
def full(plain):
    result = json.loads(json.dumps(plain))
    for place, factor in enumerate(result["factor_results"]):
        factor.update(beside(factor["factor_name"], place, 24))
    result["blocks"] = {"rolling_ic_start": [1.7e9 + 600.0 * block for block in range(24)]}
    return result


def test_a_page_shows_every_factor_and_fetches_nothing(full):
    text = factor_page(full)
    page = Page(text)
    for factor in full["factor_results"]:
        assert factor["factor_name"] in page.text
    assert "best & <first>" not in text
    assert full["report"].splitlines()[1] in page.text
    assert "Factors of MADE_UP" in page.words
    assert "14,400 rows, forward return over 60 s" in page.words
    for word in ("http:", "https:", "<script", "@import", "url("):
        assert word not in text
    for section in ("All factors", "Significance", "Costs", "The same factor twice", "in full"):
        assert section in page.text
    assert page.count("details") == 2  # the third was never finite
    assert "blue points up" in page.text


def test_figures_stand_on_the_page(full):
    page = Page(factor_page(full))
    best = full["factor_results"][0]
    assert f"{best['ic']:+.3f}" in page.text
    assert f"{best['break_even_cost_bp']:.2f}" in page.text
    assert "fee 5.00 bp" in page.text  # TRANSACTION_COST_PCT, told by the figures
    assert f"{best['n_observations']:,}" in page.text
    assert "2023-11-14 22:13" in page.text
    assert "75% of blocks" in page.text
    assert "100% on the side of the mean" in page.text
    assert "IC at 10 s, 60 s" in page.text
    assert "\N{MINUS SIGN}0.97" in page.text
    assert "A<B" in page.text
    for grade in GRADES:
        assert grade in page.text


def test_what_a_result_lacks_is_left_out(plain):
    page = Page(factor_page(plain))
    assert "best & <first>" in page.text
    for section in ("twice", "order of time", "past volatility", "By symbol", "clusters"):
        assert section not in page.text
    bare = Page(factor_page({"factor_results": [{"factor_name": "x"}]}))
    assert "x" in bare.words
    assert bare.count("details") == 0
    none = Page(factor_page({"factor_results": []}))
    assert "All factors" in none.text


def test_no_factor_passes_for_more_than_it_is(full):
    """A cap is seen: the points before it stand in the bar's title, the reason beside the name."""
    factor = dict(full["factor_results"][0], total_score=44.9, grade="C", reason="few blocks")
    page = Page(factor_page({**full, "factor_results": [factor]}))
    assert "44.9 of 100" in page.text
    assert "before caps" in page.text
    assert "few blocks" in page.text
    assert "0 graded B or better" in page.text.replace("  ", " ")


def test_what_was_not_measured_is_no_zero(full):
    never = next(f for f in full["factor_results"] if f["factor_name"] == "never")
    assert never["n_blocks"] == 0
    page = Page(factor_page({"factor_results": [never]}))
    assert "+0.00" not in page.text
    assert {"title": "the factor is never finite", "class": "grade grade-E"} in [
        attrs for tag, attrs in page.tags if tag == "span"
    ]
    best = dict(full["factor_results"][0])
    steps = [dict(step, n_blocks=number) for number, step in enumerate(best["ic_decay"])]
    page = Page(factor_page({"factor_results": [{**best, "ic_decay": steps}]}))
    assert "\N{EN DASH} +0.00" in " ".join(page.text.split())
    assert "10 s" in page.text  # in the heading
    assert "10 s" not in page.words  # and below no column of the chart


def test_only_what_is_significant_gains_after_costs(full):
    rows = [
        dict(full["factor_results"][0], return_spread_net_bp=1.0, significant=s) for s in (1, 0)
    ]
    page = Page(factor_page({"factor_results": rows}))
    assert "1 of the significant gain after costs" in " ".join(page.text.split())


def test_the_page_stands_beside_the_json(full, tmp_path):
    result = save_factor_page({**full, "report_path": str(tmp_path / "factors.json")})
    assert result["page_path"] == str(tmp_path / "factors.html")
    text = (tmp_path / "factors.html").read_text(encoding="utf-8")
    assert text == factor_page(full)
