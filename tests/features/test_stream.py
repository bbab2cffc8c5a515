"""Streams: the bits of the batch, snapshots at any tick, and ticks that are refused."""

import numpy as np
import pytest

from alphaseeker.errors import ConfigError, DataError, StateError
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.features.snapshot import VERSION
from alphaseeker.features.stream import FeatureStream
from alphaseeker.market.gate import Verdict

NAMES = tuple(feature.name for feature in FEATURES)
SETTINGS = FeatureSettings(tick_size=0.01)
TICK = (1_700_000_000 * 10**9, 10.0, 10.1, 1.0, 2.0, 10.0, 0.5)


def feed(stream, ticks):
    """Update tick by tick and return a copy of every row of features."""
    return np.array(
        [stream.update(*tick[:-1], session=tick[-1]).copy() for tick in ticks.tolist()],
        dtype=np.float32,
    )


def test_a_stream_gives_the_bits_of_the_batch(capture):
    series, run = capture.series[0], capture.runs[0]
    count = min(len(series), 20_000)
    stream = FeatureStream(series.symbol, NAMES, capture.settings)
    rows = feed(stream, series.ticks[:count])
    accepted = (run.verdicts[:count] >= 0) & (run.verdicts[:count] < 10)
    assert rows[accepted].tobytes() == run.values[:count][accepted].tobytes()


def test_a_choice_of_columns_in_its_order(walk, run):
    series = walk(500)
    names = ("momentum.return_60s", "book.spread")
    rows = feed(FeatureStream("X", names, SETTINGS), series.ticks)
    columns = [NAMES.index(name) for name in names]
    assert rows.tobytes() == np.ascontiguousarray(run(series).values[:, columns]).tobytes()


def test_a_snapshot_at_any_tick_goes_on_with_the_same_bits(walk):
    ticks = walk(3000).ticks
    ticks["session"][1500:] = 7
    stream = FeatureStream("X", NAMES, SETTINGS)
    cuts = (0, 1, 700, 1499, 1500, 1501, 2600)
    snapshots, rows = {}, []
    for row, tick in enumerate(ticks.tolist()):
        if row in cuts:
            snapshots[row] = stream.snapshot()
        rows.append(stream.update(*tick[:-1], session=tick[-1]).copy())
    for cut, snapshot in snapshots.items():
        other = FeatureStream("X", NAMES, SETTINGS)
        other.restore(snapshot)
        if cut:
            assert other.features.tobytes() == rows[cut - 1].tobytes()
        later = feed(other, ticks[cut : cut + 400])
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
    feed(stream, walk(100).ticks)
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


def test_numbers_of_any_kind_are_one_tick():
    bits = set()
    for kind in (float, np.float64, np.float32, int, np.int64):
        stream = FeatureStream("X", NAMES, SETTINGS)
        stream.update(np.int64(TICK[0]), *(kind(v) for v in (10, 11, 1, 2, 10, 0)))
        bits.add(stream.features.tobytes())
    assert len(bits) == 1


def test_snapshots_that_do_not_fit_are_refused(walk):
    stream = FeatureStream("X", NAMES, SETTINGS)
    feed(stream, walk(50).ticks)
    whole = stream.snapshot()
    flipped = whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:]
    for damaged in (flipped, whole[:-1], whole + b"x", VERSION):
        with pytest.raises(StateError, match="damaged"):
            stream.restore(damaged)
    with pytest.raises(StateError, match="another version"):
        stream.restore(b"x" + whole[1:])
    for change in ({"bucket_s": 5.0}, {"tick_size": 0.1}, {"max_gap_s": 5.0}, {"max_jump": 0.5}):
        other = FeatureStream("X", NAMES, FeatureSettings(**{"tick_size": 0.01, **change}))
        with pytest.raises(StateError, match="the snapshot was taken with"):
            other.restore(whole)
    assert stream.snapshot() == whole


def test_an_unknown_column_is_refused():
    with pytest.raises(ConfigError, match="unknown feature"):
        FeatureStream("X", ["book.x"], SETTINGS)
