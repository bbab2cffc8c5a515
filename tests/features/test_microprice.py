"""The micro-price table: Stoikov's steps as judge, books of a known table, and the look-up."""

import math

import numba
import numpy as np
import pytest

from alphaseeker.features.microprice import (
    MAX_SPREADS,
    MICROPRICE_BINS,
    MIN_CHANGES,
    fit_microprice,
    microprice_array,
    microprice_step,
    successive,
)
from alphaseeker.market.quality import judge_series
from alphaseeker.market.readers import read_ticks
from alphaseeker.market.schema import TickSeries
from oracles import microprice as oracle

TICK = 0.01
FIELDS = ("timestamp", "session", "bid_price", "ask_price", "bid_volume", "ask_volume")


def share_of_bin(place):
    return (place + 0.5) / MICROPRICE_BINS


def outcomes(state):
    """Return (probability, spread after, bins after, jump of the mid) of a simulated book.

    Seven moves of ten change the sizes alone, to a neighbouring bin or not at all. Otherwise one
    side, or both together, make way for the heavier side, as often as its share of the sizes says.
    """
    spread, place = state
    near = [max(place - 1, 0), place, min(place + 1, MICROPRICE_BINS - 1)]
    yield 0.7, spread, near, 0.0
    anywhere = list(range(MICROPRICE_BINS))
    for up, chance in ((1, share_of_bin(place)), (-1, 1 - share_of_bin(place))):
        yield 0.25 * chance, 3 - spread, anywhere, 0.5 * up
        yield 0.05 * chance, spread, anywhere, 1.0 * up


STATES = [(spread, place) for spread in (1, 2) for place in range(MICROPRICE_BINS)]


def true_table():
    """Return the mid expected after very many moves, above the present one, shape (2, bins)."""
    P, k = np.zeros((len(STATES), len(STATES))), np.zeros(len(STATES))
    for row, state in enumerate(STATES):
        for chance, spread, places, jump in outcomes(state):
            k[row] += chance * jump
            for place in places:
                P[row, STATES.index((spread, place))] += chance / len(places)
    np.testing.assert_allclose(P.sum(axis=1), 1.0)
    expected, step = np.zeros(len(STATES)), k
    for _ in range(5000):
        expected, step = expected + step, P @ step
    assert np.abs(step).max() < 1e-12
    return expected.reshape(2, MICROPRICE_BINS)


def simulate(rows, seed):
    """Return (spread, bin) and twice the mid in ticks, both of each row of a simulated book."""
    rng = np.random.default_rng(seed)
    table = {state: list(outcomes(state)) for state in STATES}
    limits = {state: np.cumsum([chance for chance, *_ in table[state]]) for state in STATES}
    draws, choices = rng.random(rows), rng.random(rows)
    state, twice = (1, 5), 20_001
    states, mids = [], []
    for draw, choice in zip(draws.tolist(), choices.tolist(), strict=True):
        states.append(state)
        mids.append(twice)
        found = min(int(np.searchsorted(limits[state], draw)), 4)
        _, spread, places, jump = table[state][found]
        state = (spread, places[int(choice * len(places))])
        twice += int(2 * jump)
    return np.array(states), np.array(mids)


@pytest.fixture(scope="module")
def book(make_series):
    """Return a function: a series of the simulated book."""

    def make(rows, seed):
        states, twice = simulate(rows, seed)
        bid, ask = (twice - states[:, 0]) / 2, (twice + states[:, 0]) / 2
        share = share_of_bin(states[:, 1])
        sizes = np.random.default_rng(seed + 1).uniform(1.0, 9.0, rows)
        return make_series(
            np.arange(rows), bid * TICK, ask * TICK, sizes * share, sizes * (1 - share)
        )

    return make


def quotes_of(series):
    return list(
        zip(*(one[name].tolist() for one in [series.ticks] for name in FIELDS), strict=True)
    )


def accepted(series):
    verdicts, _ = judge_series(series, max_gap_s=900.0, max_jump=0.2)
    kept = (verdicts >= 0) & (verdicts < 10)
    return TickSeries(symbol=series.symbol, ticks=series.ticks[kept], rows=series.rows[kept])


def joined(*parts):
    ticks = np.concatenate([part.ticks for part in parts])
    return TickSeries(symbol="TEST", ticks=ticks, rows=np.arange(1, len(ticks) + 1))


# ---- the estimate -------------------------------------------------------------------------------


def test_a_markov_book_gives_back_its_true_table(book):
    fitted = np.array(fit_microprice([book(60_000, seed=1)], TICK))
    truth = true_table()
    assert 0.3 < truth.max() < 1.0
    assert fitted.shape == truth.shape
    np.testing.assert_allclose(fitted, truth, atol=0.04)


def test_the_micro_price_is_a_martingale_where_the_mid_is_none(book):
    table = np.array(fit_microprice([book(60_000, seed=1)], TICK))
    states, twice = simulate(60_000, seed=2)
    mid = twice / 2
    micro = mid + table[states[:, 0] - 1, states[:, 1]]
    heavy = states[:-1, 1] >= MICROPRICE_BINS - 2
    light = states[:-1, 1] <= 1
    for price, drifts in ((mid, True), (micro, False)):
        steps = np.diff(price)
        for rows, sign in ((heavy, 1), (light, -1)):
            error = steps[rows].std() / np.sqrt(rows.sum())
            mean = sign * steps[rows].mean()
            assert mean > 10 * error if drifts else abs(mean) < 4 * error


@pytest.mark.parametrize("seed", range(3))
def test_a_book_follows_the_papers_steps(walk, seed):
    series = walk(3000, seed=seed, session=np.arange(3000) // 700)
    # Some books are locked, some are wider than the table.
    rng = np.random.default_rng(seed)
    wider = rng.choice([-1.0, 0.0, 3.0], len(series), p=[0.05, 0.85, 0.1])
    ask = np.maximum(series.ticks["bid_price"], series.ticks["ask_price"] + wider * TICK)
    series.ticks["ask_price"] = np.round(ask, 2)
    check_against_the_oracle(series, TICK, spreads=4)


@pytest.mark.parametrize(
    ("name", "tick_size", "spreads"),
    [("usdm_BTCUSDT_100ms_depth10", 0.1, 1), ("spot_NEXOUSDT_1s", 0.001, 2)],
)
def test_a_capture_follows_the_papers_steps_and_pulls_to_the_heavy_side(
    captures, name, tick_size, spreads
):
    (series,) = read_ticks(captures / f"{name}.parquet")
    table = check_against_the_oracle(accepted(series), tick_size, spreads=spreads)
    assert (np.diff(table, axis=1) > 0).all()


EVERY_BIN = tuple(range(MICROPRICE_BINS))


def check_against_the_oracle(series, tick_size, *, spreads, bins=EVERY_BIN):
    fitted = np.array(fit_microprice([series], tick_size))
    expected = oracle.table(quotes_of(series), tick_size)
    assert fitted.shape == (spreads, MICROPRICE_BINS)
    assert set(expected) == {(s, place) for s in range(1, MAX_SPREADS + 1) for place in bins}
    full = microprice_array(fit_microprice([series], tick_size))
    for (spread, place), value in expected.items():
        assert full[spread - 1, place] == pytest.approx(value, rel=1e-9, abs=1e-11)
    return fitted


def test_sizes_that_change_little_by_little_follow_the_papers_steps(make_series):
    # From a bin to a neighbouring one alone: a state is up to nine moves from its mirror image.
    rng = np.random.default_rng(4)
    place = np.abs(np.cumsum(rng.integers(-1, 2, 1800)) % 18 - 9)
    assert np.abs(np.diff(place)).max() == 1
    bid = 10_000 + np.cumsum(np.where(rng.random(1800) < 0.1 * place, 1, -1))
    bid_volume = np.where(place == 9, 1e9, share_of_bin(place))
    ask_volume = np.where(place == 9, 1e-9, 1 - share_of_bin(place))  # the share rounds to 1
    series = make_series(np.arange(1800), bid * TICK, (bid + 1) * TICK, bid_volume, ask_volume)
    check_against_the_oracle(series, TICK, spreads=1)


def test_a_state_that_the_book_leaves_for_good_follows_the_papers_steps(make_series):
    rng = np.random.default_rng(5)
    share = np.where(rng.random(900) < 0.5, 0.35, 0.65)
    share[:2] = 0.95, 0.85
    up = np.append(True, rng.random(899) < np.append(share[2:], 0.5))
    bid = 10_000 + np.cumsum(up) - np.cumsum(~up)
    series = make_series(np.arange(900), bid * TICK, (bid + 1) * TICK, share, 1 - share)
    (row,) = check_against_the_oracle(series, TICK, spreads=1, bins=(0, 1, 3, 6, 8, 9))
    assert abs(row[9]) > 0.1
    assert abs(row[8]) > 0.1


def test_the_table_is_antisymmetric_and_a_mirrored_market_has_the_same(walk):
    series = walk(3000, seed=5)
    table = np.array(fit_microprice([series], TICK))
    np.testing.assert_array_equal(table, -table[:, ::-1])
    assert np.abs(table).min() > 0.0
    ticks = series.ticks.copy()
    ticks["bid_price"] = 300.0 - series.ticks["ask_price"]
    ticks["ask_price"] = 300.0 - series.ticks["bid_price"]
    ticks["bid_volume"] = series.ticks["ask_volume"]
    ticks["ask_volume"] = series.ticks["bid_volume"]
    share = ticks["bid_volume"] / (ticks["bid_volume"] + ticks["ask_volume"])
    inside = np.abs(share * MICROPRICE_BINS - np.rint(share * MICROPRICE_BINS)) > 1e-9
    assert inside.mean() > 0.97  # a bin's edge has no mirror image: those rows change their size
    ticks["bid_volume"] = np.where(inside, ticks["bid_volume"], 1.0)
    series.ticks["ask_volume"] = np.where(inside, series.ticks["ask_volume"], 1.0)
    mirrored = TickSeries(symbol="TEST", ticks=ticks, rows=series.rows)
    again = fit_microprice([mirrored], TICK)
    np.testing.assert_allclose(again, fit_microprice([series], TICK), atol=1e-12)


@pytest.mark.parametrize("bid_volume", [0.4, 5.0, 9.9])
def test_sizes_that_never_change_pull_nowhere_though_the_price_rises(make_series, bid_volume):
    bid = 100.0 + TICK * np.arange(500)
    series = make_series(np.arange(500), bid, bid + TICK, bid_volume, 10.0 - bid_volume)
    assert fit_microprice([series], TICK) == ((0.0,) * MICROPRICE_BINS,)


def test_a_bounce_for_ever_has_its_fair_price_in_the_middle(make_series):
    # Up from the heaviest bids, down from the heaviest asks: the paper's sum swings for ever.
    up = np.arange(600) % 2
    series = make_series(
        np.arange(600), 100 + TICK * up, 100 + TICK * (up + 1), 9.5 - 9 * up, 0.5 + 9 * up
    )
    with pytest.raises(ArithmeticError, match="does not converge"):
        oracle.table(quotes_of(series), TICK)
    (row,) = fit_microprice([series], TICK)
    assert row == pytest.approx((-0.5, *(0.0,) * (MICROPRICE_BINS - 2), 0.5), abs=1e-12)


# ---- what counts as a move ----------------------------------------------------------------------


def test_no_move_crosses_a_session_a_gap_or_a_broken_quote(walk):
    first, second = walk(1500, seed=6), walk(1500, seed=7)
    second.ticks["bid_price"] += 50.0
    second.ticks["ask_price"] += 50.0
    expected = fit_microprice([first, second], TICK)

    later = int(first.ticks["timestamp"][-1] - second.ticks["timestamp"][0])
    second.ticks["timestamp"] += later + 10**9
    across = fit_microprice([joined(first, second)], TICK)
    assert np.abs(np.subtract(across, expected)).max() > 0.5

    second.ticks["session"] = 1
    assert fit_microprice([joined(first, second)], TICK) == expected
    second.ticks["session"] = 0
    for field, value in (
        ("bid_volume", np.nan),
        ("ask_volume", 0.0),
        ("bid_price", np.inf),
        ("ask_price", np.inf),
        ("ask_price", 1.0),
        ("timestamp", 0),
    ):
        odd = joined(walk(1))
        odd.ticks["timestamp"] = second.ticks["timestamp"][0]
        odd.ticks[field] = value
        assert fit_microprice([joined(first, odd, second)], TICK) == expected
    second.ticks["timestamp"] += 899 * 10**9
    assert fit_microprice([joined(first, second)], TICK) == across
    second.ticks["timestamp"] += 1
    assert fit_microprice([joined(first, second)], TICK) == expected
    assert fit_microprice([joined(first, second)], TICK, max_gap_s=901.0) == across


def test_ticks_that_go_on_from_the_one_before(make_series):
    series = make_series([0, 1, 1, 0, 2, 13, 14], 1.0, 1.1, session=[0, 0, 0, 0, 1, 1, 1])
    found = successive(series.ticks, max_gap_s=10.0)
    assert found.tolist() == [False, True, True, False, False, False, True]
    assert successive(series.ticks[:0], max_gap_s=10.0).tolist() == []


# ---- too little data ----------------------------------------------------------------------------


def test_too_few_changes_of_the_mid_and_an_unknown_tick_give_no_table(make_series):
    changes = np.arange(MIN_CHANGES + 1)
    bid = 100.0 + TICK * (changes % 2)
    sizes = np.random.default_rng(8).uniform(1, 9, (2, len(bid)))
    series = make_series(changes, bid, bid + TICK, *sizes)
    assert fit_microprice([series], TICK) is not None
    assert fit_microprice([series], math.nan) is None
    fewer = TickSeries(symbol="TEST", ticks=series.ticks[1:], rows=series.rows[1:])
    assert fit_microprice([fewer], TICK) is None
    assert fit_microprice([], TICK) is None


@pytest.mark.parametrize(
    ("changes", "rows"),
    [
        ((200, 200, 200, 200), [0, 1, 2, 3]),
        ((200, 200, 200, 199), [0, 1, 2]),
        ((600, 150, 60, 150), [0, 1]),
        ((0, 250, 250, 0), [0, 0, 1]),
        ((100, 100, 100, 100), [0, 0, 1]),
        ((0, 0, 0, 300), [0]),
        ((300, 100, 50, 20), [0]),
    ],
)
def test_a_spread_with_too_few_changes_shares_the_row_of_the_next(make_series, changes, rows):
    spread = np.repeat([1, 2, 3, 6], changes)  # six ticks count as four
    rng = np.random.default_rng(9)
    session = np.repeat(np.arange(4), changes)
    # One more tick a session: its last one makes no move.
    ends = np.flatnonzero(np.diff(session, append=9))
    spread, session = np.insert(spread, ends, spread[ends]), np.insert(session, ends, session[ends])
    bid = np.cumsum(rng.choice([-2, -1, 1, 2], len(spread))) + 10_000
    sizes = rng.uniform(1, 9, (2, len(spread)))
    series = make_series(
        np.arange(len(spread)), bid * TICK, (bid + spread) * TICK, *sizes, session=session
    )
    table = fit_microprice([series], TICK)
    assert len(table) == len(rows)
    for one, other in ((i, j) for i in range(len(rows)) for j in range(i)):
        assert (table[one] == table[other]) == (rows[one] == rows[other])


def test_a_state_never_left_has_the_value_zero(make_series):
    rng = np.random.default_rng(10)
    share = rng.choice([0.15, 0.25, 0.75], 900)  # with the mirror images: bins 1, 2, 7 and 8
    bid = 10_000 + np.cumsum(rng.random(900) < share)
    series = make_series(np.arange(900), bid * TICK, (bid + 1) * TICK, share, 1 - share)
    (row,) = fit_microprice([series], TICK)
    assert [place for place, value in enumerate(row) if value != 0.0] == [1, 2, 7, 8]


# ---- the look-up --------------------------------------------------------------------------------

TABLE = microprice_array(
    tuple(tuple(float(10 * s + place) for place in range(10)) for s in (1, 2, 3))
)


@pytest.mark.parametrize(
    ("spread", "bid_volume", "ask_volume", "value"),
    [
        (0.01, 1.0, 1.0, 15.0),
        (0.0, 1.0, 1e9, 10.0),  # locked
        (0.02, 1e9, 1e-9, 29.0),  # the share rounds to 1
        (0.030000000000001, 0.19, 0.81, 31.0),
        (0.05, 0.21, 0.79, 32.0),
        (1e300, 0.89, 0.11, 38.0),
    ],
)
def test_look_up(spread, bid_volume, ask_volume, value):
    assert microprice_step(TABLE, spread, TICK, bid_volume, ask_volume) == value


def test_look_up_of_nothing_is_nan():
    assert TABLE.shape == (MAX_SPREADS, MICROPRICE_BINS)
    nothing = microprice_array(None)
    assert nothing.shape == TABLE.shape
    assert math.isnan(microprice_step(nothing, 0.01, TICK, 1.0, 1.0))
    assert math.isnan(microprice_step(TABLE, 0.01, math.nan, 1.0, 1.0))
    assert math.isnan(microprice_step(TABLE, 0.01, TICK, 0.0, 0.0))


def test_fit_and_look_up_agree_on_the_state(book):
    series = book(5000, seed=3)
    table = fit_microprice([series], TICK)
    states, _ = simulate(5000, seed=3)
    record = np.zeros(1, dtype=[("table", np.float64, (MAX_SPREADS, MICROPRICE_BINS))])
    record["table"] = microprice_array(table)
    found = users_loop(record, series.ticks, TICK)
    assert found.tolist() == [table[spread - 1][place] for spread, place in states.tolist()]


@numba.njit
def users_loop(records, ticks, tick_size):
    """Look up every tick, with the table inside a record."""
    found = np.empty(len(ticks))
    for i in range(len(ticks)):
        t = ticks[i]
        spread = t.ask_price - t.bid_price
        found[i] = microprice_step(records[0].table, spread, tick_size, t.bid_volume, t.ask_volume)
    return found
