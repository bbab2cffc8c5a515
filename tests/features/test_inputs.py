"""Which data have depth and the aggressor's side, and what is refused without them."""

from dataclasses import replace

import numpy as np
import pytest

from alphaseeker.errors import DataError
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.inputs import (
    available_names,
    check_inputs,
    check_sides,
    depth_levels,
    has_aggressor,
    live_levels,
    needed_inputs,
)
from alphaseeker.market.simulator import simulate

NAN = float("nan")


@pytest.fixture(scope="module")
def deep():
    """SIMULATED ticks with four levels and the aggressor's side."""
    return simulate(100, seed=1, depth_levels=4)


def without(series, share, level=3, field="buy_volume"):
    """Return the series with a level and a volume missing on the first ``share`` of its rows."""
    missing = round(share * len(series))
    ticks, depth = series.ticks.copy(), series.depth.copy()
    ticks[field][:missing] = NAN
    depth[:missing, level, 2:] = NAN
    return replace(series, ticks=ticks, depth=depth)


def test_nine_rows_of_ten_are_enough(deep):
    assert (depth_levels([deep]), has_aggressor([deep])) == (4, True)
    few, many = without(deep, 0.1), without(deep, 0.11)
    assert (depth_levels([few]), has_aggressor([few])) == (4, True)
    assert (depth_levels([many]), has_aggressor([many])) == (3, False)
    assert depth_levels([without(deep, 0.11, level=1)]) == 0
    assert not has_aggressor([without(deep, 0.11, field="sell_volume")])


def test_the_poorest_series_decides(deep):
    shallow = replace(deep, depth=deep.depth[:, :3])
    assert depth_levels([deep, shallow]) == 3
    assert depth_levels([deep, replace(deep, depth=None)]) == 0
    assert depth_levels([deep, replace(deep, depth=deep.depth[:, :1])]) == 0
    assert (depth_levels([]), has_aggressor([])) == (0, False)


def test_the_columns_offered_follow_the_settings():
    plain = available_names(FeatureSettings())
    assert not [name for name in plain if name.startswith(("depth.", "aggressor."))]
    sides = set(available_names(FeatureSettings(aggressor=True))) - set(plain)
    assert {name.partition(".")[0] for name in sides} == {"aggressor"}
    counts = [len(available_names(FeatureSettings(depth_levels=n))) for n in (2, 3, 5, 10)]
    assert len(plain) < counts[0] < counts[1] < counts[2] < counts[3]
    ten = available_names(FeatureSettings(depth_levels=10))
    assert "depth.imbalance_10" in ten
    assert "depth.imbalance_10" not in available_names(FeatureSettings(depth_levels=9))


def test_what_columns_need():
    plain, sided = FeatureSettings(), FeatureSettings(aggressor=True)
    signed = ["book.spread", "liquidity.kyle_60s"]
    assert needed_inputs(["book.spread"], sided) == ()
    assert needed_inputs(signed, plain) == ()
    assert needed_inputs(signed, sided) == ("aggressor",)
    assert needed_inputs(["aggressor.cancel_rate_5s"], plain) == ("aggressor",)
    assert needed_inputs(["depth.gap", *signed], sided) == ("depth", "aggressor")


def test_a_series_without_what_columns_read_is_refused_by_name(deep):
    settings = FeatureSettings(depth_levels=4, aggressor=True)
    names = ["depth.imbalance_3", "liquidity.kyle_60s"]
    check_inputs(deep, names, settings)
    check_inputs(replace(deep, depth=None), names[1:], settings)
    check_inputs(without(deep, 1.0), ["book.spread"], settings)
    with pytest.raises(DataError, match=r"buy_volume and sell_volume .*kyle_60s read them"):
        check_inputs(without(deep, 0.5), names, settings)
    for poor, levels in ((replace(deep, depth=None), "no"), (without(deep, 0.5), "3")):
        sided = replace(poor, ticks=deep.ticks)
        message = rf"has {levels} levels, 4 are needed: depth\.imbalance_3 read"
        with pytest.raises(DataError, match=message):
            check_inputs(sided, names, settings)


def test_live_depth_is_returned_where_it_is_read():
    good = [[100.0, 1.0, 101.0, 2.0], [99.0, 3.0, 102.0, 4.0]]
    levels, mended = live_levels(good, 2)
    assert (levels.tolist(), mended) == (good, False)
    levels, mended = live_levels(good[::-1], 2)
    assert (levels.tolist(), mended) == (good, True)
    for depth, expected in ((None, False), (good, False), (good[::-1], True)):
        levels, mended = live_levels(depth, 0)
        assert (levels.shape, mended) == ((0, 4), expected)


@pytest.mark.parametrize("count", [10, 11, 1_000])
def test_live_depth_is_cut_to_the_best_ten_levels(count):
    steps = 0.01 * np.arange(count)
    depth = np.column_stack((100.0 - steps, 1.0 + steps, 100.1 + steps, 2.0 + steps))
    for given in (depth, depth[::-1]):
        levels, mended = live_levels(given, 2)
        np.testing.assert_array_equal(levels, depth[:10])
        assert levels.flags.c_contiguous
        assert mended == (given is not depth)


@pytest.mark.parametrize(
    ("depth", "found"),
    [
        ([[100.0, 1.0, 101.0, 2.0]], 1),
        ([[100.0, 1.0, 101.0, 2.0], [99.0, 3.0, NAN, NAN]], 1),
        ([[NAN, NAN, 101.0, 2.0], [NAN, NAN, 102.0, 2.0]], 0),
        ([[100.0, 1.0, 101.0, 2.0], [100.0, 3.0, 102.0, 4.0]], 1),  # one price twice
    ],
)
def test_live_depth_with_too_few_levels_is_refused(depth, found):
    with pytest.raises(DataError, match=rf"depth has {found} levels .*; depth\.gap read 2"):
        live_levels(depth, 2, ["book.spread", "depth.gap"])


@pytest.mark.parametrize(
    "kind",
    [list, np.array, lambda rows: np.array(rows, dtype=np.float32), np.asfortranarray, tuple],
)
def test_live_depth_may_be_any_array_of_numbers(kind):
    given = kind([[100.0, 1.0, 101.0, 2.0], [99.0, 3, 102.0, 4.0]])
    levels, _ = live_levels(given, 2)
    assert levels.flags.c_contiguous
    levels[:] = 0.0  # a copy: the caller's own stays
    assert np.asarray(given)[1].tolist() == [99.0, 3.0, 102.0, 4.0]


@pytest.mark.parametrize(
    ("cell", "value", "name"),
    [
        (0, 0.0, "bid_price"),
        (0, -1.0, "bid_price"),
        (1, -1.0, "bid_volume"),
        (2, float("inf"), "ask_price"),
        (2, NAN, "ask_volume"),  # a size without a price
        (3, NAN, "ask_volume"),
        (3, float("inf"), "ask_volume"),
    ],
)
@pytest.mark.parametrize("needed", [0, 2])
def test_live_depth_out_of_range_is_refused_by_cell(cell, value, name, needed):
    depth = np.array([[100.0, 1.0, 101.0, 2.0], [99.0, 3.0, 102.0, 4.0]])
    depth[1, cell] = value
    with pytest.raises(DataError, match=f"depth: {name} of level 2"):
        live_levels(depth, needed)


@pytest.mark.parametrize("depth", ["abc", [], [[1.0]], [[None] * 4], [[True] * 4], [[NAN] * 4]])
def test_what_is_no_depth_is_refused(depth):
    with pytest.raises(DataError, match="depth"):
        live_levels(depth, 0)


def test_many_readers_are_counted():
    names = [f"aggressor.signed_ratio_{window}s" for window in (5, 30, 60, 300)]
    with pytest.raises(DataError, match="signed_ratio_60s and 1 more read it"):
        check_sides(1.0, NAN, names)
    check_sides(0.0, 0.0, names)
