"""How often the calibration error of a forecaster that is right stays below its limit.

Labels are the sides of returns over a span of rows and overlap. The probabilities are those by
which they come: of a walk whose volatility is known, one whose drift is known, one whose next step
is half known, one of which nothing is known, and of prices that jump, now more, now less often, 10
or 3 times or once a span in the mean. The exit code is 1 where the limit of 95 % holds less than
90 % or more than 99 % of all errors of a line.

    python benchmarks/calibration_limit.py [--runs 100]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from scipy.special import ndtr

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from alphaseeker.training.calibration_limit import calibration_limit
from alphaseeker.training.metrics import expected_calibration_error
from oracles.metrics import known_forecasts

SECOND = 1_000_000_000
SIZES = ((1_200, 10), (6_000, 60), (3_000, 300))  # rows, and rows of a span
KINDS = ("volatility", "drift", "next step", "nothing", "10 jumps", "3 jumps", "1 jump")


def forecasts(kind, rows, span, seed):
    """Return probabilities, shape (rows, 3), and labels, shape (rows,)."""
    if "jump" in kind:
        return known_forecasts(rows, span, seed, jumps=int(kind.split()[0]))
    random = np.random.default_rng(seed)
    count = rows + span
    known = np.zeros(count)
    volatility = np.ones(count)
    if kind == "volatility":
        moods = random.normal(size=-(-count // (5 * span)))
        volatility = np.exp(0.5 * np.repeat(moods, 5 * span)[:count])
    elif kind == "drift":
        moods = random.normal(size=-(-count // span))
        known = 0.35 / np.sqrt(span) * np.repeat(moods, span)[:count]
    elif kind == "next step":
        known = random.normal(size=count)
    own = volatility * random.normal(size=count)
    walk = np.concatenate(([0.0], np.cumsum(own + known)))
    clock = np.concatenate(([0.0], np.cumsum(volatility**2)))
    drift = np.concatenate(([0.0], np.cumsum(known)))
    move = walk[span : span + rows] - walk[:rows]
    mean = drift[span : span + rows] - drift[:rows]
    variance = clock[span : span + rows] - clock[:rows]
    if kind == "next step":
        # What is known of the steps after the next one is not known yet.
        mean, variance = known[:rows], variance + span - 1.0
    threshold = 0.5 * np.sqrt(variance.mean())
    down = ndtr((-threshold - mean) / np.sqrt(variance))
    up = ndtr((mean - threshold) / np.sqrt(variance))
    label = np.where(move > threshold, 2, np.where(move < -threshold, 0, 1))
    return np.column_stack((down, 1.0 - down - up, up)), label.astype(np.int8)


def main() -> int:
    """Print a line for each size and kind; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=100)
    runs = parser.parse_args().runs
    print(f"{'rows':>6} {'span':>5} {'known':>11} {'error':>7} {'expected':>9} {'limit':>7} below")
    missed = False
    for rows, span in SIZES:
        times, symbol = np.arange(rows) * SECOND, np.zeros(rows, np.int64)
        for kind in KINDS:
            found = []
            for seed in range(runs):
                probabilities, label = forecasts(kind, rows, span, seed)
                error = expected_calibration_error(probabilities, label)
                figures = calibration_limit(probabilities, label, times, symbol, span * SECOND)
                found.append((error, *figures))
            errors, expected, limits = np.array(found).T
            below = float((errors <= limits).mean())
            missed |= not 0.90 <= below <= 0.99
            print(
                f"{rows:6} {span:5} {kind:>11} {errors.mean():7.4f} {expected.mean():9.4f} "
                f"{limits.mean():7.4f} {100 * below:4.1f} %",
                flush=True,
            )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
