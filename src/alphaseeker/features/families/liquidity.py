"""Family 8, liquidity: what trading costs, and how far it moves the price."""

from __future__ import annotations

import math
from typing import Any

from alphaseeker._jit import part
from alphaseeker.features.declared.liquidity import LIQUIDITY_WINDOWS
from alphaseeker.features.declared.momentum import MOMENTUM_WINDOWS
from alphaseeker.features.groups import (
    CHANGE_FLOW,
    COUNTED,
    EFFECTIVE,
    FLOW_2,
    ILLIQUIDITY,
    IMPACT,
    MATURED,
    NOTIONAL,
    PRICE_1,
    PRICE_2,
    PRICE_PRODUCT,
    REALIZED,
    RETURN_ROOT,
    SIGNED,
    TRADED,
    TRADES,
    TURNOVER,
    VOLUME,
)
from alphaseeker.features.layout import LAG_RING
from alphaseeker.features.output import as_output

__all__ = ["close_liquidity", "write_liquidity"]

BP = 1e4
FIRST_MOVE = MOMENTUM_WINDOWS.index(LIQUIDITY_WINDOWS[0])
# A covariance above this, relative to the mean square, holds rounding only, or none.
LEAST_COVARIANCE = -1e-12
LEAST_FLOW = 1e-12  # of the volume


@part
def _fill(rec: Any, move: float, change: float, price_change: float) -> None:
    """Fill the group's partial with what the bucket in progress brings, so far.

    Parameters
    ----------
    move, change, price_change
        Of the mid, of its logarithm, and of the last trade's price over that bucket.
    """
    partial = rec.liquidity.partial
    flow = rec.trades.partial[SIGNED]
    # Purchases and sales that cancel leave a rounding error, which is no flow.
    if abs(flow) <= LEAST_FLOW * rec.trades.partial[VOLUME]:
        flow = 0.0
    turnover = rec.trades.partial[NOTIONAL]
    partial[CHANGE_FLOW] = move * flow
    partial[FLOW_2] = flow * flow
    rec.moves.partial[TURNOVER] = turnover
    partial[ILLIQUIDITY] = 0.0
    partial[TRADED] = 0.0
    partial[RETURN_ROOT] = 0.0
    if turnover > 0.0:
        partial[ILLIQUIDITY] = abs(change) / turnover
        partial[TRADED] = 1.0
        if flow != 0.0:
            root = math.sqrt(turnover)
            partial[RETURN_ROOT] = change * (root if flow > 0.0 else -root)
    partial[PRICE_1] = price_change
    partial[PRICE_2] = price_change * price_change
    partial[PRICE_PRODUCT] = price_change * rec.trade.bucket_change
    partial[EFFECTIVE] = rec.trade.effective
    rec.moves.partial[COUNTED] = rec.trades.partial[TRADES]
    # The trades of some buckets ago are judged by where the mid stands now.
    judged = rec.clock.bucket - rec.trade.lag
    partial[REALIZED] = 0.0
    partial[IMPACT] = 0.0
    partial[MATURED] = 0.0
    if judged >= rec.clock.first_bucket:
        rings = rec.rings
        place = judged & (LAG_RING - 1)
        if rings.trades[place] > 0.0:
            impact = rec.quote.mid * rings.pressure[place] - rings.signs[place]
            partial[IMPACT] = impact
            partial[REALIZED] = rings.effective[place] - impact
            partial[MATURED] = rings.trades[place]


@part
def close_liquidity(rec: Any, move: float, change: float, price_change: float) -> None:
    """Complete the bucket in progress; its trades wait to be judged."""
    trade = rec.trade
    _fill(rec, move, change, price_change)
    rings = rec.rings
    place = rec.clock.bucket & (LAG_RING - 1)
    rings.effective[place] = trade.effective
    rings.pressure[place] = trade.pressure
    rings.signs[place] = trade.signs
    rings.trades[place] = rec.trades.partial[TRADES]
    trade.effective = 0.0
    trade.pressure = 0.0
    trade.signs = 0.0
    trade.bucket_change = price_change
    trade.bucket_close = rec.quote.close


@part
def write_liquidity(rec: Any, move: float, change: float, price_change: float, every: bool) -> None:
    """Write the columns of every window, or only of those whose sums have changed.

    Parameters
    ----------
    move, change, price_change
        As in ``close_liquidity``, over the bucket in progress.
    every
        The mid moved, there was a trade, or windows still fill.
    """
    out = rec.out.liquidity
    group = rec.liquidity
    sums = group.sums
    seen = rec.clock.seen
    _fill(rec, move, change, price_change)
    partial = group.partial
    # Trades that are judged just now count, though no window has them yet.
    every = every or partial[MATURED] > 0.0
    bp = BP / rec.quote.mid
    for i in range(group.count):
        length = group.lengths[i]
        if length == 0 or seen < length or not (every or group.changed[i] != 0.0):
            continue
        flow_square = sums[i, FLOW_2] + partial[FLOW_2]
        if flow_square > 0.0:
            slope = (sums[i, CHANGE_FLOW] + partial[CHANGE_FLOW]) / flow_square
            out.kyle[i] = as_output(slope * bp)
        else:
            out.kyle[i] = as_output(0.0)
        traded = sums[i, TRADED] + partial[TRADED]
        if traded > 0.0:
            out.amihud[i] = as_output((sums[i, ILLIQUIDITY] + partial[ILLIQUIDITY]) / traded * BP)
            moves = rec.moves.sums[FIRST_MOVE + i]
            turnover = moves[TURNOVER] + rec.moves.partial[TURNOVER]
            root_slope = (sums[i, RETURN_ROOT] + partial[RETURN_ROOT]) / turnover
            out.hasbrouck[i] = as_output(root_slope * BP)
            trades = moves[COUNTED] + rec.moves.partial[COUNTED]
            effective = (sums[i, EFFECTIVE] + partial[EFFECTIVE]) / trades
            out.effective_spread[i] = as_output(effective * BP)
        else:
            out.amihud[i] = as_output(0.0)
            out.hasbrouck[i] = as_output(0.0)
            out.effective_spread[i] = as_output(0.0)
        if seen > length:
            inverse = 1.0 / (length + 1.0)
            mean = (sums[i, PRICE_1] + partial[PRICE_1]) * inverse
            mean_square = (sums[i, PRICE_2] + partial[PRICE_2]) * inverse
            product = (sums[i, PRICE_PRODUCT] + partial[PRICE_PRODUCT]) * inverse
            covariance = product - mean * mean
            if covariance <= LEAST_COVARIANCE * mean_square:
                out.roll[i] = as_output(2.0 * math.sqrt(-covariance) * bp)
            else:
                out.roll[i] = as_output(0.0)
        if seen >= length + rec.trade.lag:
            matured = sums[i, MATURED] + partial[MATURED]
            if matured > 0.0:
                realized = (sums[i, REALIZED] + partial[REALIZED]) / matured
                impact = (sums[i, IMPACT] + partial[IMPACT]) / matured
                out.realized_spread[i] = as_output(realized * BP)
                out.price_impact[i] = as_output(impact * BP)
            else:
                out.realized_spread[i] = as_output(0.0)
                out.price_impact[i] = as_output(0.0)
