import math

import numpy as np
import pytest

from alphaseeker.errors import DataError
from alphaseeker.factors.stability import (
    REGIMES,
    ic_by_day,
    ic_by_regime,
    realised_volatility,
    sign_shares,
    volatility_before,
)
from oracles import factor_statistics as oracle

SECOND = 10**9
HOUR = 3600 * SECOND


@pytest.fixture
def made_up():
    """ICs of 60 blocks, some without one, two hours apart, and the volatility before each."""
    random = np.random.default_rng(4)
    ics = np.where(random.random(60) < 0.2, np.nan, 0.05 + 0.1 * random.standard_normal(60))
    starts = 1_700_000_000 * SECOND + np.arange(60) * 2 * HOUR
    volatility = np.where(random.random(60) < 0.1, np.nan, random.lognormal(size=60))
    return ics, starts, volatility


def test_days_equal_the_definition(made_up):
    ics, starts, _ = made_up
    days = ic_by_day(ics, starts)
    wanted = oracle.ic_by_day(ics, starts)
    assert [day["day"] for day in days] == [day["day"] for day in wanted]
    assert [day["n_blocks"] for day in days] == [day["n_blocks"] for day in wanted]
    assert [day["ic"] for day in days] == pytest.approx([day["ic"] for day in wanted])
    assert days[0]["day"] == "2023-11-14"
    assert sum(day["n_blocks"] for day in days) == np.isfinite(ics).sum()


def test_a_day_begins_at_midnight_utc():
    midnight = 1_700_006_400 * SECOND  # 2023-11-15
    days = ic_by_day([0.1, 0.2, 0.4], [midnight - 1, midnight, midnight + 1])
    assert [(day["day"], day["n_blocks"]) for day in days] == [("2023-11-14", 1), ("2023-11-15", 2)]
    assert [day["ic"] for day in days] == pytest.approx([0.1, 0.3])


def test_regimes_are_terciles_of_what_was_known(made_up):
    ics, _, volatility = made_up
    found = ic_by_regime(ics, volatility)
    assert tuple(found) == REGIMES == ("calm", "middle", "wild")
    known = np.isfinite(ics) & np.isfinite(volatility)
    order = np.argsort(volatility[known])
    for name, part in zip(REGIMES, np.array_split(ics[known][order], 3), strict=True):
        assert found[name]["n_blocks"] in (len(part), len(part) + 1, len(part) - 1)
    low = np.quantile(volatility[known], 1 / 3)
    calm = ics[known & (volatility < low)]
    assert found["calm"]["ic"] == pytest.approx(calm.mean(), abs=0.03)
    assert sum(part["n_blocks"] for part in found.values()) == known.sum()
    assert known.sum() % 3 or len({part["n_blocks"] for part in found.values()}) == 1


def test_an_ic_of_wild_markets_is_told_from_a_calm_one():
    volatility = np.arange(30.0)
    ics = np.where(volatility >= 20, 0.3, 0.01)
    found = ic_by_regime(ics, volatility)
    assert [found[name]["ic"] for name in REGIMES] == pytest.approx([0.01, 0.01, 0.3])
    assert [found[name]["n_blocks"] for name in REGIMES] == [10, 10, 10]
    flat = ic_by_regime(ics, np.ones(30))
    assert [flat[name]["n_blocks"] for name in REGIMES] == [10, 10, 10]


def test_each_symbol_has_terciles_of_its_own():
    volatility = np.concatenate([np.arange(9.0), 1000.0 + np.arange(9.0)])
    symbol = np.repeat([0, 1], 9)
    ics = np.tile([0.1] * 3 + [0.2] * 3 + [0.3] * 3, 2)
    found = ic_by_regime(ics, volatility, symbol)
    assert [found[name]["ic"] for name in REGIMES] == pytest.approx([0.1, 0.2, 0.3])
    assert ic_by_regime(ics, volatility)["calm"]["ic"] != pytest.approx(0.1)


def test_signs_are_counted_by_block_and_by_day(made_up):
    ics, starts, _ = made_up
    found = sign_shares(ics, starts)
    mean = np.nanmean(ics)
    known = ics[np.isfinite(ics)]
    assert found["blocks"] == np.mean(known * mean > 0)
    days = np.array([day["ic"] for day in oracle.ic_by_day(ics, starts)])
    assert found["days"] == np.mean(days * mean > 0)
    assert sign_shares(-np.asarray(ics), starts) == found
    assert 0.5 < found["blocks"] < found["days"] <= 1.0


def test_nothing_is_known_of_nothing():
    empty = np.full(3, np.nan)
    assert ic_by_day(empty, np.zeros(3)) == []
    assert ic_by_regime(empty, np.ones(3))["wild"] == {"ic": 0.0, "n_blocks": 0}
    assert ic_by_regime([], [])["calm"] == {"ic": 0.0, "n_blocks": 0}
    assert sign_shares(empty, np.zeros(3)) == {"blocks": 0.0, "days": 0.0}
    assert sign_shares([0.1, -0.1], [0, 1]) == {"blocks": 0.0, "days": 0.0}
    assert len(volatility_before([])) == 0


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="block_starts has 1 entries for 2 block ICs"):
        ic_by_day([0.1, 0.2], [0])
    with pytest.raises(DataError, match="block_starts has 1 entries"):
        sign_shares([0.1, 0.2], [0])
    with pytest.raises(DataError, match="block_volatility has 3 entries"):
        ic_by_regime([0.1, 0.2], [1.0, 2.0, 3.0])
    with pytest.raises(DataError, match="symbol has 1 entries"):
        ic_by_regime([0.1, 0.2], [1.0, 2.0], [0])


def test_realised_volatility_equals_the_definition():
    random = np.random.default_rng(9)
    rows = 300
    timestamp = np.cumsum(random.integers(0, 3 * SECOND, rows))
    mid = 100.0 * np.exp(np.cumsum(1e-3 * random.standard_normal(rows)))
    mid[[50, 200]] = 0.0
    segment = np.repeat([0, 1, 2], 100)
    blocks = np.array([[0, 40], [40, 41], [41, 130], [150, 300]])
    found = realised_volatility(timestamp, mid, segment, blocks)
    wanted = oracle.realised_volatility(timestamp, mid, segment, blocks)
    np.testing.assert_allclose(found, wanted, rtol=1e-9)
    assert math.isnan(found[1])
    still = realised_volatility(
        np.zeros(9, np.int64), np.ones(9), np.zeros(9, np.int64), blocks[:0]
    )
    assert len(still) == 0


def test_volatility_of_a_walk_is_its_own():
    random = np.random.default_rng(10)
    timestamp = np.arange(20_000) * 5 * SECOND
    mid = np.exp(np.cumsum(2e-4 * math.sqrt(5.0) * random.standard_normal(20_000)))
    zeros = np.zeros(20_000, dtype=np.int64)
    (found,) = realised_volatility(timestamp, mid, zeros, np.array([[0, 20_000]]))
    assert found == pytest.approx(2e-4, rel=0.03)


def test_a_block_knows_only_what_was_before_it():
    given = np.array([np.nan, 3.0, np.nan, 5.0, 7.0])
    wanted = oracle.volatility_before(given)
    np.testing.assert_array_equal(volatility_before(given), wanted)
    np.testing.assert_array_equal(wanted, [np.nan, np.nan, 3.0, 3.0, 5.0])
    changed = np.append(given[:-1], 100.0)
    np.testing.assert_array_equal(volatility_before(changed), wanted)
