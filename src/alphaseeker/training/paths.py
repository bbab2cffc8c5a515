"""Score cards of several paths over the same rows: their mean, and how far they lie apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["mean_card", "spread_of"]


def mean_card(cards: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the mean of every number; whole numbers stay whole.

    Bounds of intervals are averaged too: the interval of one path, which is wider than that of
    the mean of all. A path without an interval has no part in it.

    Parameters
    ----------
    cards
        Of the same form, one or more; of one, that one.
    """
    if len(cards) == 1:
        return dict(cards[0])
    return {key: _mean([card[key] for card in cards]) for key in cards[0]}


def _mean(values: Sequence[Any]) -> Any:
    first = values[0]
    if isinstance(first, Mapping):
        return mean_card(values)
    if isinstance(first, list):
        given = [value for value in values if value]
        return [_mean(items) for items in zip(*given, strict=True)]
    mean = sum(values) / len(values)
    return round(mean) if all(isinstance(value, int) for value in values) else mean


def spread_of(cards: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Return [lowest, highest] of every metric over several cards, nothing of one alone."""
    if len(cards) == 1:
        return {}
    return {
        key: [min(card[key] for card in cards), max(card[key] for card in cards)]
        for key, value in cards[0].items()
        if isinstance(value, float)
    }
