"""The batch loop is the step: one by one, in chunks, from a snapshot, symbols interleaved."""

import numpy as np
import pytest

from alphaseeker.errors import ConfigError
from alphaseeker.features.batch import column_indices, compute_features, run_ticks
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.features.layout import allocate_session, feature_vector
from alphaseeker.features.step import tick_step

NAMES = [feature.name for feature in FEATURES]
EVERY = np.arange(len(NAMES))
CHUNKS = (1, 2, 7, 100, 4096)


def advance(records, ticks):
    """Run ``ticks`` on a record and return the values and verdicts."""
    count = len(ticks)
    values = np.empty((count, len(NAMES)), dtype=np.float32)
    verdicts = np.empty(count, dtype=np.int8)
    numbers = np.empty((2, count), dtype=np.int64)
    run_ticks(
        records, feature_vector(records), ticks, EVERY, values, verdicts, *numbers, np.empty(count)
    )
    return values, verdicts


def test_one_tick_at_a_time_gives_the_bits_of_the_loop(capture):
    for series, run in zip(capture.series, capture.runs, strict=True):
        records = allocate_session(capture.settings, series.symbol)
        vector = feature_vector(records)
        expected = run.values.view(np.uint32)
        for row, (timestamp, *values, session) in enumerate(series.ticks.tolist()):
            verdict = tick_step(records, vector, timestamp, session, *values)
            assert verdict == run.verdicts[row]
            if 0 <= verdict < 10 and vector.tobytes() != expected[row].tobytes():
                pytest.fail(f"{capture.name}, {series.symbol}: row {row} differs")


def test_any_chunking_gives_the_same_bits(capture):
    rng = np.random.default_rng(1)
    for series, run in zip(capture.series[:3], capture.runs, strict=False):
        records = allocate_session(capture.settings, series.symbol)
        start = 0
        while start < len(series):
            end = start + int(rng.choice(CHUNKS))
            values, verdicts = advance(records, series.ticks[start:end])
            assert values.tobytes() == run.values[start:end].tobytes()
            assert verdicts.tobytes() == run.verdicts[start:end].tobytes()
            start = end


def test_a_copy_of_the_record_goes_on_with_the_same_bits(capture):
    rng = np.random.default_rng(2)
    series, run = capture.series[0], capture.runs[0]
    cuts = np.sort(rng.integers(1, len(series), 6))
    records = allocate_session(capture.settings, series.symbol)
    before = 0
    for cut in cuts:
        advance(records, series.ticks[before:cut])
        other = allocate_session(capture.settings, series.symbol)
        other.view(np.uint8)[:] = np.frombuffer(records.tobytes(), dtype=np.uint8)
        values, _ = advance(other, series.ticks[cut : cut + 3000])
        assert values.tobytes() == run.values[cut : cut + 3000].tobytes()
        before = cut


def test_symbols_interleaved_do_not_touch_each_other(capture):
    series = capture.series if len(capture.series) > 1 else [capture.series[0]] * 2
    runs = capture.runs if len(capture.runs) > 1 else [capture.runs[0]] * 2
    records = [allocate_session(capture.settings, one.symbol) for one in series]
    for start in range(0, min(5000, max(len(one) for one in series)), 250):
        for one, run, record in zip(series, runs, records, strict=True):
            values, _ = advance(record, one.ticks[start : start + 250])
            assert values.tobytes() == run.values[start : start + 250].tobytes()


def test_a_block_holds_the_accepted_rows(capture):
    series, run = capture.series[0], capture.runs[0]
    block = compute_features(series, settings=capture.settings)
    kept = (run.verdicts >= 0) & (run.verdicts < 10)
    assert len(block) == kept.sum()
    assert block.names == tuple(NAMES)
    assert block.values.flags.c_contiguous
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


def test_a_choice_of_columns_has_the_same_bits(walk, run):
    series = walk(1500)
    names = ("volatility.ewma", "book.spread", "flow.ofi_5s")
    block = compute_features(series, settings=FeatureSettings(tick_size=0.01), names=names)
    assert block.names == names
    assert block.values.tobytes() == run(series).values[:, column_indices(names)].tobytes()


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
    assert block.values.shape == (0, len(NAMES))


def test_an_unknown_column_is_refused(walk):
    with pytest.raises(ConfigError, match=r"unknown feature 'book\.x'"):
        compute_features(walk(2), settings=FeatureSettings(), names=["book.x"])
