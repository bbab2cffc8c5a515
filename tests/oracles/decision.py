"""Softmax with temperature and bias, and the decision, from the formula in decimal arithmetic."""

import decimal
from collections.abc import Sequence


def probabilities(
    scores: Sequence[float], temperature: float, bias: Sequence[float]
) -> list[float]:
    """Return exp(s_i / T + b_i) / sum of all of them, with 60 digits."""
    with decimal.localcontext() as context:
        context.prec = 60
        context.Emax, context.Emin = decimal.MAX_EMAX, decimal.MIN_EMIN
        context.traps[decimal.Underflow] = False
        exponents = [
            decimal.Decimal(score) / decimal.Decimal(temperature) + decimal.Decimal(shift)
            for score, shift in zip(scores, bias, strict=True)
        ]
        largest = max(exponents)
        weights = [(exponent - largest).exp() for exponent in exponents]
        return [float(weight / sum(weights)) for weight in weights]


def decide(probability: Sequence[float], min_confidence: float) -> str:
    """Return the name of the choice: SELL, HOLD, BUY or LOW_CONFIDENCE."""
    winners = [index for index in range(3) if probability[index] == max(probability)]
    if winners not in ([0], [2]):
        return "HOLD"
    if probability[winners[0]] < min_confidence:
        return "LOW_CONFIDENCE"
    return "SELL" if winners == [0] else "BUY"
