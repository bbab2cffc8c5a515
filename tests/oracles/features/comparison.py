"""How far a computed row may lie from the formulas, and which of its columns lie further."""

import math

from oracles.features import columns_at

__all__ = ["differences"]

HALF_STEP = 6e-8  # of float32, in which columns are given; nothing where they are float64
ROUNDING = 1e-9  # of float64 sums, of all that was added up
LEAST = 1e-35  # smaller numbers are given as 0


def differences(segment, row, names, values):
    """Return a line for each column of a row that is not its formula.

    Parameters
    ----------
    segment
        The ticks, as ``oracles.features.Segment``.
    row
        Number of the tick within the segment.
    names
        The columns, which must be all that the segment has.
    values
        Shape (columns,): what was computed.
    """
    expected = columns_at(segment, row)
    assert set(expected) == set(names)
    half_step = HALF_STEP if values.dtype.itemsize == 4 else 0.0
    found = []
    for name, got in zip(names, values.tolist(), strict=True):
        value, terms = expected[name]
        allowed = half_step * abs(value) + ROUNDING * (abs(value) + terms) + LEAST
        same = math.isnan(value) and math.isnan(got)
        if not same and not abs(got - value) <= allowed:
            found.append(f"{name} at row {row}: {got!r}, oracle {value!r} +- {allowed:.1e}")
    return found
