"""What the passing of time alone changes: averages of levels, what is left of flows."""

from __future__ import annotations

from typing import Any

from alphaseeker._jit import part
from alphaseeker.features.groups import SIGN_TIME
from alphaseeker.kernels.ewma import fill_weights

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
    for i in range(weights.shape[0]):
        weight = weights[i]
        averages.mids[i] += (quote.mid - averages.mids[i]) * weight
        averages.imbalances[i] += (quote.imbalance - averages.imbalances[i]) * weight
        averages.flows[i] -= averages.flows[i] * weight
    if rec.fitted.aggressor == 1:
        for i in range(weights.shape[0]):
            averages.buys[i] -= averages.buys[i] * weights[i]
            averages.sells[i] -= averages.sells[i] * weights[i]
    rec.flow.partial[SIGN_TIME] += quote.sign * ((timestamp - rec.clock.timestamp) * SECONDS)
    rec.clock.timestamp = timestamp
