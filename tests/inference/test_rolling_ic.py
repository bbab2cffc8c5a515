"""The rolling IC held against SciPy and against the training's own figure."""

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr, ttest_1samp

from alphaseeker.inference.realised import PAIRS, REALISED
from alphaseeker.inference.rolling_ic import distance, rolling_ic, score_pairs
from alphaseeker.training.metrics import signed_ranks, symbol_rank_correlation, symbol_ranks


def record(scores, returns):
    """Return the record of a session that resolved these predictions, one after the other."""
    made = np.zeros(1, dtype=REALISED)
    for place, pair in enumerate(zip(scores, returns, strict=True)):
        made["scores"][0, place % PAIRS], made["returns"][0, place % PAIRS] = pair
    made["resolved"] = len(scores)
    return made[0]


def linked(n, correlation, seed=0):
    """Return scores, and returns with ties and heavy tails that they have to do with."""
    random = np.random.default_rng(seed)
    scores = random.normal(size=n)
    noise = random.standard_t(3, size=n)
    returns = correlation * scores + np.sqrt(1.0 - correlation**2) * noise
    return 0.1 * scores, np.round(1e-3 * returns, 4)


@pytest.mark.parametrize("n", [3, 50, PAIRS, 2_500])
def test_it_is_spearmans_and_the_trainings_own_of_the_latest_pairs(n):
    scores, returns = linked(n, 0.3)
    found = rolling_ic({"A": record(scores, returns)})
    scores, returns = np.round(scores[-PAIRS:], 6), returns[-PAIRS:]
    symbol = np.zeros(len(scores), dtype=np.int64)
    assert found["pooled"] == pytest.approx(spearmanr(scores, returns).statistic)
    assert found["pooled"] == pytest.approx(symbol_rank_correlation(scores, returns, symbol))
    x, y = signed_ranks(scores, symbol), signed_ranks(returns, symbol)
    assert found["ic"] == pytest.approx((x @ y) / np.sqrt((x @ x) * (y @ y)))
    assert found["pairs"] == len(scores)
    assert found["independent"] == pytest.approx(len(scores))


def test_pairs_come_oldest_first():
    scores, returns = linked(PAIRS + 7, 0.1)
    kept = score_pairs(record(scores, returns))
    np.testing.assert_array_equal(kept[0], scores[7:])
    np.testing.assert_array_equal(kept[1], returns[7:])


def test_ranks_are_taken_within_each_symbol():
    parts = [linked(n, 0.3, seed) for seed, n in enumerate((400, 300, 200))]
    # Symbols of other scales: ranked together the largest would hide the others.
    parts = [(10.0**k * s, 100.0**k * r) for k, (s, r) in enumerate(parts)]
    found = rolling_ic({f"S{k}": record(*part) for k, part in enumerate(parts)})
    symbol = np.repeat(np.arange(3), [len(part[0]) for part in parts])
    scores, returns = (np.concatenate([part[side] for part in parts]) for side in (0, 1))
    ranks = symbol_ranks(np.round(scores, 6), symbol), symbol_ranks(returns, symbol)
    assert found["pooled"] == pytest.approx(pearsonr(*ranks).statistic, abs=1e-3)
    assert [one["symbol"] for one in found["by_symbol"]] == ["S0", "S1", "S2"]
    for one, part in zip(found["by_symbol"], parts, strict=True):
        assert one["pooled"] == pytest.approx(spearmanr(np.round(part[0], 6), part[1]).statistic)
        assert one["pairs"] == len(part[0])


def test_symbols_that_move_as_one_are_no_surer_than_one():
    one = record(*linked(500, 0.2))
    alone, ten = rolling_ic({"A": one}), rolling_ic({f"S{k}": one for k in range(10)})
    assert ten["ic"] == pytest.approx(alone["ic"])
    assert ten["independent"] == pytest.approx(500)
    assert ten["ic_t"] == pytest.approx(alone["ic_t"])
    assert ten["pairs"] == 5_000


def test_the_distance_is_the_t_of_a_correlation():
    # spearmanr's own p-value is that of this t with n - 2 degrees of freedom.
    scores, returns = linked(80, 0.3)
    from scipy.stats import t

    found = spearmanr(scores, returns)
    own = distance(found.statistic, 0.0, 80)
    assert 2.0 * t.sf(abs(own), 78) == pytest.approx(found.pvalue)
    assert distance(0.1, 0.3, 80) == pytest.approx(-distance(-0.1, -0.3, 80))
    assert distance(0.5, 0.0, 2) == 0.0
    assert np.isfinite(distance(1.0, 0.0, 80))


def test_chance_gives_a_t_that_is_standard():
    seeds = range(200)
    every = [rolling_ic({"A": record(*linked(300, 0.0, seed))})["ic_t"] for seed in seeds]
    assert np.std(every) == pytest.approx(1.0, abs=0.15)
    assert ttest_1samp(every, 0.0).pvalue > 0.01


@pytest.mark.parametrize(
    ("scores", "returns"),
    [([], []), ([0.1], [0.2]), ([0.1, 0.1, 0.1], [1.0, 2.0, 3.0]), ([1.0, 2.0, 3.0], [0.0] * 3)],
)
def test_what_never_varies_orders_nothing(scores, returns):
    found = rolling_ic({"A": record(scores, returns)})
    (own,) = found.pop("by_symbol")
    assert set(found.values()) == {0}
    assert (own["ic"], own["ic_t"], own["pairs"]) == (0.0, 0.0, 0)
    # What only repeats the prior differs from it by rounding.
    noise = 1e-9 * np.random.default_rng(0).normal(size=50)
    assert rolling_ic({"A": record(noise, linked(50, 0.1)[1])})["ic"] == 0.0


def test_nothing_at_all():
    assert rolling_ic({}) == {
        "ic": 0.0,
        "ic_t": 0.0,
        "pooled": 0.0,
        "pairs": 0,
        "independent": 0.0,
        "by_symbol": [],
    }
