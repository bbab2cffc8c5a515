"""The fill of a market order at one quote: the spread crossed, the depth walked, the rest left.

Every order is immediate-or-cancel. Where levels are known it takes them one by one, best first,
at their own prices; else it takes the size at the touch. What is not shown is not filled: the
rest of an entry is cancelled, the rest of an exit is what the machine orders again at the next
tick. What an order took is shown again by the next row of the data: an order leaves no mark on
the market.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel

__all__ = ["market_fill"]

_BID, _ASK = 0, 2  # columns of a level's prices; sizes stand behind them


@kernel
def market_fill(
    quantity: float,
    bid_price: float,
    ask_price: float,
    bid_volume: float,
    ask_volume: float,
    levels: npt.NDArray[np.float64],
) -> tuple[float, float]:
    """Return the size that fills, at least 0, and its mean price; 0 and NaN where nothing does.

    Parameters
    ----------
    quantity
        Signed: positive buys at the ask, negative sells at the bid.
    bid_price, ask_price, bid_volume, ask_volume
        The touch; a volume of NaN is not known, and fills any size.
    levels
        Shape (levels, 4), best first, as in ``market.depth``; no row where there are none. A
        first level without a price leaves the touch in its place.
    """
    buys = quantity > 0.0
    wanted = abs(quantity)
    column = _ASK if buys else _BID
    if levels.shape[0] == 0 or not levels[0, column] > 0.0:
        price = ask_price if buys else bid_price
        volume = ask_volume if buys else bid_volume
        size = wanted if math.isnan(volume) else min(wanted, volume)
        return (size, price) if size > 0.0 else (0.0, math.nan)
    left = wanted
    paid = 0.0
    for level in range(levels.shape[0]):
        price = levels[level, column]
        volume = levels[level, column + 1]
        if not price > 0.0:
            break
        if not volume > 0.0:
            continue
        if left <= volume:
            if left == wanted:
                return wanted, price
            return wanted, (paid + left * price) / wanted
        paid += volume * price
        left -= volume
    size = wanted - left
    return (size, paid / size) if size > 0.0 else (0.0, math.nan)
