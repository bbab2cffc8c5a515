"""The moving parts of the simulated market: latent processes, and the quotes and trades they drive.

All randomness is drawn beforehand and handed in, so that a seed means the same on any platform.
Times of decay are half-lives in seconds.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel

__all__ = [
    "EVENT_INTERVAL_S",
    "SIGNAL_HALF_LIFE_S",
    "VOLATILITY_HALF_LIFE_S",
    "VOLATILITY_OF_VARIANCE",
    "latent_states",
    "quotes_and_trades",
]

SIGNAL_HALF_LIFE_S = 60.0
VOLATILITY_HALF_LIFE_S = 600.0
VOLATILITY_OF_VARIANCE = 0.7  # standard deviation of the logarithm of the variance
EVENT_INTERVAL_S = 0.2  # mean time between events at average activity

_DEPTH_HALF_LIFE_S = 30.0
_QUEUE_HALF_LIFE_S = 2.0
_QUEUE_STEP_S = 0.02
_QUEUE_NOISE = 0.6
_DEPTH_LOTS = 5000.0
_DEPTH_WEIGHT = 0.5
_SIGNAL_IN_QUEUES = 0.35
_SIGNAL_IN_TRADES = 0.8
_MOVE_IN_TRADES = 0.5
_TRADE_LOTS = 400.0
_TRADE_NOISE = 0.8
_SPREAD_NARROWS = 0.6  # a second and extra tick

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@kernel
def _decay(seconds: float, half_life: float) -> float:
    return math.exp(-math.log(2.0) * seconds / half_life)


@kernel
def _moved(state: float, decay: float, shock: float) -> float:
    """Take a step of a process whose stationary variance is one."""
    return decay * state + math.sqrt(1.0 - decay * decay) * shock


@kernel
def latent_states(
    waits: FloatArray,
    shocks: FloatArray,
    elapsed: IntArray,
    signal: FloatArray,
    activity: FloatArray,
) -> None:
    """Fill in the flow signal and the activity, and for events the time between them.

    Parameters
    ----------
    waits
        Shape (n,) for events: standard exponential draws, 0 for an event that comes together with
        the one before. Shape (0,) for a grid of one second.
    shocks
        Shape (n, 2): standard normal draws.
    elapsed
        Shape (n,): receives nanoseconds since the previous row, whole microseconds.
    signal, activity
        Shape (n,): receive the stationary, independent processes, mean 0 and variance 1.
    """
    for i in range(len(signal)):
        if i == 0:
            elapsed[i] = 0
            signal[i] = shocks[i, 0]
            activity[i] = shocks[i, 1]
            continue
        elapsed[i] = 1_000_000_000
        if len(waits) > 0:
            busy = math.exp(0.5 * VOLATILITY_OF_VARIANCE * activity[i - 1])
            elapsed[i] = 1000 * int(waits[i] * EVENT_INTERVAL_S * 1e6 / busy)
        seconds = elapsed[i] * 1e-9
        signal[i] = _moved(signal[i - 1], _decay(seconds, SIGNAL_HALF_LIFE_S), shocks[i, 0])
        activity[i] = _moved(activity[i - 1], _decay(seconds, VOLATILITY_HALF_LIFE_S), shocks[i, 1])


@kernel
def _lots(mean: float, logarithm: float) -> int:
    return max(1, int(mean * math.exp(logarithm)))


@kernel
def quotes_and_trades(
    elapsed: IntArray,
    signal: FloatArray,
    activity: FloatArray,
    moves: IntArray,
    shocks: FloatArray,
    chances: FloatArray,
    spread_widens: float,
    trade_chance: float,
    single_trade: bool,
    start: int,
    book: IntArray,
    trades: IntArray,
) -> None:
    """Fill in the best quotes and the trades since the previous row.

    Parameters
    ----------
    elapsed, signal, activity
        As from ``latent_states``.
    moves
        Shape (n,): whole ticks that both quotes move by.
    shocks
        Shape (n, 5), standard normal draws.
    chances
        Shape (n, 4), uniform draws.
    spread_widens
        Rate a second at which the spread widens by a tick.
    trade_chance
        Probability of a trade in a row at average activity.
    single_trade
        Whether a row holds one trade (events) or several (a grid).
    start
        First bid, in ticks.
    book
        Shape (n, 4): receives bid and ask in ticks, bid and ask size in lots.
    trades
        Shape (n, 3): receives buy and sell volume in lots, last trade price in half ticks.
    """
    bid, spread = start, 1
    depth, bid_queue, ask_queue = shocks[0, 0], shocks[0, 1], shocks[0, 2]
    for i in range(len(moves)):
        seconds = elapsed[i] * 1e-9
        if i > 0:
            depth = _moved(depth, _decay(seconds, _DEPTH_HALF_LIFE_S), shocks[i, 0])
            # Queues change with each event, also with one that takes no time.
            decay = _decay(max(seconds, _QUEUE_STEP_S), _QUEUE_HALF_LIFE_S)
            bid_queue = _moved(bid_queue, decay, shocks[i, 1])
            ask_queue = _moved(ask_queue, decay, shocks[i, 2])
        bid += moves[i]
        # Which side makes room is a fair coin: the spread says nothing about the next mid.
        upper_half = chances[i, 1] < 0.5
        widens = 1.0 - math.exp(-spread_widens * seconds)
        narrows = 1.0 - math.exp(-_SPREAD_NARROWS * (spread - 1) * seconds)
        if chances[i, 0] < widens:
            spread += 1
            bid -= 1 if upper_half else 0
        elif chances[i, 0] < widens + (1.0 - widens) * narrows:
            spread -= 1
            bid += 1 if upper_half else 0
        bid = max(bid, 1)
        common = _DEPTH_WEIGHT * depth
        lean = _SIGNAL_IN_QUEUES * signal[i]
        book[i, 0] = bid
        book[i, 1] = bid + spread
        book[i, 2] = _lots(_DEPTH_LOTS, common + lean + _QUEUE_NOISE * bid_queue)
        book[i, 3] = _lots(_DEPTH_LOTS, common - lean + _QUEUE_NOISE * ask_queue)
        if i == 0:
            trades[i, 2] = 2 * bid + spread
            continue
        trades[i, 2] = trades[i - 1, 2]
        busy = math.exp(0.5 * VOLATILITY_OF_VARIANCE * activity[i])
        if chances[i, 2] < 1.0 - (1.0 - trade_chance) ** busy:
            pressure = _SIGNAL_IN_TRADES * signal[i] + _MOVE_IN_TRADES * max(-3, min(3, moves[i]))
            buying = 1.0 / (1.0 + math.exp(-pressure))
            lots = _lots(_TRADE_LOTS * busy, common + _TRADE_NOISE * shocks[i, 3])
            last_is_buy = chances[i, 3] < buying
            bought = lots if last_is_buy else 0
            if not single_trade:
                bought = round(lots / (1.0 + math.exp(-pressure - shocks[i, 4])))
            trades[i, 0] = bought
            trades[i, 1] = lots - bought
            # Trades hit the quotes that stood when they came, those of the row before.
            trades[i, 2] = 2 * (book[i - 1, 1] if last_is_buy else book[i - 1, 0])
        if elapsed[i] == 0 and (book[i] == book[i - 1]).all():
            book[i, 2] += 1  # an event that changed nothing would be a duplicate
