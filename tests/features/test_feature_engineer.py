"""The transformer: containers in and out, symbols and sessions, and scikit-learn's rules."""

import pickle
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from alphaseeker import custom_feature, frame_feature
from alphaseeker.config import Config
from alphaseeker.errors import ConfigError, DataError, StateError
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.features.custom import define_feature
from alphaseeker.features.feature_engineer import MicrostructureFeatureEngineer
from alphaseeker.features.inputs import available_names
from alphaseeker.features.microprice import fit_microprice
from alphaseeker.features.settings import fit_settings
from alphaseeker.market.quality import judge_series
from alphaseeker.market.readers import read_ticks
from alphaseeker.market.simulator import simulate

NAMES = [feature.name for feature in FEATURES]
OFFERED = list(available_names(FeatureSettings()))  # by data without depth and aggressor's side
CHOICE = ["momentum.return_5s", "book.spread", "book.imbalance"]


@pytest.fixture(scope="module")
def frame(walk):
    """Two symbols of two sessions each, their rows mixed, with an index of its own."""
    parts = []
    for number, symbol in enumerate(("AAA", "BBB")):
        part = pd.DataFrame(walk(400, seed=number).ticks)
        part["timestamp"] = pd.to_datetime(part["timestamp"])
        part["session"] = np.where(np.arange(400) < 150, "early", "late")
        parts.append(part.assign(symbol=symbol))
    order = np.argsort(np.random.default_rng(0).random(800).reshape(2, 400).cumsum(1).ravel())
    mixed = pd.concat(parts, ignore_index=True).iloc[order]
    return mixed.set_index(pd.Index(np.arange(800) * 3 + 5, name="row"))


@pytest.fixture(scope="module")
def fitted(frame):
    return MicrostructureFeatureEngineer().fit(frame)


def test_one_row_per_row_in_order_whatever_symbol_and_session(frame, fitted):
    features = fitted.transform(frame)
    assert features.index.equals(frame.index)
    assert features.columns.tolist() == OFFERED
    assert set(features.dtypes) == {np.dtype(np.float32)}
    for _, group in frame.groupby(["symbol", "session"]):
        alone = fitted.transform(group)
        pd.testing.assert_frame_equal(features.loc[group.index], alone, check_exact=True)
    spread = (frame["ask_price"] - frame["bid_price"]) * 2e4
    spread /= frame["ask_price"] + frame["bid_price"]
    np.testing.assert_allclose(features["book.spread"], spread, rtol=1e-6)


def test_a_stream_per_symbol_gives_the_bits_of_the_frame(frame, fitted):
    features = fitted.transform(frame).to_numpy()
    streams = {symbol: fitted.stream(symbol) for symbol in ("AAA", "BBB")}
    for row, tick in enumerate(frame.itertuples(index=False)):
        values = streams[tick.symbol].update(
            tick.timestamp.value,
            tick.bid_price,
            tick.ask_price,
            tick.bid_volume,
            tick.ask_volume,
            tick.close,
            tick.volume,
            session=int(tick.session == "late"),
        )
        assert values.tobytes() == features[row].tobytes()
    assert streams["AAA"].symbol == "AAA"
    assert streams["AAA"].settings == fitted.settings_


def test_containers_go_out_as_they_came_in(frame, fitted, tmp_path):
    expected = fitted.transform(frame).to_numpy()
    polars = fitted.transform(pl.from_pandas(frame))
    assert isinstance(polars, pl.DataFrame)
    assert polars.columns == OFFERED
    assert polars.to_numpy().tobytes() == expected.tobytes()
    path = tmp_path / "ticks.parquet"
    frame.to_parquet(path)
    from_path = fitted.transform(path)
    assert isinstance(from_path, np.ndarray)
    assert from_path.tobytes() == expected.tobytes()
    series = read_ticks(frame)
    from_series = fitted.transform(series)
    assert isinstance(from_series, np.ndarray)
    rows = np.concatenate([one.rows for one in series]) - 1
    assert from_series.tobytes() == expected[rows].tobytes()


def test_several_files_go_series_after_series(frame, fitted, tmp_path):
    order = []
    for symbol, part in frame.groupby("symbol"):
        part.to_csv(tmp_path / f"{symbol}.csv", index=False)
        for session in part["session"].unique():
            chosen = (frame["symbol"] == symbol) & (frame["session"] == session)
            order.append(np.flatnonzero(chosen))
    expected = fitted.transform(frame).to_numpy()[np.concatenate(order)]
    assert fitted.transform(tmp_path).tobytes() == expected.tobytes()
    assert fitted.transform(str(tmp_path / "*.csv")).tobytes() == expected.tobytes()


@pytest.mark.parametrize("source", ["pandas", "polars", "path"])
@pytest.mark.parametrize(
    ("wanted", "kind"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame), ("default", None)]
)
def test_set_output_decides_the_container(frame, tmp_path, source, wanted, kind):
    engineer = MicrostructureFeatureEngineer(features=CHOICE).set_output(transform=wanted)
    engineer.set_output(transform=None)  # leaves it as it is
    given = {"pandas": frame, "polars": pl.from_pandas(frame), "path": tmp_path / "x.parquet"}
    frame.to_parquet(tmp_path / "x.parquet")
    as_it_came = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "path": np.ndarray}
    features = engineer.fit_transform(given[source])
    assert type(features) is (kind or as_it_came[source])
    assert features.shape == (800, 3)


def test_the_setting_of_scikit_learn_counts_where_nothing_was_chosen(frame, fitted):
    series = read_ticks(frame)
    with sklearn.config_context(transform_output="pandas"):
        assert isinstance(fitted.transform(series), pd.DataFrame)
        chosen = clone(fitted).set_output(transform="polars")
        assert isinstance(chosen.fit_transform(series), pl.DataFrame)
    assert isinstance(fitted.transform(series), np.ndarray)


def test_rows_that_the_gate_does_not_accept_are_nan(walk):
    series = walk(200)
    series.ticks["close"][50] = np.nan
    series.ticks["bid_price"][60] = 10**6
    series.ticks["timestamp"][70] = series.ticks["timestamp"][10]
    names = [n for n in OFFERED if n.startswith("book.") and n != "book.microprice_dev"]
    features = MicrostructureFeatureEngineer(features=names).fit_transform([series])
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(features).all(axis=1)), [50, 60, 70])
    assert np.isfinite(np.delete(features, [50, 60, 70], axis=0)).all()


def test_depth_out_of_order_gives_the_bits_of_the_stream(deep_walk):
    series = deep_walk(400)
    series.depth[::2] = series.depth[::2, ::-1]
    given = series.depth.copy()
    engineer = MicrostructureFeatureEngineer(families=["depth"])
    features = engineer.fit_transform([series])
    assert engineer.transform([series]).tobytes() == features.tobytes()
    stream = engineer.stream()
    fields = series.ticks.dtype.names[1:9]
    for tick, levels, values in zip(series.ticks, series.depth, features, strict=True):
        named = {name: tick[name] for name in fields}
        live = stream.update(int(tick["timestamp"]), **named, depth=levels)
        assert live.tobytes() == values.tobytes()
    assert np.isfinite(features[-1]).mean() > 0.9
    assert series.depth.tobytes() == given.tobytes()


def test_fit_and_training_fit_the_same_settings_on_rows_that_are_not_all_good():
    good = simulate(4_000, seed=5, depth_levels=3)
    ticks, depth = good.ticks.copy(), good.depth.copy()
    ticks["ask_price"][100:110] *= 1.00333  # off the grid, and in rows that are refused
    ticks["close"][100:110] = np.nan
    ticks["bid_price"][200:240] = ticks["ask_price"][200:240] + 1.0
    ticks["buy_volume"][200:240] = np.nan
    depth[::2] = depth[::2, ::-1]
    bad = replace(good, ticks=ticks, depth=depth.copy())
    engineer = MicrostructureFeatureEngineer().fit([bad])
    assert bad.depth.tobytes() == depth.tobytes()

    verdicts, _ = judge_series(bad, max_gap_s=900.0, max_jump=0.2)
    kept = (verdicts >= 0) & (verdicts < 10)
    assert kept.sum() == 3_950
    accepted = replace(bad, ticks=ticks[kept], rows=bad.rows[kept], depth=bad.depth[kept])
    expected = fit_settings([accepted], Config())  # what training fits to
    assert engineer.settings_ == expected
    assert expected.microprices
    assert expected.ofi_weights
    assert engineer.settings_ != fit_settings([replace(good, ticks=ticks, depth=depth)], Config())


def test_the_size_of_the_round_trip_is_the_users(deep_walk):
    costs = {}
    for notional in (10_000.0, 100.0):
        engineer = MicrostructureFeatureEngineer(
            features=["depth.round_trip_cost"], round_trip_notional=notional
        )
        costs[notional] = engineer.fit_transform([deep_walk(300)])
        assert engineer.settings_.round_trip_notional == notional
        assert engineer.stream().settings.round_trip_notional == notional
    default = MicrostructureFeatureEngineer(features=["depth.round_trip_cost"])
    assert default.fit_transform([deep_walk(300)]).tobytes() == costs[10_000.0].tobytes()
    assert costs[100.0].tobytes() != costs[10_000.0].tobytes()


def test_columns_by_name_family_and_window(frame, fitted):
    whole = fitted.transform(frame)
    by_name = MicrostructureFeatureEngineer(features=CHOICE).fit(frame)
    assert by_name.get_feature_names_out().tolist() == CHOICE
    assert by_name.get_feature_names_out().dtype == object
    pd.testing.assert_frame_equal(by_name.transform(frame), whole[CHOICE], check_exact=True)
    chosen = MicrostructureFeatureEngineer(families=["flow"], windows=[5])
    assert chosen.get_feature_names_out(["ignored"]).tolist() == [
        "flow.ofi_5s",
        "flow.ofi_bid_5s",
        "flow.ofi_ask_5s",
        "flow.ofi_fast_slow",
        "flow.bid_up_5s",
        "flow.ask_down_5s",
    ]
    assert [row["name"] for row in by_name.features_table()] == CHOICE


def test_fit_reads_the_settings_off_the_training_data(frame):
    engineer = MicrostructureFeatureEngineer().fit(frame)
    assert engineer.settings_.bucket_s == 1.0
    assert set(engineer.settings_.tick_sizes.values()) == {0.01}
    given = MicrostructureFeatureEngineer(
        bucket_s=5, tick_size=0.005, max_gap_s=60.0, max_jump=0.1
    ).fit(frame)
    own = [series for series in read_ticks(frame) if series.symbol == "AAA"]
    tables = fit_microprice(own, 0.005, max_gap_s=60.0)
    assert given.settings_.microprices["AAA"] == tables  # in ticks of the size given
    assert replace(given.settings_, microprices={}) == FeatureSettings(
        bucket_s=5.0, tick_size=0.005, max_gap_s=60.0, max_jump=0.1
    )
    features = given.set_params(features=["book.spread_ticks"]).transform(frame)
    ticks = (frame["ask_price"] - frame["bid_price"]) / 0.005
    np.testing.assert_allclose(features["book.spread_ticks"], ticks, rtol=1e-6)


def test_price_col_names_the_column_read_as_close(frame):
    renamed = frame.rename(columns={"close": "last"})
    with pytest.raises(DataError, match="missing columns: 'close'"):
        MicrostructureFeatureEngineer().fit(renamed)
    engineer = MicrostructureFeatureEngineer(price_col="last", features=["book.last_in_spread"])
    expected = MicrostructureFeatureEngineer(features=["book.last_in_spread"]).fit_transform(frame)
    pd.testing.assert_frame_equal(engineer.fit_transform(renamed), expected, check_exact=True)


def test_parameters_follow_scikit_learn(frame):
    engineer = MicrostructureFeatureEngineer(features=CHOICE, max_jump=0.1)
    engineer.set_output(transform="polars").fit(frame)
    check_is_fitted(engineer)
    copy = clone(engineer)
    assert copy.get_params() == engineer.get_params()
    assert not hasattr(copy, "settings_")
    assert isinstance(copy.fit_transform(frame), pl.DataFrame)
    assert repr(engineer) == f"MicrostructureFeatureEngineer(features={CHOICE!r}, max_jump=0.1)"
    again = pickle.loads(pickle.dumps(engineer))
    assert again.settings_ == engineer.settings_
    assert again.get_params() == engineer.get_params()
    for parameters in ParameterGrid({"windows": [[5], [60]], "bucket_s": ["auto", 5]}):
        assert clone(engineer).set_params(**parameters).get_params().items() >= parameters.items()
    with pytest.raises(ConfigError, match=r"unknown parameter 'window'.*'windows'"):
        engineer.set_params(window=[5])


def test_in_a_pipeline(frame):
    engineer = MicrostructureFeatureEngineer(features=["book.imbalance", "book.spread"])
    pipeline = Pipeline([("features", engineer), ("model", LogisticRegression())])
    pipeline.set_output(transform="pandas")
    target = (frame["close"].diff().shift(-1) > 0).astype(int)
    pipeline.fit(frame, target)
    assert pipeline.predict_proba(frame).shape == (800, 2)
    assert pipeline[-1].feature_names_in_.tolist() == ["book.imbalance", "book.spread"]
    assert pipeline[:-1].get_feature_names_out().tolist() == ["book.imbalance", "book.spread"]
    pipeline.set_params(features__features=["book.imbalance"])
    assert clone(pipeline).get_params()["features__features"] == ["book.imbalance"]
    assert "MicrostructureFeatureEngineer" in repr(pipeline)
    assert "MicrostructureFeatureEngineer" in pipeline._repr_html_()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"features": ["book.x"]}, "features holds 'book.x'"),
        ({"families": ["books"]}, "families holds 'books'"),
        ({"windows": [61]}, "windows holds 61"),
        ({"bucket_s": 0.5}, "BUCKET_S is 0.5; it must be a number from 1 to 900"),
        ({"bucket_s": "fast"}, "BUCKET_S is 'fast'"),
        ({"tick_size": 0.0}, "tick_size is 0.0"),
        ({"tick_size": "small"}, "tick_size is 'small'"),
        ({"max_gap_s": -1.0}, "MAX_GAP_S is -1.0"),
        ({"max_jump": 2.0}, "MAX_JUMP is 2.0"),
        ({"round_trip_notional": 0.0}, "ROUND_TRIP_NOTIONAL is 0.0"),
    ],
)
def test_parameters_are_checked_in_fit(frame, parameters, message):
    engineer = MicrostructureFeatureEngineer(**parameters)
    with pytest.raises(ConfigError, match=re.escape(message)):
        engineer.fit(frame)
    with pytest.raises(StateError):
        engineer.transform(frame)


def test_not_fitted(frame):
    engineer = MicrostructureFeatureEngineer()
    for call in (engineer.transform, lambda _: engineer.stream()):
        with pytest.raises(StateError, match="not fitted; call fit"):
            call(frame)
    assert engineer.get_feature_names_out().tolist() == NAMES


def test_sources_that_are_none(fitted):
    for source in ([], [1, 2], (), np.zeros((3, 7)), None, {"bid_price": [1.0]}):
        with pytest.raises(DataError):
            fitted.transform(source)
    with pytest.raises(ConfigError, match="transform is 'numpy'"):
        fitted.set_output(transform="numpy")


ALIKE = {
    "rows under another index": lambda data: data.set_axis(
        np.random.default_rng(1).permutation(len(data))
    ),
    "one index for all rows": lambda data: data.set_axis(np.zeros(len(data), dtype=int)),
    "an index of two levels": lambda data: data.set_axis(
        pd.MultiIndex.from_arrays([np.arange(len(data)), ["a"] * len(data)])
    ),
    "columns that mean nothing": lambda data: data.assign(
        note="text", when=pd.Timestamp("2020-01-01"), cells=[{}] * len(data)
    ),
    "two columns of one name that mean nothing": lambda data: pd.concat(
        [data.assign(note=1), data.assign(note=1)[["note"]]], axis=1
    ),
    "a column whose name is a number": lambda data: data.assign(**{"x": 1}).rename(
        columns={"x": 0}
    ),
    "columns in another order": lambda data: data[data.columns[::-1]],
    "names in capitals": lambda data: data.rename(columns=str.upper),
    "categories": lambda data: data.astype({"symbol": "category", "session": "category"}),
    "strings": lambda data: data.astype({"symbol": "string", "session": object}),
    "numbers as objects": lambda data: data.astype({"close": object, "bid_price": object}),
    "numbers of arrow": lambda data: data.astype({"close": "double[pyarrow]"}),
    "nullable numbers": lambda data: data.astype({"close": "Float64", "volume": "Float64"}),
    "times with a zone": lambda data: data.assign(
        timestamp=data["timestamp"].dt.tz_localize("UTC").dt.tz_convert("America/New_York")
    ),
    "times as text": lambda data: data.assign(
        timestamp=data["timestamp"].map(pd.Timestamp.isoformat)
    ),
    "times as numbers": lambda data: data.assign(
        timestamp=data["timestamp"].astype("datetime64[ns]").astype(np.int64)
    ),
    "times in the index": lambda data: data.set_index("timestamp"),
}


@pytest.mark.parametrize("kind", ALIKE)
def test_frames_that_say_the_same_give_the_same_bits(frame, fitted, kind):
    given = ALIKE[kind](frame)
    before = given.copy()
    out = fitted.transform(given)
    assert out.to_numpy().tobytes() == fitted.transform(frame).to_numpy().tobytes()
    assert out.index.equals(given.index)
    assert out.columns.tolist() == OFFERED
    pd.testing.assert_frame_equal(given, before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: pd.concat([data, data[["close"]]], axis=1), "'close' and 'close' are both"),
        (lambda data: data.assign(close="high"), "row 1, column 'close': 'high' (str) stands"),
        (lambda data: data.assign(volume=True), "holds bool values"),
        (
            lambda data: data.assign(volume=pd.arrays.SparseArray(data["volume"].to_numpy())),
            "cannot be read; convert the column to float64",
        ),
        (lambda data: data.iloc[:0], "the frame has no rows"),
        (lambda data: data.drop(columns="ask_volume"), "missing columns: 'ask_volume'"),
        (lambda data: pl.from_pandas(data).lazy(), "call .collect() on a lazy frame"),
    ],
)
def test_frames_that_cannot_be_read_are_refused(frame, fitted, change, message):
    for call in (MicrostructureFeatureEngineer().fit, fitted.transform):
        with pytest.raises(DataError, match=re.escape(message)):
            call(change(frame))


def test_one_row_and_integer_prices(frame, fitted):
    one = fitted.transform(frame.iloc[:1])
    assert one.to_numpy().tobytes() == fitted.transform(frame).iloc[:1].to_numpy().tobytes()
    assert MicrostructureFeatureEngineer(features=CHOICE).fit_transform(one.join(frame)).shape == (
        1,
        len(CHOICE),
    )
    whole = frame.assign(bid_price=100, ask_price=101, close=100)
    assert MicrostructureFeatureEngineer().fit(whole).settings_.tick_sizes == {
        "AAA": 1.0,
        "BBB": 1.0,
    }


def test_prices_of_float32_have_the_tick_size_of_the_market(frame):
    single = frame.astype(dict.fromkeys(["bid_price", "ask_price", "close"], np.float32))
    sizes = [
        MicrostructureFeatureEngineer().fit(one).settings_.tick_sizes for one in (single, frame)
    ]
    assert sizes[0] == pytest.approx(sizes[1])


@pytest.mark.parametrize("column", ["bid_price", "volume", "close"])
def test_a_column_without_a_number_leaves_nothing_to_fit(frame, fitted, caplog, column):
    empty = frame.assign(**{column: np.nan})
    with pytest.raises(DataError, match="the quality gate accepts none of 800 rows"):
        MicrostructureFeatureEngineer().fit(empty)
    assert fitted.transform(empty).isna().all(axis=None)
    reason = f"BAD_{column.upper()} 400; `alphaseeker doctor` says more"
    assert f"400 of 400 rows of 'AAA' are NaN, which the quality gate did not accept: {reason}" in (
        caplog.text
    )


def test_rows_in_the_wrong_order_are_told_of(frame, fitted, caplog):
    fitted.transform(frame)
    assert not caplog.text
    fitted.transform(frame.iloc[::-1])
    assert "OUT_OF_ORDER" in caplog.text


def test_importing_it_loads_no_heavy_package():
    code = (
        "import sys, alphaseeker.features.feature_engineer;"
        "heavy = {'sklearn', 'pandas', 'polars', 'lightgbm', 'pyarrow'} & set(sys.modules);"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@custom_feature(state=[("ticks", np.int64)], windows=(5,))
def tick_number(state, tick, window_s):
    state.ticks += 1
    return state.ticks


def test_what_the_data_cannot_offer_is_left_out_or_named(frame):
    engineer = MicrostructureFeatureEngineer()
    assert engineer.get_feature_names_out().tolist() == NAMES
    assert engineer.fit(frame).get_feature_names_out().tolist() == OFFERED
    assert engineer.stream().names == tuple(OFFERED)
    for choice in ({"families": ["depth"]}, {"features": ["depth.gap"]}):
        with pytest.raises(DataError, match=r"depth\.\w+.*read columns such as bid_price_2"):
            MicrostructureFeatureEngineer(**choice).fit_transform(frame)
    both = MicrostructureFeatureEngineer(families=["book", "aggressor"]).fit(frame)
    with pytest.raises(DataError, match=r"aggressor\.signed_ratio_5s"):
        both.transform(frame)
    sides = frame.assign(buy_volume=1.0, sell_volume=0.0)
    assert len(both.fit_transform(sides).columns) == 12 + 19


def test_custom_features_are_columns_in_batch_and_live(frame):
    engineer = MicrostructureFeatureEngineer(features=["custom.tick_number_5s", "book.spread"])
    with pytest.raises(ConfigError, match=r"features holds 'custom\.tick_number_5s'"):
        engineer.fit(frame)
    engineer.set_params(custom=[tick_number]).fit(frame)
    features = engineer.transform(frame)
    alone = features.loc[(frame["symbol"] == "AAA") & (frame["session"] == "early")]
    assert alone["custom.tick_number_5s"].tolist() == list(range(1, len(alone) + 1))
    copied = clone(engineer)
    assert copied.custom == [tick_number]
    assert copied.fit_transform(frame).equals(features)
    assert pickle.loads(pickle.dumps(engineer)).transform(frame).equals(features)
    stream = engineer.stream()
    for number, tick in enumerate(walk_of(frame), start=1):
        assert stream.update(*tick)[0] == number
    plain = MicrostructureFeatureEngineer().fit(frame)
    plain.set_params(custom=[tick_number])  # the choice of columns holds at once
    assert plain.transform(frame).columns[-1] == "custom.tick_number_5s"


def walk_of(frame):
    part = frame[(frame["symbol"] == "AAA") & (frame["session"] == "early")].head(20)
    fields = ("bid_price", "ask_price", "bid_volume", "ask_volume", "close", "volume")
    for row in part.itertuples(index=False):
        yield (row.timestamp.value, *(getattr(row, name) for name in fields))


@pytest.mark.parametrize(
    ("custom", "message"),
    [
        ([tick_number, tick_number], "custom.tick_number_5s"),
        ([tick_number.step], "custom holds <function tick_number"),
        ([tick_number, frame_feature("tick_number_5s")(len)], "have a column of one name"),
        ([define_feature("bad", lambda s, t, w: t.no)], "custom feature 'bad' cannot be used"),
    ],
)
def test_custom_features_are_checked_in_fit(frame, custom, message):
    with pytest.raises(ConfigError, match=message):
        MicrostructureFeatureEngineer(custom=custom).fit(frame)
