"""A hundred million ticks through one record, computed anew at checkpoints.

python benchmarks/stability.py [--ticks 100000000] [--checkpoints 20]

At each checkpoint some rows are computed from the formulas by the oracles of the tests, which carry
nothing from row to row, out of the ticks of the last ten hours: what is older weighs less than
1e-12. Only averages over bars and of minutes are older; they are carried along in extended
precision (``long_memory``).

A column may be off by 2 ulp of float32, or near 0, where its terms cancel, by 1e-9 of the sum of
their absolute values. The last columns of the table say how often the second was needed, and of how
many values.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import deque
from pathlib import Path

import numpy as np
from long_memory import LongMemory
from simulated_ticks import LEVELS, STEPS_A_UNIT, TICK_SIZE, SimulatedTicks

from alphaseeker.features.allocation import allocate_session
from alphaseeker.features.batch import run_ticks
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FAMILIES, FEATURES
from alphaseeker.features.layout import feature_vector
from alphaseeker.features.microprice import fit_microprice
from alphaseeker.market.gate import Verdict
from alphaseeker.market.schema import TickSeries

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from oracles.features import Segment, columns_at

CHUNK = 200_000
TAIL_NS = 10 * 3_600 * 10**9
LAST = 2_000  # ticks of a checkpoint whose rows are kept
ROWS = 4  # of them computed anew
FIELDS = (
    *("timestamp", "bid_price", "ask_price", "bid_volume", "ask_volume", "close", "volume"),
    *("buy_volume", "sell_volume"),
)
ALLOWED_ULP = 2.0
ALLOWED_SHARE = 1e-9
SHOWN = 5  # checkpoints in the table


class Run:
    """One record, what it was given last, and what the oracles have to say about it."""

    def __init__(self):
        self.market = SimulatedTicks()
        ticks, depth = SimulatedTicks(number=2).take(CHUNK)
        series = TickSeries(symbol="", ticks=ticks, rows=np.arange(CHUNK), depth=depth)
        self.weights = np.linspace(1.0, 0.1, LEVELS) / np.linspace(1.0, 0.1, LEVELS).sum()
        self.table = fit_microprice([series], TICK_SIZE)
        self.settings = FeatureSettings(
            tick_size=TICK_SIZE,
            aggressor=True,
            depth_levels=LEVELS,
            microprices={"": self.table} if self.table is not None else {},
            ofi_weights={"": self.weights.tolist()},
        )
        self.records = allocate_session(self.settings)
        self.vector = feature_vector(self.records)
        self.memory = LongMemory(STEPS_A_UNIT)
        self.tail = deque()
        self.seconds = 0.0

    def step(self, ticks, depth, columns):
        """Run ticks through the record and return the rows that it accepted."""
        count = len(ticks)
        values = np.empty((count, len(columns)), dtype=np.float32)
        verdicts = np.empty(count, dtype=np.int8)
        segments, history = np.empty((2, count), dtype=np.int64)
        rest = (columns, values, verdicts, segments, history, np.empty(count))
        start = time.perf_counter()
        run_ticks(self.records, self.vector, ticks, depth, *rest)
        self.seconds += time.perf_counter() - start
        kept = (verdicts >= 0) & (verdicts < int(Verdict.REPEATED))
        assert (segments == 1).all(), "a gap began a segment: the record should live through all"
        return ticks[kept], depth[kept], values[kept]

    def advance(self, count):
        """Give the record ``count`` ticks of which nothing is read."""
        for begin in range(0, count, CHUNK):
            ticks, depth = self.market.take(min(CHUNK, count - begin))
            ticks, depth, _ = self.step(ticks, depth, np.empty(0, dtype=np.int64))
            self.memory.add(ticks)
            self.remember(ticks, depth)

    def remember(self, ticks, depth):
        self.tail.append((ticks, depth))
        while self.tail[0][0]["timestamp"][-1] < ticks["timestamp"][-1] - TAIL_NS:
            self.tail.popleft()

    def check(self):
        """Return {name: errors} of a few rows after the last: see ``errors``."""
        ticks, depth = self.market.take(LAST)
        ticks, depth, values = self.step(ticks, depth, np.arange(len(FEATURES)))
        self.remember(ticks, depth)
        every = np.concatenate([part for part, _ in self.tail])
        levels = np.concatenate([part for _, part in self.tail])
        fields = (every[name] for name in FIELDS)
        segment = Segment(
            *fields,
            bucket_s=1.0,
            tick_size=TICK_SIZE,
            aggressor=True,
            depth=levels,
            depth_levels=LEVELS,
            microprice=self.table,
            ofi_weights=self.weights,
        )
        found_errors, begin = {feature.name: [] for feature in FEATURES}, 0
        for row in np.linspace(LAST // 10, len(ticks) - 1, ROWS).astype(int).tolist():
            self.memory.add(ticks[begin : row + 1])
            begin = row + 1
            expected = columns_at(segment, len(every) - len(ticks) + row)
            expected = {name: _pair(value) for name, value in expected.items()}
            # Averages in float64 of what is no difference: nothing cancels in them but the line.
            for name, value in self.memory.columns().items():
                expected[name] = (value, expected[name][1])
            for feature, found in zip(FEATURES, values[row].astype(float).tolist(), strict=True):
                found_errors[feature.name].append(errors(found, *expected[feature.name]))
        if begin < len(ticks):
            self.memory.add(ticks[begin:])
        return found_errors


def _pair(value):
    return value if isinstance(value, tuple) else (value, 0.0)


def errors(found, expected, terms):
    """Return the error in ulp of float32 and as a multiple of the share of terms allowed.

    None where both are NaN.
    """
    if np.isnan(found) and np.isnan(expected):
        return None
    error = abs(found - expected)
    if error == 0.0:
        return 0.0, 0.0
    by_ulp = error / float(np.spacing(np.float32(abs(expected)))) if expected else np.inf
    by_terms = error / (ALLOWED_SHARE * terms) if terms else np.inf
    return (np.inf, np.inf) if np.isnan(error) else (by_ulp, by_terms)


def excused(pair):
    """Say whether a value is near 0, and right as a sum of terms that cancel."""
    return pair[0] > ALLOWED_ULP and pair[1] <= 1.0


def worst(found_errors, prefix=""):
    """Return the largest error in ulp that is not excused, and its column."""
    return max(
        (pair[0], name)
        for name, pairs in found_errors.items()
        for pair in [*pairs, (0.0, 0.0)]
        if name.startswith(prefix) and pair is not None and not excused(pair)
    )


def report(ticks, checks):
    """Print the table of docs/performance.md and return whether every error is allowed."""
    shown = sorted({round(place) for place in np.linspace(0, len(checks) - 1, SHOWN)})
    titles = [f"{ticks[place] / 1e6:.0f} million" for place in shown]
    print(f"\n| family | {' | '.join(titles)} | worst of all | where | near 0 | values |")
    print("|---|" + "---|" * (len(shown) + 4))
    good = True
    for family in FAMILIES:
        cells = [f"{worst(checks[place], family + '.')[0]:.2f}" for place in shown]
        off, name = max(worst(check, family + ".") for check in checks)
        names = [feature.name for feature in FEATURES if feature.family == family]
        pairs = {name: [p for check in checks for p in check[name] if p] for name in names}
        every = [pair for of_one in pairs.values() for pair in of_one]
        near_0 = sum(excused(pair) for pair in every)
        print(
            f"| {family} | {' | '.join(cells)} | {off:.2f} | {name} | {near_0} | {len(every):,} |"
        )
        unseen = [name for name, of_one in pairs.items() if not of_one]
        if unseen:
            print(f"\nnever finite: {', '.join(unseen)}\n")
        good = good and off <= ALLOWED_ULP and not unseen
    return good


def main():
    """Run, report, and fail where an error is larger than allowed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ticks", type=int, default=100_000_000)
    parser.add_argument("--checkpoints", type=int, default=20)
    options = parser.parse_args()
    run, ticks, checks = Run(), [], []
    start = time.perf_counter()
    block = options.ticks // options.checkpoints
    for _ in range(options.checkpoints):
        run.advance(block - LAST)
        checks.append(run.check())
        ticks.append(block * len(checks))
        off, name = worst(checks[-1])
        print(
            f"{ticks[-1]:>12,} ticks, {time.perf_counter() - start:6.0f} s, "
            f"worst {off:.2f} ulp ({name})",
            flush=True,
        )
    good = report(ticks, checks)
    clock = run.records["clock"]
    days = float(clock["bucket"][0] - clock["first_bucket"][0]) / 86_400
    print(f"\n{days:.0f} days of market, {run.seconds / ticks[-1] * 1e9:.0f} ns a tick")
    if not good:
        raise SystemExit("a column is off by more than allowed, or was never finite")


if __name__ == "__main__":
    main()
