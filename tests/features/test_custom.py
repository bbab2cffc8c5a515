"""Custom features: the declaration, the same bits in batch and live, segments, snapshots."""

import copy
import math
import pickle

import numpy as np
import pytest

from alphaseeker import custom_feature
from alphaseeker.errors import ConfigError, ModelError, StateError
from alphaseeker.features.batch import column_indices, compute_features
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FEATURES, feature_named, schema_hash
from alphaseeker.features.choice import choose_features
from alphaseeker.features.custom import define_feature, find_declared
from alphaseeker.features.custom_runner import custom_runner
from alphaseeker.features.custom_step import STEP_TICK
from alphaseeker.features.documentation import features_table
from alphaseeker.features.inputs import available_names, needed_inputs
from alphaseeker.features.readiness import required_buckets
from alphaseeker.features.stream import FeatureStream


@custom_feature(
    state=[("level", np.float64), ("ring", np.float64, (4,)), ("ticks", np.int32)],
    windows=(5, 0.5, 60),
    unit="-1..1",
    history_s=3,
)
def held_imbalance(state, tick, window_s):
    """E_w(I) by elapsed time, plus a little of the last four

    More is not told here.
    """
    imbalance = (tick.bid_volume - tick.ask_volume) / (tick.bid_volume + tick.ask_volume)
    weight = 1.0 if tick.first == 1 else 1.0 - 0.5 ** (tick.elapsed_s / window_s)
    state.level += weight * (imbalance - state.level)
    state.ring[state.ticks % 4] = imbalance
    state.ticks += 1
    return state.level + 1e-3 * state.ring.sum()


@custom_feature(state=[("ticks", np.int64)])
def tick_number(state, tick, window_s):
    state.ticks += 1
    return state.ticks


@custom_feature()
def half_spread(state, tick, window_s):
    return tick.mid - tick.bid_price


CUSTOM = (held_imbalance, tick_number, half_spread)
SETTINGS = FeatureSettings(tick_size=0.01, custom=CUSTOM)
NAMES = (
    "custom.held_imbalance_60s",
    "book.spread",
    "custom.tick_number",
    "custom.held_imbalance_0.5s",
    "flow.ofi_5s",
    "custom.half_spread",
)


@pytest.fixture(scope="module")
def series(walk):
    """Two sessions, with a gap in the second, and rows that the gate does not accept."""
    series = walk(1200, interval_s=0.7)
    ticks = series.ticks
    ticks["session"][500:] = 7
    ticks["timestamp"][800:] += 2_000 * 10**9
    ticks["close"][50] = np.nan
    ticks["bid_price"][60] = 10**6
    ticks[70] = ticks[69]
    ticks["buy_volume"][::2] = 1.0
    return series


@pytest.fixture(scope="module")
def block(series):
    return compute_features(series, settings=SETTINGS, names=NAMES)


def feed(stream, ticks):
    """Update tick by tick; return the features after every accepted tick."""
    rows = []
    for tick in ticks.tolist():
        if not math.isfinite(tick[5]):
            continue
        stream.update(*tick[:-1], session=tick[-1])
        if stream.verdict < 10:
            rows.append(stream.features.copy())
    return np.array(rows, dtype=np.float32)


def column(block, name):
    return block.values[:, block.names.index(name)]


# ---- what is declared ---------------------------------------------------------------------------


def test_a_decorated_step_declares_ordinary_columns():
    assert [c.name for c in held_imbalance.columns] == [
        "custom.held_imbalance_5s",
        "custom.held_imbalance_0.5s",
        "custom.held_imbalance_60s",
    ]
    first = held_imbalance.columns[0]
    assert (first.family, first.signal, first.unit) == ("custom", "held_imbalance", "-1..1")
    assert (first.window_s, first.history_s, first.inputs) == (5, 3, ())
    assert first.formula == "E_w(I) by elapsed time, plus a little of the last four"
    assert held_imbalance.digest in first.source
    assert [c.name for c in tick_number.columns] == ["custom.tick_number"]
    assert tick_number.columns[0].window_s == 0


def test_lookups_by_name_find_them_and_no_others_do():
    own = SETTINGS.custom_columns
    assert feature_named("custom.half_spread", own) is own[-1]
    with pytest.raises(ConfigError, match=r"unknown feature 'custom\.half_spread'"):
        feature_named("custom.half_spread")
    with pytest.raises(ConfigError, match=r"unknown feature 'custom\.spread'.*half_spread"):
        feature_named("custom.spread", own)
    assert column_indices(NAMES, own)[[0, 2, 3, 5]].tolist() == [-1] * 4
    assert column_indices(NAMES, own)[1] == [f.name for f in FEATURES].index("book.spread")
    assert available_names(SETTINGS)[-5:] == tuple(c.name for c in own)
    assert needed_inputs(NAMES, SETTINGS) == ()
    assert required_buckets(NAMES[:1], bucket_s=1.0, ready_history_s=900, custom=own) == 3
    assert required_buckets(NAMES[:1], bucket_s=2.0, ready_history_s=900, custom=own) == 2
    row = features_table(["custom.held_imbalance_5s"], own)[0]
    assert (row["family"], row["window_s"], row["unit"]) == ("custom", 5, "-1..1")


def test_they_are_chosen_by_family_and_window():
    own = SETTINGS.custom_columns
    assert choose_features(custom=own)[-5:] == tuple(c.name for c in own)
    assert choose_features(families=["custom"], custom=own) == tuple(c.name for c in own)
    assert choose_features(families=["custom"], windows=[0.5], custom=own) == (
        "custom.held_imbalance_0.5s",
        "custom.tick_number",
        "custom.half_spread",
    )
    assert choose_features(["custom.half_spread"], custom=own) == ("custom.half_spread",)
    with pytest.raises(ConfigError, match="families holds 'custom'"):
        choose_features(families=["custom"])
    with pytest.raises(ConfigError, match=r"windows holds 0\.5"):
        choose_features(windows=[0.5])


def test_the_schema_changes_with_the_step():
    def step(state, tick, window_s):
        return tick.mid

    def other(state, tick, window_s):
        return tick.mid + 0.0

    hashes = {
        schema_hash(["custom.x"], define_feature("x", function, state=state).columns)
        for function in (step, other)
        for state in ([("a", np.float64)], [("a", np.float32)])
    }
    assert len(hashes) == 4


def test_settings_take_features_of_different_columns():
    with pytest.raises(ConfigError, match=r"have the column 'custom\.half_spread'"):
        FeatureSettings(custom=(half_spread, half_spread))
    clash = define_feature("held_imbalance_5s", half_spread.step)
    with pytest.raises(ConfigError, match="held_imbalance_5s"):
        FeatureSettings(custom=(held_imbalance, clash))
    with pytest.raises(ConfigError, match="must hold what custom_feature makes"):
        FeatureSettings(custom=(half_spread.step,))


def mid(state, tick, window_s):
    return tick.mid


def test_copies_and_pickles_are_the_same_feature(series):
    assert copy.deepcopy(held_imbalance) is held_imbalance
    assert pickle.loads(pickle.dumps(held_imbalance)) is held_imbalance
    plain = define_feature("plain", mid, windows=(5,))
    assert pickle.loads(pickle.dumps(plain)) == plain


# ---- what is computed ---------------------------------------------------------------------------


def test_the_values_are_those_of_the_step_in_plain_python(series, block):
    """The columns of the longest segment, by a loop of its own."""
    rows = np.flatnonzero(block.segment == block.segment[0])
    level, before, expected, ring = 0.0, None, [], [0.0] * 4
    for n, row in enumerate(rows):
        tick = series.ticks[np.searchsorted(series.rows, block.row[row])]
        both = tick["bid_volume"] + tick["ask_volume"]
        imbalance = (tick["bid_volume"] - tick["ask_volume"]) / both
        elapsed = 0.0 if before is None else (tick["timestamp"] - before) / 1e9
        weight = 1.0 if before is None else 1.0 - 0.5 ** (elapsed / 60.0)
        level += weight * (imbalance - level)
        ring[n % 4] = imbalance
        before = tick["timestamp"]
        expected.append(level + 1e-3 * sum(ring) if block.history[row] >= 3 else math.nan)
    got = column(block, "custom.held_imbalance_60s")[rows]
    assert np.isnan(got).sum() == np.isnan(expected).sum() > 0
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    np.testing.assert_array_equal(
        column(block, "custom.tick_number")[rows], np.arange(1, len(rows) + 1)
    )
    ticks = series.ticks[np.searchsorted(series.rows, block.row)]
    np.testing.assert_allclose(
        column(block, "custom.half_spread"),
        (ticks["ask_price"] - ticks["bid_price"]) / 2,
        rtol=1e-6,
    )


def test_columns_of_the_catalogue_are_left_as_they_are(series, block):
    plain = compute_features(
        series, settings=FeatureSettings(tick_size=0.01), names=["book.spread", "flow.ofi_5s"]
    )
    assert plain.values.tobytes() == np.ascontiguousarray(block.values[:, [1, 4]]).tobytes()
    assert plain.custom == ()
    assert {c.name for c in block.custom} == {n for n in NAMES if n.startswith("custom.")}


def test_sessions_and_gaps_begin_anew(block):
    begins = np.flatnonzero(np.diff(block.segment, prepend=-1))
    assert len(begins) == 3
    numbers = column(block, "custom.tick_number")
    assert numbers[begins].tolist() == [1.0, 1.0, 1.0]
    assert numbers[begins[1:] - 1].min() > 100


def test_a_stream_gives_the_bits_of_the_batch(series, block):
    rows = feed(FeatureStream("TEST", NAMES, SETTINGS), series.ticks)
    assert rows.tobytes() == block.values.tobytes()


def test_the_tick_is_what_was_given(walk):
    series = walk(40)
    series.ticks["buy_volume"][20:] = 0.25
    first = FeatureStream("", ("book.spread",), FeatureSettings())
    assert first.update(*series.ticks[0].tolist()[:-1]).shape == (1,)

    def echo(field):
        scope: dict = {}
        exec(f"def step(state, tick, window_s):\n    return float(tick.{field})", scope)
        return define_feature(f"echo_{field}", scope["step"])

    fields = [name for name in STEP_TICK.names if name != "timestamp"]
    settings = FeatureSettings(tick_size=0.01, custom=tuple(echo(name) for name in fields))
    block = compute_features(series, settings=settings, names=[f"custom.echo_{f}" for f in fields])
    expected = {name: series.ticks[name] for name in fields if name in series.ticks.dtype.names}
    expected["mid"] = block.mid
    expected["elapsed_s"] = np.diff(series.ticks["timestamp"], prepend=series.ticks[0][0]) / 1e9
    expected["first"] = np.arange(len(series)) == 0
    for position, name in enumerate(fields):
        np.testing.assert_allclose(block.values[:, position], expected[name], 1e-6, err_msg=name)


@custom_feature(state=[("ticks", np.int64)])
def troublesome(state, tick, window_s):
    state.ticks += 1
    if state.ticks == 3:
        return math.nan
    if state.ticks == 4:
        return math.inf
    if state.ticks == 5:
        return 1e300  # an infinity once it leaves as float32
    if state.ticks == 6:
        raise ValueError("the sixth")
    if state.ticks == 7:
        return 1e-40
    return state.ticks


def test_what_is_no_number_is_missing(walk):
    series = walk(9)
    settings = FeatureSettings(tick_size=0.01, custom=(troublesome,))
    nan = math.nan
    expected = [1, 2, nan, nan, nan, nan, 0, 8, 9]
    block = compute_features(series, settings=settings, names=["custom.troublesome"])
    np.testing.assert_array_equal(block.values[:, 0], expected)
    live = feed(FeatureStream("", ["custom.troublesome"], settings), series.ticks)
    assert live.tobytes() == block.values.tobytes()


@custom_feature(name="truth")
def truth(state, tick, window_s):
    return tick.volume > 0.0


@custom_feature(name="whole")
def whole(state, tick, window_s):
    return tick.timestamp // 1_000_000_000 % 7


def test_truth_values_and_whole_numbers_are_numbers(walk):
    series = walk(300)
    settings = FeatureSettings(tick_size=0.01, custom=(truth, whole))
    names = ["custom.truth", "custom.whole"]
    block = compute_features(series, settings=settings, names=names)
    np.testing.assert_array_equal(block.values[:, 0], series.ticks["volume"] > 0.0)
    np.testing.assert_array_equal(block.values[:, 1], series.ticks["timestamp"] // 10**9 % 7)
    live = feed(FeatureStream("", names, settings), series.ticks)
    assert live.tobytes() == np.ascontiguousarray(block.values).tobytes()


# ---- state --------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [0, 1, 300, 499, 500, 501, 900])
def test_a_snapshot_goes_on_with_the_same_bits(series, cut):
    stream = FeatureStream("TEST", NAMES, SETTINGS)
    before = feed(stream, series.ticks[:cut])
    other = FeatureStream("TEST", NAMES, SETTINGS)
    other.restore(stream.snapshot())
    if cut:
        assert other.features.tobytes() == before[-1].tobytes()
    rest = series.ticks[cut : cut + 200]
    assert feed(other, rest).tobytes() == feed(stream, rest).tobytes()


def test_a_snapshot_fits_the_same_custom_features_only(series):
    stream = FeatureStream("TEST", NAMES, SETTINGS)
    feed(stream, series.ticks[:100])
    snapshot = stream.snapshot()
    none = FeatureStream("TEST", ("book.spread",), FeatureSettings(tick_size=0.01))
    with pytest.raises(StateError, match="other custom features"):
        none.restore(snapshot)
    with pytest.raises(StateError, match="other custom features"):
        stream.restore(none.snapshot())
    fewer = FeatureStream("TEST", NAMES[:3], SETTINGS)
    with pytest.raises(StateError, match="other custom features"):
        fewer.restore(snapshot)
    changed = define_feature("tick_number", half_spread.step, state=[("ticks", np.int64)])
    settings = FeatureSettings(tick_size=0.01, custom=(held_imbalance, changed, half_spread))
    with pytest.raises(StateError, match="other definitions"):
        FeatureStream("TEST", NAMES, settings).restore(snapshot)
    for damaged in (snapshot[:-1], snapshot[:-9] + b"x" * 9):
        with pytest.raises(StateError, match="damaged"):
            stream.restore(damaged)
    assert stream.snapshot() == snapshot
    # The order of the columns is not part of the state.
    turned = FeatureStream("TEST", NAMES[::-1], SETTINGS)
    turned.restore(snapshot)
    assert turned.features.tobytes() == stream.features[::-1].tobytes()


def test_a_runner_is_there_only_where_a_column_is_custom():
    assert custom_runner(("book.spread",), SETTINGS) is None
    assert custom_runner(("custom.half_spread",), SETTINGS) is not None


def test_the_declaration_finds_the_feature_again():
    declared = [one.declaration() for one in (tick_number, held_imbalance)]
    assert find_declared(declared, CUSTOM) == (tick_number, held_imbalance)
    with pytest.raises(ModelError, match=r"needs the custom feature 'tick_number'.*register_feat"):
        find_declared(declared, (held_imbalance,))
    for key in ("digest", "state", "windows", "history_s", "unit"):
        damaged = [{**declared[0], key: "x"}]
        with pytest.raises(ModelError, match=f"'tick_number' differs.*\\({key}\\)"):
            find_declared(damaged, CUSTOM)
    with pytest.raises(ModelError, match="needs the custom feature None"):
        find_declared([{}], CUSTOM)


def test_plain_settings_hold_the_features_that_are_read():
    assert SETTINGS.to_dict(["custom.half_spread"])["custom"] == [half_spread.declaration()]
    assert SETTINGS.to_dict(["book.spread"])["custom"] == []
    assert len(SETTINGS.to_dict()["custom"]) == 3
    assert SETTINGS.to_dict()["tick_size"] == 0.01


def test_a_history_takes_whole_buckets_rounded_up(walk):
    def ones(state, tick, window_s):
        return 1.0

    for history_s, bucket_s, needed in [
        (90, 60.0, 2),
        (90, 300.0, 1),
        (120, 60.0, 2),
        (0, 60.0, 0),
    ]:
        feature = define_feature("ones", ones, history_s=history_s)
        (column,) = feature.columns
        assert column.history_buckets(bucket_s) == needed
        wanted = {"bucket_s": bucket_s, "custom": feature.columns}
        assert required_buckets([column.name], ready_history_s=900, **wanted) == needed
        # Whether a column holds the signal back goes by its seconds, not by its buckets.
        assert required_buckets([column.name], ready_history_s=89, **wanted) == (
            0 if history_s > 89 else needed
        )
        settings = FeatureSettings(bucket_s=bucket_s, tick_size=0.01, custom=(feature,))
        block = compute_features(walk(1000, interval_s=1.0), settings=settings, names=[column.name])
        np.testing.assert_array_equal(np.isfinite(block.values[:, 0]), block.history >= needed)
        assert np.isfinite(block.values[:, 0]).any()
