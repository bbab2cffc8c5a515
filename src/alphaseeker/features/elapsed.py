"""What the passing of time alone changes: averages of levels, what is left of flows."""

from __future__ import annotations

from typing import Any

from alphaseeker._jit import part
from alphaseeker.features.groups import SIGN_TIME
from alphaseeker.kernels.ewma import fill_weights
from alphaseeker.kernels.lanes import load_wide, store

__all__ = ["pass_time"]

SECONDS = 1e-9


@part
def pass_time(rec: Any, timestamp: int, elapsed_ns: int) -> None:
    """Bring the averages up to ``timestamp``, ``elapsed_ns`` after the tick before.

    The present mid, imbalance and sign are those that stood in between.
    """
    if elapsed_ns == 0:
        return
    averages = rec.averages
    weights = averages.weights
    # On a grid the time between ticks is always the same, and so are its weights.
    if elapsed_ns != averages.elapsed_ns:
        averages.elapsed_ns = elapsed_ns
        fill_weights(weights, averages.rates, elapsed_ns * SECONDS)
    quote = rec.quote
    weight = load_wide(weights, 0)
    mids = load_wide(averages.mids, 0)
    store(averages.mids, 0, mids + (quote.mid - mids) * weight)
    imbalances = load_wide(averages.imbalances, 0)
    store(averages.imbalances, 0, imbalances + (quote.imbalance - imbalances) * weight)
    flows = load_wide(averages.flows, 0)
    store(averages.flows, 0, flows - flows * weight)
    if rec.fitted.aggressor == 1:
        buys = load_wide(averages.buys, 0)
        store(averages.buys, 0, buys - buys * weight)
        sells = load_wide(averages.sells, 0)
        store(averages.sells, 0, sells - sells * weight)
    rec.flow.partial[SIGN_TIME] += quote.sign * ((timestamp - rec.clock.timestamp) * SECONDS)
    rec.clock.timestamp = timestamp
