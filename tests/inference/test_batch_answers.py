"""Rows in every form in which a user has them: the same answers, or a sentence that helps."""

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest

from alphaseeker.errors import DataError
from ticks import FIELDS, tick

CLOCKS = ("latency_ms", "timestamp", "performance_stats")


def told(answers):
    """Return answers without what differs from one call to the next."""
    return [{key: a[key] for key in a if key not in CLOCKS} for a in answers]


def decimals(frame):
    return frame.assign(**{name: [Decimal(repr(x)) for x in frame[name]] for name in FIELDS})


FORMS = {
    "polars": pl.from_pandas,
    "nullable columns": lambda frame: frame.convert_dtypes(),
    "Arrow columns": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "an index of times": lambda frame: frame.set_index("timestamp"),
    "nanoseconds": lambda frame: frame.assign(timestamp=frame["timestamp"].astype("int64")),
    "columns of no meaning": lambda frame: frame.assign(note="x", tags=[[1]] * len(frame)),
    "decimals in a frame": decimals,
    "dictionaries": lambda frame: frame.to_dict("records"),
    "dictionaries of polars": lambda frame: pl.from_pandas(frame).to_dicts(),
    "dictionaries with more keys": lambda frame: frame.assign(note=None).to_dict("records"),
    "dictionaries of decimals": lambda frame: decimals(frame).to_dict("records"),
    "dictionaries of NumPy": lambda frame: [
        {**row, **{name: np.float64(row[name]) for name in FIELDS}}
        for row in frame.to_dict("records")
    ],
}


@pytest.fixture(scope="module")
def rows(market):
    return market.head(700)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_rows_gives_the_same(engine, rows, form):
    expected = told(engine.predict_batch(rows))
    assert any(answer["signal"] for answer in expected)
    assert told(engine.predict_batch(FORMS[form](rows))) == expected


def test_files_of_two_symbols_in_a_folder_or_a_glob(engine, rows, tmp_path):
    rows.assign(symbol="A").to_csv(tmp_path / "a.csv", index=False)
    rows.assign(symbol="B").to_parquet(tmp_path / "b.parquet")
    expected = told(engine.predict_batch(rows.assign(symbol="A")))
    for source in (tmp_path, tmp_path / "*", str(tmp_path / "?.*")):
        answers = told(engine.predict_batch(source))
        for symbol in "AB":
            own = [{**a, "symbol": "A"} for a in answers if a["symbol"] == symbol]
            assert own == expected


def test_files_of_one_symbol_are_answered_one_after_the_other(engine, rows, tmp_path):
    whole = told(engine.predict_batch(rows))
    rows[:300].to_csv(tmp_path / "1.csv", index=False)
    rows[300:350].to_parquet(tmp_path / "2.parquet")
    rows[350:].to_csv(tmp_path / "3.csv", index=False)
    asked = [answer["ready"] for answer in engine.predict_batch(tmp_path)]
    assert asked == [answer["ready"] for answer in engine.predict_batch(rows)]
    assert True in asked
    assert told(engine.predict_batch(tmp_path)) == whole


def test_a_malformed_row_of_several_files_is_named_with_its_file(engine, rows, tmp_path):
    bad = rows.copy()
    bad.loc[[rows.index[5], rows.index[310]], "close"] = -1.0
    bad[:300].to_csv(tmp_path / "1.csv", index=False)
    bad[300:].to_parquet(tmp_path / "2.parquet")
    words = r"^row 7 of 1\.csv: close is -1\.0.*2 of 700 rows .*\(7 of 1\.csv, 11 of 2\.parquet\)"
    for call in (engine.predict_batch, engine.warm_up):
        with pytest.raises(DataError, match=words):
            call(tmp_path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ((row for row in [tick(0)]), "data is a generator; give a list of market data dict"),
        (tick(0), "data is a dict; give a list of market data dict"),
        (None, "data is a NoneType; give a list"),
        (pl.LazyFrame({"close": [1.0]}), "call .collect() on a lazy frame"),
    ],
)
def test_what_holds_no_rows_is_refused_with_what_does(engine, data, words):
    for call in (engine.predict_batch, engine.warm_up):
        with pytest.raises(DataError) as caught:
            call(data)
        assert words in str(caught.value)


def test_a_row_of_pandas_is_told_how_to_become_a_tick(engine, rows):
    with pytest.raises(DataError, match=r"is a Series; .*: give its .to_dict\(\)"):
        engine.predict(rows.iloc[0], replay=True)
    with pytest.raises(DataError, match=r"is a DataFrame; .*; predict_batch takes a frame"):
        engine.predict(rows.head(1), replay=True)
    for frame in (rows, pl.from_pandas(rows)):
        with pytest.raises(DataError, match="predict_batch and warm_up take frames"):
            engine.predict_stream(frame)
    assert engine.predict(rows.iloc[0].to_dict(), replay=True)["symbol"] == "SIMULATED"


def test_too_many_bad_rows_are_listed_up_to_ten(engine, rows):
    both = pd.concat([rows.assign(symbol="A"), rows.assign(symbol="B")], ignore_index=True)
    both.loc[[3, *range(695, 710)], "close"] = -1.0
    with pytest.raises(DataError) as caught:
        engine.predict_batch(both)
    text = str(caught.value)
    assert text.startswith("row 4: close is -1.0; it must be a finite number above 0;")
    assert (
        "16 of 1400 rows are malformed (4, 696, 697, 698, 699, 700, 701, 702, 703, 704, ...)"
        in (text)
    )
    assert "0.100% of them may be" in text
    both = both.iloc[::-1].reset_index(drop=True)
    with pytest.raises(DataError, match=r"^row 691: close"):
        engine.predict_batch(both)


def test_a_stream_counts_its_rows_from_its_beginning(engine, market):
    rows = market.head(1_200).to_dict("records")
    rows[1_100]["close"] = -1.0
    answers = list(engine.predict_stream(rows))  # one of 1,120 at the end of its step
    assert len(answers) == 1_200
    assert answers[1_100]["filter_reason"] == "refused"
    rows[1_105]["close"] = math.nan
    engine.clear_history()
    stream = engine.predict_stream(rows)
    with pytest.raises(DataError, match=r"^row 1101: close is -1.0.* 2 of 1120 rows are malformed"):
        list(stream)
    rows[40]["close"] = "x"
    with pytest.raises(DataError, match=r"^row 41: close is 'x'"):
        list(engine.predict_stream(rows))


@pytest.mark.parametrize("place", [32, 40, 64])
def test_a_stream_keeps_the_form_of_its_times_from_step_to_step(engine, market, place):
    rows = market.head(100).to_dict("records")
    rows[place]["timestamp"] = rows[place]["timestamp"].tz_localize("UTC")
    with pytest.raises(DataError, match=f"^row {place + 1}: timestamp .* a date with a zone, but"):
        list(engine.predict_stream(rows))
