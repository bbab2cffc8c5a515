"""Features of a whole frame: what the function sees, and what becomes of its answer."""

import pickle

import numpy as np
import pandas as pd
import pytest

from alphaseeker import custom_feature, frame_feature
from alphaseeker.errors import ConfigError
from alphaseeker.features.feature_engineer import MicrostructureFeatureEngineer


@frame_feature(unit="bp")
def change(frame):
    """Change of the mid since the tick before.

    In basis points.
    """
    return 1e4 * frame.groupby("segment")["mid"].pct_change()


@custom_feature(state=[("ticks", np.int64)])
def tick_number(state, tick, window_s):
    state.ticks += 1
    return state.ticks


@pytest.fixture(scope="module")
def series(walk):
    series = walk(300)
    series.ticks["session"][200:] = 3
    series.ticks["close"][50] = np.nan
    return series


def engineer(**parameters):
    return MicrostructureFeatureEngineer(families=["book", "custom"], **parameters)


def test_it_is_a_column_of_the_transformed_frame(series):
    fitted = engineer(custom=[tick_number, change]).set_output(transform="pandas")
    features = fitted.fit_transform([series])
    assert features.columns[-2:].tolist() == ["custom.tick_number", "custom.change"]
    assert fitted.get_feature_names_out()[-2:].tolist() == ["custom.tick_number", "custom.change"]
    row = fitted.features_table()[-1]
    assert (row["unit"], row["formula"]) == ("bp", "Change of the mid since the tick before.")
    assert features["custom.change"].dtype == np.float32
    mid = (series.ticks["bid_price"] + series.ticks["ask_price"]) / 2
    kept = np.delete(np.arange(300), 50)
    expected = 1e4 * np.diff(mid[kept], prepend=np.nan) / np.roll(mid[kept], 1)
    expected[kept == 200] = np.nan
    np.testing.assert_allclose(
        features["custom.change"].to_numpy()[kept], expected, rtol=1e-4, atol=1e-4
    )
    assert features.iloc[50].isna().all()
    assert features["custom.tick_number"].iloc[[49, 51, 199, 200]].tolist() == [50, 51, 199, 1]


def test_the_function_sees_the_accepted_ticks_of_one_symbol(walk, series):
    seen = []

    @frame_feature()
    def look(frame):
        seen.append(frame.copy())
        frame["mid"] = 0.0  # does not change what the next function sees
        return np.zeros(len(frame))

    @frame_feature()
    def look_again(frame):
        return frame["mid"]

    other = walk(100, seed=5, symbol="OTHER")
    values = engineer(custom=[look, look_again]).fit_transform([series, other])
    assert [len(frame) for frame in seen] == [299, 100]
    first = seen[0]
    assert list(first.columns) == [
        "timestamp",
        "bid_price",
        "ask_price",
        "bid_volume",
        "ask_volume",
        "close",
        "volume",
        "buy_volume",
        "sell_volume",
        "mid",
        "segment",
    ]
    assert first["timestamp"].dt.tz is not None
    assert first["timestamp"].iloc[0] == pd.Timestamp(series.ticks["timestamp"][0], tz="UTC")
    assert first["segment"].nunique() == 2
    assert np.nanmin(values[:, -1]) > 90.0


def test_a_series_in_another_order_is_put_in_order(walk, series):
    """Sorted by price, in groups, under times: what the row says counts, then the place."""

    @frame_feature()
    def plain(frame):
        return frame["mid"].to_numpy()

    @frame_feature(name="by_price")
    def by_price(frame):
        return frame.sort_values("mid", kind="stable")["mid"]

    @frame_feature(name="shuffled")
    def shuffled(frame):
        return frame["mid"].sample(frac=1.0, random_state=0)

    @frame_feature(name="by_time")
    def by_time(frame):
        return frame.set_index("timestamp")["mid"]

    @frame_feature(name="in_groups")
    def in_groups(frame):
        return frame.groupby("segment")["mid"].rolling(1).max()

    @frame_feature(name="longer")
    def longer(frame):
        frame.loc[len(frame)] = frame.iloc[-1]
        return frame["mid"]

    @frame_feature(name="odd_labels")
    def odd_labels(frame):
        return frame["mid"].set_axis(["first", *range(1, len(frame))])

    custom = [plain, by_price, shuffled, by_time, in_groups, odd_labels]
    columns = engineer(custom=custom).fit_transform([series])[:, -len(custom) :]
    for column in columns.T[1:]:
        np.testing.assert_allclose(column, columns[:, 0], rtol=1e-6)
    with pytest.raises(ConfigError, match="returned shape"):
        engineer(custom=[longer]).fit_transform([walk(20)])


def test_what_is_not_finite_is_missing(walk):
    @frame_feature()
    def odd(frame):
        values = np.ones(len(frame))
        values[:5] = (np.nan, np.inf, -np.inf, 1e300, -1e-40)
        return values

    column = engineer(custom=[odd]).fit_transform([walk(20)])[:, -1]
    assert np.isnan(column[:4]).all()
    assert column[4:].tolist() == [0.0] + [1.0] * 15
    assert not np.signbit(column[4])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.zeros(3), r"frame feature 'answers' returned shape \(3,\) for 20 rows"),
        (1.0, r"returned shape \(\) for 20 rows"),
        (["a"] * 20, "returned a list that is no array of numbers"),
    ],
)
def test_another_answer_is_refused(walk, answer, message):
    @frame_feature(name="answers")
    def wrong(frame):
        return answer

    with pytest.raises(ConfigError, match=message):
        engineer(custom=[wrong]).fit_transform([walk(20)])


def test_it_has_no_streaming_form(series):
    fitted = engineer(custom=[change, tick_number]).fit([series])
    with pytest.raises(ConfigError, match="'change' is a frame feature, which has no streaming"):
        fitted.stream()
    fitted.set_params(features=["custom.tick_number"], families=None)
    assert fitted.stream().names == ("custom.tick_number",)


def test_how_it_is_declared():
    with pytest.raises(ConfigError, match=r"write @frame_feature\(\)"):
        frame_feature(change.function)
    with pytest.raises(ConfigError, match="is no name for a custom feature"):
        frame_feature("a b")(change.function)
    assert pickle.loads(pickle.dumps(change)) is change
    assert change(pd.DataFrame({"segment": [1, 1], "mid": [1.0, 2.0]}).copy()).iloc[1] == 1e4
