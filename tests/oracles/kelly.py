"""The Kelly stake of three outcomes, by searching for the root of its own equation."""

from __future__ import annotations

from scipy.optimize import brentq


def kelly_stake(p_gain: float, p_loss: float, gain: float, loss: float, cost: float) -> float:
    """Return the notional over equity at which the expected log growth is largest."""
    outcomes = [
        (p_gain, gain - cost),
        (p_loss, -loss - cost),
        (max(1.0 - p_gain - p_loss, 0.0), -cost),
    ]

    def slope(stake: float) -> float:
        return sum(p * x / (1.0 + stake * x) for p, x in outcomes if p > 0.0)

    # What the rounding of a fair bet leaves is no edge.
    if slope(0.0) <= 1e-12 * sum(p * abs(x) for p, x in outcomes):
        return 0.0
    most = 1.0 / (loss + cost)
    if slope(most * (1.0 - 1e-14)) >= 0.0:
        return most
    return float(brentq(slope, 0.0, most * (1.0 - 1e-14), xtol=1e-15, rtol=1e-14))
