"""Judging a source: what is counted, whole or in pieces, and what is refused."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alphaseeker.config import DataConfig
from alphaseeker.errors import ConfigError, DataError
from alphaseeker.market.gate import Verdict
from alphaseeker.market.quality import (
    BadRow,
    LateRow,
    QualityAccumulator,
    QualityReport,
    enforce,
    judge_series,
)
from alphaseeker.market.readers import iter_ticks, read_ticks
from alphaseeker.market.schema import TICK, TickSeries

SECOND = 1_000_000_000
START = 1_704_067_200 * SECOND  # 2024-01-01 UTC
LIMITS = {"max_gap_s": 900.0, "max_jump": 0.2}
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def good(rows: int, symbol: str = "A", *, step_s: float = 1.0) -> TickSeries:
    ticks = np.zeros(rows, dtype=TICK)
    ticks["timestamp"] = START + np.arange(rows) * round(step_s * SECOND)
    ticks["bid_price"] = 100.0
    ticks["ask_price"] = 100.01
    ticks["close"] = 100.0
    ticks["bid_volume"] = 1.0 + np.arange(rows) % 3
    ticks["ask_volume"] = 2.0
    ticks["buy_volume"] = ticks["sell_volume"] = np.nan
    return TickSeries(symbol=symbol, ticks=ticks, rows=np.arange(2, rows + 2))


def faulty() -> TickSeries:
    """Forty rows with one or more of every fault; the first row of the file is line 2."""
    series = good(40)
    ticks = series.ticks
    ticks["bid_price"][3] = np.nan
    ticks["volume"][4] = -1.0
    ticks["timestamp"][5] = 0
    ticks["bid_price"][8] = 100.01  # locked
    ticks["bid_price"][10] = 101.0  # crossed
    ticks["ask_volume"][12] = 0.0
    ticks["timestamp"][14] -= 5 * SECOND
    ticks[17] = ticks[16]
    ticks["bid_price"][20] = ticks["ask_price"][20] = 200.0
    ticks["timestamp"][30:] += 1000 * SECOND
    ticks["session"][35:] = 1
    return series


def test_every_fault_is_counted():
    verdicts, report = judge_series(faulty(), source="file.csv", **LIMITS)
    assert report.rows == 40
    assert report.accepted == 32 == np.count_nonzero((verdicts >= 0) & (verdicts <= 3))
    assert report.refused == 3
    assert report.bad_ratio == 3 / 40
    assert report.bad_rows == (
        BadRow(5, "bid_price", "nan"),
        BadRow(6, "volume", "-1.0"),
        BadRow(7, "timestamp", "0"),
    )
    assert report.sessions == 2
    assert report.gaps == 1
    assert report.longest_gap_s == 1001.0
    assert (report.duplicates, report.repaired) == (1, 1)
    assert (report.locked, report.crossed, report.empty_side) == (1, 1, 1)
    assert (report.jumps, report.jumps_confirmed, report.jumps_dropped) == (1, 0, 1)
    assert report.out_of_order == 1
    assert report.start_ns == START
    assert report.end_ns == START + 1039 * SECOND
    assert verdicts.dtype == np.int8
    assert not report.cumulative_volume
    assert sum(report.verdicts.values()) == 40


def test_intervals_leave_gaps_and_session_changes_out():
    _, report = judge_series(good(10), **LIMITS)
    assert (report.median_interval_s, report.mean_interval_s) == (1.0, 1.0)
    _, report = judge_series(faulty(), **LIMITS)
    accepted_in_segments = [1] * 32
    assert report.median_interval_s == 1.0
    assert 1.0 < report.mean_interval_s < 2.0
    assert sum(rows for rows, _ in report.intervals.values()) == len(accepted_in_segments) - 3


def test_median_interval_is_within_three_per_cent():
    random = np.random.default_rng(0)
    series = good(5001)
    series.ticks["timestamp"] = START + np.cumsum(random.lognormal(17.0, 2.0, 5001).astype(int))
    _, report = judge_series(series, **LIMITS)
    intervals = np.diff(series.ticks["timestamp"]) / SECOND
    assert report.median_interval_s == pytest.approx(np.median(intervals), rel=0.03)
    assert report.mean_interval_s == pytest.approx(intervals.mean(), rel=1e-12)


@pytest.mark.parametrize("size", [1, 3, 7, 39])
def test_pieces_give_the_report_of_the_whole(size):
    series = faulty()
    expected, whole = judge_series(series, source="file.csv", **LIMITS)
    accumulator = QualityAccumulator("file.csv", **LIMITS)
    verdicts = [
        accumulator.update(
            TickSeries(symbol="A", ticks=series.ticks[i : i + size], rows=series.rows[i : i + size])
        )
        for i in range(0, len(series), size)
    ]
    np.testing.assert_array_equal(np.concatenate(verdicts), expected)
    assert accumulator.report() == whole


def test_each_symbol_has_its_own_gate():
    accumulator = QualityAccumulator(**LIMITS)
    one, other = good(6, "A"), good(6, "B")
    other.ticks["bid_price"] *= 1000.0
    other.ticks["ask_price"] *= 1000.0
    for begin in (0, 3):
        for series in (one, other):
            piece = slice(begin, begin + 3)
            accumulator.update(
                TickSeries(symbol=series.symbol, ticks=series.ticks[piece], rows=series.rows[piece])
            )
    report = accumulator.report()
    assert report.symbols == ("A", "B")
    assert report.verdicts == {"ACCEPTED": 10, "NEW_SESSION": 2}
    assert sum(rows for rows, _ in report.intervals.values()) == 10


def late(rows: int, place: int, days: float) -> TickSeries:
    """Rows of which one, in an otherwise good file, bears a time that many days ahead."""
    series = good(rows)
    series.ticks["timestamp"][place] += round(days * 86_400 * SECOND)
    return series


@pytest.mark.parametrize("size", [1, 7, 500, 1000])
def test_rows_behind_a_far_future_row_are_refused_with_its_line(size):
    series = late(1000, 500, 3650)
    accumulator = QualityAccumulator("file.csv", **LIMITS)
    for i in range(0, len(series), size):
        piece = TickSeries(
            symbol="A", ticks=series.ticks[i : i + size], rows=series.rows[i : i + size]
        )
        accumulator.update(piece)
    report = accumulator.report()
    assert report.out_of_order == 499
    future = START + (500 + 3650 * 86_400) * SECOND
    assert report.late_rows == tuple(
        LateRow(503 + i, START + (501 + i) * SECOND, 502, future) for i in range(10)
    )
    with pytest.raises(DataError) as caught:
        enforce(report, DataConfig())
    text = str(caught.value)
    assert text.startswith("file.csv: 499 of 1000 rows are earlier than an accepted row before")
    assert "lines 503, 504, 505, 506, 507, 508, 509, 510, 511, 512 (from 2024-01-01T00:08:2" in text
    assert "after line 502 (2033-12-29T00:08:20.000000000Z); and more. Where" in text
    assert "Where that row's time is wrong, mend or drop it" in text
    assert "at most 1% of the rows may be dropped" in text


def test_up_to_one_per_cent_out_of_order_is_dropped_and_said():
    _, report = judge_series(late(1000, 989, 3650), **LIMITS)
    assert report.out_of_order == 10
    enforce(report, DataConfig())
    assert "after line 991 (2033" in report.warnings()[0]
    _, report = judge_series(late(1000, 988, 3650), **LIMITS)
    assert report.out_of_order == 11
    with pytest.raises(DataError, match="11 of 1000 rows are earlier"):
        enforce(report, DataConfig())


def test_rows_out_of_order_are_listed_behind_the_row_of_their_own_symbol():
    accumulator = QualityAccumulator(**LIMITS)
    one, other = good(4, "A"), good(4, "B")
    one.ticks["timestamp"][1] += 3600 * SECOND
    for begin in (0, 2):
        for series in (one, other):
            piece = slice(begin, begin + 2)
            accumulator.update(
                TickSeries(symbol=series.symbol, ticks=series.ticks[piece], rows=series.rows[piece])
            )
    listed = accumulator.report().late_rows
    assert [(row.row, row.behind_row) for row in listed] == [(4, 3), (5, 3)]


def test_running_total_is_reported_with_its_cure():
    series = good(300)
    series.ticks["volume"] = np.arange(300) + 1.0
    _, report = judge_series(series, **LIMITS)
    assert report.cumulative_volume
    assert "differences" in report.warnings()[0]
    assert "differences" in str(report)
    assert judge_series(good(300), **LIMITS)[1].warnings() == ()


def test_limits_are_checked_at_once():
    with pytest.raises(ConfigError, match="max_jump"):
        QualityAccumulator(max_gap_s=1.0, max_jump=0.0)


def spoilt(rows: int, bad: int) -> QualityReport:
    series = good(rows)
    series.ticks["ask_price"][1 : 1 + bad] = np.inf
    return judge_series(series, source="file.csv", **LIMITS)[1]


def test_bad_rows_up_to_the_ratio_may_be_dropped():
    enforce(spoilt(1000, 1), DataConfig())
    enforce(spoilt(1000, 500), DataConfig(MAX_BAD_RATIO=0.5))


def test_bad_rows_beyond_the_ratio_are_refused_with_their_lines():
    with pytest.raises(DataError) as caught:
        enforce(spoilt(1000, 12), DataConfig())
    text = str(caught.value)
    assert "file.csv: 12 of 1000 rows cannot be used" in text
    assert "line 3: ask_price is inf; " in text
    assert "line 12: ask_price is inf; ..." in text
    assert "line 13" not in text
    assert "raise MAX_BAD_RATIO" in text


@pytest.mark.parametrize(
    ("source", "word"),
    [("a.csv", "line"), ("a.csv.gz", "line"), ("a.parquet", "row"), ("DataFrame", "row")],
)
def test_rows_are_lines_in_text_files_only(source, word):
    series = good(100)
    series.ticks["ask_price"][7] = np.inf
    report = judge_series(series, source=source, **LIMITS)[1]
    with pytest.raises(DataError, match=rf"\({word} 9: ask_price is inf\)"):
        enforce(report, DataConfig())
    assert f"{word} 9: ask_price" in str(report)


def test_one_bad_row_is_refused_where_so_configured():
    with pytest.raises(DataError, match=r"line 3: ask_price is inf\).*ON_BAD_ROW to 'drop'"):
        enforce(spoilt(10_000, 1), DataConfig(ON_BAD_ROW="raise"))
    enforce(spoilt(1000, 0), DataConfig(ON_BAD_ROW="raise"))


def test_source_without_a_usable_row_is_refused():
    with pytest.raises(DataError, match="has no rows"):
        enforce(QualityReport(source="file.csv"), DataConfig())
    series = good(5)
    series.ticks["bid_price"] = 200.0
    _, report = judge_series(series, **LIMITS)
    with pytest.raises(DataError, match=r"none of 5 rows has a usable book \(CROSSED_BOOK 5\)"):
        enforce(report, DataConfig())
    everything = spoilt(5, 4)
    enforce(everything, DataConfig(MAX_BAD_RATIO=1.0))


def test_source_in_reverse_order_is_refused_and_some_disorder_is_said():
    series = good(10)
    backwards = TickSeries(symbol="A", ticks=series.ticks[::-1].copy(), rows=series.rows)
    _, report = judge_series(backwards, **LIMITS)
    with pytest.raises(DataError, match=r"9 of 10 rows are earlier.*sort the source by timestamp"):
        enforce(report, DataConfig())
    _, report = judge_series(faulty(), **LIMITS)
    assert "sort the source by timestamp" in report.warnings()[0]


def test_a_shuffled_source_names_every_row_it_falls_behind():
    series = good(200)
    series.ticks["timestamp"][[50, 51]] = series.ticks["timestamp"][[51, 50]]
    series.ticks["timestamp"][[60, 61, 62]] = series.ticks["timestamp"][[62, 60, 61]]
    _, report = judge_series(series, source="file.csv", **LIMITS)
    with pytest.raises(DataError) as caught:
        enforce(report, DataConfig())
    text = str(caught.value)
    assert "3 of 200 rows" in text
    assert (
        "line 53 (from 2024-01-01T00:00:50.000000000Z) after line 52 (2024-01-01T00:00:51" in text
    )
    assert "; lines 63, 64 (from 2024-01-01T00:01:00.000000000Z) after line 62 (" in text
    assert "and more" not in text


@pytest.mark.parametrize("size", [1, 3, 12])
def test_sessions_that_take_turns_are_refused_with_their_line(size):
    series = good(12)
    series.ticks["session"] = [7, 7, 7, 8, 8, 7, 7, 8, 8, 8, 9, 9]
    accumulator = QualityAccumulator("file.csv", **LIMITS)
    for i in range(0, 12, size):
        piece = TickSeries(
            symbol="A", ticks=series.ticks[i : i + size], rows=series.rows[i : i + size]
        )
        accumulator.update(piece)
    report = accumulator.report()
    assert (report.returned, report.returned_row) == (2, 7)
    assert report.warnings() == (report.turns(),)
    with pytest.raises(DataError, match=r"file\.csv: sessions .* 2 times .* first in line 7; sort"):
        enforce(report, DataConfig())


@pytest.mark.skipif(
    bool(os.environ.get("NUMBA_DISABLE_JIT")), reason="whole captures need the compiled kernel"
)
@pytest.mark.skipif(not DATA.is_dir(), reason="the shared captures are not beside the repository")
def test_report_on_a_real_capture():
    import pandas as pd

    frame = pd.read_parquet(DATA / "usdm_BTCUSDT_quotes.parquet")
    ticks = np.zeros(len(frame), dtype=TICK)
    ticks["timestamp"] = frame["timestamp"].to_numpy().astype("datetime64[ns]").astype(np.int64)
    ticks["session"] = pd.factorize(frame["session"])[0]
    for name in TICK.names[1:-1]:
        ticks[name] = frame[name]
    series = TickSeries(symbol="BTCUSDT", ticks=ticks, rows=np.arange(1, len(ticks) + 1))
    verdicts, report = judge_series(series, **LIMITS)
    assert np.count_nonzero(verdicts == Verdict.NEW_SESSION) == report.sessions == 3
    assert report.rows == report.accepted == 162_554
    assert report.longest_gap_s == pytest.approx(3.86364, abs=1e-5)
    assert report.mean_interval_s == pytest.approx(0.00823285, rel=1e-5)
    assert report.warnings() == ()
    enforce(report, DataConfig(ON_BAD_ROW="raise"))


def test_depth_is_mended_and_counted():
    data = pd.DataFrame(
        {
            "timestamp": [1_700_000_000, 1_700_000_001, 1_700_000_002],
            "bid_price": 100.0,
            "ask_price": 101.0,
            "bid_volume": 1.0,
            "ask_volume": 1.0,
            "close": 100.0,
            "volume": 0.0,
            "bid_price_1": [100.0, 99.0, 100.0],
            "bid_price_2": [99.0, 100.0, 100.0],
            "ask_price_1": 101.0,
            "ask_price_2": 102.0,
            **{
                f"{side}_volume_{level}": float(level)
                for side in ("bid", "ask")
                for level in (1, 2)
            },
        }
    )
    (series,) = read_ticks(data)
    _, report = judge_series(series, max_gap_s=900.0, max_jump=0.2)
    assert (report.depth_unsorted, report.depth_duplicated) == (1, 1)
    assert series.depth[1, :, 0].tolist() == [100.0, 99.0]
    assert series.depth[2, 0, :2].tolist() == [100.0, 2.0]
    assert "1 rows sorted" in str(report)
    assert report.as_dict()["depth_duplicated"] == 1


def two_levels(rows, **cells):
    """Return a frame with depth; ``cells`` are columns with {row: value}."""
    data = pd.DataFrame({"timestamp": 1_700_000_000 + np.arange(rows)})
    quote = {"bid_price": 100.0, "ask_price": 101.0, "bid_volume": 1.0, "ask_volume": 1.0}
    for name, value in quote.items():
        data[name] = data[f"{name}_1"] = value
        away = {"bid_price": -1.0, "ask_price": 1.0}.get(name, 2.0)
        data[f"{name}_2"] = value + away
    data["close"], data["volume"] = 100.0, 0.0
    for name, values in cells.items():
        for row, value in values.items():
            data.loc[row, name] = value
    return data


DAMAGE = {
    "ask_volume_2": {3: np.nan, 5: -1.0},
    "bid_price_2": {7: np.inf},
    "bid_volume_1": {8: 3.5e38},
    "close": {9: np.nan},  # a row that is refused
    "ask_price_2": {9: -1.0},
}


@pytest.mark.parametrize("kind", ["frame", "csv", "parquet"])
def test_damaged_depth_is_missing_counted_and_told(kind, tmp_path):
    data = two_levels(20, **DAMAGE)
    source = data if kind == "frame" else tmp_path / f"deep.{kind}"
    if kind == "csv":
        data.to_csv(source, index=False)
    elif kind == "parquet":
        data.to_parquet(source)
    (series,) = read_ticks(source)
    _, report = judge_series(series, **LIMITS, source="deep")
    assert (report.depth_damaged, report.refused, report.depth_unsorted) == (4, 1, 0)
    first = int(series.rows[0])
    assert report.damaged_rows == (
        BadRow(first + 3, "ask_volume_2", "nan"),
        BadRow(first + 5, "ask_volume_2", "-1.0"),
        BadRow(first + 7, "bid_price_2", "inf"),
        BadRow(first + 8, "bid_volume_1", "3.5e+38"),
    )
    missing = np.isnan(series.depth)
    for row, cells in ((3, np.s_[1, 2:]), (5, np.s_[1, 2:]), (7, np.s_[1, :2]), (8, np.s_[:, :2])):
        assert missing[row][cells].all()
        missing[row][cells] = False
    missing[9] = False
    assert not missing.any()
    assert "4 rows with damaged ones (missing)" in str(report)
    sentence = (
        f"4 of 20 rows have a damaged level of depth (line {first + 3}: ask_volume_2 is nan "
        f"(empty, or no number); line {first + 5}: ask_volume_2 is -1.0; "
    )
    assert sentence in report.warnings()[0]
    assert sentence in str(report)
    told = report.as_dict()
    assert (told["depth_damaged"], told["damaged_rows"][2]["field"]) == (4, "bid_price_2")


def test_damaged_depth_is_counted_alike_in_pieces():
    (series,) = read_ticks(two_levels(20, **DAMAGE))
    (pieces,) = read_ticks(two_levels(20, **DAMAGE))
    _, whole = judge_series(series, **LIMITS)
    total = QualityAccumulator(**LIMITS)
    for start in range(0, 20, 3):
        rows = slice(start, start + 3)
        total.update(
            replace(
                pieces, ticks=pieces.ticks[rows], rows=pieces.rows[rows], depth=pieces.depth[rows]
            )
        )
    assert total.report() == whole
    assert pieces.depth.tobytes() == series.depth.tobytes()


def test_ten_rows_of_damaged_depth_are_listed():
    (series,) = read_ticks(two_levels(30, bid_volume_2=dict.fromkeys(range(5, 25), -2.0)))
    _, report = judge_series(series, **LIMITS)
    assert report.depth_damaged == 20
    assert [row.row for row in report.damaged_rows] == [series.rows[row] for row in range(5, 15)]
    assert "bid_volume_2 is -2.0; ...)" in report.damage()


def test_more_damaged_depth_than_allowed_is_refused(caplog):
    (series,) = read_ticks(two_levels(1_000, ask_volume_2={3: np.nan, 5: -1.0}))
    _, report = judge_series(series, **LIMITS, source="deep.csv")
    with pytest.raises(
        DataError, match=r"deep.csv: 2 of 1000 rows .* is nan.* raise MAX_BAD_RATIO"
    ):
        enforce(report, DataConfig())
    with pytest.raises(DataError, match="set ON_BAD_ROW to 'drop'"):
        enforce(report, DataConfig(ON_BAD_ROW="raise", MAX_BAD_RATIO=1.0))
    enforce(report, DataConfig(MAX_BAD_RATIO=0.002))
    assert "deep.csv: 2 of 1000 rows have a damaged level of depth" in caplog.text


def test_of_several_files_the_one_of_a_row_is_named(tmp_path):
    first = two_levels(1_000, close={3: np.nan}, ask_volume_2={7: np.nan})
    second = two_levels(1_000, close={5: -1.0}, ask_volume_2={8: -1.0})
    second["timestamp"] = second["timestamp"] + 1_000
    late = second["timestamp"].to_numpy().copy()
    late[[0, 20]] = int(first["timestamp"].iloc[500])
    first.to_csv(tmp_path / "a.csv", index=False)
    second.assign(timestamp=late).to_parquet(tmp_path / "b.parquet")
    (series,) = read_ticks(tmp_path)
    verdicts, report = judge_series(series, **LIMITS, source=str(tmp_path))
    assert report.bad_rows == (
        BadRow(5, "close", "nan", "a.csv"),
        BadRow(6, "close", "-1.0", "b.parquet"),
    )
    with pytest.raises(
        DataError, match=r"\(line 5 of a\.csv: close is nan .*; row 6 of b\.parquet: close is -1"
    ):
        enforce(report, DataConfig(ON_BAD_ROW="raise"))
    disorder, damage = report.warnings()
    assert "row 1 of b.parquet (from 2023" in disorder
    assert "after line 1001 of a.csv (" in disorder
    assert "row 21 of b.parquet (from" in disorder
    assert "after row 20 of b.parquet (" in disorder
    assert "line 9 of a.csv: ask_volume_2 is nan" in damage
    assert "row 9 of b.parquet: ask_volume_2 is -1.0" in damage
    assert "row 6 of b.parquet: close is -1.0" in str(report)
    plain = report.as_dict()
    assert plain["bad_rows"][1] == {
        "row": 6,
        "field": "close",
        "value": "-1.0",
        "file": "b.parquet",
    }
    assert [row["behind_file"] for row in plain["late_rows"]] == ["a.csv", "b.parquet"]
    # Piece by piece it is the same.
    (series,) = read_ticks(tmp_path)
    accumulator = QualityAccumulator(str(tmp_path), **LIMITS)
    for start in range(0, len(series), 7):
        found = accumulator.update(series.piece(start, start + 7))
        np.testing.assert_array_equal(found, verdicts[start : start + 7])
    assert accumulator.report() == report


def test_a_session_that_returns_is_named_with_its_file(tmp_path):
    data = two_levels(6)
    for name, sessions in (("a.csv", "xxyyyy"), ("b.csv", "yyyxxx")):
        data.assign(session=list(sessions)).to_csv(tmp_path / name, index=False)
        data["timestamp"] = data["timestamp"] + 6
    accumulator = QualityAccumulator(str(tmp_path), **LIMITS)
    for piece in iter_ticks(tmp_path, chunk_rows=2):
        accumulator.update(piece)
    assert "first in line 5 of b.csv" in accumulator.report().turns()


def test_refused_rows_and_damaged_depth_share_one_limit():
    (series,) = read_ticks(two_levels(1_000, ask_volume_2={3: np.nan}, close={9: np.nan}))
    _, report = judge_series(series, **LIMITS)
    with pytest.raises(DataError, match="damaged level"):
        enforce(report, DataConfig())
    enforce(report, DataConfig(MAX_BAD_RATIO=0.002))


def test_a_book_padded_with_zeros_is_not_damaged():
    """As some venues write a side that has fewer levels, and a side that is empty."""
    zeros = {f"{name}_2": {4: 0.0, 5: 0.0} for name in ("bid_price", "bid_volume")}
    empty = {name: {6: 0.0} for name in ("ask_price", "ask_volume")}
    empty |= {f"{name}_{level}": {6: 0.0} for name in empty for level in (1, 2)}
    (series,) = read_ticks(two_levels(20, **zeros, **empty))
    verdicts, report = judge_series(series, **LIMITS)
    assert (report.depth_damaged, report.depth_unsorted, report.empty_side) == (0, 0, 1)
    assert np.isnan(series.depth[[4, 5], 1, :2]).all()
    assert np.isnan(series.depth[6, :, 2:]).all()
    assert verdicts[6] == Verdict.EMPTY_SIDE
    enforce(report, DataConfig(ON_BAD_ROW="raise"))
