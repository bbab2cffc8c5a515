"""The batch loop is the step: in chunks, from a copied record, symbols interleaved."""

from dataclasses import replace

import numpy as np
import pytest

from alphaseeker.errors import ConfigError, DataError
from alphaseeker.features import batch
from alphaseeker.features.allocation import allocate_session
from alphaseeker.features.batch import (
    column_indices,
    compute_features,
    depth_of,
    mended_series,
    run_ticks,
)
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.custom import custom_feature
from alphaseeker.features.inputs import available_names
from alphaseeker.features.layout import feature_vector
from alphaseeker.market.array_file import in_file

CHUNKS = (1, 2, 7, 100, 4096)


@custom_feature(state=[("count", np.int64)])
def counted(state, tick, window_s):
    "ticks of the segment so far"
    state.count += 1
    return float(state.count)


@pytest.fixture
def advance(rows_of):
    """Return a function: some rows of a series on a record; their values and verdicts."""

    def step(records, series, rows, settings):
        part = rows_of(series, rows)
        count = len(part)
        columns = column_indices(available_names(settings))
        values = np.empty((count, len(columns)), dtype=np.float32)
        verdicts = np.empty(count, dtype=np.int8)
        run_ticks(
            records,
            feature_vector(records),
            part.ticks,
            depth_of(part, settings),
            columns,
            values,
            verdicts,
            *np.empty((2, count), dtype=np.int64),
            np.empty(count),
        )
        return values, verdicts

    return step


def test_any_chunking_gives_the_same_bits(capture, advance):
    rng = np.random.default_rng(1)
    for series, run in zip(capture.series, capture.runs, strict=True):
        records = allocate_session(capture.settings, series.symbol)
        start = 0
        while start < len(series):
            end = start + int(rng.choice(CHUNKS))
            values, verdicts = advance(records, series, slice(start, end), capture.settings)
            assert values.tobytes() == run.values[start:end].tobytes()
            assert verdicts.tobytes() == run.verdicts[start:end].tobytes()
            start = end


def test_a_copy_of_the_record_goes_on_with_the_same_bits(capture, advance):
    rng = np.random.default_rng(2)
    series, run = capture.series[0], capture.runs[0]
    cuts = np.sort(rng.integers(1, len(series), 6))
    records = allocate_session(capture.settings, series.symbol)
    before = 0
    for cut in cuts:
        advance(records, series, slice(before, cut), capture.settings)
        other = allocate_session(capture.settings, series.symbol)
        other.view(np.uint8)[:] = np.frombuffer(records.tobytes(), dtype=np.uint8)
        values, _ = advance(other, series, slice(cut, cut + 3000), capture.settings)
        assert values.tobytes() == run.values[cut : cut + 3000].tobytes()
        before = cut


def test_symbols_interleaved_do_not_touch_each_other(capture, advance):
    series = capture.series if len(capture.series) > 1 else [capture.series[0]] * 2
    runs = capture.runs if len(capture.runs) > 1 else [capture.runs[0]] * 2
    records = [allocate_session(capture.settings, one.symbol) for one in series]
    for start in range(0, min(5000, max(len(one) for one in series)), 250):
        for one, run, record in zip(series, runs, records, strict=True):
            rows = slice(start, start + 250)
            values, _ = advance(record, one, rows, capture.settings)
            assert values.tobytes() == run.values[rows].tobytes()


def test_a_block_holds_the_accepted_rows(capture):
    series, run = capture.series[0], capture.runs[0]
    block = compute_features(series, settings=capture.settings)
    kept = run.accepted
    assert len(block) == kept.sum()
    assert block.names == available_names(capture.settings) == run.names
    assert block.values.flags.f_contiguous
    assert block.values.tobytes() == run.values[kept].tobytes()
    for name, expected in (
        ("timestamp", series.ticks["timestamp"]),
        ("close", series.ticks["close"]),
        ("mid", run.mids),
        ("spread", series.ticks["ask_price"] - series.ticks["bid_price"]),
        ("row", series.rows),
        ("segment", run.segments),
        ("history", run.history),
        ("verdict", run.verdicts),
    ):
        np.testing.assert_array_equal(getattr(block, name), expected[kept], err_msg=name)
    plain = (series.ticks["bid_price"] + series.ticks["ask_price"])[kept] / 2
    np.testing.assert_allclose(block.mid, plain, rtol=1e-15)
    assert block.quality.accepted == len(block)
    assert block.bucket_s == capture.settings.bucket_s


SCATTERED = ("volatility.ewma", "depth.gap", "book.spread", "aggressor.intensity_5s", "flow.ofi_5s")


@pytest.mark.parametrize("names", [SCATTERED, slice(0, 40), slice(40, 90), slice(260, None)])
def test_a_choice_of_columns_has_the_same_bits(deep_walk, run, everything, names):
    """A slice stands for columns that stand in a row in the catalogue."""
    series = deep_walk(1500)
    series.ticks["close"][700] = np.nan  # a row that is refused
    whole = run(series, **everything)
    names = whole.names[names] if isinstance(names, slice) else names
    block = compute_features(series, settings=FeatureSettings(**everything), names=names)
    assert block.names == names
    assert len(block) == 1499
    for name, column in zip(names, block.values.T, strict=True):
        assert column.tobytes() == whole.column(name)[whole.accepted].tobytes()


def test_inputs_that_no_column_reads_change_nothing(deep_walk, run):
    """Sides and depth are there, and the settings say that they are not to be read."""
    series = deep_walk(1500)
    ticks = series.ticks.copy()
    ticks["buy_volume"] = ticks["sell_volume"] = np.nan
    plain = type(series)(symbol="", ticks=ticks, rows=series.rows)
    assert run(series).values.tobytes() == run(plain).values.tobytes()
    assert run(series, depth_levels=10).values.shape[1] == run(plain).values.shape[1] + 29


def test_depth_out_of_order_is_mended_beside_the_series(deep_walk, everything):
    series = deep_walk(1500)
    settings = FeatureSettings(**everything)
    turned = series.depth.copy()
    turned[::3] = turned[::3, ::-1]
    shuffled = replace(series, depth=turned.copy())
    expected = compute_features(series, settings=settings)
    for _ in range(2):
        block = compute_features(shuffled, settings=settings)
        assert block.values.tobytes() == expected.values.tobytes()
        assert (block.quality.depth_unsorted, expected.quality.depth_unsorted) == (500, 0)
        assert shuffled.depth.tobytes() == turned.tobytes()


def test_a_damaged_level_is_a_missing_one(deep_walk, everything):
    """NaN, infinite and negative cells; what stands behind them on their side is missing, too."""
    series = deep_walk(1500)
    settings = FeatureSettings(**everything)
    damaged, blank = series.depth.copy(), series.depth.copy()
    for row, (level, column, value) in {
        300: (2, 3, np.nan),
        600: (4, 1, -1.0),
        601: (4, 0, np.inf),
        900: (1, 2, -5.0),
        901: (9, 3, np.inf),
        1200: (6, 0, np.nan),
    }.items():
        damaged[row, level, column] = value
        side = column // 2 * 2
        blank[row, level:, side : side + 2] = np.nan
    found, expected = (
        compute_features(replace(series, depth=depth), settings=settings)
        for depth in (damaged, blank)
    )
    assert found.values.tobytes() == expected.values.tobytes()
    assert (found.quality.depth_damaged, expected.quality.depth_damaged) == (6, 0)
    assert found.quality.accepted == expected.quality.accepted == len(found)
    deep = [name for name in found.names if name.startswith("depth.") and "ofi" not in name]
    column = found.values[:, found.names.index("depth.round_trip_cost")]
    assert np.isnan(column[[300, 600, 601, 900, 901, 1200]]).all()
    assert np.isfinite(found.values[1300:, [found.names.index(name) for name in deep]]).all()
    assert np.isfinite(found.values[601, found.names.index("depth.imbalance_3")])


def test_depth_in_order_is_not_copied(deep_walk):
    series = deep_walk(300, missing=0.3)
    assert mended_series(series) is series
    late = series.depth.copy()
    late[-1] = late[-1, ::-1]
    mended = mended_series(replace(series, depth=late))
    assert mended.depth.tobytes() == series.depth.tobytes() != late.tobytes()


def test_columns_of_depth_and_sides_need_them(deep_walk, everything):
    series = deep_walk(50)
    settings = FeatureSettings(**everything)
    bare = type(series)(symbol="", ticks=series.ticks, rows=series.rows)
    with pytest.raises(DataError, match=r"depth\.gap"):
        compute_features(bare, settings=settings, names=["book.spread", "depth.gap"])
    series.ticks["buy_volume"] = np.nan
    with pytest.raises(DataError, match=r"liquidity\.kyle_60s"):
        compute_features(series, settings=settings, names=["liquidity.kyle_60s"])


def test_rows_that_are_not_accepted_are_left_out_of_a_block_and_nan_in_a_run(walk, run):
    series = walk(300)
    series.ticks["bid_price"][100] = series.ticks["ask_price"][100] + 1.0
    series.ticks["close"][200] = np.nan
    result = run(series)
    assert np.isnan(result.values[[100, 200]]).all()
    block = compute_features(series, settings=FeatureSettings(tick_size=0.01))
    assert sorted(set(series.rows) - set(block.row)) == [101, 201]
    assert (block.quality.crossed, block.quality.refused) == (1, 1)


def test_an_empty_series_gives_an_empty_block(walk):
    series = walk(2)
    empty = type(series)(symbol="X", ticks=series.ticks[:0], rows=series.rows[:0])
    block = compute_features(empty, settings=FeatureSettings())
    assert block.values.shape == (0, len(available_names(FeatureSettings())))


def test_no_ticks_are_no_step(deep_walk, everything, advance):
    """There is no depth to read, which bounds checks and a process without the compiler tell."""
    settings = FeatureSettings(**everything)
    records = allocate_session(settings)
    before = records.tobytes()
    values, verdicts = advance(records, deep_walk(2), slice(0, 0), settings)
    assert len(values) == len(verdicts) == 0
    assert records.tobytes() == before


def test_an_unknown_column_is_refused(walk):
    with pytest.raises(ConfigError, match=r"unknown feature 'book\.x'"):
        compute_features(walk(2), settings=FeatureSettings(), names=["book.x"])


def test_values_in_a_file_have_the_same_bits(deep_walk, everything):
    """Pieces are shorter than the series, and rows that are not accepted lie in several."""
    series = deep_walk(3000)
    series.ticks["close"][[0, 5, 1023, 1024, 2500, 2999]] = np.nan
    settings = FeatureSettings(**everything)
    expected = compute_features(series, settings=settings)
    block = compute_features(series, settings=settings, memory_limit=0)
    assert in_file(block.values)
    assert not in_file(expected.values)
    assert block.values.flags.f_contiguous
    assert len(block) == 2994
    for name in ("values", "timestamp", "mid", "spread", "close", "segment", "row", "verdict"):
        assert getattr(block, name).tobytes() == getattr(expected, name).tobytes()
    assert block.quality == expected.quality


@pytest.mark.parametrize("rows", [1, 100, 5000])
def test_any_length_of_a_piece_gives_the_same_bits(deep_walk, everything, monkeypatch, rows):
    series = deep_walk(1500)
    series.depth[700] = series.depth[700, ::-1]
    settings = FeatureSettings(**everything, custom=(counted,))
    expected = compute_features(series, settings=settings)
    monkeypatch.setattr(batch, "PIECE_ROWS", rows)
    block = compute_features(series, settings=settings)
    assert block.values.tobytes() == expected.values.tobytes()
    assert block.values[-1, block.names.index("custom.counted")] == 1500
