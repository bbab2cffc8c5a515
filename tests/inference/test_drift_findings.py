"""Which rolling ICs are beyond their limits, and how often a good model is doubted."""

import numpy as np
import pytest

from alphaseeker.config import MonitoringConfig
from alphaseeker.inference.drift_findings import age_findings, ic_findings

DEFAULT = MonitoringConfig()


def symbol(name, ic, pairs):
    return {"symbol": name, "ic": ic, "ic_t": 0.0, "pooled": ic, "pairs": pairs}


def rolling(ic, pairs=1_000, expected=0.1, by_symbol=()):
    return {
        "ic": ic,
        "pairs": pairs,
        "independent": float(pairs),
        "expected": expected,
        "by_symbol": list(by_symbol) or [symbol("A", ic, pairs)],
    }


def kinds(found):
    return [one.kind for one in found]


@pytest.mark.parametrize(
    ("ic", "expected", "pairs", "named"),
    [
        (0.1, 0.1, 1_000, []),
        (0.03, 0.1, 1_000, []),  # 2.2 standard errors behind
        (-0.02, 0.1, 1_000, ["ic_gap"]),
        (0.1, 0.3, 1_000, ["ic_gap"]),
        (-0.2, 0.1, 1_000, ["rolling_ic", "ic_gap"]),
        (-0.2, -0.2, 1_000, ["rolling_ic"]),
        (-0.2, 0.1, 199, []),  # fewer than MIN_RESOLVED
        (-0.05, 0.0, 1_000, []),
    ],
)
def test_what_is_found(ic, expected, pairs, named):
    assert kinds(ic_findings(rolling(ic, pairs, expected), DEFAULT)) == named


def test_a_finding_says_what_and_by_how_much():
    first, second = ic_findings(rolling(-0.2), DEFAULT)
    assert first.as_dict() == {
        "kind": "rolling_ic",
        "name": "MIN_ROLLING_IC",
        "value": -0.2,
        "limit": 0.0,
        "symbol": "",
        "sentence": first.sentence,
    }
    assert "an IC of -0.200, 6.4 standard errors below MIN_ROLLING_IC (0)" in first.sentence
    assert (second.name, second.value) == ("MAX_IC_GAP", pytest.approx(0.3))
    (old,) = age_findings(31.0, DEFAULT)
    assert (old.kind, old.name, old.value) == ("model_age", "MAX_MODEL_AGE_DAYS", 31.0)
    assert age_findings(30.0, DEFAULT) == []


def test_one_symbol_of_many_is_named():
    good = [symbol(f"S{k}", 0.1, 800) for k in range(20)]
    bad = symbol("BAD", -0.3, 800)
    found = ic_findings(rolling(0.08, 16_800, by_symbol=[*good, bad]), DEFAULT)
    assert {one.symbol for one in found} == {"BAD"}
    assert kinds(found) == ["rolling_ic", "ic_gap"]
    # Of many symbols one is as far behind by chance: 3.5 standard errors of one are enough.
    late = symbol("LATE", -0.024, 800)
    assert kinds(ic_findings(rolling(-0.024, 800, by_symbol=[late]), DEFAULT)) == ["ic_gap"]
    assert ic_findings(rolling(0.09, 16_800, by_symbol=[*good, late]), DEFAULT) == []
    # Where all of them together fail, one sentence says it.
    found = ic_findings(rolling(-0.3, 16_800, by_symbol=[bad] * 21), DEFAULT)
    assert {one.symbol for one in found} == {""}


def test_a_good_model_is_not_doubted_and_a_dead_one_is():
    # ICs of 1,000 predictions, as they scatter about the true one.
    random = np.random.default_rng(0)
    error = 1.0 / np.sqrt(1_000)
    for true, doubted in ((0.1, 0.0), (-0.1, 1.0)):
        drawn = true + error * random.normal(size=1_000)
        share = np.mean([bool(ic_findings(rolling(ic), DEFAULT)) for ic in drawn])
        assert share == pytest.approx(doubted, abs=0.005)
