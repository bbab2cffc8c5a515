"""Which columns a tick has to write anew: only those whose inputs changed.

On an event stream (BTC quotes) 3 % of the ticks move the mid or close a bucket and 7 % trade: what
rests on these is left standing by the others. On a one-second grid every tick closes a bucket.
"""

from __future__ import annotations

from typing import Any

from alphaseeker._jit import inlined
from alphaseeker.features.families.aggressor import write_intensity, write_sides
from alphaseeker.features.families.bars import write_bar_returns, write_closed_bars
from alphaseeker.features.families.book import write_ages, write_book, write_last_trade
from alphaseeker.features.families.calendar import write_calendar
from alphaseeker.features.families.depth import write_level_flow, write_levels
from alphaseeker.features.families.dynamics import (
    write_imbalance_averages,
    write_persistence,
    write_quote_dynamics,
)
from alphaseeker.features.families.flow import write_flow, write_flow_pace
from alphaseeker.features.families.liquidity import write_liquidity
from alphaseeker.features.families.momentum import (
    carry_mids,
    write_ema_gaps,
    write_momentum,
    write_return_statistics,
)
from alphaseeker.features.families.trades import write_trades, write_volume_scores, write_vwap
from alphaseeker.features.families.volatility import write_volatility
from alphaseeker.features.layout import RING
from alphaseeker.features.output import as_output

__all__ = ["write_first", "write_tick"]


@inlined
def write_first(rec: Any, timestamp: int) -> None:
    """Write the columns that a segment's first tick gives: the others wait for their history."""
    rec.out.momentum.run_length = as_output(0.0)
    write_book(rec)
    write_last_trade(rec)
    write_ages(rec, timestamp)
    write_calendar(rec, timestamp)
    if rec.fitted.depth_levels > 0:
        write_levels(rec)


@inlined
def write_tick(
    rec: Any,
    timestamp: int,
    rolled: bool,
    changed: bool,
    moved: bool,
    traded: bool,
    struck: bool,
    deeper: bool,
    passed: bool,
) -> None:
    """Write what the tick changed.

    Parameters
    ----------
    rolled
        A bucket closed.
    changed, moved
        The quote changed; its mid did.
    traded
        There was a trade, or the last trade's price changed.
    struck
        There is a volume by aggressor.
    deeper
        A level of the depth changed.
    passed
        Time passed since the tick before.
    """
    write_ages(rec, timestamp)
    if changed:
        write_book(rec)
    if changed or traded:
        write_last_trade(rec)
    if passed or changed:
        write_imbalance_averages(rec)
        write_flow_pace(rec)
    if passed:
        write_persistence(rec)
        write_calendar(rec, timestamp)
    if rolled or changed:
        write_quote_dynamics(rec)
        write_flow(rec)
    if passed or moved:
        write_ema_gaps(rec)
    if rolled or moved or traded:
        _write_windows(rec, rolled, moved, traded)
    if rolled:
        write_closed_bars(rec)
    if rec.fitted.aggressor == 1:
        if rolled or changed or struck:
            write_sides(rec)
        if passed or struck:
            write_intensity(rec)
    if rec.fitted.depth_levels > 0:
        if deeper:
            write_levels(rec)
        if deeper or rolled or changed:
            write_level_flow(rec)


@inlined
def _write_windows(rec: Any, rolled: bool, moved: bool, traded: bool) -> None:
    """Write what rests on the moves of the mid and on trades."""
    before = (rec.clock.bucket - 1) & (RING - 1)
    change = rec.quote.log_mid - rec.rings.log_mids[before]
    move = rec.quote.mid - rec.rings.mids[before]
    price_change = rec.quote.close - rec.trade.bucket_close
    if rolled:
        carry_mids(rec)
    if rolled or moved:
        write_momentum(rec)
        write_return_statistics(rec, change)
        write_volatility(rec, change)
        write_bar_returns(rec)
    if rolled or traded:
        write_volume_scores(rec)
        write_trades(rec, price_change)
    write_vwap(rec)
    write_liquidity(rec, move, change, price_change)
