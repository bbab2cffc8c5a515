"""Family 8, liquidity: what trading costs, and how far it moves the price."""

from __future__ import annotations

import math
from typing import Any

from alphaseeker._jit import part
from alphaseeker.features.declared.liquidity import LIQUIDITY_WINDOWS
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
from alphaseeker.features.window_lanes import reader, writer
from alphaseeker.kernels.lane_math import root, where
from alphaseeker.kernels.lanes import load_wide

__all__ = ["close_liquidity", "write_liquidity"]

BP = 1e4
# A covariance above this, relative to the mean square, holds rounding only, or none.
LEAST_COVARIANCE = -1e-12
LEAST_FLOW = 1e-12  # of the volume
_sum = reader(LIQUIDITY_WINDOWS)
_write = writer(LIQUIDITY_WINDOWS)


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
def write_liquidity(rec: Any, move: float, change: float, price_change: float) -> None:
    """Write every column.

    Parameters
    ----------
    move, change, price_change
        As in ``close_liquidity``, over the bucket in progress.
    """
    out = rec.out.liquidity
    group = rec.liquidity
    sums = group.sums
    _fill(rec, move, change, price_change)
    partial = group.partial
    seen = float(rec.clock.seen)
    full = load_wide(group.full, 0)
    ready = full <= seen
    bp = BP / rec.quote.mid
    flow_square = _sum(sums, FLOW_2) + partial[FLOW_2]
    slope = (_sum(sums, CHANGE_FLOW) + partial[CHANGE_FLOW]) / flow_square
    _write(out.kyle, where(ready, where(flow_square > 0.0, slope * bp, 0.0), math.nan))

    traded = _sum(sums, TRADED) + partial[TRADED]
    any_trade = traded > 0.0
    moves = rec.moves.sums
    illiquidity = (_sum(sums, ILLIQUIDITY) + partial[ILLIQUIDITY]) / traded * BP
    turnover = _sum(moves, TURNOVER) + rec.moves.partial[TURNOVER]
    root_slope = (_sum(sums, RETURN_ROOT) + partial[RETURN_ROOT]) / turnover
    trades = _sum(moves, COUNTED) + rec.moves.partial[COUNTED]
    effective = (_sum(sums, EFFECTIVE) + partial[EFFECTIVE]) / trades
    _write(out.amihud, where(ready, where(any_trade, illiquidity, 0.0), math.nan))
    _write(out.hasbrouck, where(ready, where(any_trade, root_slope * BP, 0.0), math.nan))
    _write(out.effective_spread, where(ready, where(any_trade, effective * BP, 0.0), math.nan))

    inverse = 1.0 / (full + 1.0)
    mean = (_sum(sums, PRICE_1) + partial[PRICE_1]) * inverse
    mean_square = (_sum(sums, PRICE_2) + partial[PRICE_2]) * inverse
    product = (_sum(sums, PRICE_PRODUCT) + partial[PRICE_PRODUCT]) * inverse
    covariance = product - mean * mean
    bounce = 2.0 * root(covariance * -1.0) * bp
    bounce = where(covariance <= LEAST_COVARIANCE * mean_square, bounce, 0.0)
    _write(out.roll, where(full < seen, bounce, math.nan))

    judged = full + float(rec.trade.lag) <= seen
    matured = _sum(sums, MATURED) + partial[MATURED]
    any_judged = matured > 0.0
    realized = (_sum(sums, REALIZED) + partial[REALIZED]) / matured
    impact = (_sum(sums, IMPACT) + partial[IMPACT]) / matured
    _write(out.realized_spread, where(judged, where(any_judged, realized * BP, 0.0), math.nan))
    _write(out.price_impact, where(judged, where(any_judged, impact * BP, 0.0), math.nan))
