"""Depth levels are read, sorted and deduplicated, inside and outside compiled code."""

import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numba import njit

from alphaseeker.errors import DataError
from alphaseeker.market.depth import (
    DAMAGED,
    DUPLICATED,
    UNSORTED,
    count_levels,
    find_damaged,
    read_depth,
    repair_depth,
    repair_depth_series,
)
from alphaseeker.market.readers import read_ticks
from oracles.depth import first_damaged, is_absent, mend_snapshot

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
NAN = math.nan


@njit
def repair_inside(levels):
    return repair_depth(levels)


def snapshot(*levels):
    return np.array(levels, dtype=np.float64)


CASES = {
    "in order": (
        snapshot([100, 1, 101, 2], [99, 3, 102, 4]),
        snapshot([100, 1, 101, 2], [99, 3, 102, 4]),
        0,
    ),
    "bids unsorted": (
        snapshot([99, 3, 101, 2], [100, 1, 102, 4]),
        snapshot([100, 1, 101, 2], [99, 3, 102, 4]),
        UNSORTED,
    ),
    "asks unsorted": (
        snapshot([100, 1, 103, 2], [99, 3, 101, 4], [98, 5, 102, 6]),
        snapshot([100, 1, 101, 4], [99, 3, 102, 6], [98, 5, 103, 2]),
        UNSORTED,
    ),
    "duplicated: the last volume stays": (
        snapshot([100, 1, 101, 2], [100, 7, 102, 4], [99, 5, 103, 6]),
        snapshot([100, 7, 101, 2], [99, 5, 102, 4], [NAN, NAN, 103, 6]),
        DUPLICATED,
    ),
    "duplicated apart and unsorted": (
        snapshot([99, 1, 102, 2], [100, 3, 101, 4], [99, 5, 102, 6]),
        snapshot([100, 3, 101, 4], [99, 5, 102, 6], [NAN, NAN, NAN, NAN]),
        UNSORTED | DUPLICATED,
    ),
    "a level missing in the middle": (
        snapshot([NAN, NAN, 101, 2], [100, 1, NAN, NAN], [99, 2, 102, 1]),
        snapshot([100, 1, 101, 2], [99, 2, 102, 1], [NAN, NAN, NAN, NAN]),
        UNSORTED,
    ),
    "levels missing at the back": (
        snapshot([100, 1, 101, 2], [NAN, NAN, NAN, NAN]),
        snapshot([100, 1, 101, 2], [NAN, NAN, NAN, NAN]),
        0,
    ),
    "nothing there": (snapshot([NAN] * 4, [NAN] * 4), snapshot([NAN] * 4, [NAN] * 4), 0),
    "levels that are not there as zeros": (
        snapshot([100, 1, 101, 2], [0, 0, NAN, 0]),
        snapshot([100, 1, 101, 2], [NAN, NAN, NAN, NAN]),
        0,
    ),
    "a damaged size takes what stands behind it along": (
        snapshot([100, 1, 101, 2], [99, NAN, 102, 4], [98, 5, 103, 6]),
        snapshot([100, 1, 101, 2], [NAN, NAN, 102, 4], [NAN, NAN, 103, 6]),
        DAMAGED,
    ),
    "what stands before a damaged level is sorted": (
        snapshot([99, 1, 101, 2], [100, 3, 101, 4], [98, -5, math.inf, 6]),
        snapshot([100, 3, 101, 4], [99, 1, NAN, NAN], [NAN, NAN, NAN, NAN]),
        UNSORTED | DUPLICATED | DAMAGED,
    ),
    "what stands behind a damaged level is not judged": (
        snapshot([100, 1, -1, 2], [99, 3, 102, 4], [98, 3, 101, 4]),
        snapshot([100, 1, NAN, NAN], [99, 3, NAN, NAN], [98, 3, NAN, NAN]),
        DAMAGED,
    ),
}


@pytest.mark.parametrize("repair", [repair_depth, repair_inside], ids=["outside", "inside njit"])
@pytest.mark.parametrize("name", CASES)
def test_a_snapshot_is_mended(name, repair):
    given, expected, flags = CASES[name]
    levels = given.copy()
    assert repair(levels) == flags
    np.testing.assert_array_equal(levels, expected)


@pytest.fixture(params=[1, 2, 5, 10])
def harmed(request):
    """Snapshots of so many levels with cells of every kind, among them such as no book has."""
    rng = np.random.default_rng(request.param)
    cells = np.array([NAN, 0.0, -0.0, -1.0, math.inf, -math.inf, 3.5e38, 1e-320])
    given = np.empty((400, request.param, 4))
    given[..., ::2] = rng.integers(95, 105, size=given[..., ::2].shape)
    given[..., 1::2] = rng.integers(1, 9, size=given[..., 1::2].shape)
    places = rng.random(given.shape) < rng.choice([0.0, 0.02, 0.2], size=(400, 1, 1))
    given[places] = rng.choice(cells, size=places.sum())
    blank = rng.random((400, request.param, 2)) < 0.1
    given[np.repeat(blank, 2, axis=2)] = NAN
    return given


def test_random_snapshots_equal_the_oracle_and_stay_mended(harmed):
    seen = set()
    for given in harmed:
        expected, unsorted, duplicated, damaged = mend_snapshot(given)
        flags = repair_depth(given)
        np.testing.assert_array_equal(given, expected)
        assert flags == unsorted * UNSORTED + duplicated * DUPLICATED + damaged * DAMAGED
        assert repair_depth(given) == 0
        seen.add(flags)
    assert {flags & DAMAGED for flags in seen} == {0, DAMAGED}


def test_damaged_levels_are_found_as_the_oracle_finds_them(harmed):
    cells = np.empty(len(harmed), dtype=np.int64)
    found = [first_damaged(one) for one in harmed]
    assert find_damaged(harmed, cells) == sum(one is not None for one in found) > 0
    for snapshot_, cell, place in zip(harmed, cells.tolist(), found, strict=True):
        if place is None:
            assert cell == -1
            continue
        level, column = place
        price = snapshot_[level, column]
        assert cell == 4 * level + column + (0.0 < price < 3e38)
    repair_depth_series(harmed)
    assert find_damaged(harmed, cells) == 0


def test_what_is_damaged_in_a_file_is_refused_live(harmed):
    for given in harmed:
        if first_damaged(given) is not None:
            with pytest.raises(DataError, match=r"depth: (bid|ask)_(price|volume) of level"):
                read_depth(given)
        elif all(is_absent(*row[c : c + 2]) for row in given.tolist() for c in (0, 2)):
            with pytest.raises(DataError, match="no level with a price"):
                read_depth(given)
        else:
            np.testing.assert_array_equal(read_depth(given), given)


def test_levels_are_counted_to_the_first_that_is_missing_or_damaged(harmed):
    counts = np.empty(harmed.shape[1], dtype=np.int64)
    count_levels(harmed, counts)
    expected = np.zeros_like(counts)
    for given in harmed:
        for level, row in enumerate(given.tolist()):
            sides = (row[:2], row[2:])
            there = first_damaged(np.array([row])) is None and not any(
                is_absent(*side) for side in sides
            )
            if level > 0 and not there:
                break
            expected[level] += 1
    assert counts.tolist() == expected.tolist()


def test_a_series_counts_its_repaired_snapshots():
    depth = np.stack([CASES["in order"][0], CASES["bids unsorted"][0], CASES["in order"][0]])
    depth = np.concatenate([depth, depth])
    depth[5, 1, :2] = depth[5, 0, :2]
    assert repair_depth_series(depth) == (2, 1)
    np.testing.assert_array_equal(depth[1], CASES["bids unsorted"][1])


def test_a_real_capture_is_in_order_after_one_repair():
    path = DATA / "usdm_BTCUSDT_100ms_depth10.parquet"
    if not path.exists():
        pytest.skip("the shared captures are not beside the repository")
    depth = read_ticks(path)[0].depth
    repair_depth_series(depth)
    assert repair_depth_series(depth.copy()) == (0, 0)
    bids, asks = depth[:, :, 0], depth[:, :, 2]
    assert not np.any(np.diff(bids, axis=1) >= 0)
    assert not np.any(np.diff(asks, axis=1) <= 0)


LEVEL = [100.0, 1.0, 101.0, 2.0]
BLANK = [NAN] * 4
READABLE = {
    "list": [[100, 1, 101, 2.5]],
    "tuples": ((100.0, 1.0, 101.0, 2.5),),
    "rows of an array": [np.array([100, 1, 101, 2.5], dtype=np.float32)],
    "long double": np.array([[100, 1, 101, 2.5]], dtype=np.longdouble),
    "objects": np.array([[100, np.int8(1), np.float32(101), 2.5]], dtype=object),
    "decimals": [[Decimal(100), Decimal(1), Decimal("101.0"), Decimal("2.5")]],
    "a decimal among numbers": [[100, 1.0, np.float32(101), Decimal("2.5")]],
    "pandas": pd.DataFrame([[100, 1, 101, 2.5]]),
    "polars": pl.DataFrame([[100, 1, 101, 2.5]], orient="row"),
}


@pytest.mark.parametrize("name", READABLE)
def test_live_depth_is_read_from_anything_like_an_array(name):
    levels = read_depth(READABLE[name])
    assert levels.dtype == np.float64
    assert levels.flags.c_contiguous
    np.testing.assert_array_equal(levels, [[100.0, 1.0, 101.0, 2.5]])


def test_live_depth_is_a_copy():
    given = snapshot(LEVEL)
    read_depth(given)[0, 0] = 5.0
    assert given[0, 0] == 100.0


@pytest.mark.parametrize(
    "levels",
    [
        [LEVEL, BLANK],
        [LEVEL, [NAN, NAN, 102.0, 0.0]],
        [[100.0, 1.0, NAN, NAN]],
        [[99, 1, 101, 2], [100, 1, 102, 2]],
        [[NAN, NAN, 101, 2], [100, 1, 102, 2]],
        [[10**30, 0, 10**31, 0]],
        [LEVEL, [0, 0, NAN, 0]],
        [LEVEL, [Decimal("NaN")] * 4],
    ],
    ids=["blank", "bids end", "one side", "unsorted", "hole", "beyond int64", "zeros", "decimals"],
)
def test_live_depth_may_lack_levels(levels):
    np.testing.assert_array_equal(read_depth(levels), np.array(levels, dtype=np.float64))


REFUSED = {
    "text": ("depth", "depth is a str"),
    "text cell": ([["100", 1, 101, 2]], "depth holds <U"),
    "text among objects": (
        np.array([LEVEL, [99, 1, "101", 2]], dtype=object),
        "ask_price of level 2 is '101' (str)",
    ),
    "bytes": ([[b"1", b"1", b"1", b"1"]], "depth holds |S1 values"),
    "ragged": ([LEVEL, [99.0, 1.0]], "depth cannot be read as an array"),
    "empty": ([], "depth has shape (0,)"),
    "no levels": (np.empty((0, 4)), "depth has shape (0, 4)"),
    "no columns": ([[]], "depth has shape (1, 0)"),
    "dictionary": ({}, "depth is a dict"),
    "None": (None, "depth is a NoneType"),
    "number": (5.0, "depth is a float"),
    "flat": (LEVEL, "depth has shape (4,)"),
    "five columns": ([[*LEVEL, 1.0]], "depth has shape (1, 5)"),
    "series": ([[LEVEL]], "depth has shape (1, 1, 4)"),
    "None cell": ([LEVEL, [99.0, None, 102.0, 1.0]], "bid_volume of level 2 is None"),
    "truth values": (np.ones((1, 4), dtype=bool), "depth holds bool values"),
    "truth value": ([[True, 1, 10**30, 1]], "bid_price of level 1 is True (bool)"),
    "infinite decimal": ([[100, 1, 101, Decimal("Infinity")]], "ask_volume of level 1 is inf"),
    "huge decimal": ([[100, 1, Decimal("1e400"), 1]], "ask_price of level 1 is inf"),
    "signalling decimal": ([[100, Decimal("sNaN"), 101, 1]], "bid_volume of level 1 is nan"),
    "complex": ([[1j, 1, 1, 1]], "depth holds complex128 values"),
    "times": (np.full((1, 4), np.datetime64("2024-01-01")), "depth holds datetime64"),
    "too large": ([[100, 10**400, 101, 2]], "bid_volume of level 1 is inf"),
    "too large to print": ([[100, 10**5000, 101, 2]], "bid_volume of level 1 is inf"),
    "too large for float64": (
        np.full((1, 4), np.longdouble("1e400")),
        "bid_price of level 1 is inf",
    ),
    "negative price": ([LEVEL, [-99, 1, 102, 1]], "bid_price of level 2 is -99.0"),
    "zero price": ([LEVEL, [0, 1, 0, 0]], "bid_price of level 2 is 0.0"),
    "price without a number for its size": ([LEVEL, [0, NAN, 1, 1]], "bid_price of level 2 is 0.0"),
    "beyond float32": ([[100, 1, 101, 3.5e38]], "ask_volume of level 1 is 3.5e+38"),
    "zeros alone": ([[0.0, 0.0, NAN, 0.0]], "depth has no level with a price"),
    "infinite price": ([[100, 1, math.inf, 1]], "ask_price of level 1 is inf"),
    "negative volume": ([[100, 1, 101, -1]], "ask_volume of level 1 is -1.0"),
    "infinite volume": ([[100, math.inf, 101, 1]], "bid_volume of level 1 is inf"),
    "price without volume": ([[100, 1, 101, NAN]], "ask_volume of level 1 is nan"),
    "volume without price": ([[NAN, 1, 101, 1]], "bid_volume of level 1 is 1.0"),
    "no price at all": ([BLANK, BLANK], "depth has no level with a price"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_live_depth_that_cannot_be_read_is_refused_with_its_place(name):
    value, message = REFUSED[name]
    with pytest.raises(DataError) as caught:
        read_depth(value)
    assert message in str(caught.value)
    assert "shape (levels, 4)" in str(caught.value)
