"""Labels re-computed row by row from their definitions."""

import math

import numpy as np

from oracles.factors import unseen


def forward_return(timestamp, price, segment, horizon):
    """ln p(t + h) / p(t), p(t + h) the last price at or before t + h of the same segment."""
    result = np.full(len(price), np.nan)
    for i in range(len(price)):
        rows = [j for j in range(i, len(price)) if segment[j] == segment[i]]
        if _unseen(timestamp, segment, i, horizon):
            continue
        if any(timestamp[j] >= timestamp[i] + horizon for j in rows):
            last = [j for j in rows if timestamp[j] <= timestamp[i] + horizon][-1]
            result[i] = math.log(price[last] / price[i])
    return result


def triple_barrier(timestamp, price, segment, horizon, take_profit, stop_loss):
    """(+1 / 0 / -1 or NaN, time of the end or -1) for every row."""
    side = np.full(len(price), np.nan)
    end = np.full(len(price), -1, dtype=np.int64)
    for i in range(len(price)):
        later = [j for j in range(i + 1, len(price)) if segment[j] == segment[i]]
        limit = timestamp[i] + horizon
        for j in later:
            if timestamp[j] > limit:
                break
            if price[j] >= price[i] * (1 + take_profit):
                side[i], end[i] = 1, timestamp[j]
                break
            if price[j] <= price[i] * (1 - stop_loss):
                side[i], end[i] = -1, timestamp[j]
                break
        if np.isnan(side[i]) and any(timestamp[j] >= limit for j in later):
            side[i], end[i] = 0, limit
        if _unseen(timestamp, segment, i, horizon):
            side[i], end[i] = np.nan, -1
    return side, end


def _unseen(timestamp, segment, row, horizon):
    whole = np.flatnonzero(segment == segment[row])
    return unseen(timestamp[whole], int(np.searchsorted(whole, row)), horizon)


def scan(timestamp, price, segment, horizon, take_profit, stop_loss):
    """(class, end row) of every row, tick by tick; grids are not looked at."""
    label = np.full(len(price), -1, dtype=np.int8)
    end = np.full(len(price), -1, dtype=np.int64)
    for i in range(len(price)):
        last = i
        upper, lower = price[i] * (1.0 + take_profit), price[i] * (1.0 - stop_loss)
        for j in range(i + 1, len(price)):
            if segment[j] != segment[i]:
                break
            if timestamp[j] > timestamp[i] + horizon:
                label[i], end[i] = 1, last
                break
            if price[j] >= upper or price[j] <= lower:
                label[i], end[i] = 2 if price[j] >= upper else 0, j
                break
            last = j
        if label[i] < 0 and timestamp[last] == timestamp[i] + horizon:
            label[i], end[i] = 1, last
    return label, end


def last_resolved(end, label, timestamp, segment):
    """The label of the latest row whose end lies strictly before the row's time, -1 if none."""
    result = np.full(len(label), -1)
    for i in range(len(label)):
        for j in range(i - 1, -1, -1):
            if segment[j] == segment[i] and label[j] >= 0 and end[j] < timestamp[i]:
                result[i] = label[j]
                break
    return result
