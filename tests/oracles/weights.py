"""Weights of labels that overlap, from their definitions, in exact fractions."""

from fractions import Fraction


def bar_uniqueness(spans):
    """Mean over a label's bars of 1 / the labels that are open in the bar (0/1 rows of bars)."""
    open_labels = [sum(bar) for bar in zip(*spans, strict=True)]
    result = []
    for span in spans:
        shares = [Fraction(1, open_labels[bar]) for bar, held in enumerate(span) if held]
        result.append(float(sum(shares) / len(shares)))
    return result


def _open_at(moment, start, end, rows):
    """Labels of ``rows`` that are open just after ``moment``."""
    return sum(start[j] <= moment < end[j] for j in rows)


def uniqueness(start, end, symbol):
    """Mean over a label's time of 1 / the labels of its symbol that are open at that time."""
    start, end = [int(t) for t in start], [int(t) for t in end]
    result = []
    for i in range(len(start)):
        rows = [j for j in range(len(start)) if symbol[j] == symbol[i]]
        if start[i] == end[i]:
            alike = sum(start[j] == end[j] == start[i] for j in rows)
            result.append(1 / (_open_at(start[i], start, end, rows) + alike))
            continue
        times = {t for j in rows for t in (start[j], end[j]) if start[i] <= t <= end[i]}
        moments = sorted(times)
        total = sum(
            Fraction(moments[k + 1] - moments[k], _open_at(moments[k], start, end, rows))
            for k in range(len(moments) - 1)
        )
        result.append(float(total / (end[i] - start[i])))
    return result


def recency(timestamp, half_life):
    newest = max(timestamp)
    raw = [0.5 ** ((newest - t) / half_life) for t in timestamp]
    return [weight * len(raw) / sum(raw) for weight in raw]


def balanced(weights, label):
    """Every class that is there gets the same total, and the mean is 1."""
    classes = set(label)
    totals = {k: sum(w for w, c in zip(weights, label, strict=True) if c == k) for k in classes}
    raw = [w / totals[c] for w, c in zip(weights, label, strict=True)]
    return [weight * len(raw) / len(classes) for weight in raw]
