"""Frames and Parquet: columns of any unambiguous type are read, others refused with the place."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alphaseeker.errors import DataError
from alphaseeker.market.readers import read_ticks
from alphaseeker.market.schema import session_code

S = 1_721_749_184
NS = S * 1_000_000_000
NUMBERS = ("bid_price", "ask_price", "bid_volume", "ask_volume", "close", "volume")


def frame(rows=3, **columns):
    data = {"timestamp": [S + i for i in range(rows)]}
    data |= {name: [float(i + 1) for i in range(rows)] for name in NUMBERS}
    return pd.DataFrame(data | columns)


def read(data):
    (series,) = read_ticks(data)
    return series.ticks


READABLE = {
    "ints": pd.Series([1, 2, 3], dtype="int32"),
    "unsigned": pd.Series([1, 2, 3], dtype="uint64"),
    "float32": pd.Series([1, 2, 3], dtype="float32"),
    "nullable": pd.Series([1, None, 3], dtype="Int64"),
    "arrow": pd.Series([1, None, 3], dtype="double[pyarrow]"),
    "decimal": pd.Series([Decimal(1), None, Decimal(3)], dtype=object),
    "text": pd.Series(["1", None, "3.0"]),
    "text objects": pd.Series(["1", "", "3.0"], dtype=object),
    "thousands": pd.Series(["1,000.0", "2", "3,000,000"], dtype=object),
    "mixed objects": pd.Series([1, float("nan"), "3"], dtype=object),
    "numpy objects": pd.Series([np.float32(1), pd.NA, np.int8(3)], dtype=object),
    "categories": pd.Series([1.0, 2.0, 3.0], dtype="category"),
    "missing decimals": pd.Series([Decimal("NaN"), Decimal("sNaN"), Decimal(3)], dtype=object),
    "all missing": pd.Series([None, None, None], dtype=object),
}


@pytest.mark.parametrize("name", READABLE)
def test_unambiguous_numbers_are_read(name):
    column = READABLE[name]
    plain = [
        np.nan
        if str(cell) in ("None", "nan", "NaN", "sNaN", "<NA>", "")
        else float(str(cell).replace(",", ""))
        for cell in column.tolist()
    ]
    np.testing.assert_array_equal(read(frame(volume=column))["volume"], plain)


def test_polars_columns_of_every_kind_are_read():
    data = pl.from_pandas(frame()).with_columns(
        pl.Series("volume", [Decimal("1.5"), None, Decimal("3")]),
        pl.Series("close", ["1", "2,000.5", "3"]),
        pl.Series("bid_volume", [1, "2", None], dtype=pl.Object),
        pl.Series("session", ["a", "b", "b"], dtype=pl.Categorical),
        pl.Series(
            "timestamp", [NAIVE + dt.timedelta(hours=i) for i in range(3)]
        ).dt.replace_time_zone("Europe/Berlin"),
    )
    (series,) = read_ticks(data)
    assert series.rows.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(series.ticks["volume"], [1.5, np.nan, 3.0])
    assert series.ticks["close"].tolist() == [1.0, 2000.5, 3.0]
    np.testing.assert_array_equal(series.ticks["bid_volume"], [1.0, 2.0, np.nan])
    assert series.ticks["session"].tolist() == [session_code(name) for name in "abb"]
    hours = np.array([0, 1, 2]) - 2  # summer time in Berlin
    np.testing.assert_array_equal(series.ticks["timestamp"], NS + hours * 3_600 * 10**9)


NAIVE = dt.datetime(2024, 7, 23, 15, 39, 44)

BAD_COLUMNS = {
    "text": ({"close": ["1", "x", "3"]}, "row 2, column 'close': 'x' (str) stands where"),
    "text object": (
        {"close": pd.Series([1.0, "x", 3.0], dtype=object)},
        "row 2, column 'close': 'x' (str) stands where",
    ),
    "bool object": (
        {"close": pd.Series([1.0, 2.0, True], dtype=object)},
        "row 3, column 'close': True (bool) stands where",
    ),
    "list": (
        {"close": pd.Series([1.0, [2.0], 3.0], dtype=object)},
        "row 2, column 'close': [2.0] (list) stands where",
    ),
    "complex": (
        {"close": pd.Series([1j, 2.0, 3.0], dtype=object)},
        "row 1, column 'close': 1j (complex) stands where",
    ),
    "whole number beyond any float": (
        {"close": pd.Series([1.0, 10**400, 3.0], dtype=object)},
        "row 2, column 'close': 1000000",
    ),
    "too large to write out": (
        {"close": pd.Series([1.0, 10**5000, 3.0], dtype=object)},
        "row 2, column 'close': int too large to write out is beyond any float64",
    ),
    "fraction beyond any float": (
        {"close": pd.Series([1.0, 2.0, Fraction(10**400)], dtype=object)},
        "row 3, column 'close': Fraction(1000000",
    ),
    "date among numbers": (
        {"close": pd.Series([1.0, dt.datetime(2024, 1, 1), 3.0], dtype=object)},
        "row 2, column 'close': datetime.datetime(2024, 1, 1, 0, 0) (datetime) stands where",
    ),
    "array": (
        {"close": pd.Series([1.0, np.array([1.0, 2.0]), 3.0], dtype=object)},
        "row 2, column 'close': array([1., 2.]) (ndarray) stands where",
    ),
    "a long cell is cut": (
        {"close": pd.Series([1.0, "x" * 5000, 3.0], dtype=object)},
        "xxx... (str) stands where",
    ),
    "surrogate": (
        {"close": pd.Series(["1", "\ud800", "3"], dtype=object)},
        "row 2, column 'close': '\\ud800' (str) stands where",
    ),
    "time of too many digits": (
        {"timestamp": pd.Series([S, "9" * 5000, S + 2], dtype=object)},
        "row 2, column 'timestamp': timestamp is '99999",
    ),
    "symbol that is no text": (
        {"symbol": pd.Series(["A", "\ud800", "A"], dtype=object)},
        "column 'symbol': holds a name that is no text",
    ),
    "session of too many digits": (
        {"session": pd.Series([1, 10**5000, 1], dtype=object)},
        "column 'session': holds a name that is no text",
    ),
    "ambiguous": (
        {"close": ["1", "1,234", "3"]},
        "row 2, column 'close': '1,234' may mean thousands or decimals",
    ),
    "bools": ({"close": [True, False, True]}, "column 'close': holds bool values"),
    "dates": (
        {"close": pd.to_datetime(["2024-01-01"] * 3)},
        "column 'close': holds timestamp[us] values where numbers are needed",
    ),
    "complex dtype": (
        {"close": np.array([1j, 2j, 3j])},
        "column 'close': has the dtype complex128, which cannot be read; convert the column to",
    ),
    "no symbol": ({"symbol": ["A", None, "A"]}, "row 2, column 'symbol': the cell is empty"),
    "no session among objects": (
        {"session": pd.Series([1, None, "1"], dtype=object)},
        "row 2, column 'session': the cell is empty",
    ),
    "no session": ({"session": [1.0, np.nan, 1.0]}, "row 2, column 'session': the cell is empty"),
    "nested session": (
        {"session": pd.Series([[1], [2], [3]], dtype=pd.ArrowDtype(pa.list_(pa.int64())))},
        "column 'session': holds list<",
    ),
    "bool time": ({"timestamp": [True] * 3}, "column 'timestamp': holds bool values"),
    "mixed units": ({"timestamp": [S, S + 1, S * 1_000]}, "row 3, column 'timestamp'"),
    "mixed zones": (
        {"timestamp": pd.Series([NAIVE, NAIVE, NAIVE.replace(tzinfo=dt.UTC)], dtype=object)},
        "row 3, column 'timestamp'",
    ),
}


@pytest.mark.parametrize("name", BAD_COLUMNS)
def test_a_column_that_cannot_be_read_is_refused_with_its_place(name):
    columns, message = BAD_COLUMNS[name]
    with pytest.raises(DataError) as caught:
        read_ticks(frame(**columns))
    assert str(caught.value).startswith("pandas frame")
    assert message in str(caught.value)


def test_rare_number_types_are_read():
    data = pl.from_pandas(frame()).with_columns(
        pl.Series("volume", [1, 2, 2**100], dtype=pl.Int128),
        pl.Series("session", [7, 7, 8], dtype=pl.Int128),
    )
    (series,) = read_ticks(data)
    assert series.ticks["volume"].tolist() == [1.0, 2.0, 2.0**100]
    codes = [session_code(name) for name in (7, 7, 8)]
    assert series.ticks["session"].tolist() == codes
    half = frame(session=np.array([7, 7, 8], dtype=np.float16))
    assert read(half)["session"].tolist() == codes


@pytest.mark.parametrize("chunk_rows", [1, 2, 100])
def test_the_row_of_a_fault_is_counted_over_the_pieces(chunk_rows):
    data = pl.from_pandas(frame(9)).with_columns(close=pl.Series(["1"] * 7 + ["x", "1"]))
    with pytest.raises(DataError, match="polars frame, row 8, column 'close': 'x'"):
        read_ticks(data, chunk_rows=chunk_rows)


def test_an_index_named_timestamp_serves_as_the_column():
    data = frame()
    data["timestamp"] = pd.to_datetime(data["timestamp"], unit="s", utc=True)
    expected = read(data)
    indexed = data.set_index("timestamp")
    assert read(indexed).tobytes() == expected.tobytes()
    indexed.index.name = "Timestamp "
    assert read(indexed).tobytes() == expected.tobytes()
    indexed.index.name = "when"
    with pytest.raises(DataError, match="missing columns: 'timestamp'"):
        read_ticks(indexed)


def test_a_column_outranks_an_index_of_the_same_name():
    data = frame()
    data.index = pd.Index([7, 8, 9], name="timestamp")
    assert read(data)["timestamp"].tolist() == [NS, NS + 10**9, NS + 2 * 10**9]


def test_the_callers_frame_is_left_as_it_was():
    data = frame(close=pd.Series(["1", None, "3"], dtype=object))
    before = data.copy(deep=True)
    read(data)["close"][:] = 0.0
    pd.testing.assert_frame_equal(data, before)


@pytest.mark.parametrize("make", [lambda data: data, pl.from_pandas], ids=["pandas", "polars"])
def test_an_empty_frame_is_refused(make):
    with pytest.raises(DataError, match="frame: the frame has no rows"):
        read_ticks(make(frame()[:0]))


def test_missing_columns_of_a_frame_are_named():
    with pytest.raises(DataError, match="pandas frame: missing columns: 'close'"):
        read_ticks(frame().drop(columns="close"))


def test_parquet_of_every_layout_is_read(tmp_path):
    data = frame(100)
    data["timestamp"] = pd.to_datetime(data["timestamp"], unit="s")
    expected = read(data)
    table = pa.Table.from_pandas(data)
    pq.write_table(table, tmp_path / "groups.parquet", row_group_size=7)
    data.set_index("timestamp").to_parquet(tmp_path / "indexed.parquet")
    data.rename(columns=str.upper).to_parquet(tmp_path / "upper.pq", compression="gzip")
    for name in ("groups.parquet", "indexed.parquet", "upper.pq"):
        assert read(tmp_path / name).tobytes() == expected.tobytes()


def test_parquet_faults_have_their_row(tmp_path):
    path = tmp_path / "t.parquet"
    frame(9, close=["1"] * 6 + ["x"] * 3).to_parquet(path)
    for chunk_rows in (1, 4, 100):
        with pytest.raises(DataError, match=r"t\.parquet, row 7, column 'close': 'x'"):
            read_ticks(path, chunk_rows=chunk_rows)


def test_a_damaged_parquet_file_is_refused(tmp_path):
    whole = tmp_path / "whole.parquet"
    frame(1_000).to_parquet(whole)
    content = whole.read_bytes()
    damaged = {
        "empty": b"",
        "cut": content[:-100],
        "text": b"timestamp,close\n",
        "no data pages": content[:4]
        + b"\xff" * (len(content) // 2)
        + content[len(content) // 2 + 4 :],
    }
    for name, data in damaged.items():
        path = tmp_path / f"{name}.parquet"
        path.write_bytes(data)
        with pytest.raises(DataError, match=rf"{name}\.parquet: not a whole Parquet file"):
            read_ticks(path)


def test_parquet_without_rows_or_columns_is_refused(tmp_path):
    frame()[:0].to_parquet(tmp_path / "empty.parquet")
    with pytest.raises(DataError, match=r"empty\.parquet: the file has no rows"):
        read_ticks(tmp_path / "empty.parquet")
    frame().drop(columns="close").to_parquet(tmp_path / "lacking.parquet")
    with pytest.raises(DataError, match=r"lacking\.parquet: missing columns: 'close'"):
        read_ticks(tmp_path / "lacking.parquet")


def test_a_flipped_byte_is_found_where_the_file_has_checksums(tmp_path):
    path = tmp_path / "t.parquet"
    table = pa.Table.from_pandas(frame(500))
    pq.write_table(table, path, write_page_checksum=True, compression="none", use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[content.index(np.float64(250.0).tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"t\.parquet: not a whole Parquet file"):
        read_ticks(path)
