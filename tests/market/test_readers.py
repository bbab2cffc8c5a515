"""Every kind of source gives the same ticks; real captures are read as pandas reads them."""

import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from alphaseeker.errors import ConfigError, DataError
from alphaseeker.market.readers import iter_ticks, read_ticks
from alphaseeker.market.schema import TICK, session_code

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
CAPTURES = {
    "spot_NEXOUSDT_1s": (123_123, 1, [""], 5),
    "usdm_BTCUSDT_quotes": (162_554, 3, [""], 0),
    "usdm_BTCUSDT_100ms_depth10": (13_387, 3, [""], 10),
    "crypto_1m": (26_856, 21, ["btcusdt", "btceur", "btcusd", "ethusd", "ltcusd", "adausdt"], 0),
}
PRICES = ("bid_price", "ask_price", "bid_volume", "ask_volume", "close", "volume")
START = pd.Timestamp("2024-07-23 15:39:44.000001")


def frame(rows=40, *, symbols=("A", "B"), levels=2):
    """Return a frame with two symbols in turns, three sessions of each and some missing cells."""
    rng = np.random.default_rng(7)
    data = pd.DataFrame({"timestamp": START + pd.to_timedelta(np.arange(rows) * 1_250, unit="us")})
    data["symbol"] = [symbols[i % len(symbols)] for i in range(rows)]
    data["session"] = [f"day {3 * i // rows}" for i in range(rows)]
    for name in PRICES:
        data[name] = np.round(rng.uniform(1, 100, rows), 4)
    data["buy_volume"] = data["volume"] / 4
    data.loc[data.index == 5, ["buy_volume", "close"]] = np.nan
    data["note"] = "ignored, with a comma"
    for level in range(1, levels + 1):
        for name in PRICES[:4]:
            data[f"{name}_{level}"] = np.round(rng.uniform(1, 100, rows), 4)
    return data


def all_sources(data, folder):
    """Return the same rows as every kind of source."""
    data.to_csv(folder / "t.csv", index=False)
    (folder / "t.csv.gz").write_bytes(gzip.compress((folder / "t.csv").read_bytes()))
    (folder / "crlf.csv").write_bytes((folder / "t.csv").read_bytes().replace(b"\n", b"\r\n"))
    data.to_parquet(folder / "t.parquet")
    return {
        "csv": folder / "t.csv",
        "csv as str": str(folder / "t.csv"),
        "crlf": folder / "crlf.csv",
        "csv.gz": folder / "t.csv.gz",
        "parquet": folder / "t.parquet",
        "pandas": data,
        "pandas arrow": data.convert_dtypes(dtype_backend="pyarrow"),
        "pandas object": data.astype(object),
        "pandas indexed": data.set_index("timestamp"),
        "polars": pl.from_pandas(data),
    }


def assert_same(left, right, *, shift=0):
    assert [series.symbol for series in left] == [series.symbol for series in right]
    for one, other in zip(left, right, strict=True):
        assert one.ticks.dtype == TICK
        for field in TICK.names:
            np.testing.assert_array_equal(one.ticks[field], other.ticks[field], err_msg=field)
        np.testing.assert_array_equal(one.rows + shift, other.rows)
        assert (one.depth is None) == (other.depth is None)
        if one.depth is not None:
            np.testing.assert_array_equal(one.depth, other.depth)


def test_every_kind_of_source_gives_the_same_ticks(tmp_path):
    sources = all_sources(frame(), tmp_path)
    expected = read_ticks(sources["pandas"])
    for name, source in sources.items():
        lines = name.startswith(("csv", "crlf"))
        assert_same(expected, read_ticks(source), shift=1 if lines else 0)


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet", "pandas", "polars"])
def test_the_size_of_the_pieces_changes_nothing(kind, tmp_path):
    source = all_sources(frame(97), tmp_path)[kind]
    expected = read_ticks(source)
    for chunk_rows in (1, 2, 7, 50, 97, 1_000):
        pieces = list(iter_ticks(source, chunk_rows=chunk_rows))
        assert max(len(piece) for piece in pieces) <= chunk_rows
        assert sum(len(piece) for piece in pieces) == 97
        assert_same(expected, read_ticks(source, chunk_rows=chunk_rows))


def test_pieces_keep_the_order_of_the_source():
    rows = {"A": [], "B": []}
    for piece in iter_ticks(frame(40), chunk_rows=6):
        rows[piece.symbol] += piece.rows.tolist()
    assert rows == {"A": list(range(1, 41, 2)), "B": list(range(2, 41, 2))}


def test_symbols_become_series_whose_rows_keep_their_order():
    data = frame(40)
    # Sessions need not follow the time, nor start together: rows stay as they stand.
    data["timestamp"] = data["timestamp"][::-1].to_numpy()
    data.loc[14:16, "session"] = "day 1"
    codes = data["session"].map(session_code).to_numpy()
    first, second = read_ticks(data)
    assert (first.symbol, second.symbol) == ("A", "B")
    for series, start in ((first, 1), (second, 2)):
        assert series.rows.tolist() == list(range(start, 41, 2))
        np.testing.assert_array_equal(series.ticks["session"], codes[series.rows - 1])
        assert len(set(series.ticks["session"].tolist())) == 3


TURNS = {
    "csv": "t.csv, line 7",
    "csv.gz": "t.csv.gz, line 7",
    "parquet": "t.parquet, row 6",
    "pandas": "pandas frame, row 6",
    "polars": "polars frame, row 6",
}


@pytest.mark.parametrize("chunk_rows", [1, 3, 100])
@pytest.mark.parametrize("kind", TURNS)
def test_a_session_that_comes_back_is_refused_with_its_place(kind, chunk_rows, tmp_path):
    data = frame(12)
    data["session"] = ["x"] * 3 + ["y", "x", "x"] + ["y"] * 6  # B: x, y, x, y, y, y
    source = all_sources(data, tmp_path)[kind]
    with pytest.raises(DataError) as caught:
        read_ticks(source, chunk_rows=chunk_rows)
    for part in (TURNS[kind], "session 'x' of symbol 'B' comes back", "sort the rows by session"):
        assert part in str(caught.value)
    assert "a symbol of its own" in str(caught.value)
    (alone,) = read_ticks(source, chunk_rows=chunk_rows, symbol="A")
    assert len(alone) == 6


def test_pieces_may_hold_sessions_in_turns():
    data = frame(12, symbols=("A",))
    data["session"] = ["x", "y"] * 6
    codes = [code for piece in iter_ticks(data, chunk_rows=5) for code in piece.ticks["session"]]
    assert codes == [session_code(name) for name in data["session"]]


def test_a_session_that_comes_back_in_a_later_file_is_refused(tmp_path):
    data = frame(6, symbols=("A",)).drop(columns="symbol")
    data["session"] = ["x", "x", "y", "y", "x", "x"]
    for number in range(3):
        data[2 * number : 2 * number + 2].to_csv(tmp_path / f"{number}.csv", index=False)
    with pytest.raises(DataError, match=r"2\.csv, line 2: session 'x' comes back"):
        read_ticks(tmp_path)
    (tmp_path / "1.csv").unlink()
    assert len(read_ticks(tmp_path)[0]) == 4


def several_files(folder):
    """Three files of one symbol, and of a second one in all but the middle file."""
    for name, symbols in (("a.csv", ("A", "B")), ("b.csv", ("A",)), ("c.parquet", ("A", "B"))):
        data = frame(8, symbols=symbols).drop(columns="session")
        data.to_parquet(folder / name) if name == "c.parquet" else data.to_csv(
            folder / name, index=False
        )
    return folder


@pytest.mark.parametrize("chunk_rows", [1, 3, 100])
def test_rows_know_which_of_several_files_they_stood_in(chunk_rows, tmp_path):
    names = ["a.csv", "b.csv", "c.parquet"]
    first, second = read_ticks(several_files(tmp_path), chunk_rows=chunk_rows)
    assert [run.start for run in first.files] == [0, 4, 12]
    assert [run.start for run in second.files] == [0, 4]
    for series, numbers in ((first, [0] * 4 + [1] * 8 + [2] * 4), (second, [0] * 4 + [2] * 4)):
        files = [names[number] for number in numbers]
        assert series.file_numbers().tolist() == numbers
        assert [series.file_of(row) for row in range(len(series))] == files
        # Together they name a row of the source.
        assert len(set(zip(numbers, series.rows.tolist(), strict=True))) == len(series)
        for start in range(len(series)):
            for stop in range(start + 1, len(series) + 1):
                part = series.piece(start, stop)
                assert part.file_numbers().tolist() == numbers[start:stop]
                assert part.files[0].start == 0
                assert [part.file_of(row) for row in range(len(part))] == files[start:stop]
    pieces = iter_ticks(tmp_path, chunk_rows=chunk_rows, symbol="A")
    assert [piece.file_of(row) for piece in pieces for row in range(len(piece))] == [
        first.file_of(row) for row in range(len(first))
    ]


def test_chosen_rows_keep_what_belongs_to_them(tmp_path):
    series, _ = read_ticks(several_files(tmp_path), columns=["close"])
    mask = np.arange(len(series)) % 3 == 0
    mask[4:12] = False
    for part in (series.chosen(mask), series.chosen(np.flatnonzero(mask))):
        for name in ("ticks", "rows", "depth", "brought"):
            # Cells may be NaN.
            assert getattr(part, name).tobytes() == getattr(series, name)[mask].tobytes()
        assert part.file_numbers().tolist() == [0, 0, 2, 2]
        assert [run.start for run in part.files] == [0, 2]
    nothing = series.chosen(np.zeros(len(series), dtype=bool))
    assert (len(nothing), nothing.files) == (0, ())


def test_a_source_of_one_file_names_none(tmp_path):
    frame(8).to_csv(tmp_path / "a.csv", index=False)
    for source in (tmp_path, tmp_path / "a.csv", frame(8)):
        for series in read_ticks(source):
            assert (series.files, series.file_of(3)) == ((), "")
            assert series.file_numbers().tolist() == [0] * len(series)


def test_depth_follows_its_rows():
    data = frame(30, levels=3)
    for series in read_ticks(data):
        assert series.depth.shape == (15, 3, 4)
        picked = data.iloc[series.rows - 1]
        for level in (1, 2, 3):
            names = [f"{n}_{level}" for n in ("bid_price", "bid_volume", "ask_price", "ask_volume")]
            np.testing.assert_array_equal(series.depth[:, level - 1], picked[names].to_numpy())


def test_level_one_stands_for_an_absent_top_of_the_book():
    data = frame(10, symbols=("A",)).drop(columns=list(PRICES[:4]))
    (series,) = read_ticks(data)
    picked = data.iloc[series.rows - 1]
    for name in PRICES[:4]:
        np.testing.assert_array_equal(series.ticks[name], picked[f"{name}_1"])


def test_one_symbol_may_be_chosen():
    (chosen,) = read_ticks(frame(40), symbol="B")
    (_, expected) = read_ticks(frame(40))
    np.testing.assert_array_equal(chosen.rows % 2, 0)
    for name in PRICES:
        np.testing.assert_array_equal(np.sort(chosen.ticks[name]), np.sort(expected.ticks[name]))
    (named,) = read_ticks(frame(40).drop(columns="symbol"), symbol="C")
    assert named.symbol == "C"
    with pytest.raises(DataError, match=r"no row has the symbol 'C'; found: 'A', 'B'"):
        read_ticks(frame(40), symbol="C")


def test_absent_optional_columns_are_nan_and_one_session():
    data = frame(10, levels=0).drop(columns=["buy_volume", "session", "symbol", "note"])
    (series,) = read_ticks(data)
    assert series.symbol == ""
    assert series.depth is None
    assert np.isnan(series.ticks["buy_volume"]).all()
    assert np.isnan(series.ticks["sell_volume"]).all()
    assert (series.ticks["session"] == 0).all()


@pytest.mark.parametrize(
    "sessions",
    [
        [3, 1],
        ["3", "1"],
        [3.0, 1.0],
        pd.Series([3, "1"], dtype=object),
        pd.Series([3.0, 1], dtype=object),
        ["x", "y"],
    ],
    ids=["int", "text", "float", "objects", "float object", "name"],
)
def test_sessions_are_coded_by_their_names(sessions):
    data = frame(2, symbols=("A",))
    data["session"] = sessions
    given = [session_code(name) for name in sessions]
    assert read_ticks(data)[0].ticks["session"].tolist() == given
    assert len({0, *given}) == 3


def test_session_codes_hold_over_files_and_names(tmp_path):
    data = frame(6, symbols=("A",))
    data["session"] = [5, 5, 5, 5, 9, 9]
    data[:3].to_csv(tmp_path / "1.csv", index=False)
    data[3:].to_parquet(tmp_path / "2.parquet")
    (series,) = read_ticks(tmp_path)
    five, nine = session_code(5), session_code(9)
    assert series.ticks["session"].tolist() == [five] * 4 + [nine] * 2
    assert series.rows.tolist() == [2, 3, 4, 1, 2, 3]


def test_files_without_a_session_column_are_one_session(tmp_path):
    data = frame(6, symbols=("A",)).drop(columns="session")
    data[:3].to_csv(tmp_path / "1.csv", index=False)
    data[3:].to_csv(tmp_path / "2.csv", index=False)
    (series,) = read_ticks(tmp_path)
    assert series.ticks["session"].tolist() == [0] * 6
    assert np.all(np.diff(series.ticks["timestamp"]) > 0)


def test_globs_and_directories_mix_kinds_in_the_order_of_names(tmp_path):
    data = frame(9, symbols=("A",)).drop(columns="session")
    data[:3].to_parquet(tmp_path / "a.parquet")
    data[3:6].to_csv(tmp_path / "b.csv.gz", index=False)
    data[6:].to_csv(tmp_path / "c.CSV", index=False)
    (tmp_path / "README.md").write_text("not data")
    (tmp_path / ".hidden.csv").write_text("not data")
    expected = read_ticks(data)[0].ticks
    for source in (tmp_path, str(tmp_path), f"{tmp_path}/*", tmp_path / "[abc].*"):
        (series,) = read_ticks(source)
        assert series.ticks.tobytes() == expected.tobytes()


def test_a_file_whose_name_looks_like_a_glob_is_a_file(tmp_path):
    frame(4).to_csv(tmp_path / "t[1].csv", index=False)
    assert sum(len(series) for series in read_ticks(tmp_path / "t[1].csv")) == 4


def test_kinds_are_recognised_without_their_suffix(tmp_path):
    sources = all_sources(frame(), tmp_path)
    expected = read_ticks(sources["pandas"])
    for kind in ("csv", "csv.gz", "parquet"):
        copy = tmp_path / f"{kind.replace('.', '_')}.dat"
        copy.write_bytes(sources[kind].read_bytes())
        assert_same(expected, read_ticks(copy), shift=0 if kind == "parquet" else 1)


@pytest.mark.parametrize("name", [None, ""])
def test_a_price_col_that_is_no_name_is_refused(name):
    with pytest.raises(DataError, match=r"price_col is .* it must be the name of the column"):
        read_ticks(pd.DataFrame({"close": [1.0]}), price_col=name)


def test_price_col_names_the_column_read_as_close(tmp_path):
    data = frame(10, symbols=("A",)).rename(columns={"close": "Last Trade"})
    (series,) = read_ticks(data, price_col="last trade ")
    np.testing.assert_array_equal(
        series.ticks["close"], data["Last Trade"].to_numpy()[series.rows - 1]
    )
    with pytest.raises(DataError, match="missing columns: 'close'"):
        read_ticks(data)
    with pytest.raises(DataError, match="missing columns: 'lats'"):
        read_ticks(data, price_col="lats")


def test_files_of_different_depth_are_refused(tmp_path):
    frame(4, levels=2).to_csv(tmp_path / "1.csv", index=False)
    frame(4, levels=1).to_csv(tmp_path / "2.csv", index=False)
    with pytest.raises(DataError, match=r"2\.csv: holds 1 depth levels, .*1\.csv holds 2"):
        read_ticks(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.csv", "absent.csv does not exist"),
        ("*.csv", "no data file matches"),
        ("folder", "folder holds no data file; looked for .csv"),
        ("pipe", "pipe is not a regular file"),
        ("x" * 5000, "cannot be read: File name too long"),
    ],
)
def test_nothing_to_read_is_refused_before_iterating(name, message, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("not data")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError) as caught:
        iter_ticks(tmp_path / name)
    assert message in str(caught.value)


@pytest.mark.parametrize("read", [read_ticks, iter_ticks])
def test_an_empty_path_is_not_the_current_directory(read, tmp_path, monkeypatch):
    frame(4).to_csv(tmp_path / "t.csv", index=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="the path of the data is ''"):
        read("")
    assert sum(len(series) for series in read(".")) == 4


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, "data is a NoneType; give a path"),
        ([1, 2], "data is a list; give a path"),
        (pl.LazyFrame({"a": [1]}), "call .collect"),
    ],
    ids=["None", "list", "lazy"],
)
def test_what_is_no_source_is_refused(source, message):
    with pytest.raises(DataError, match=message):
        iter_ticks(source)


@pytest.mark.parametrize("chunk_rows", [0, -1, 1.5, True])
def test_chunk_rows_must_be_a_positive_whole_number(chunk_rows):
    with pytest.raises(ConfigError, match="chunk_rows"):
        iter_ticks(frame(2), chunk_rows=chunk_rows)


@pytest.mark.parametrize("name", CAPTURES)
def test_a_real_capture_is_read_as_pandas_reads_it(name):
    path = DATA / f"{name}.parquet"
    if not path.exists():
        pytest.skip("the shared captures are not beside the repository")
    rows, sessions, symbols, levels = CAPTURES[name]
    raw = pd.read_parquet(path)
    every = read_ticks(path)
    assert [series.symbol for series in every] == symbols
    assert all(np.all(np.diff(series.rows) > 0) for series in every)
    assert sum(len(series) for series in every) == len(raw) == rows
    codes = np.concatenate([series.ticks["session"] for series in every])
    assert set(codes.tolist()) == {session_code(name) for name in raw["session"].unique()}
    assert len(set(codes.tolist())) == sessions
    for series in every:
        assert series.ticks.dtype == TICK
        picked = raw.iloc[series.rows - 1]
        if "symbol" in raw:
            assert (picked["symbol"] == series.symbol).all()
        nanoseconds = picked["timestamp"].astype("datetime64[ns]").astype(np.int64)
        np.testing.assert_array_equal(series.ticks["timestamp"], nanoseconds)
        expected = raw["session"].map(session_code).to_numpy()[series.rows - 1]
        np.testing.assert_array_equal(series.ticks["session"], expected)
        for field in (*PRICES, "buy_volume", "sell_volume"):
            expected = picked[field] if field in raw else np.nan
            np.testing.assert_array_equal(series.ticks[field], expected)
        assert (0 if series.depth is None else series.depth.shape[1]) == levels
        for level in range(1, levels + 1):
            np.testing.assert_array_equal(
                series.depth[:, level - 1, 3], picked[f"ask_volume_{level}"]
            )


@pytest.mark.parametrize("name", CAPTURES)
def test_a_real_capture_survives_every_kind_of_source(name, tmp_path):
    path = DATA / f"{name}.parquet"
    if not path.exists():
        pytest.skip("the shared captures are not beside the repository")
    expected = read_ticks(path)
    raw = pl.read_parquet(path)
    raw.write_csv(tmp_path / "t.csv")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress((tmp_path / "t.csv").read_bytes(), 1))
    assert_same(expected, read_ticks(tmp_path / "t.csv"), shift=1)
    assert_same(expected, read_ticks(tmp_path / "t.csv.gz", chunk_rows=9_999), shift=1)
    assert_same(expected, read_ticks(raw))
    assert_same(expected, read_ticks(raw.to_pandas(), chunk_rows=5_000))
