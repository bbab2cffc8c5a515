"""The weights of integrated order flow: levels by their share in the first principal component.

The order flow imbalance of a level of the book is that of the touch (Cont, Kukanov & Stoikov 2014)
with the level's prices and sizes. The flows of neighbouring levels move together; their first
principal component holds most of what they say (Cont, Cucuringu & Zhang 2023).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from alphaseeker.features.declaration import NANOSECONDS
from alphaseeker.features.microprice import successive
from alphaseeker.market.schema import TickSeries

__all__ = ["MIN_BUCKETS", "fit_integrated_weights", "level_flows"]

MIN_BUCKETS = 100  # ten of them for each of ten levels

Level = tuple[npt.NDArray[np.float64], ...]


def level_flows(
    series: TickSeries, depth_levels: int, *, max_gap_s: float = 900.0
) -> npt.NDArray[np.float64]:
    """Return the order flow imbalance e_l of every tick against the one before it.

    Parameters
    ----------
    series
        Ticks with depth; level 1 is the tick's own quote.
    depth_levels
        L, from 1 up; levels that the depth does not have are missing throughout.
    max_gap_s
        After a longer time, and in a new session, the flow begins with 0.

    Returns
    -------
    numpy.ndarray
        Shape (n, L), float64, size units. 0 where a level is missing now or was missing before.
    """
    follows = successive(series.ticks, max_gap_s=max_gap_s)
    flows = np.zeros((len(series), depth_levels))
    for level in range(depth_levels):
        bid, bid_volume, ask, ask_volume = _level(series, level)
        known = np.isfinite(bid + bid_volume + ask + ask_volume)
        size = np.where(bid[1:] >= bid[:-1], bid_volume[1:], 0.0)
        size -= np.where(bid[1:] <= bid[:-1], bid_volume[:-1], 0.0)
        size -= np.where(ask[1:] <= ask[:-1], ask_volume[1:], 0.0)
        size += np.where(ask[1:] >= ask[:-1], ask_volume[:-1], 0.0)
        flows[1:, level] = np.where(follows[1:] & known[1:] & known[:-1], size, 0.0)
    return flows


def _level(series: TickSeries, level: int) -> Level:
    """Return bid price and size, ask price and size of a level counted from 0."""
    ticks, depth = series.ticks, series.depth
    if level == 0:
        return tuple(ticks[name] for name in ("bid_price", "bid_volume", "ask_price", "ask_volume"))
    if depth is None or level >= depth.shape[1]:
        return (np.full(len(ticks), math.nan),) * 4
    return tuple(depth[:, level, column] for column in range(4))


def fit_integrated_weights(
    series: Sequence[TickSeries], depth_levels: int, bucket_s: float, *, max_gap_s: float = 900.0
) -> tuple[float, ...] | None:
    """Return the first principal component of the bucket sums of e_1 to e_L.

    Sums are those of the buckets with ticks, each within one session, and in units of the series'
    mean size of the touch, so that several instruments can be fitted together.

    Parameters
    ----------
    series
        Accepted ticks with mended depth, of the training part only.
    depth_levels
        L.
    bucket_s
        Length of a bucket, in seconds.
    max_gap_s
        After a longer time the flow begins afresh.

    Returns
    -------
    tuple of float, or None
        L weights whose absolute values add up to 1 and whose sum is positive. None with fewer than
        ``MIN_BUCKETS`` buckets, or where nothing flowed.
    """
    products = np.zeros((depth_levels, depth_levels))
    buckets = 0
    for one in series:
        if len(one) == 0:
            continue
        sums = _bucket_sums(one, depth_levels, round(bucket_s * NANOSECONDS), max_gap_s)
        sums -= sums.mean(axis=0)
        products += sums.T @ sums
        buckets += len(sums)
    if buckets < MIN_BUCKETS or not products.trace() > 0.0:
        return None
    component = np.linalg.eigh(products)[1][:, -1]  # eigenvalues come in rising order
    if component.sum() < 0.0:
        component = -component
    return tuple((component / np.abs(component).sum()).tolist())


def _bucket_sums(
    series: TickSeries, depth_levels: int, bucket_ns: int, max_gap_s: float
) -> npt.NDArray[np.float64]:
    """Return the sums of e_1 to e_L, a row for each bucket with ticks."""
    ticks = series.ticks
    buckets = ticks["timestamp"] // bucket_ns
    changed = (np.diff(buckets) != 0) | ~successive(ticks, max_gap_s=max_gap_s)[1:]
    starts = np.flatnonzero(np.concatenate(([True], changed)))
    flows = level_flows(series, depth_levels, max_gap_s=max_gap_s)
    touch = 0.5 * (ticks["bid_volume"] + ticks["ask_volume"])
    sizes = touch[touch > 0.0]
    sums = np.add.reduceat(flows, starts, axis=0)
    return sums / sizes.mean() if len(sizes) else sums
