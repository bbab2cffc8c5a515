"""The micro-price: where the mid is expected to end up, given imbalance and spread (Stoikov 2018).

The book is a Markov chain of states (imbalance I = B/(A+B) in ten equal bins, spread in whole
ticks). Of the moves out of a state, a share Q leaves the mid where it is, a share T changes it and
ends in a new state, and R k is the mean jump of the mid in ticks. The expected mid after the next
change is m + G1, G1 = (1 - Q)^-1 R k; after all further ones it is m + G*::

    G* = sum_i B^i G1,   B = (1 - Q)^-1 T

Wherever that sum converges, it is the solution of (1 - Q) G* = R k + T G*, which says that m + G*
is a martingale; here that system is solved.

Every move is counted with its mirror image as well (I -> 1 - I, jump -> -jump), so that G* is
antisymmetric in I and the mid's drift over the sample drops out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import part
from alphaseeker.market.schema import TickSeries

__all__ = [
    "MAX_SPREADS",
    "MICROPRICE_BINS",
    "MIN_CHANGES",
    "fit_microprice",
    "microprice_array",
    "microprice_step",
    "successive",
]

MICROPRICE_BINS = 10
MAX_SPREADS = 4  # ticks; a wider book counts as this wide
# Changes of the mid that a row of the table rests on: 20 a bin, 40 with the mirror images.
MIN_CHANGES = 200

STATES = MAX_SPREADS * MICROPRICE_BINS

Table = tuple[tuple[float, ...], ...]


@part
def microprice_step(
    table: npt.NDArray[np.float64],
    spread: float,
    tick_size: float,
    bid_volume: float,
    ask_volume: float,
) -> float:
    """Return G*(I, s), how far the micro-price stands above the mid, in ticks.

    A bin holds its lower edge, so that of two equal sizes I = 1/2 falls into the upper middle one.

    Parameters
    ----------
    table
        Shape (spreads, bins), float64, as from ``microprice_array``.
    spread, tick_size
        Price units.
    bid_volume, ask_volume
        Size units, not below 0.

    Returns
    -------
    float
        NaN where nothing was fitted, where the tick size is unknown and on an empty book.
    """
    ticks = spread / tick_size
    share = bid_volume / (ask_volume + bid_volume)
    if math.isnan(ticks) or math.isnan(share):  # no whole number to look up
        return math.nan
    row = int(min(max(np.rint(ticks), 1.0), float(table.shape[0]))) - 1
    bins = table.shape[1]
    return float(table[row, min(int(share * bins), bins - 1)])


def microprice_array(table: Sequence[Sequence[float]] | None) -> npt.NDArray[np.float64]:
    """Return a fitted table in the shape that a record holds.

    Returns
    -------
    numpy.ndarray
        Shape (``MAX_SPREADS``, ``MICROPRICE_BINS``), float64: the row of the widest fitted spread
        stands for all wider ones; NaN throughout where ``table`` is None.
    """
    full = np.full((MAX_SPREADS, MICROPRICE_BINS), math.nan)
    if table is not None:
        full[: len(table)] = table
        full[len(table) :] = table[-1]
    return full


def successive(ticks: npt.NDArray[Any], *, max_gap_s: float) -> npt.NDArray[np.bool_]:
    """Say for each tick whether it goes on from the one before it.

    Parameters
    ----------
    ticks
        Shape (n,), dtype ``market.schema.TICK``.
    max_gap_s
        After a longer time nothing goes on.

    Returns
    -------
    numpy.ndarray
        Shape (n,), bool: False at the first tick, across a session's boundary or a gap, and beside
        a quote that is crossed, one-sided or missing.
    """
    bid, ask = ticks["bid_price"], ticks["ask_price"]
    whole = (0.0 < bid) & (bid <= ask) & (ticks["bid_volume"] > 0.0) & (ticks["ask_volume"] > 0.0)
    whole &= np.isfinite(ask)
    passed = np.diff(ticks["timestamp"])
    same = (np.diff(ticks["session"]) == 0) & (passed >= 0) & (passed <= max_gap_s * 1e9)
    follows = np.zeros(len(ticks), dtype=np.bool_)
    follows[1:] = same & whole[1:] & whole[:-1]
    return follows


def fit_microprice(
    series: Sequence[TickSeries], tick_size: float, *, max_gap_s: float = 900.0
) -> Table | None:
    """Estimate G* from the moves between successive ticks.

    A spread from which the mid changed fewer than ``MIN_CHANGES`` times shares a row with the next
    wider one, and the widest such group takes in all that is left. A locked book counts as one
    tick wide. States that were never left have the value 0, and so have those from which the chain
    can no longer reach its mirror image: there the mid's drift cannot be told from its pull.

    Parameters
    ----------
    series
        Accepted ticks, of the training part only, of instruments with this tick size.
    tick_size
        Price units.
    max_gap_s
        A longer time between ticks is no move.

    Returns
    -------
    tuple of tuples, or None
        G* in ticks, a row for each spread from one tick up (at most ``MAX_SPREADS``), a value for
        each bin of imbalance from the lowest up. None where the tick size is NaN or the mid changed
        fewer than ``MIN_CHANGES`` times.
    """
    if math.isnan(tick_size):
        return None
    moves = np.zeros((STATES, STATES))
    jumps = np.zeros(STATES)
    changes = np.zeros(STATES)
    for one in series:
        states, mids = _states(one.ticks, tick_size)
        after = np.flatnonzero(successive(one.ticks, max_gap_s=max_gap_s))
        left, entered = states[after - 1], states[after]
        jump = mids[after] - mids[after - 1]
        pairs = np.bincount(left * STATES + entered, minlength=STATES * STATES)
        moves += pairs.reshape(STATES, STATES)
        jumps += np.bincount(left, weights=jump, minlength=STATES)
        changes += np.bincount(left, weights=jump != 0.0, minlength=STATES)
    if changes.sum() < MIN_CHANGES:
        return None
    rows = _shared_rows(changes.reshape(MAX_SPREADS, MICROPRICE_BINS).sum(axis=1))
    table = _limit(*_merged(moves, jumps, rows)).reshape(-1, MICROPRICE_BINS)
    return tuple(tuple(table[row].tolist()) for row in rows[: rows.index(rows[-1]) + 1])


def _states(
    ticks: npt.NDArray[Any], tick_size: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return each tick's state, spread by spread and bin by bin, and its mid in ticks.

    What an unusable quote gives means nothing; no move leads to it or from it.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        spread = np.rint((ticks["ask_price"] - ticks["bid_price"]) / tick_size)
        share = ticks["bid_volume"] / (ticks["ask_volume"] + ticks["bid_volume"])
        # Whole and half ticks: the last bit of two floats is no change of the mid.
        mids = np.rint((ticks["ask_price"] + ticks["bid_price"]) / tick_size) / 2.0
    row = np.clip(np.nan_to_num(spread), 1, MAX_SPREADS).astype(np.int64) - 1
    bins = (np.clip(np.nan_to_num(share), 0.0, 1.0) * MICROPRICE_BINS).astype(np.int64)
    return row * MICROPRICE_BINS + np.minimum(bins, MICROPRICE_BINS - 1), mids


def _shared_rows(changes: npt.NDArray[np.float64]) -> list[int]:
    """Return for each spread the number of its row, given the mid's changes from each spread."""
    rows = []
    row, gathered = 0, 0.0
    for spread, count in enumerate(changes.tolist()):
        rows.append(row)
        gathered += count
        if gathered >= MIN_CHANGES and changes[spread + 1 :].sum() >= MIN_CHANGES:
            row, gathered = row + 1, 0.0
    return rows


def _merged(
    moves: npt.NDArray[np.float64], jumps: npt.NDArray[np.float64], rows: list[int]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Add up the states of spreads that share a row."""
    home = np.add.outer(np.array(rows) * MICROPRICE_BINS, np.arange(MICROPRICE_BINS)).ravel()
    members = np.zeros((STATES, (rows[-1] + 1) * MICROPRICE_BINS))
    members[np.arange(STATES), home] = 1.0
    return members.T @ moves @ members, jumps @ members


def _limit(
    moves: npt.NDArray[np.float64], jumps: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return G*, shape (states,), of moves counted from state to state and summed jumps.

    With P = Q + T the system is (1 - P) G* = R k. An antisymmetric solution is given by its half
    with more bids than asks, for which a move to the mirror image of a state counts as minus one
    to the state. On that half 1 - P is regular, even where the paper's sum would swing for ever,
    once the closed parts of the chain that do not hold their own mirror image are left out.
    """
    count = len(jumps)
    mirror = np.arange(count).reshape(-1, MICROPRICE_BINS)[:, ::-1].ravel()
    moves = moves + moves[np.ix_(mirror, mirror)]
    jumps = jumps - jumps[mirror]

    reached = (moves > 0.0) | np.eye(count, dtype=np.bool_)
    for _ in range(count.bit_length()):  # paths of 1, 2, 4 ... moves
        reached = reached @ reached
    returns = ~(reached & ~reached.T).any(axis=1)
    stuck = returns & ~reached[np.arange(count), mirror]  # so is a state that was never left
    left = np.where(stuck, math.inf, moves.sum(axis=1))

    upper = np.flatnonzero(np.arange(count) % MICROPRICE_BINS >= MICROPRICE_BINS // 2)
    share = (moves[np.ix_(upper, upper)] - moves[np.ix_(upper, mirror[upper])]) / left[upper, None]
    limit = np.zeros(count)
    limit[upper] = np.linalg.solve(np.eye(len(upper)) - share, jumps[upper] / left[upper])
    limit[mirror[upper]] = 0.0 - limit[upper]
    return limit
