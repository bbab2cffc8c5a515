"""The time of what comes with a time stamp and without."""

from __future__ import annotations

import pytest

from alphaseeker.config import INFERENCE_CONFIG
from alphaseeker.errors import DataError
from alphaseeker.risk.stream_clock import MAX_AHEAD_NS, StreamClock

SECOND = 10**9
NOW = 1_800_000_000 * SECOND
PAST = 1_700_000_000 * SECOND


class Ticker:
    """A monotonic clock that stands where it is set."""

    def __init__(self) -> None:
        self.now = 12_345

    def __call__(self) -> int:
        return self.now


def clock_with(ticker: Ticker) -> StreamClock:
    return StreamClock(lambda: NOW, ticker)


def test_the_clock_may_be_ahead_as_far_as_predict_allows() -> None:
    assert MAX_AHEAD_NS == INFERENCE_CONFIG["MAX_CLOCK_SKEW_S"] * SECOND == 5 * SECOND
    clock = clock_with(Ticker())
    assert clock.read(NOW + 5 * SECOND) == NOW + 5 * SECOND
    assert clock.read(None) is None
    with pytest.raises(DataError, match=r"5\.001 s ahead"):
        clock.read(NOW + 5_001_000_000)
    with pytest.raises(DataError, match="timestamp"):
        clock.read(float("nan"))


def test_a_missing_time_goes_on_from_the_last_stamp() -> None:
    ticker = Ticker()
    clock = clock_with(ticker)
    assert clock.now("A") == clock.now() == NOW  # nothing was stamped before
    clock.note("A", PAST)
    ticker.now += 3 * SECOND
    clock.note("B", PAST + 100 * SECOND)
    ticker.now += SECOND
    assert clock.now("A") == PAST + 4 * SECOND
    assert clock.now("B") == PAST + 101 * SECOND
    assert clock.now("never stamped") == clock.now() == PAST + 101 * SECOND
    clock.forget()
    assert clock.now("A") == clock.now() == NOW
