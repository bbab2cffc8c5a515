"""Family 6, bars: the 1, 5 and 15 minute time frames of the mid, and MACD on the minutes."""

from __future__ import annotations

import math
from typing import Any

from alphaseeker._jit import part
from alphaseeker.features.declared.bars import BAR_WINDOWS
from alphaseeker.features.groups import VOLUME
from alphaseeker.features.output import as_output

__all__ = ["begin_bars", "close_bars", "write_bar_returns", "write_closed_bars"]

MINUTE = BAR_WINDOWS.index(60)
# Bars of history.
ONE, SMOOTHED_RANGE, SMOOTHED_VOLUME = 2, 15, 16
MACD_BARS, HISTOGRAM_BARS = 27, 36
# Weights of a new bar: spans of 12, 26 and 9 (Appel), 15 for the volume, Wilder's 14.
FAST, SLOW, SIGNAL = 2.0 / 13.0, 2.0 / 27.0, 2.0 / 10.0
VOLUME_WEIGHT = 2.0 / 16.0
RANGE_WEIGHT = 1.0 / 14.0
# Columns of a closed bar.
RETURN, RANGE, CLOSE_POSITION, BODY, VOLUME_RATIO, PARKINSON, GARMAN_KLASS, ROGERS, ATR = range(9)
BP = 1e4
LN2 = math.log(2.0)


@part
def begin_bars(rec: Any, mid: float) -> None:
    """Begin the bars of a segment."""
    for i in range(rec.clock.bars):
        bar = rec.bars[i]
        bar.open = mid
        bar.log_open = rec.quote.log_mid
        bar.high = mid
        bar.low = mid
        bar.volume = 0.0
        bar.whole = 0


@part
def close_bars(rec: Any) -> None:
    """Take the bucket that closes into the bars, and close those that end with it."""
    clock = rec.clock
    for i in range(rec.clock.bars):
        bar = rec.bars[i]
        length = bar.length
        if length == 0:
            continue
        bar.high = max(bar.high, rec.state.high)
        bar.low = min(bar.low, rec.state.low)
        bar.volume += rec.trades.partial[VOLUME]
        after = clock.bucket + 1
        if after % length != 0:
            continue
        if after - length > clock.first_bucket:
            _close_bar(rec, i)
        bar.open = rec.quote.mid
        bar.log_open = rec.quote.log_mid
        bar.high = bar.open
        bar.low = bar.open
        bar.volume = 0.0


@part
def _close_bar(rec: Any, i: int) -> None:
    """Write the columns of a whole bar that ends with the present mid."""
    bar = rec.bars[i]
    columns = bar.columns
    close = rec.quote.mid
    spread = bar.high - bar.low
    log_range = math.log(bar.high / bar.low)
    log_body = math.log(close / bar.open)
    columns[RETURN] = as_output(log_body * BP)
    columns[RANGE] = as_output(log_range * BP)
    if spread > 0.0:
        columns[CLOSE_POSITION] = as_output((close - bar.low) / spread)
        columns[BODY] = as_output(abs(close - bar.open) / spread)
    else:
        columns[CLOSE_POSITION] = as_output(0.5)
        columns[BODY] = as_output(0.0)
    square = log_range * log_range
    columns[PARKINSON] = as_output(math.sqrt(square / (4.0 * LN2)) * BP)
    body_square = log_body * log_body
    variance = 0.5 * square - (2.0 * LN2 - 1.0) * body_square
    columns[GARMAN_KLASS] = as_output(math.sqrt(max(0.0, variance)) * BP)
    above = math.log(bar.high / close) * math.log(bar.high / bar.open)
    below = math.log(bar.low / close) * math.log(bar.low / bar.open)
    columns[ROGERS] = as_output(math.sqrt(max(0.0, above + below)) * BP)
    if bar.whole == 0:
        bar.mean_volume = bar.volume
        bar.true_range = spread
    else:
        bar.mean_volume += (bar.volume - bar.mean_volume) * VOLUME_WEIGHT
        bar.true_range += (spread - bar.true_range) * RANGE_WEIGHT
    if bar.mean_volume > 0.0:
        columns[VOLUME_RATIO] = as_output(bar.volume / bar.mean_volume)
    else:
        columns[VOLUME_RATIO] = as_output(1.0)
    columns[ATR] = as_output(bar.true_range / close * BP)
    if i == MINUTE:
        _close_minute(rec, close, bar.whole == 0)
    bar.whole += 1


@part
def _close_minute(rec: Any, close: float, first: bool) -> None:
    """Take the close of a whole minute into MACD."""
    macd = rec.macd
    if first:
        macd.fast = close
        macd.slow = close
        macd.signal = 0.0
    else:
        macd.fast += (close - macd.fast) * FAST
        macd.slow += (close - macd.slow) * SLOW
        macd.signal += (macd.fast - macd.slow - macd.signal) * SIGNAL
    distance = macd.fast - macd.slow
    macd.columns[0] = as_output(distance / close * BP)
    macd.columns[1] = as_output((distance - macd.signal) / close * BP)


@part
def write_bar_returns(rec: Any) -> None:
    """Write the returns of the bars in progress."""
    out = rec.out.bars
    for i in range(rec.clock.bars):
        bar = rec.bars[i]
        if bar.length > 0 and rec.clock.seen >= bar.length:
            out.bar_return_in_progress[i] = as_output((rec.quote.log_mid - bar.log_open) * BP)


@part
def write_closed_bars(rec: Any) -> None:
    """Write what is known of the last closed bars."""
    out = rec.out.bars
    seen = rec.clock.seen
    for i in range(rec.clock.bars):
        bar = rec.bars[i]
        length = bar.length
        if length == 0 or seen < ONE * length:
            continue
        columns = bar.columns
        out.prev_return[i] = columns[RETURN]
        out.range[i] = columns[RANGE]
        out.close_position[i] = columns[CLOSE_POSITION]
        out.body_share[i] = columns[BODY]
        out.parkinson[i] = columns[PARKINSON]
        out.garman_klass[i] = columns[GARMAN_KLASS]
        out.rogers_satchell[i] = columns[ROGERS]
        if seen >= SMOOTHED_VOLUME * length:
            out.volume_ratio[i] = columns[VOLUME_RATIO]
        if seen >= SMOOTHED_RANGE * length:
            out.atr[i] = columns[ATR]
    minute = rec.bars[MINUTE].length
    if minute > 0 and seen >= MACD_BARS * minute:
        rec.out.momentum.macd = rec.macd.columns[0]
        if seen >= HISTOGRAM_BARS * minute:
            rec.out.momentum.macd_histogram = rec.macd.columns[1]
