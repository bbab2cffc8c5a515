"""The quality gate: one verdict on each tick, before any feature sees it.

What a tick gets, in this order; the first that applies is the verdict:

1. *Refused* (negative verdicts): a field is missing or out of its range
   (``alphaseeker.market.verdict``). The record keeps every byte; whoever calls counts the refusal.
2. ``NEW_SESSION``, ``REPEATED``, ``OUT_OF_ORDER``: by comparison with the last accepted tick. A
   new session id starts afresh, so that time may go back from one capture to the next.
3. ``EMPTY_SIDE``, ``CROSSED_BOOK``: held until the book is whole again. Apart from its counters
   the record stands still, and a session that begins with such a tick has not begun.
4. ``AFTER_GAP``: more than ``max_gap_ns`` since the last accepted tick.
5. ``PRICE_JUMP``: the mid moved by more than ``max_jump`` of the last accepted one. Held until
   two later ticks stand near the first (that second one is accepted), or until the price comes
   back. The two must carry later time stamps: a suspicious tick cannot confirm itself by
   arriving twice. Not judged across a gap or a new session.
6. ``LOCKED`` (bid = ask) or ``ACCEPTED``.

A tick that starts a session or follows a gap has that verdict although it may also be locked.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import allocate_record, kernel, part
from alphaseeker.errors import ConfigError
from alphaseeker.market.schema import TICK
from alphaseeker.market.verdict import Verdict, refusal_step

__all__ = [
    "CUMULATIVE_RISES",
    "CUMULATIVE_RUN",
    "GATE",
    "Verdict",
    "allocate_gate",
    "gate_reset",
    "gate_step",
    "gate_ticks",
    "set_limits",
]


GATE = np.dtype(
    [
        # parameters
        ("max_gap_ns", np.int64),
        ("max_jump", np.float64),  # as a share of the last accepted mid
        # market state
        ("count", np.int64),  # accepted since the last reset; 0: no tick was accepted yet
        ("last", TICK),  # the last accepted tick
        ("mid", np.float64),  # its mid
        ("jump_open", np.int64),  # 1 while a price jump waits to be confirmed
        ("jump_mid", np.float64),  # mid of the tick that opened it
        ("jump_timestamp", np.int64),  # of the latest tick that counted for it
        ("jump_confirmations", np.int64),
        ("volume_run", np.int64),  # accepted ticks in a row with a positive volume that never fell
        ("volume_rises", np.int64),  # rises of the volume in that run
        # counters, kept over a reset
        ("cumulative_volume", np.int64),  # 1 once the volume was seen to be a running total
        ("accepted", np.int64),  # all ticks that reached the features
        ("locked", np.int64),  # of them, with bid = ask
        ("after_gap", np.int64),
        ("new_session", np.int64),
        ("repeated", np.int64),
        ("empty_side", np.int64),
        ("crossed", np.int64),
        ("out_of_order", np.int64),
        ("price_jump", np.int64),
        ("jumps_confirmed", np.int64),
        ("jumps_dropped", np.int64),
    ]
)

# A volume per tick falls about every second time and is often zero; even one as persistent as a
# random walk would rise fifty times without one fall in 1e15 tries. A running total does so at
# its fiftieth trade. The run keeps files of a few dozen rows from being judged at all.
CUMULATIVE_RUN = 100
CUMULATIVE_RISES = 50

_JUMP_CONFIRMATIONS = 2
_ENDLESS_S = 9e9  # 285 years, about what int64 nanoseconds hold

_ACCEPTED = int(Verdict.ACCEPTED)
_LOCKED = int(Verdict.LOCKED)
_AFTER_GAP = int(Verdict.AFTER_GAP)
_NEW_SESSION = int(Verdict.NEW_SESSION)
_REPEATED = int(Verdict.REPEATED)
_EMPTY_SIDE = int(Verdict.EMPTY_SIDE)
_CROSSED_BOOK = int(Verdict.CROSSED_BOOK)
_OUT_OF_ORDER = int(Verdict.OUT_OF_ORDER)
_PRICE_JUMP = int(Verdict.PRICE_JUMP)


@part
def gate_reset(gate: Any) -> None:
    """Forget the market; limits and counters stay."""
    gate.count = 0  # the last tick is not looked at again
    gate.jump_open = 0
    gate.volume_run = 0
    gate.volume_rises = 0


@part
def _same(left: float, right: float) -> bool:
    return left == right or (left != left and right != right)


@part
def _is_jump(gate: Any, mid: float, timestamp: int) -> bool:
    """Judge the mid against the last accepted one; true while the tick is to be held."""
    # A product, not mid / last - 1: it cannot overflow.
    if abs(mid - gate.mid) <= gate.max_jump * gate.mid:
        if gate.jump_open == 1:
            gate.jumps_dropped += 1
            gate.jump_open = 0
        return False
    if gate.jump_open == 1:
        if abs(mid - gate.jump_mid) <= gate.max_jump * gate.jump_mid:
            if timestamp > gate.jump_timestamp:
                gate.jump_timestamp = timestamp
                gate.jump_confirmations += 1
            if gate.jump_confirmations < _JUMP_CONFIRMATIONS:
                return True
            gate.jumps_confirmed += 1
            gate.jump_open = 0
            return False
        gate.jumps_dropped += 1
    gate.jump_open = 1
    gate.jump_mid = mid
    gate.jump_timestamp = timestamp
    gate.jump_confirmations = 0
    return True


@part
def _watch_volume(gate: Any, volume: float, new_session: bool) -> None:
    """Notice a volume that is a running total: it never falls and keeps rising."""
    if volume <= 0.0:
        gate.volume_run = 0
        gate.volume_rises = 0
        return
    if new_session or gate.volume_run == 0 or volume < gate.last.volume:
        gate.volume_run = 1
        gate.volume_rises = 0
        return
    gate.volume_run += 1
    if volume > gate.last.volume:
        gate.volume_rises += 1
    if gate.volume_run >= CUMULATIVE_RUN and gate.volume_rises >= CUMULATIVE_RISES:
        gate.cumulative_volume = 1


@part
def gate_step(
    gate: Any,
    timestamp: int,
    session: int,
    bid_price: float,
    ask_price: float,
    bid_volume: float,
    ask_volume: float,
    close: float,
    volume: float,
    buy_volume: float,
    sell_volume: float,
) -> int:
    """Judge one tick and, where it is accepted, remember it.

    Parameters
    ----------
    gate
        A ``GATE`` record, changed in place; untouched where the tick is refused.
    timestamp
        Nanoseconds since 1970-01-01 UTC.
    session
        Code of the continuous capture.
    bid_price, ask_price, close
        Price units.
    bid_volume, ask_volume, volume, buy_volume, sell_volume
        Size units; the last two NaN where unknown.

    Returns
    -------
    int
        A ``Verdict``.
    """
    quote = (bid_price, ask_price, bid_volume, ask_volume)
    refusal = refusal_step(timestamp, *quote, close, volume, buy_volume, sell_volume)
    if refusal < 0:
        return refusal
    last = gate.last
    new_session = gate.count == 0 or session != last.session
    if not new_session:
        if timestamp < last.timestamp:
            gate.out_of_order += 1
            return _OUT_OF_ORDER
        if (
            timestamp == last.timestamp
            and bid_price == last.bid_price
            and ask_price == last.ask_price
            and bid_volume == last.bid_volume
            and ask_volume == last.ask_volume
            and close == last.close
            and volume == last.volume
            and _same(buy_volume, last.buy_volume)
            and _same(sell_volume, last.sell_volume)
        ):
            gate.repeated += 1
            return _REPEATED
    if bid_volume == 0.0 or ask_volume == 0.0:
        gate.empty_side += 1
        return _EMPTY_SIDE
    if bid_price > ask_price:
        gate.crossed += 1
        return _CROSSED_BOOK
    mid = 0.5 * (bid_price + ask_price)
    after_gap = not new_session and timestamp - last.timestamp > gate.max_gap_ns
    if new_session or after_gap:
        if gate.jump_open == 1:
            gate.jumps_dropped += 1
            gate.jump_open = 0
    elif _is_jump(gate, mid, timestamp):
        gate.price_jump += 1
        return _PRICE_JUMP
    _watch_volume(gate, volume, new_session)
    gate.count += 1
    gate.accepted += 1
    gate.mid = mid
    last.timestamp = timestamp
    last.session = session
    last.bid_price = bid_price
    last.ask_price = ask_price
    last.bid_volume = bid_volume
    last.ask_volume = ask_volume
    last.close = close
    last.volume = volume
    last.buy_volume = buy_volume
    last.sell_volume = sell_volume
    locked = bid_price == ask_price
    if locked:
        gate.locked += 1
    if new_session:
        gate.new_session += 1
        return _NEW_SESSION
    if after_gap:
        gate.after_gap += 1
        return _AFTER_GAP
    return _LOCKED if locked else _ACCEPTED


@kernel
def gate_ticks(
    ticks: npt.NDArray[Any], gate_record: npt.NDArray[Any], verdicts: npt.NDArray[np.int8]
) -> None:
    """Judge ticks in order.

    Parameters
    ----------
    ticks
        Shape (n,), dtype ``TICK``.
    gate_record
        Shape (1,), dtype ``GATE``, as from ``allocate_gate``; changed in place.
    verdicts
        Shape (n,), int8: receives the verdicts.
    """
    gate = gate_record[0]
    for i in range(len(ticks)):
        tick = ticks[i]
        verdicts[i] = gate_step(
            gate,
            tick["timestamp"],
            tick["session"],
            tick["bid_price"],
            tick["ask_price"],
            tick["bid_volume"],
            tick["ask_volume"],
            tick["close"],
            tick["volume"],
            tick["buy_volume"],
            tick["sell_volume"],
        )


def set_limits(gates: npt.NDArray[Any], *, max_gap_s: float, max_jump: float) -> None:
    """Set the limits of an array of ``GATE`` records, which may be a field of larger records.

    Parameters
    ----------
    gates
        Any shape, dtype ``GATE``; changed in place.
    max_gap_s
        A longer time between accepted ticks is a gap, seconds.
    max_jump
        Largest change of the mid between ticks that needs no confirmation, as a share.

    Raises
    ------
    ConfigError
        A limit is not a positive finite number.
    """
    for name, value in (("max_gap_s", max_gap_s), ("max_jump", max_jump)):
        if not 0.0 < value < float("inf"):
            raise ConfigError(f"{name} is {value!r}; it must be a positive finite number")
    gates["max_gap_ns"] = round(min(max_gap_s, _ENDLESS_S) * 1e9)
    gates["max_jump"] = max_jump


def allocate_gate(*, max_gap_s: float, max_jump: float) -> npt.NDArray[Any]:
    """Return a fresh one-element ``GATE`` array with its limits set as by ``set_limits``."""
    record = allocate_record(GATE)
    set_limits(record, max_gap_s=max_gap_s, max_jump=max_jump)
    return record
