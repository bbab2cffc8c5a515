"""A model that reads depth and the aggressor's side: fed alike live and in batch, never without."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from alphaseeker.config import InferenceConfig
from alphaseeker.errors import DataError, ModelError, StateError
from alphaseeker.features.block import FeatureSettings
from alphaseeker.inference.served_model import serve
from alphaseeker.inference.session import Session
from alphaseeker.training.run import blocks_of, judge_source
from ticks import deep_ticks

ROWS = 700


@pytest.fixture
def model(deep_engine):
    """The model with depth and the aggressor's side, ready to serve."""
    return deep_engine._pool.model


def given(answer):
    return answer["signal"], answer["probabilities"], answer["filter_reason"], answer["ready"]


def changed(row, **fields):
    """Return a tick with other fields; None leaves one out."""
    return {name: v for name, v in {**row, **fields}.items() if v is not None}


def test_the_model_reads_both(model):
    names = model.artifact.feature_names
    assert (model.depth_levels, model.reads_sides) == (5, True)
    assert any(name.startswith("depth.") for name in names)
    assert any(name.startswith("aggressor.") for name in names)


def test_live_equals_every_kind_of_batch(deep_engine, deep_market):
    frame = deep_market.head(ROWS)
    rows = list(deep_ticks(frame))
    live = [given(deep_engine.predict(row, replay=True)) for row in rows]
    assert sum(ready for *_, ready in live) > 300
    flat = frame.to_dict("records")  # bid_price_2 and so on, as in the frame
    for source in (frame, rows, flat):
        assert [given(answer) for answer in deep_engine.predict_batch(source)] == live
    deep_engine.clear_history()
    assert [given(answer) for answer in deep_engine.predict_stream(iter(rows))] == live


def test_live_features_are_those_of_the_training(deep_engine, deep_market, model):
    frame = deep_market.head(ROWS)
    names = model.artifact.feature_names
    settings = FeatureSettings(**model.artifact.settings)
    block = blocks_of(judge_source(frame, deep_engine.config), settings, names=names)[0]
    session = deep_engine.session("SIMULATED")
    for row, expected in zip(deep_ticks(frame), block.values, strict=True):
        deep_engine.predict(row, replay=True)
        assert_array_equal(session.features, expected)
    depth = [position for position, name in enumerate(names) if name.startswith("depth.")]
    assert np.isfinite(block.values[-1, depth]).all()


def test_warming_up_from_a_frame_or_from_rows_is_the_same(deep_engine, deep_market):
    frame = deep_market.head(ROWS)
    last = next(deep_ticks(deep_market.iloc[ROWS : ROWS + 1]))
    answers = []
    for history in (frame, list(deep_ticks(frame))):
        deep_engine.clear_history()
        assert deep_engine.warm_up(history)["SIMULATED"]["ready"]
        answers.append(given(deep_engine.predict(last, replay=True)))
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"depth": None}, (r"depth is missing", r"depth\.", "read 5 levels")),
        ({"depth": [[100.0, 1.0, 100.1, 1.0]]}, ("depth has 1 levels", r"depth\.", "read 5")),
        ({"buy_volume": None}, ("buy_volume is missing", r"(trades|liquidity)\.")),
        ({"sell_volume": None}, ("sell_volume is missing", r"(trades|liquidity)\.")),
        ({"depth": [[100.0, 1.0]]}, ("shape",)),
    ],
)
def test_a_tick_without_what_the_model_reads_is_refused_by_name(
    deep_engine, deep_market, fields, named
):
    *rows, last = deep_ticks(deep_market.head(40))
    for row in rows:
        deep_engine.predict(row, replay=True)
    session = deep_engine.session("SIMULATED")
    before, refused = session.snapshot(), session.statistics.refused
    for part in named:
        with pytest.raises(DataError, match=part):
            deep_engine.predict(changed(last, **fields), replay=True)
        with pytest.raises(DataError, match=rf"row 2: .*{part}"):
            deep_engine.predict_batch([last, changed(last, **fields)])
        with pytest.raises(DataError, match=part):
            deep_engine.warm_up([changed(last, **fields)])
    assert session.snapshot() == before
    assert session.statistics.refused == refused + len(named)
    deep_engine.predict(last, replay=True)


def test_levels_of_one_price_are_one_level(deep_engine, deep_market):
    row = next(deep_ticks(deep_market.head(1)))
    row["depth"][3, ::2] = row["depth"][4, ::2]
    with pytest.raises(DataError, match="depth has 4 levels with a price of their own"):
        deep_engine.predict(row, replay=True)


def with_levels(row, levels):
    """Return a tick with as many levels, one cent apart behind those that it has."""
    depth = np.asarray(row["depth"], dtype=float)
    step = 0.01 * np.arange(1, levels - len(depth) + 1)
    behind = np.column_stack([depth[-1, 0] - step, 1.0 + step, depth[-1, 2] + step, 2.0 + step])
    return {**row, "depth": np.concatenate([depth, behind])}


@pytest.mark.parametrize("levels", [10, 11, 25])
def test_levels_behind_those_that_are_read_change_nothing(deep_engine, deep_market, levels):
    rows = list(deep_ticks(deep_market.head(60)))
    more = [with_levels(row, levels) for row in rows]
    expected = [given(deep_engine.predict(row, replay=True)) for row in rows]
    deep_engine.clear_history()
    assert [given(deep_engine.predict(row, replay=True)) for row in more] == expected
    assert [given(answer) for answer in deep_engine.predict_batch(more)] == expected
    deep_engine.clear_history()
    assert [given(answer) for answer in deep_engine.predict_stream(iter(more))] == expected


@pytest.mark.parametrize(
    ("absent", "named"),
    [
        (["buy_volume"], "buy_volume and sell_volume are missing"),
        (["bid_price_5", "bid_volume_5", "ask_price_5", "ask_volume_5"], "depth .* has 4 levels"),
    ],
)
def test_a_frame_without_what_the_model_reads_is_refused_by_name(
    deep_engine, deep_market, absent, named
):
    poor = deep_market.drop(columns=absent)
    deep_engine.warm_up(deep_market.head(20))
    before = deep_engine.session("SIMULATED").snapshot()
    for take in (deep_engine.predict_batch, deep_engine.warm_up, deep_engine.evaluate):
        with pytest.raises(DataError, match=named) as refused:
            take(poor)
        assert "depth." in str(refused.value) or "trades." in str(refused.value)
    assert deep_engine.session("SIMULATED").snapshot() == before


def test_depth_out_of_order_is_mended_alike(deep_engine, deep_market):
    frame = deep_market.head(400).copy()
    straight = [given(answer) for answer in deep_engine.predict_batch(frame)]
    for side in ("bid", "ask"):
        for part in ("price", "volume"):
            names = [f"{side}_{part}_2", f"{side}_{part}_4"]
            frame[names] = frame[names[::-1]].to_numpy()
    assert [given(answer) for answer in deep_engine.predict_batch(frame)] == straight
    rows = list(deep_ticks(frame))
    assert [given(deep_engine.predict(row, replay=True)) for row in rows] == straight
    assert deep_engine.session("SIMULATED").statistics.depth_repaired == len(rows)


def deeper(frame):
    """Return the market with two more levels than the model reads."""
    more = frame.copy()
    for level in (6, 7):
        for side, sign in (("bid", -1.0), ("ask", 1.0)):
            more[f"{side}_price_{level}"] = more[f"{side}_price_{level - 1}"] + 0.01 * sign
            more[f"{side}_volume_{level}"] = 3.0
    return more


HARM = [
    (100, "ask_volume_3", np.nan),
    (150, "bid_price_2", -1.0),
    (250, "bid_volume_5", np.inf),
    (251, "ask_price_4", np.nan),
    (320, "ask_volume_7", -2.0),  # the model does not read it
    (380, "bid_price_6", np.inf),
]


def test_damaged_depth_in_a_file_is_missing_and_live_it_is_refused(
    deep_engine, deep_market, caplog
):
    frame = deeper(deep_market.head(500))
    damaged, blank = frame.copy(), frame.copy()
    for row, name, value in HARM:
        damaged.loc[row, name] = value
        side, _, level = name.split("_")
        for behind in range(int(level), 8):
            blank.loc[row, [f"{side}_price_{behind}", f"{side}_volume_{behind}"]] = np.nan
    for take in (deep_engine.predict_batch, deep_engine.warm_up):
        with pytest.raises(DataError, match=r"^DataFrame: 6 of 500 .*\(row 101: ask_volume_3"):
            take(damaged)
    deep_engine.update_config({"MAX_BAD_RATIO": 0.05})
    batch = [given(answer) for answer in deep_engine.predict_batch(damaged)]
    assert "6 of 500 rows have a damaged level of depth" in caplog.text
    assert batch == [given(answer) for answer in deep_engine.predict_batch(blank)]
    assert deep_engine.warm_up(damaged)["SIMULATED"]["accepted"] == 500

    # Live the very same ticks are refused by name, and what is left of those whose damage the
    # model does not read gives the bits of the batch.
    deep_engine.clear_history()
    session = deep_engine.session("SIMULATED")
    whole = [given(answer) for answer in deep_engine.predict_batch(frame)]
    rows = zip(deep_ticks(damaged), deep_ticks(blank), deep_ticks(frame), strict=True)
    for number, (bad, missing, sound) in enumerate(rows):
        if any(row == number for row, _, _ in HARM):
            before = session.snapshot()
            with pytest.raises(DataError, match=r"depth: (bid|ask)_(price|volume) of level \d is"):
                deep_engine.predict(bad, replay=True)
            assert session.snapshot() == before
        answer = deep_engine.predict(missing if number >= 300 else sound, replay=True)
        assert given(answer) == whole[number]
    assert batch[:100] == whole[:100]


def test_a_model_that_reads_no_depth_takes_no_notice_of_a_files_levels(engine, market):
    plain = market.head(300)
    damaged = plain.copy()
    for side, price in (("bid", 99.0), ("ask", 101.0)):
        for level in (1, 2):
            damaged[f"{side}_price_{level}"] = price
            damaged[f"{side}_volume_{level}"] = -1.0
    expected = [given(answer) for answer in engine.predict_batch(plain)]
    assert [given(answer) for answer in engine.predict_batch(damaged)] == expected


def test_depth_given_to_a_model_that_reads_none_changes_nothing(engine, market):
    rows = market.head(400).to_dict("records")
    deep = [[100.0, 1.0, 100.1, 1.0], [99.0, 1.0, 101.0, 1.0]]
    one, other = Session("", engine._pool.model), Session("", engine._pool.model)
    assert (engine._pool.model.depth_levels, engine._pool.model.reads_sides) == (0, False)
    for row in rows:
        values = list(row.values())
        stamp, quote = values[0].value, values[3:]
        one.update(stamp, *quote)
        other.update(stamp, *quote, depth=deep)
    assert one.snapshot() == other.snapshot()
    with pytest.raises(DataError, match="shape"):
        engine.predict({**rows[-1], "depth": [1.0]}, replay=True)


def test_levels_may_stand_under_the_names_of_a_files_columns(deep_engine, deep_market):
    frame = deep_market.head(400)
    deep = [given(deep_engine.predict(row, replay=True)) for row in deep_ticks(frame)]
    best = [name for name in frame if name.endswith("_1")]
    for names in ([], best):  # the best level is the quote
        deep_engine.clear_history()
        rows = frame.drop(columns=names).to_dict("records")
        assert [given(deep_engine.predict(row, replay=True)) for row in rows] == deep
    absent = {**rows[-1], "ask_price_5": None, "ask_volume_5": None}
    with pytest.raises(DataError, match="depth has 4 levels"):
        deep_engine.predict(absent, replay=True)


def test_a_snapshot_of_the_session_carries_depth(model, deep_market):
    def values(row):
        names = ("bid_price", "ask_price", "bid_volume", "ask_volume", "close", "volume")
        sides = (row["buy_volume"], row["sell_volume"])
        return (row["timestamp"].value, *(row[name] for name in names), *sides, row["depth"])

    rows = [values(row) for row in deep_ticks(deep_market.head(500))]
    whole, first, second = (Session("SIMULATED", model) for _ in range(3))
    expected = [whole.update(*row) for row in rows]
    for row in rows[:400]:
        first.update(*row)
    second.restore(first.snapshot())
    assert [second.update(*row) for row in rows[400:]] == expected[400:]


def test_a_state_of_a_model_without_depth_is_not_taken_up(engine, deep_engine):
    plain = Session("SIMULATED", engine._pool.model)
    with pytest.raises(StateError, match="the snapshot was taken with"):
        Session("SIMULATED", deep_engine._pool.model).restore(plain.snapshot())


@pytest.mark.parametrize(
    "change",
    [
        {"tick_sizes": {"SIMULATED": 9.0}},
        {"microprices": {"SIMULATED": [[0.0] * 10]}},
        {"ofi_weights": {"SIMULATED": [1.0, 0.0, 0.0, 0.0, 0.0]}},
        {"round_trip_notional": 5.0},
        {"aggressor": False},
        {"depth_levels": 4, "ofi_weights": {}},
        {"bucket_s": 2.0},
    ],
)
def test_a_model_fitted_otherwise_begins_the_stream_anew(model, change):
    session = Session("SIMULATED", model)
    settings = model.settings
    same = dataclasses.replace(settings, max_gap_s=5.0, tick_sizes=dict(settings.tick_sizes))
    assert session.hand_over(dataclasses.replace(model, settings=same))
    other = dataclasses.replace(settings, **change)
    assert not session.hand_over(dataclasses.replace(model, settings=other))


def test_what_was_fitted_for_another_symbol_does_not_matter(model):
    session = Session("SIMULATED", model)
    wider = {**model.settings.microprices, "OTHER": [[0.0] * 10]}
    settings = dataclasses.replace(model.settings, microprices=wider)
    assert session.hand_over(dataclasses.replace(model, settings=settings))


def test_a_model_that_begins_to_read_depth_is_asked_from_its_first_tick_on(
    engine, deep_engine, deep_market
):
    session = Session("SIMULATED", engine._pool.model)
    row = next(deep_ticks(deep_market.head(1)))
    values = [row[name] for name in list(row)[3:9]]
    session.update(row["timestamp"].value, *values)
    session.hand_over(deep_engine._pool.model)
    with pytest.raises(DataError, match="buy_volume is missing"):
        session.update(row["timestamp"].value + 10**9, *values)


@pytest.mark.parametrize(
    "settings",
    [
        {"depth_levels": 0, "ofi_weights": {}},
        {"depth_levels": 3, "ofi_weights": {}},
        {"aggressor": False},
        {"microprices": {"SIMULATED": []}},
        {"ofi_weights": {"SIMULATED": [0.5, 0.5]}},
    ],
)
def test_settings_that_do_not_belong_to_the_features_are_refused(model, settings):
    damaged = {**model.artifact.settings, **settings}
    with pytest.raises(ModelError, match="settings"):
        serve(dataclasses.replace(model.artifact, settings=damaged), InferenceConfig())
