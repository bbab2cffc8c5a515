"""The quality gate: each policy in each situation, and random streams against the oracle."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker._jit import allocate_record
from alphaseeker.errors import ConfigError
from alphaseeker.market.gate import (
    CUMULATIVE_RISES,
    CUMULATIVE_RUN,
    GATE,
    Verdict,
    allocate_gate,
    gate_reset,
    gate_step,
    gate_ticks,
    set_limits,
)
from alphaseeker.market.schema import TICK
from oracles.gate import GateOracle

SECOND = 1_000_000_000
GAP_S = 900.0
GAP = int(GAP_S) * SECOND
JUMP = 0.2
START = 1_700_000_000 * SECOND
NAN, INF = float("nan"), float("inf")
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

GOOD = {
    "timestamp": START,
    "bid_price": 100.0,
    "ask_price": 100.01,
    "bid_volume": 3.0,
    "ask_volume": 2.0,
    "close": 100.01,
    "volume": 0.5,
    "buy_volume": 0.5,
    "sell_volume": 0.0,
    "session": 7,
}
COUNTERS = (
    "cumulative_volume",
    "accepted",
    "locked",
    "after_gap",
    "new_session",
    "repeated",
    "empty_side",
    "crossed",
    "out_of_order",
    "price_jump",
    "jumps_confirmed",
    "jumps_dropped",
)


def ticks_of(*ticks: dict[str, Any]) -> np.ndarray:
    return np.array([tuple(tick[name] for name in TICK.names) for tick in ticks], dtype=TICK)


def feed(gate: np.ndarray, *ticks: dict[str, Any]) -> list[Verdict]:
    verdicts = np.zeros(len(ticks), dtype=np.int8)
    gate_ticks(ticks_of(*ticks), gate, verdicts)
    return [Verdict(int(code)) for code in verdicts]


def gate_in(situation: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Return a gate in a situation and a good tick that may come next."""
    gate = allocate_gate(max_gap_s=GAP_S, max_jump=JUMP)
    if situation == "first":
        return gate, dict(GOOD)
    feed(gate, *(GOOD | {"timestamp": START + i * SECOND} for i in range(5)))
    later = START + 5 * SECOND if situation == "warm" else START + 5 * SECOND + GAP
    return gate, GOOD | {"timestamp": later}


def market_state(gate: np.ndarray) -> bytes:
    state = np.array(gate)
    for name in COUNTERS:
        state[name] = 0
    return state.tobytes()


SITUATIONS = ("first", "warm", "after a gap")
GOOD_VERDICT = {
    "first": Verdict.NEW_SESSION,
    "warm": Verdict.ACCEPTED,
    "after a gap": Verdict.AFTER_GAP,
}
in_each_situation = pytest.mark.parametrize("situation", SITUATIONS)

JUST_INFINITE = float(np.finfo(np.float32).max) + 2.0**103
BAD_PRICES = (NAN, INF, -INF, 0.0, -0.0, -1.0, 1e39, JUST_INFINITE)
BAD_SIZES = (NAN, INF, -INF, -1.0, 1e39, JUST_INFINITE)
REFUSED = [
    *(("timestamp", value) for value in (0, -1, -(2**63))),
    *((name, value) for name in ("bid_price", "ask_price", "close") for value in BAD_PRICES),
    *((name, value) for name in ("bid_volume", "ask_volume", "volume") for value in BAD_SIZES),
    *((name, value) for name in ("buy_volume", "sell_volume") for value in BAD_SIZES[1:]),
]


@in_each_situation
@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_refused_tick_leaves_every_byte(situation, name, value):
    gate, tick = gate_in(situation)
    before = gate.tobytes()
    assert feed(gate, tick | {name: value}) == [Verdict[f"BAD_{name.upper()}"]]
    assert gate.tobytes() == before
    assert feed(gate, tick) == [GOOD_VERDICT[situation]]


@in_each_situation
@pytest.mark.parametrize("name", ["bid_price", "ask_price", "close", "volume", "buy_volume"])
def test_largest_value_that_float32_holds_is_not_refused(situation, name):
    gate, tick = gate_in(situation)
    (verdict,) = feed(gate, tick | {name: float(np.nextafter(JUST_INFINITE, 0.0))})
    assert verdict >= 0


@in_each_situation
def test_first_bad_field_is_named(situation):
    gate, tick = gate_in(situation)
    assert feed(gate, tick | {"ask_volume": NAN, "close": 0.0}) == [Verdict.BAD_ASK_VOLUME]
    assert feed(gate, tick | {"timestamp": 0, "bid_price": 0.0}) == [Verdict.BAD_TIMESTAMP]


@in_each_situation
def test_absent_aggressor_volumes_are_accepted(situation):
    gate, tick = gate_in(situation)
    verdicts = feed(gate, tick | {"buy_volume": NAN, "sell_volume": NAN})
    assert verdicts == [GOOD_VERDICT[situation]]


@in_each_situation
@pytest.mark.parametrize("price", [0.0, NAN, 100.0])
@pytest.mark.parametrize("sides", [("bid",), ("ask",), ("bid", "ask")])
def test_empty_side_is_held(situation, price, sides):
    gate, tick = gate_in(situation)
    before = market_state(gate)
    empty = {f"{side}_price": price for side in sides} | {f"{side}_volume": 0.0 for side in sides}
    assert feed(gate, tick | empty) == [Verdict.EMPTY_SIDE]
    assert market_state(gate) == before
    assert gate["empty_side"][0] == 1
    assert feed(gate, tick) == [GOOD_VERDICT[situation]]


@in_each_situation
@pytest.mark.parametrize("price", [-1.0, INF, -INF])
def test_impossible_price_of_an_empty_side_is_refused(situation, price):
    gate, tick = gate_in(situation)
    before = gate.tobytes()
    verdicts = feed(gate, tick | {"bid_price": price, "bid_volume": 0.0})
    assert verdicts == [Verdict.BAD_BID_PRICE]
    assert gate.tobytes() == before


@in_each_situation
def test_crossed_book_is_held_until_it_uncrosses(situation):
    gate, tick = gate_in(situation)
    before = market_state(gate)
    crossed = tick | {"bid_price": 100.02}
    assert feed(gate, crossed, crossed) == [Verdict.CROSSED_BOOK] * 2
    assert market_state(gate) == before
    assert gate["crossed"][0] == 2
    assert feed(gate, tick) == [GOOD_VERDICT[situation]]


@in_each_situation
def test_locked_book_is_accepted_and_counted(situation):
    gate, tick = gate_in(situation)
    (verdict,) = feed(gate, tick | {"bid_price": 100.01})
    assert verdict == (Verdict.LOCKED if situation == "warm" else GOOD_VERDICT[situation])
    assert gate["locked"][0] == 1
    assert gate["last"]["bid_price"][0] == 100.01


@in_each_situation
def test_earlier_tick_is_dropped(situation):
    gate, tick = gate_in(situation)
    assert feed(gate, tick) == [GOOD_VERDICT[situation]]
    before = market_state(gate)
    assert feed(gate, tick | {"timestamp": tick["timestamp"] - 1}) == [Verdict.OUT_OF_ORDER]
    assert market_state(gate) == before
    assert gate["out_of_order"][0] == 1


@in_each_situation
def test_same_tick_again_is_ignored(situation):
    gate, tick = gate_in(situation)
    tick |= {"buy_volume": NAN}
    assert feed(gate, tick) == [GOOD_VERDICT[situation]]
    before = market_state(gate)
    assert feed(gate, tick, tick) == [Verdict.REPEATED] * 2
    assert market_state(gate) == before
    assert gate["repeated"][0] == 2


@in_each_situation
@pytest.mark.parametrize("name", [name for name in GOOD if name not in ("timestamp", "session")])
def test_equal_time_with_other_content_is_accepted(situation, name):
    gate, tick = gate_in(situation)
    other = tick | {name: tick[name] + 0.005}
    assert feed(gate, tick, other) == [GOOD_VERDICT[situation], Verdict.ACCEPTED]
    assert gate["last"][name][0] == other[name]


@in_each_situation
def test_gap_is_longer_than_the_limit(situation):
    gate, tick = gate_in(situation)
    feed(gate, tick)
    at_limit = tick | {"timestamp": tick["timestamp"] + GAP}
    beyond = tick | {"timestamp": at_limit["timestamp"] + GAP + 1}
    assert feed(gate, at_limit, beyond) == [Verdict.ACCEPTED, Verdict.AFTER_GAP]


@in_each_situation
def test_new_session_starts_afresh_even_back_in_time(situation):
    gate, tick = gate_in(situation)
    feed(gate, tick)
    price = {"bid_price": 500.0, "ask_price": 500.1, "close": 500.0}
    assert feed(gate, tick | price | {"timestamp": 1, "session": 8}) == [Verdict.NEW_SESSION]
    assert gate["last"]["timestamp"][0] == 1


def moved(tick: dict[str, Any], price: float, seconds: float) -> dict[str, Any]:
    time = tick["timestamp"] + round(seconds * SECOND)
    return tick | {"bid_price": price, "ask_price": price + 0.01, "timestamp": time}


@in_each_situation
def test_jump_is_accepted_once_two_later_ticks_confirm(situation):
    gate, tick = gate_in(situation)
    assert feed(gate, tick) == [GOOD_VERDICT[situation]]
    jumps = [moved(tick, 130.0, 1), moved(tick, 131.0, 2), moved(tick, 129.0, 3)]
    assert feed(gate, *jumps) == [Verdict.PRICE_JUMP, Verdict.PRICE_JUMP, Verdict.ACCEPTED]
    assert (gate["jumps_confirmed"][0], gate["jumps_dropped"][0]) == (1, 0)
    assert gate["last"]["bid_price"][0] == 129.0
    assert feed(gate, moved(tick, 130.0, 4)) == [Verdict.ACCEPTED]


@in_each_situation
def test_jump_is_dropped_when_the_price_comes_back(situation):
    gate, tick = gate_in(situation)
    feed(gate, tick)
    verdicts = feed(gate, moved(tick, 50.0, 1), moved(tick, 51.0, 2), moved(tick, 100.0, 3))
    assert verdicts == [Verdict.PRICE_JUMP, Verdict.PRICE_JUMP, Verdict.ACCEPTED]
    assert (gate["jumps_confirmed"][0], gate["jumps_dropped"][0]) == (0, 1)


@in_each_situation
def test_jump_to_yet_another_level_starts_again(situation):
    gate, tick = gate_in(situation)
    feed(gate, tick)
    wild = [moved(tick, price, i + 1) for i, price in enumerate((130, 200, 300, 301, 302))]
    assert feed(gate, *wild) == [Verdict.PRICE_JUMP] * 4 + [Verdict.ACCEPTED]
    assert (gate["jumps_confirmed"][0], gate["jumps_dropped"][0]) == (1, 2)


@in_each_situation
def test_suspicious_tick_cannot_confirm_itself(situation):
    gate, tick = gate_in(situation)
    feed(gate, tick)
    jump = moved(tick, 130.0, 1)
    assert feed(gate, jump, jump, jump, jump) == [Verdict.PRICE_JUMP] * 4


def test_no_jump_is_seen_at_the_first_tick_or_across_a_gap():
    gate, tick = gate_in("first")
    assert feed(gate, moved(tick, 1.0, 0)) == [Verdict.NEW_SESSION]
    assert feed(gate, moved(tick, 130.0, GAP_S + 1)) == [Verdict.AFTER_GAP]
    assert feed(gate, moved(tick, 1.0, GAP_S + 2)) == [Verdict.PRICE_JUMP]
    assert feed(gate, moved(tick, 1.0, 2 * GAP_S + 3)) == [Verdict.AFTER_GAP]
    assert gate["jumps_dropped"][0] == 1


@in_each_situation
def test_largest_move_that_is_no_jump(situation):
    gate, tick = gate_in(situation)
    feed(gate, tick | {"bid_price": 100.0, "ask_price": 100.0})
    edge = tick | {"bid_price": 120.0, "ask_price": 120.0}
    assert feed(gate, edge | {"ask_price": 120.001}) == [Verdict.PRICE_JUMP]
    assert feed(gate, edge) == [Verdict.LOCKED]


@in_each_situation
def test_running_total_is_noticed(situation):
    gate, tick = gate_in(situation)
    times = range(1, CUMULATIVE_RUN + 2)
    total = [
        tick | {"timestamp": tick["timestamp"] + i * SECOND, "volume": float(100 + i // 2)}
        for i in times
    ]
    feed(gate, tick | {"volume": 0.0}, *total[: CUMULATIVE_RUN - 1])
    assert gate["cumulative_volume"][0] == 0
    feed(gate, *total[CUMULATIVE_RUN - 1 :])
    assert gate["cumulative_volume"][0] == 1


@pytest.mark.parametrize("spoiler", [0.0, 1.0])
def test_volume_that_falls_or_pauses_is_not_a_running_total(spoiler):
    gate, tick = gate_in("warm")
    volumes = np.arange(4.0 * CUMULATIVE_RISES) + 10.0
    volumes[CUMULATIVE_RISES - 1 :: CUMULATIVE_RISES] = spoiler
    stream = [
        tick | {"timestamp": tick["timestamp"] + i * SECOND, "volume": volume}
        for i, volume in enumerate(volumes)
    ]
    feed(gate, *stream)
    assert gate["cumulative_volume"][0] == 0


def test_constant_volume_is_not_a_running_total():
    gate, tick = gate_in("warm")
    feed(gate, *(tick | {"timestamp": tick["timestamp"] + i * SECOND} for i in range(500)))
    assert gate["cumulative_volume"][0] == 0


def record(gate: np.ndarray) -> Any:
    """Return the record as a kernel called from Python takes it."""
    return gate.view(np.recarray)[0] if numba.config.DISABLE_JIT else gate[0]


def test_reset_forgets_the_market_and_keeps_limits_and_counters():
    gate, tick = gate_in("warm")
    feed(gate, moved(tick, 200.0, 0))
    gate_reset(record(gate))
    assert gate["accepted"][0] == 5
    assert gate["max_gap_ns"][0] == GAP
    assert feed(gate, tick | {"timestamp": 5, "bid_price": 1.0}) == [Verdict.NEW_SESSION]
    assert gate["jumps_dropped"][0] == 0


@pytest.mark.parametrize("value", [0.0, -1.0, NAN, INF])
@pytest.mark.parametrize("name", ["max_gap_s", "max_jump"])
def test_limit_out_of_range_is_named(name, value):
    limits = {"max_gap_s": GAP_S, "max_jump": JUMP} | {name: value}
    with pytest.raises(ConfigError, match=f"{name} is {value!r}; it must be a positive"):
        allocate_gate(**limits)


def test_endless_gap_limit_is_the_longest_time():
    gate = allocate_gate(max_gap_s=1e300, max_jump=JUMP)
    assert gate["max_gap_ns"][0] == 9 * 10**18


OUTER = np.dtype([("before", np.int64), ("gate", GATE), ("after", np.int64)])


@numba.njit
def judge_nested(records, tick):
    outer = records[0]
    return gate_step(
        outer.gate,
        tick.timestamp,
        tick.session,
        tick.bid_price,
        tick.ask_price,
        tick.bid_volume,
        tick.ask_volume,
        tick.close,
        tick.volume,
        tick.buy_volume,
        tick.sell_volume,
    )


def test_step_inside_another_jitted_function_and_a_larger_record():
    outer = allocate_record(OUTER)
    set_limits(outer["gate"], max_gap_s=GAP_S, max_jump=JUMP)
    gate, tick = gate_in("first")
    stream = [tick, tick, moved(tick, 100.0, 1), moved(tick, 200.0, 2), tick | {"close": NAN}]
    expected = feed(gate, *stream)
    ticks = ticks_of(*stream).view(np.recarray)
    assert [judge_nested(outer, one) for one in ticks] == expected
    assert outer["gate"].tobytes() == gate.tobytes()
    assert outer["before"][0] == outer["after"][0] == 0


PRICES = st.sampled_from([100.0, 100.5, 101.0, 130.0, 131.0, 60.0])
ODD_PRICES = PRICES | st.sampled_from([0.0, NAN, -1.0, INF, 1e39]) | st.floats(width=64)
SIZES = st.sampled_from([1.0, 2.0, 3.0])
ODD_SIZES = SIZES | st.sampled_from([0.0, NAN, -1.0, INF, 1e39]) | st.floats(width=64)


@st.composite
def streams(draw):
    """Ticks whose few values make every policy likely, now and then with anything in a field."""
    time, ticks = 10**15, []
    steps = st.sampled_from([0, 0, 1, 1, 1, 1, 5, 11, -1])
    for _ in range(draw(st.integers(1, 40))):
        if ticks and draw(st.integers(0, 5)) == 0:
            ticks.append(ticks[-1])
            continue
        time += draw(steps)
        odd = draw(st.integers(0, 5)) == 0
        prices, sizes = (ODD_PRICES, ODD_SIZES) if odd else (PRICES, SIZES)
        bid = draw(prices)
        ticks.append(
            {
                "timestamp": draw(st.sampled_from([time, 0, -1])) if odd else time,
                "bid_price": bid,
                "ask_price": draw(prices) if odd else bid + draw(st.sampled_from([0.0, 0.5])),
                "bid_volume": draw(sizes),
                "ask_volume": draw(sizes),
                "close": draw(prices),
                "volume": draw(sizes),
                "buy_volume": draw(sizes),
                "sell_volume": draw(sizes),
                "session": draw(st.sampled_from([1] * 12 + [2])),
            }
        )
    return ticks


def assert_like_oracle(gate: np.ndarray, oracle: GateOracle, ticks: list[dict[str, Any]]) -> None:
    expected = [oracle.judge(tick) for tick in ticks]
    assert [verdict.name for verdict in feed(gate, *ticks)] == expected
    counts = oracle.counters
    for counter, name in (
        ("accepted", "accepted"),
        ("locked", "locked"),
        ("after_gap", "AFTER_GAP"),
        ("new_session", "NEW_SESSION"),
        ("repeated", "REPEATED"),
        ("empty_side", "EMPTY_SIDE"),
        ("crossed", "CROSSED_BOOK"),
        ("out_of_order", "OUT_OF_ORDER"),
        ("price_jump", "PRICE_JUMP"),
        ("jumps_confirmed", "jumps_confirmed"),
        ("jumps_dropped", "jumps_dropped"),
    ):
        assert gate[counter][0] == counts[name], counter
    assert bool(gate["cumulative_volume"][0]) == oracle.cumulative
    if oracle.last is not None:
        np.testing.assert_array_equal(gate["last"], ticks_of(oracle.last))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(streams())
def test_random_streams_against_the_oracle(ticks):
    gate = allocate_gate(max_gap_s=10 / SECOND, max_jump=JUMP)
    assert_like_oracle(gate, GateOracle(10, JUMP), ticks)


@pytest.mark.parametrize("seed", range(5))
def test_long_stream_against_the_oracle(seed):
    random = np.random.default_rng(seed)
    ticks, time, volume = [], 10**15, 1.0
    for i in range(600):
        time += int(random.choice([0, 1, 2, 12], p=[0.2, 0.6, 0.195, 0.005]))
        volume = volume + float(random.integers(0, 2)) if i % 300 else 1.0
        price = float(random.choice([100.0, 100.5, 150.0], p=[0.6, 0.3, 0.1]))
        ticks.append(
            GOOD | {"timestamp": time, "bid_price": price, "ask_price": price, "volume": volume}
        )
    gate, oracle = allocate_gate(max_gap_s=10 / SECOND, max_jump=JUMP), GateOracle(10, JUMP)
    assert_like_oracle(gate, oracle, ticks)
    assert oracle.cumulative


CAPTURES = {
    "spot_NEXOUSDT_1s": {"ACCEPTED": 123_122, "NEW_SESSION": 1},
    "usdm_BTCUSDT_quotes": {"ACCEPTED": 162_551, "NEW_SESSION": 3},
    "usdm_BTCUSDT_100ms_depth10": {"ACCEPTED": 13_384, "NEW_SESSION": 3},
    "crypto_1m": {"ACCEPTED": 26_831, "AFTER_GAP": 4, "NEW_SESSION": 21},
}


@pytest.mark.skipif(
    bool(os.environ.get("NUMBA_DISABLE_JIT")), reason="whole captures need the compiled kernel"
)
@pytest.mark.skipif(not DATA.is_dir(), reason="the shared captures are not beside the repository")
@pytest.mark.parametrize("name", CAPTURES)
def test_verdicts_on_real_captures(name):
    import pandas as pd

    frame = pd.read_parquet(DATA / f"{name}.parquet")
    ticks = np.zeros(len(frame), dtype=TICK)
    ticks["timestamp"] = frame["timestamp"].to_numpy().astype("datetime64[ns]").astype(np.int64)
    ticks["session"] = pd.factorize(frame["session"])[0]
    for field in TICK.names[1:-1]:
        ticks[field] = frame.get(field, NAN)
    ticks = ticks[np.argsort(ticks["session"], kind="stable")]
    verdicts = np.empty(len(ticks), dtype=np.int8)
    gate_ticks(ticks, allocate_gate(max_gap_s=GAP_S, max_jump=JUMP), verdicts)
    codes, counts = np.unique(verdicts, return_counts=True)
    assert {Verdict(int(c)).name: int(k) for c, k in zip(codes, counts, strict=True)} == CAPTURES[
        name
    ]
