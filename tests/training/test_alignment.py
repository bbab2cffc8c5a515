"""Alignment of trades and quotes: on aligned ticks, on ticks shifted by a row or by time."""

import numpy as np
import pytest

from alphaseeker.market.readers import read_ticks
from alphaseeker.market.schema import TICK
from alphaseeker.training.alignment import check_alignment

SECOND = 1_000_000_000
FLOWS = ("volume", "buy_volume", "sell_volume")


def aligned(rows=20_000, *, seed=0, step_s=1.0, noise=1.0, sessions=4):
    """Ticks whose trades push the mid in their own row, by a strength of 1 against ``noise``."""
    random = np.random.default_rng(seed)
    signed = random.normal(size=rows) * (random.random(rows) < 0.5)
    move = 1e-5 * (signed + noise * random.normal(size=rows) * (random.random(rows) < 0.5))
    mid = 100.0 * np.exp(np.cumsum(move))
    ticks = np.zeros(rows, TICK)
    ticks["timestamp"] = 1_700_000_000 * SECOND + (np.arange(rows) * step_s * SECOND).astype(int)
    ticks["session"] = np.arange(rows) * sessions // rows
    ticks["bid_price"], ticks["ask_price"] = mid - 0.005, mid + 0.005
    ticks["bid_volume"] = ticks["ask_volume"] = 1.0
    ticks["close"] = mid + 0.005 * np.sign(signed)
    ticks["buy_volume"], ticks["sell_volume"] = np.maximum(signed, 0.0), np.maximum(-signed, 0.0)
    ticks["volume"] = np.abs(signed)
    return ticks


def early(ticks, fields, rows=1):
    moved = ticks.copy()
    for name in fields:
        moved[name][:-rows] = ticks[name][rows:]
    return moved


def named(findings):
    return {one.figures["column"]: one.figures for one in findings if not one.passed}


def test_aligned_ticks_pass():
    (found,) = check_alignment(["A"], [aligned()], bucket_s=1.0)
    assert found.passed
    assert found.sentence.endswith("of their own row")
    for figures in found.figures.values():
        assert figures["own"] > 2 * abs(figures["later"])
    assert set(found.figures) == {"volume", "buy_volume - sell_volume", "close"}


@pytest.mark.parametrize("rows", [1, 3, 12])
@pytest.mark.parametrize(
    ("fields", "columns"),
    [(("close",), {"close"}), (FLOWS, {"volume", "buy_volume - sell_volume"})],
)
def test_what_is_stamped_early_is_named(fields, columns, rows):
    found = named(check_alignment(["A"], [early(aligned(), fields, rows)], bucket_s=1.0))
    assert set(found) == columns
    assert {figures["later_by"] for figures in found.values()} == {rows}


def test_quotes_that_are_late_are_the_same_fault():
    found = check_alignment(["A"], [early(aligned(), ("close", *FLOWS))], bucket_s=1.0)
    assert len(named(found)) == 3
    assert "the quotes too late" in found[0].sentence


def test_the_side_may_be_unknown():
    ticks = aligned()
    ticks["buy_volume"] = ticks["sell_volume"] = np.nan
    (found,) = check_alignment(["A"], [ticks], bucket_s=1.0)
    assert found.passed
    assert set(found.figures) == {"volume", "close"}


def test_events_that_are_early_by_time_are_found_in_buckets():
    # 50 rows a second, a second early: no row near its own tells.
    ticks = aligned(100_000, step_s=0.02)
    assert check_alignment(["A"], [ticks], bucket_s=1.0)[0].passed
    found = named(check_alignment(["A"], [early(ticks, FLOWS, 50)], bucket_s=1.0))
    assert found["buy_volume - sell_volume"]["unit"] == "1 s"
    assert found["buy_volume - sell_volume"]["later_by"] == 1


def test_a_single_symbol_out_of_line_is_told_and_passes():
    ticks = [aligned(seed=seed) for seed in range(3)]
    ticks.append(early(aligned(8_000, seed=4), ("close",)))
    (found,) = check_alignment(["A", "B", "C", "D"], ticks, bucket_s=1.0)
    assert found.passed
    assert "close of D" in found.sentence
    assert not check_alignment(["D"], ticks[3:], bucket_s=1.0)[0].passed


def test_too_little_trading_is_not_judged():
    (found,) = check_alignment(["A"], [aligned(300)], bucket_s=1.0)
    assert found.passed
    assert "too little trading" in found.sentence
    quiet = aligned()
    quiet["close"], quiet["volume"] = 100.0, 0.0
    quiet["buy_volume"] = quiet["sell_volume"] = 0.0
    assert check_alignment(["A"], [quiet], bucket_s=1.0)[0].passed
    assert check_alignment([], [], bucket_s=1.0)[0].passed


@pytest.mark.parametrize(
    "name",
    ["spot_NEXOUSDT_1s", "usdm_BTCUSDT_quotes", "usdm_BTCUSDT_100ms_depth10", "crypto_1m"],
)
def test_the_captures_pass_and_shifted_ones_do_not(captures, name):
    series = read_ticks(captures / f"{name}.parquet")
    symbols, ticks = [one.symbol for one in series], [one.ticks for one in series]
    (found,) = check_alignment(symbols, ticks, bucket_s=1.0)
    assert found.passed, found.sentence
    # Of one of them the venues differ: some have their quotes a minute late.
    assert ("ltcusd" in found.sentence) is (name == "crypto_1m")
    shifted = [early(one, ("close", *FLOWS)) for one in ticks]
    assert "close" in named(check_alignment(symbols, shifted, bucket_s=1.0))
