"""Isotonic regression and calibration from their formulas, one value at a time."""

import itertools
import math


def regression(x, y, weights):
    """The rising sequence of least squares: {x: max over a <= x of min over b >= x of a mean}."""
    places = sorted(set(x))
    groups = [
        [(w, v) for p, v, w in zip(x, y, weights, strict=True) if p == place] for place in places
    ]

    def mean(first, last):
        rows = [pair for group in groups[first : last + 1] for pair in group]
        return sum(w * v for w, v in rows) / sum(w for w, _ in rows)

    count = len(places)
    return {
        places[i]: max(min(mean(a, b) for b in range(i, count)) for a in range(i + 1))
        for i in range(count)
    }


def interpolate(fitted, p):
    """Linear between the fitted places, constant beyond them."""
    places = sorted(fitted)
    if p <= places[0]:
        return fitted[places[0]]
    for left, right in itertools.pairwise(places):
        if p <= right:
            share = (p - left) / (right - left)
            return (1 - share) * fitted[left] + share * fitted[right]
    return fitted[places[-1]]


def calibrated(fit_rows, fit_label, fit_weights, rows):
    """One regression for each class against the others, then each row divided by its sum."""
    lowest = 1 / (math.fsum(fit_weights) + 2)
    classes = []
    for k in range(3):
        happened = [float(c == k) for c in fit_label]
        fitted = regression([row[k] for row in fit_rows], happened, fit_weights)
        classes.append({x: min(max(y, lowest), 1 - lowest) for x, y in fitted.items()})
    result = []
    for row in rows:
        raw = [interpolate(classes[k], row[k]) for k in range(3)]
        result.append([value / math.fsum(raw) for value in raw])
    return result
