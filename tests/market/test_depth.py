"""Depth levels are sorted, deduplicated and counted, inside and outside compiled code."""

import math
from pathlib import Path

import numpy as np
import pytest
from numba import njit

from alphaseeker.errors import DataError
from alphaseeker.market.depth import (
    DUPLICATED,
    UNSORTED,
    repair_depth,
    repair_depth_series,
    require_levels,
)
from alphaseeker.market.readers import read_ticks
from oracles.depth import mend_snapshot

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
}


@pytest.mark.parametrize("repair", [repair_depth, repair_inside], ids=["outside", "inside njit"])
@pytest.mark.parametrize("name", CASES)
def test_a_snapshot_is_mended(name, repair):
    given, expected, flags = CASES[name]
    levels = given.copy()
    assert repair(levels) == flags
    np.testing.assert_array_equal(levels, expected)


@pytest.mark.parametrize("levels", [1, 2, 5, 10])
def test_random_snapshots_equal_the_oracle_and_stay_mended(levels):
    rng = np.random.default_rng(levels)
    for _ in range(300):
        given = np.empty((levels, 4))
        given[:, ::2] = rng.integers(95, 105, size=(levels, 2))
        given[:, 1::2] = rng.integers(1, 9, size=(levels, 2))
        given[rng.random((levels, 4)) < 0.1] = NAN
        expected, unsorted, duplicated = mend_snapshot(given)
        flags = repair_depth(given)
        np.testing.assert_array_equal(given, expected)
        assert flags == unsorted * UNSORTED + duplicated * DUPLICATED
        assert repair_depth(given) == 0


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


def test_too_few_levels_are_refused_with_both_numbers():
    require_levels(np.zeros((5, 4)), 5)
    require_levels(np.zeros((9, 10, 4)), 5)
    require_levels(None, 0)
    with pytest.raises(DataError, match=r"depth has 3 levels, 5 are needed"):
        require_levels(np.zeros((3, 4)), 5)
    with pytest.raises(DataError, match=r"depth has 2 levels, 10 are needed.*ask_volume_10"):
        require_levels(np.zeros((7, 2, 4)), 10)
    with pytest.raises(DataError, match="depth has 0 levels, 1 are needed"):
        require_levels(None, 1)


def test_another_shape_is_refused():
    with pytest.raises(DataError, match=r"shape \(4, 5\)"):
        require_levels(np.zeros((4, 5)), 1)
