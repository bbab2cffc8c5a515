"""Live time stamps and columns of them: units, ISO, zones, and what is refused."""

import datetime as dt
import math
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker.errors import DataError
from alphaseeker.market.origin import Origin
from alphaseeker.market.tick_values import whole_nanoseconds
from alphaseeker.market.timestamps import TIMESTAMP_KINDS, TimestampColumn, to_nanoseconds

S = 1_721_749_184
NS = S * 1_000_000_000
BERLIN = ZoneInfo("Europe/Berlin")
NAIVE = dt.datetime(2024, 7, 23, 15, 39, 44)

LIVE = {
    "s": (S, NS, "s"),
    "s float": (S + 0.123456, NS + 123_456_000, "s"),
    "ms": (S * 1_000 + 5, NS + 5_000_000, "ms"),
    "ms float": (S * 1e3 + 0.25, NS + 250_000, "ms"),
    "us": (S * 10**6 + 7, NS + 7_000, "us"),
    "us float": (S * 1e6 + 7.0, NS + 7_000, "us"),
    "ns": (NS + 9, NS + 9, "ns"),
    "ns float": (float(NS), NS, "ns"),
    "numpy int": (np.int64(NS + 1), NS + 1, "ns"),
    "numpy float": (np.float64(S + 0.5), NS + 500_000_000, "s"),
    "decimal": (Decimal(NS + 1), NS + 1, "ns"),
    "decimal fraction": (Decimal(f"{S}.123456"), NS + 123_456_000, "s"),
    "numpy uint": (np.uint64(S), NS, "s"),
    "ISO naive": ("2024-07-23T15:39:44", NS, "naive"),
    "ISO with a space": (" 2024-07-23 15:39:44.5 ", NS + 500_000_000, "naive"),
    "ISO nanoseconds": ("2024-07-23T15:39:44.123456789", NS + 123_456_789, "naive"),
    "ISO Z": ("2024-07-23T15:39:44Z", NS, "aware"),
    "ISO offset": ("2024-07-23T17:39:44.000000001+02:00", NS + 1, "aware"),
    "ISO short offset": ("2024-07-23 17:39:44+02", NS, "aware"),
    "ISO compact offset": ("2024-07-23 10:09:44-0530", NS, "aware"),
    "ISO date": ("2024-07-23", NS - 56_384 * 10**9, "naive"),
    "ISO minutes": ("2024-07-23 15:39", NS - 44 * 10**9, "naive"),
    "datetime naive": (NAIVE, NS, "naive"),
    "datetime aware": (NAIVE.replace(hour=17, tzinfo=BERLIN), NS, "aware"),
    "date": (dt.date(2024, 7, 23), NS - 56_384 * 10**9, "naive"),
    "pandas naive": (pd.Timestamp("2024-07-23 15:39:44.123456789"), NS + 123_456_789, "naive"),
    "pandas aware": (pd.Timestamp("2024-07-23 17:39:44", tz="Europe/Berlin"), NS, "aware"),
    "datetime64": (np.datetime64("2024-07-23T15:39:44.000001"), NS + 1_000, "naive"),
    "datetime64 ns": (np.datetime64(NS + 3, "ns"), NS + 3, "naive"),
}


@pytest.mark.parametrize("name", LIVE)
def test_a_live_time_stamp_is_read_with_its_kind(name):
    value, nanoseconds, kind = LIVE[name]
    result = to_nanoseconds(value)
    assert result == (nanoseconds, kind)
    assert type(result[0]) is int
    assert kind in TIMESTAMP_KINDS


REFUSED = {
    "bool": (True, "truth value"),
    "numpy bool": (np.True_, "truth value"),
    "None": (None, "no time"),
    "NaN": (math.nan, "no time"),
    "NaT": (pd.NaT, "no time"),
    "numpy NaT": (np.datetime64("NaT"), "no time"),
    "pandas NA": (pd.NA, "no time"),
    "empty text": ("", "no time"),
    "zero": (0, "fits no unit"),
    "zero float": (0.0, "fits no unit"),
    "negative": (-S, "fits no unit"),
    "infinite": (math.inf, "fits no unit"),
    "too small for any unit": (12_345, "fits no unit"),
    "between seconds and milliseconds": (5 * 10**10, "fits no unit"),
    "overflow": (2**63, "fits no unit"),
    "overflow of datetime": (dt.datetime(2500, 1, 1), "out of range"),
    "the epoch": (dt.datetime(1970, 1, 1), "out of range"),
    "overflow of datetime64": (np.datetime64("2500-01-01"), "out of range"),
    "overflow of pandas": (pd.Timestamp(np.datetime64(2**55, "s")), "out of range"),
    "overflow of ISO": ("9999-12-31T23:59:59", "out of range"),
    "day first": ("23/07/2024 15:39:44", "not ISO 8601"),
    "digits as text": (str(S), "a number as text"),
    "a decimal out of range": (Decimal(10) ** 400, "fits no unit"),
    "a decimal that is none": (Decimal("NaN"), "no time"),
    "no such day": ("2024-02-30", "2024-02-30"),
    "no such hour": ("2024-07-23 25:00", "2024-07-23 25:00"),
    "ten decimals": ("2024-07-23T15:39:44.1234567891", "not ISO 8601"),
    "float32": (np.float32(S), "float32"),
    "list": ([S], "type list"),
    "bytes": (b"2024-07-23", "type bytes"),
    "timedelta": (dt.timedelta(seconds=S), "type timedelta"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_live_time_stamp_that_cannot_be_read_is_refused(name):
    value, message = REFUSED[name]
    with pytest.raises(DataError, match="timestamp is") as caught:
        to_nanoseconds(value)
    assert message in str(caught.value)
    assert type(caught.value) is DataError


@pytest.mark.parametrize(
    "value", [100_000_000 * 10**9, NS, np.int64(NS), np.uint64(NS), 9_200_000_000 * 10**9 - 1]
)
def test_the_fast_path_takes_nanoseconds_as_they_are(value):
    assert whole_nanoseconds(value) == value
    assert type(whole_nanoseconds(value)) is int


WRONG = {
    "s": (S, "a time in seconds", "multiply it by 1_000_000_000"),
    "ms": (S * 1_000, "a time in milliseconds", "multiply it by 1_000_000,"),
    "us": (np.int64(S * 10**6), "a time in microseconds", "multiply it by 1_000,"),
    "zero": (0, "timestamp_ns is 0;", "1973-03-03 to 2261-07-16"),
    "negative": (-NS, f"timestamp_ns is -{NS};", "1973-03-03 to 2261-07-16"),
    "too early": (99_999_999 * 10**9, "integer of nanoseconds", "1973-03-03"),
    "too late": (9_200_000_000 * 10**9, "integer of nanoseconds", "2261-07-16"),
    "beyond int64": (2**63, "integer of nanoseconds", "2261-07-16"),
    "too large to print": (10**5000, "timestamp_ns is int too large", "2261-07-16"),
    "float": (float(NS), "(float)", "int(seconds * 1e9)"),
    "bool": (True, "True (bool)", "int(seconds * 1e9)"),
    "text": ("2024-07-23", "(str)", "predict(), which reads any unit"),
    "None": (None, "None", "predict()"),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_fast_path_refuses_what_is_not_nanoseconds(name):
    value, *parts = WRONG[name]
    with pytest.raises(DataError) as caught:
        whole_nanoseconds(value)
    for part in ("timestamp_ns is ", *parts):
        assert part in str(caught.value)


@settings(deadline=None)
@given(st.integers(10**8 * 10**9, 9_200_000_000 * 10**9 - 1))
def test_any_instant_survives_every_exact_form(nanoseconds):
    assert to_nanoseconds(nanoseconds) == (nanoseconds, "ns")
    assert to_nanoseconds(nanoseconds // 1_000)[0] == nanoseconds // 1_000 * 1_000
    assert to_nanoseconds(nanoseconds // 10**6)[0] == nanoseconds // 10**6 * 10**6
    assert to_nanoseconds(nanoseconds // 10**9)[0] == nanoseconds // 10**9 * 10**9
    assert to_nanoseconds(str(np.datetime64(nanoseconds, "ns")))[0] == nanoseconds


@settings(deadline=None)
@given(st.lists(st.floats(1e8, 9.1e9), min_size=1), st.sampled_from(["s", "ms", "us", "ns"]))
def test_a_column_of_floats_is_read_as_each_value_is_live(seconds, unit):
    scale = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[unit]
    values = np.array(seconds) * scale
    expected = [to_nanoseconds(value)[0] for value in values.tolist()]
    assert convert(pa.array(values)).tolist() == expected
    assert all(value % 1_000 == 0 for value in expected)


def convert(*blocks):
    """Convert the blocks of one column whose first row is line 2."""
    column = TimestampColumn(Origin(name="ticks.csv", row_word="line"), "Time")
    done, results = 2, []
    for block in blocks:
        results.append(column.convert(block, np.arange(done, done + len(block), dtype=np.int64)))
        done += len(block)
    column.finish()
    return np.concatenate(results)


SECOND = np.array([NS, NS + 10**9])
COLUMNS = {
    "int s": pa.array([S, S + 1]),
    "int32 s": pa.array([S, S + 1], pa.int32()),
    "uint64 ns": pa.array(SECOND, pa.uint64()),
    "float ms": pa.array([S * 1e3, (S + 1) * 1e3]),
    "decimal": pa.array([S, S + 1]).cast(pa.decimal128(20, 0)),
    "timestamp[s]": pa.array([S, S + 1], pa.timestamp("s")),
    "timestamp[us, Berlin]": pa.array([S * 10**6, (S + 1) * 10**6], pa.timestamp("us", "UTC")),
    "ISO": pa.array(["2024-07-23 15:39:44", "2024-07-23T15:39:45.000"]),
    "ISO aware, two zones": pa.array(["2024-07-23T17:39:44+02:00", "2024-07-23T15:39:45Z"]),
    "ISO with spaces": pa.array([" 2024-07-23 15:39:44", "2024-07-23 15:39:45 "]),
    "text ints": pa.array([str(S), str(S + 1)]),
    "text, whole and decimal": pa.array([f"{S}", f"{S + 1}.0"]),
    "text ns, whole and decimal": pa.array([f"{NS}", f"{NS + 10**9}.0"]),
    "dictionary": pa.array(["2024-07-23 15:39:44", "2024-07-23 15:39:45"]).dictionary_encode(),
    "objects": [pd.Timestamp(NS), NAIVE + dt.timedelta(seconds=1)],
    "object ints": [S, np.int64(S + 1)],
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_is_read_in_every_form(name):
    result = convert(COLUMNS[name])
    assert result.dtype == np.int64
    np.testing.assert_array_equal(result, SECOND)


def test_dates_are_midnights():
    days = pa.array([dt.date(2024, 7, 23), dt.date(2024, 7, 24)])
    np.testing.assert_array_equal(np.diff(convert(days)), [86_400 * 10**9])


@pytest.mark.parametrize(
    "block",
    [
        pa.array([S, None, 0, -5, 12_345, S + 1]),
        pa.array([float(S), math.nan, 0.0, -1.0, math.inf, S + 1.0]),
        pa.array([str(S), "", "null", "0", "99999999999999999999", str(S + 1)]),
        pa.array(["2024-07-23 15:39:44", None, "", "NaT", "1970-01-01", "2024-07-23 15:39:45"]),
        pa.array([S, None, 0, -5, 2**60, S + 1], pa.timestamp("s")),
        [S, None, math.nan, pd.NaT, 2**70, S + 1],
    ],
    ids=["int", "float", "text", "ISO", "timestamp", "object"],
)
def test_a_cell_without_a_possible_time_is_zero(block):
    np.testing.assert_array_equal(convert(block), [NS, 0, 0, 0, 0, NS + 10**9])


MIXED = {
    "units": (pa.array([S, S + 1, S * 1_000]), "line 4", "in milliseconds", "in seconds"),
    "float units": (pa.array([S * 1e6, S * 1e3]), "line 3", "in milliseconds", "in microseconds"),
    "naive, aware": (
        pa.array(["2024-07-23 15:39:44", "2024-07-23 15:39:45Z"]),
        "line 3",
        "a date with a zone",
        "a date without a zone",
    ),
    "ISO, then numbers": (
        pa.array(["2024-07-23 15:39:44", str(S)]),
        "line 3",
        "in seconds",
        "a date without a zone",
    ),
    "objects": (
        [NAIVE, NAIVE.replace(tzinfo=dt.UTC)],
        "line 3",
        "a date with a zone",
        "a date without a zone",
    ),
}


@pytest.mark.parametrize("split", [False, True], ids=["one block", "row by row"])
@pytest.mark.parametrize("name", MIXED)
def test_a_column_of_two_kinds_is_refused(name, split):
    block, *words = MIXED[name]
    blocks = [block[i : i + 1] for i in range(len(block))] if split else [block]
    with pytest.raises(DataError) as caught:
        convert(*blocks)
    for word in ("ticks.csv", "column 'Time'", *words):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (pa.array(["2024-07-23 15:39:44", "23/07/2024 15:39:45"]), "line 3, column 'Time'"),
        (pa.array(["2024-07-23 15:39:44", "lunch"]), "'lunch'"),
        ([S, True], "line 3, column 'Time': timestamp is True"),
        (pa.array([True, False]), "holds bool values"),
        (pa.array([1.7e9], pa.float32()), "holds float values"),
        (pa.array([1], pa.duration("s")), r"holds duration\[s\] values"),
        (pa.array([None, None]), "holds no time at all"),
        (pa.array([None, None], pa.string()), "holds no time at all"),
        (pa.array([0, 1, 2]), "line 2, column 'Time': 0 fits no unit, nor does any other cell"),
    ],
)
def test_a_column_that_cannot_be_read_is_refused(block, message):
    with pytest.raises(DataError, match=message):
        convert(block)
