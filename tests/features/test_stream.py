"""Streams: the bits of the batch, snapshots at any tick, and ticks that are refused."""

import copy
import math
import pickle
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from alphaseeker.errors import ConfigError, DataError, StateError
from alphaseeker.features.batch import compute_features
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.custom import custom_feature
from alphaseeker.features.inputs import available_names
from alphaseeker.features.snapshot import VERSION
from alphaseeker.features.stream import FeatureStream
from alphaseeker.market.gate import Verdict

SETTINGS = FeatureSettings(tick_size=0.01)
NAMES = available_names(SETTINGS)
TICK = (1_700_000_000 * 10**9, 10.0, 10.1, 1.0, 2.0, 10.0, 0.5)


def updates(series):
    """Yield what ``FeatureStream.update`` takes of every row."""
    depths = [None] * len(series) if series.depth is None else series.depth
    for (*values, session), depth in zip(series.ticks.tolist(), depths, strict=True):
        yield values, {"session": session, "depth": depth}


def feed(stream, series):
    """Update tick by tick and return a copy of every row of features."""
    rows = np.empty((len(series), len(stream.names)), dtype=np.float32)
    for row, (values, more) in enumerate(updates(series)):
        rows[row] = stream.update(*values, **more)
    return rows


@pytest.fixture
def taken_live(rows_of):
    """Return a function: the rows that a stream takes, those with every level of the depth."""

    def choose(series, settings):
        if settings.depth_levels == 0:
            return rows_of(series, slice(None))
        missing = np.isnan(series.depth[:, : settings.depth_levels]).any(axis=(1, 2))
        assert missing.mean() < 0.01
        return rows_of(series, ~missing)

    return choose


# ---- the bits of the batch ----------------------------------------------------------------------


def test_a_stream_gives_the_bits_of_the_batch(capture, taken_live):
    for one in capture.series:
        series = taken_live(one, capture.settings)
        block = compute_features(series, settings=capture.settings)
        stream = FeatureStream(one.symbol, block.names, capture.settings)
        rows = feed(stream, series)
        assert rows[np.searchsorted(series.rows, block.row)].tobytes() == block.values.tobytes()


def test_symbols_in_turn_do_not_touch_each_other(capture, taken_live):
    settings = capture.settings
    whole = [taken_live(one, settings) for one in (capture.series * 2)[:3]]
    blocks = [compute_features(one, settings=settings) for one in whole]
    streams = [FeatureStream(one.symbol, blocks[0].names, settings) for one in whole]
    count = min(3_000, *(len(one) for one in whole))
    rows = np.empty((len(whole), count, len(blocks[0].names)), dtype=np.float32)
    for row, together in enumerate(zip(*(updates(one) for one in whole), strict=False)):
        if row == count:
            break
        for number, (stream, (values, more)) in enumerate(zip(streams, together, strict=True)):
            rows[number, row] = stream.update(*values, **more)
    for one, block, got in zip(whole, blocks, rows, strict=True):
        accepted = block.row <= one.rows[count - 1]
        places = np.searchsorted(one.rows, block.row[accepted])
        assert got[places].tobytes() == block.values[accepted].tobytes()


def test_snapshots_of_a_capture_go_on_with_the_same_bits(capture, taken_live):
    rng = np.random.default_rng(6)
    settings = capture.settings
    series = taken_live(capture.series[0], settings)
    names = available_names(settings)
    count = min(6_000, len(series))
    cuts = set(rng.integers(1, count, 5).tolist())
    stream, rows = FeatureStream(series.symbol, names, settings), []
    unbroken = FeatureStream(series.symbol, names, settings)
    for row, (values, more) in zip(range(count), updates(series), strict=False):
        if row in cuts:
            snapshot = stream.snapshot()
            stream = FeatureStream(series.symbol, names, settings)
            stream.restore(snapshot)
            assert stream.snapshot() == snapshot
        rows.append(stream.update(*values, **more).copy())
        assert rows[-1].tobytes() == unbroken.update(*values, **more).tobytes()
    assert len(rows) == count


def test_a_choice_of_columns_in_its_order(deep_walk, run, everything):
    series = deep_walk(500)
    names = ("momentum.return_60s", "depth.gap", "book.spread", "aggressor.signed_ratio_5s")
    rows = feed(FeatureStream("X", names, FeatureSettings(**everything)), series)
    whole = run(series, **everything)
    for name, column in zip(names, rows.T, strict=True):
        assert column.tobytes() == whole.column(name).tobytes()


# ---- snapshots, sessions, readiness -------------------------------------------------------------


def test_a_snapshot_at_any_tick_goes_on_with_the_same_bits(deep_walk, everything, rows_of):
    settings = FeatureSettings(**everything)
    names = available_names(settings)
    series = deep_walk(3000)
    series.ticks["session"][1500:] = 7
    stream = FeatureStream("X", names, settings)
    cuts = (0, 1, 700, 1499, 1500, 1501, 2600)
    snapshots, rows = {}, []
    for row, (values, more) in enumerate(updates(series)):
        if row in cuts:
            snapshots[row] = stream.snapshot()
        rows.append(stream.update(*values, **more).copy())
    for cut, snapshot in snapshots.items():
        other = FeatureStream("X", names, settings)
        other.restore(snapshot)
        if cut:
            assert other.features.tobytes() == rows[cut - 1].tobytes()
        later = feed(other, rows_of(series, slice(cut, cut + 400)))
        assert later.tobytes() == np.array(rows[cut : cut + 400]).tobytes()


def test_a_session_goes_on_until_another_is_named(walk):
    tick = list(TICK)
    stream = FeatureStream("X", ("book.spread",), SETTINGS)
    verdicts = []
    for session in (None, None, 3, None, 3, None):
        tick[0] += 10**9
        stream.update(*tick, session=session)
        verdicts.append(stream.verdict)
        if session == 3:
            other = FeatureStream("X", ("book.spread",), SETTINGS)
            other.restore(stream.snapshot())
            stream = other  # the number of the session travels with the state
    new, old = Verdict.NEW_SESSION, Verdict.ACCEPTED
    assert verdicts == [new, old, new, old, old, old]


def test_ready_after_the_history_of_every_column():
    stream = FeatureStream("X", ("book.spread", "flow.ofi_5s"), SETTINGS)
    assert not stream.ready
    tick = list(TICK)
    ready = []
    for _ in range(9):
        values = stream.update(*tick)
        ready.append(stream.ready)
        assert stream.ready == np.isfinite(values).all()
        tick[0] += 10**9
    assert ready == [False] * 6 + [True] * 3
    now = FeatureStream("X", ("book.spread",), SETTINGS)
    assert not now.ready
    now.update(*TICK)
    assert now.ready
    assert repr(now) == "FeatureStream('X', 1 features, ready=True)"


def test_the_view_is_read_only_and_always_the_same():
    stream = FeatureStream("X", NAMES, SETTINGS)
    view = stream.update(*TICK)
    assert view is stream.features
    assert view.dtype == np.float32
    assert view.shape == (len(NAMES),)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1.0


def test_a_held_tick_leaves_the_features(walk):
    stream = FeatureStream("X", NAMES, SETTINGS)
    feed(stream, walk(100))
    before = stream.features.copy()
    crossed = list(walk(101).ticks[-1].tolist()[:-1])
    crossed[1] = crossed[2] + 1.0
    assert stream.update(*crossed).tobytes() == before.tobytes()
    assert stream.verdict == Verdict.CROSSED_BOOK


@pytest.mark.parametrize(
    ("position", "value", "message"),
    [
        (0, 0, "timestamp_ns is 0"),
        (0, 1.7e18, "timestamp_ns is 1.7e.18 .* it must be"),
        (0, 2**63, "timestamp_ns is"),
        (0, True, "timestamp_ns is True"),
        (1, float("nan"), "bid_price is nan"),
        (1, "10.0", r"bid_price is '10\.0' \(str\)"),
        (2, -1.0, r"ask_price is -1\.0"),
        (3, float("inf"), "bid_volume is inf"),
        (4, -0.5, r"ask_volume is -0\.5"),
        (5, None, "close is None"),
        (5, 10**400, "close is too large"),
        (6, True, "volume is True"),
        (7, -1.0, r"buy_volume is -1\.0"),
        (8, -1.0, r"sell_volume is -1\.0"),
    ],
)
def test_a_refused_tick_leaves_every_byte(position, value, message):
    stream = FeatureStream("X", NAMES, SETTINGS)
    stream.update(*TICK)
    before = stream.snapshot()
    tick = [*TICK, float("nan"), float("nan")]
    tick[0] += 10**9
    tick[position] = value
    with pytest.raises(DataError, match=message):
        stream.update(*tick, session=5)
    assert stream.snapshot() == before
    assert stream.verdict == Verdict.NEW_SESSION


def test_a_tick_without_what_columns_read_is_refused_and_leaves_every_byte(deep_walk, everything):
    settings = FeatureSettings(**everything)
    stream = FeatureStream("X", available_names(settings), settings)
    series = deep_walk(20)
    feed(stream, series)
    before = stream.snapshot()
    tick = [*TICK, 0.5, 0.0]
    tick[0] = int(series.ticks["timestamp"][-1]) + 10**9
    depth = series.depth[-1]
    for message, values, levels in (
        ("depth is missing", tick, None),
        ("depth has 9 levels", tick, depth[:9]),
        ("buy_volume is missing", [*tick[:7], float("nan"), 0.0], depth),
        ("sell_volume is missing", tick[:8], depth),
    ):
        with pytest.raises(DataError, match=message):
            stream.update(*values, depth=levels)
        assert stream.snapshot() == before


def test_levels_out_of_order_are_mended_as_in_a_file(deep_walk, everything, run):
    settings = FeatureSettings(**everything)
    series = deep_walk(300)
    stream = FeatureStream("X", available_names(settings), settings)
    rows = [
        stream.update(*values, session=more["session"], depth=more["depth"][::-1]).copy()
        for values, more in updates(series)
    ]
    assert np.array(rows).tobytes() == run(series, **everything).values.tobytes()


@pytest.mark.parametrize("more", [1, 15])
def test_levels_behind_the_tenth_are_not_read(deep_walk, everything, run, more):
    settings = FeatureSettings(**everything)
    series = deep_walk(300)
    stream = FeatureStream("X", available_names(settings), settings)
    steps = 0.01 * np.arange(1, more + 1)[:, None] * [-1.0, 0.0, 1.0, 0.0]
    rows = []
    for values, given in updates(series):
        deeper = np.concatenate([given["depth"][-1] + steps, given["depth"]])
        rows.append(stream.update(*values, session=given["session"], depth=deeper).copy())
    assert np.array(rows).tobytes() == run(series, **everything).values.tobytes()


def test_a_stream_without_columns_judges_ticks_all_the_same():
    stream = FeatureStream("X", (), SETTINGS)
    assert stream.update(*TICK).shape == (0,)
    assert stream.verdict == Verdict.NEW_SESSION
    with pytest.raises(DataError, match="close is nan"):
        stream.update(*TICK[:5], float("nan"), 1.0)
    other = copy.deepcopy(stream)
    assert other.update(*TICK).shape == (0,)
    assert other.verdict == Verdict.REPEATED


def test_streams_in_threads_of_their_own(walk):
    series = walk(3_000)
    alone = feed(FeatureStream("X", NAMES, SETTINGS), series)
    streams = [FeatureStream("X", NAMES, SETTINGS) for _ in range(4)]
    with ThreadPoolExecutor(len(streams)) as pool:
        for rows in pool.map(feed, streams, [series] * len(streams)):
            assert rows.tobytes() == alone.tobytes()


def test_a_call_holds_the_memory_that_it_works_on():
    """It knows addresses: whatever becomes of the stream meanwhile, the arrays must stand there."""
    stream = FeatureStream("X", NAMES, SETTINGS)
    call = stream._observe
    arrays = [
        weakref.ref(array)
        for array in (stream._records, stream._depth, stream._columns, stream._values)
    ]
    stream.__init__("X", NAMES, SETTINGS)
    del stream
    assert all(array() is not None for array in arrays)
    assert call(0, TICK[0], 0, *TICK[1:], math.nan, math.nan) == Verdict.NEW_SESSION
    del call
    assert all(array() is None for array in arrays)


def test_numbers_of_any_kind_are_one_tick():
    bits = set()
    for kind in (float, np.float64, np.float32, int, np.int64):
        stream = FeatureStream("X", NAMES, SETTINGS)
        stream.update(np.int64(TICK[0]), *(kind(v) for v in (10, 11, 1, 2, 10, 0)))
        bits.add(stream.features.tobytes())
    assert len(bits) == 1


CHANGES = (
    {"bucket_s": 5.0},
    {"tick_size": 0.1},
    {"max_gap_s": 5.0},
    {"max_jump": 0.5},
    {"aggressor": True},
    {"depth_levels": 2},
    {"round_trip_notional": 1.0},
    {"microprices": {"": [[0.25] * 10]}},
)


def test_snapshots_that_do_not_fit_are_refused(walk):
    stream = FeatureStream("X", NAMES, SETTINGS)
    feed(stream, walk(50))
    whole = stream.snapshot()
    flipped = whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:]
    for damaged in (flipped, whole[:-1], whole + b"x", VERSION):
        with pytest.raises(StateError, match="damaged"):
            stream.restore(damaged)
    with pytest.raises(StateError, match="another version"):
        stream.restore(b"x" + whole[1:])
    for change in CHANGES:
        other = FeatureStream("X", NAMES, FeatureSettings(**{"tick_size": 0.01, **change}))
        with pytest.raises(StateError, match="the snapshot was taken with"):
            other.restore(whole)
    assert stream.snapshot() == whole


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tick_size": 0.5}, "taken with tick_size 0.01, this stream has 0.5; use the model"),
        ({"bucket_s": 2.0}, "taken with bucket_ns 1000000000, this stream has 2000000000; use"),
        # Of a table the name alone: forty numbers would tell nobody anything.
        ({"microprices": {"": [[0.25] * 10]}}, "taken with microprice of other values; use the"),
        (
            {"depth_levels": 2, "ofi_weights": {"": [0.75, 0.25]}},
            "taken with ofi_weights of other values; use the model",
        ),
    ],
)
def test_a_snapshot_that_does_not_fit_names_what_differs(walk, change, words):
    even = {"depth_levels": 2} if "depth_levels" in change else {}
    stream = FeatureStream("X", NAMES, FeatureSettings(tick_size=0.01, **even))
    other = FeatureStream("X", NAMES, FeatureSettings(**{"tick_size": 0.01, **change}))
    with pytest.raises(StateError) as caught:
        other.restore(stream.snapshot())
    assert words in str(caught.value)
    assert len(str(caught.value)) < 200


def test_an_unknown_column_is_refused():
    with pytest.raises(ConfigError, match="unknown feature"):
        FeatureStream("X", ["book.x"], SETTINGS)


COPIES = pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda stream: pickle.loads(pickle.dumps(stream))]
)


@COPIES
def test_a_copy_goes_on_with_the_same_bits_in_memory_of_its_own(walk, rows_of, copied):
    series = walk(900)
    names = ("momentum.return_60s", "book.spread", "flow.ofi_5s")
    stream = FeatureStream("X", names, SETTINGS, ready_history_s=60.0)
    feed(stream, rows_of(series, slice(0, 700)))
    other = copied(stream)
    assert (other.verdict, other.ready, repr(other)) == (stream.verdict, stream.ready, repr(stream))
    held, state = stream.features.copy(), stream.snapshot()
    assert other.features.tobytes() == held.tobytes()
    later = feed(other, rows_of(series, slice(700, 900)))
    assert stream.features.tobytes() == held.tobytes()
    assert stream.snapshot() == state
    assert later.tobytes() == feed(stream, rows_of(series, slice(700, 900))).tobytes()


@custom_feature(state=[("ticks", np.int64)])
def counted(state, tick, window_s):
    """How many ticks there were."""
    state.ticks += 1
    return state.ticks


class Watched(FeatureStream):
    """One that is made otherwise, and knows more."""

    def __init__(self, symbol):
        super().__init__(symbol, ("custom.counted", "book.spread"), WITH_COUNTED)
        self.notes = []


WITH_COUNTED = FeatureSettings(tick_size=0.01, custom=(counted,))


@COPIES
def test_a_copy_of_a_subclass_keeps_what_it_added(walk, rows_of, copied):
    series = walk(400)
    stream = Watched("X")
    feed(stream, rows_of(series, slice(0, 300)))
    stream.notes.append("begun")
    other = copied(stream)
    assert (type(other), other.notes) == (Watched, ["begun"])
    assert other.features.tobytes() == stream.features.tobytes()
    later = feed(other, rows_of(series, slice(300, 400)))
    assert later[:, 0].tolist() == list(range(301, 401))
    assert later.tobytes() == feed(stream, rows_of(series, slice(300, 400))).tobytes()
