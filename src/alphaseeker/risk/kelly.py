"""How much of the equity three outcomes are worth staking: scalar kernel without state."""

from __future__ import annotations

import math

from alphaseeker._jit import kernel

__all__ = ["kelly_fraction"]

# An edge this small a share of what is at stake is rounding: at the knife edge, nothing is staked.
_NO_EDGE = 1e-12


@kernel
def kelly_fraction(p_gain: float, p_loss: float, gain: float, loss: float, cost: float) -> float:
    """Return the notional over equity that maximises the expected log growth; 0 without an edge.

    Parameters
    ----------
    p_gain, p_loss
        Probabilities of the gain and of the loss; what is left is the probability of neither.
    gain, loss
        Shares of the notional, ``loss`` above 0.
    cost
        Of entering and leaving, share of the notional, paid in each of the three outcomes.

    Returns
    -------
    float
        From 0 to ``1 / (loss + cost)``, where a loss takes all; NaN for an input that is NaN.

    Notes
    -----
    The root of ``sum p_i x_i / (1 + f x_i)`` with ``x = gain - cost, -loss - cost, -cost``
    (Kelly 1956). Multiplied out it is a quadratic, whose smaller root is the one inside the domain.
    """
    up = gain - cost
    down = -loss - cost
    flat = -cost
    p_flat = max(1.0 - p_gain - p_loss, 0.0)
    edge = p_gain * up + p_loss * down + p_flat * flat
    stake = p_gain * abs(up) + p_loss * abs(down) + p_flat * abs(flat)
    if math.isnan(edge):
        return math.nan
    if not (edge > _NO_EDGE * stake):
        return 0.0
    square = (p_gain + p_loss + p_flat) * up * down * flat
    slope = p_gain * up * (down + flat) + p_loss * down * (up + flat) + p_flat * flat * (up + down)
    root = 2.0 * edge / (math.sqrt(max(slope * slope - 4.0 * square * edge, 0.0)) - slope)
    return min(root, -1.0 / down)
