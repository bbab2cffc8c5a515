"""What the grades of ``evaluate_factors`` make of noise, and of a signal that is known.

python benchmarks/factor_null.py [noise] [alone] [past] [level] [planted] [month] [--seeds N]

- noise: 200 factors that know nothing, of each of three kinds (random walk, AR of .98 and .99,
  heavy tails), against mids with normal steps, heavy tails and clustered volatility in turn, on
  each shape of data: at most 1 % may be graded B or better.
- alone: the same, each factor evaluated by itself, so that nothing is corrected: what a single
  try at a useless factor gives. The bound is the level of the test, 5 %.
- past: 40 factors made of a random walk's own past (returns over windows, distances from averages,
  variances): the hardest noise there is, since they trend with the price that they are held
  against. Over all shapes at most 1 % may be graded B or better; how many sets hold one is told.
- level: the price level of a random walk, which ranking within blocks mistakes for knowledge:
  D or E.
- planted: a factor with a correlation of .1 with the return over 60 s, 16 hours of 1 s data, among
  99 that know nothing: AAA. Beside it one whose noise is as slow as the return.
- month: correlation .02 with the return over 60 s, a month of 1 s data (2,592,000 rows), in a set
  of 110 factors: B or better. Beside it the slow one, and a year of 1 min bars.

The exit code is 1 if a figure is missed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from alphaseeker.config import Config
from alphaseeker.factors.evaluation import evaluate_factor_blocks
from alphaseeker.factors.grade import GRADES

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from known_factors import SHAPES, Shape, block_of, mid_of, noise, own_past, planted, times

KINDS = ("walk", "persistent", "heavy")
MIDS = ("normal", "heavy", "clustered")
MOST_NOISE = 0.01
ALPHA = 0.05
GOOD = [name for name, least in GRADES.items() if least >= GRADES["B"]]
MONTH = Shape(rows=2_592_000)
YEAR_OF_BARS = Shape(rows=525_600, step_s=60.0)


def grades(timestamp, mid, columns, shape, names=None):
    """Return the grade of each column, by name."""
    config = Config().override({"FORWARD_S": shape.forward_s})
    block = block_of(timestamp, mid, columns, names=names)
    found = evaluate_factor_blocks([block], config, decay=False, context=False)
    return {result["factor_name"]: result["grade"] for result in found["factor_results"]}


def market(seed, shape, kind=None):
    """Return a generator, time stamps and a mid; of the three kinds of mids in turn."""
    random = np.random.default_rng(seed)
    timestamp = times(random, shape)
    return random, timestamp, mid_of(random, timestamp, kind or MIDS[seed % len(MIDS)])


def share(counts, names):
    """Return which part of what was counted has one of ``names``."""
    return sum(counts[name] for name in names) / max(sum(counts.values()), 1)


def line(first, counts, names):
    """Return a row of a table: what, how many, the counts of each grade, the share of ``names``."""
    cells = " | ".join(str(counts[name]) for name in GRADES)
    return f"| {first} | {sum(counts.values()):,} | {cells} | {share(counts, names):.2%} |"


def head(title, names):
    grades_in_order = " | ".join(GRADES)
    rule = "|".join(["---"] * (len(GRADES) + 3))
    return f"\n| {title} | factors | {grades_in_order} | {names} |\n|{rule}|"


def noise_table(seeds, show, *, columns=200, shapes=SHAPES):
    """Grade noise in sets of ``columns``; return what is missed."""
    show(head("noise, in sets of 200", "B or better"))
    missed = []
    for title, shape in shapes.items():
        for kind in KINDS:
            counts: Counter[str] = Counter()
            for seed in range(seeds):
                random, timestamp, mid = market(seed, shape)
                values = noise(random, shape.rows, columns, kind)
                counts.update(grades(timestamp, mid, values, shape).values())
            show(line(f"{title}: {kind}", counts, GOOD))
            if share(counts, GOOD) > MOST_NOISE:
                missed.append(f"noise: {title}, {kind}: {share(counts, GOOD):.2%} B or better")
    return missed


def alone_table(seeds, show, *, columns=30, shapes=SHAPES):
    """Grade each noise factor by itself; return what is missed."""
    show(head("noise, one at a time", "B or better"))
    missed = []
    for title, shape in shapes.items():
        for kind in KINDS:
            counts: Counter[str] = Counter()
            for seed in range(seeds):
                random, timestamp, mid = market(seed, shape)
                values = noise(random, shape.rows, columns, kind)
                for column in values.T:
                    counts.update(grades(timestamp, mid, column[:, None], shape).values())
            show(line(f"{title}: {kind}", counts, GOOD))
            if share(counts, GOOD) > ALPHA:
                missed.append(f"alone: {title}, {kind}: {share(counts, GOOD):.2%} B or better")
    return missed


def past_table(seeds, show, *, columns=40, shapes=SHAPES):
    """Grade what is made of a random walk's own past; return what is missed."""
    show(head(f"the walk's own past, in sets of {columns}", "B or better"))
    every: Counter[str] = Counter()
    sets, wrong = 0, 0
    for title, shape in shapes.items():
        for kind in MIDS:
            counts: Counter[str] = Counter()
            good = 0
            for seed in range(seeds):
                _, timestamp, mid = market(1000 + seed, shape, kind)
                found = grades(timestamp, mid, own_past(mid, columns), shape)
                counts.update(found.values())
                good += any(grade in GOOD for grade in found.values())
            show(line(f"{title}: {kind} steps ({good} of {seeds} sets)", counts, GOOD))
            every.update(counts)
            sets, wrong = sets + seeds, wrong + good
    show(f"\nsets that hold one at B or better: {wrong} of {sets} ({wrong / sets:.1%})")
    if share(every, GOOD) > MOST_NOISE:
        return [f"past: {share(every, GOOD):.2%} of {sum(every.values())} factors B or better"]
    return []


def level_table(seeds, show, *, shapes=SHAPES):
    """Grade the mid itself, 5 walks a seed and kind; return what is missed."""
    show(head("price level of a random walk", "D or E"))
    missed = []
    for title, shape in shapes.items():
        for kind in MIDS:
            counts: Counter[str] = Counter()
            for seed in range(5 * seeds):
                _, timestamp, mid = market(seed, shape, kind)
                level = (mid - mid.mean()) / mid.std()
                counts.update(grades(timestamp, mid, level[:, None], shape).values())
            show(line(f"{title}: {kind} steps", counts, ("D", "E")))
            if share(counts, ("D", "E")) < 1.0:
                missed.append(f"level: {title}, {kind}: {share(counts, ('D', 'E')):.2%} D or E")
    return missed


def planted_table(seeds, show, *, strength=0.1, columns=100):
    """Grade a correlation of .1 over 16 hours; return what is missed."""
    show(head("planted .1 at 60 s, 16 h of a 1 s grid", "AAA"))
    shape = SHAPES["16 h of a 1 s grid"]
    missed = []
    for kind in MIDS:
        fast: Counter[str] = Counter()
        slow: Counter[str] = Counter()
        for seed in range(seeds):
            random, timestamp, mid = market(seed, shape, kind)
            values = noise(random, shape.rows, columns, "persistent")
            values[:, 0] = planted(random, timestamp, mid, strength, shape.forward_s)
            values[:, 1] = planted(random, timestamp, mid, strength, shape.forward_s, memory=0.98)
            found = grades(timestamp, mid, values, shape)
            fast[found["factor_0"]] += 1
            slow[found["factor_1"]] += 1
        show(line(f"{kind} steps, white noise beside it", fast, ("AAA",)))
        show(line(f"{kind} steps, AR(.98) beside it", slow, ("AAA",)))
        if kind != "clustered" and share(fast, ("AAA",)) < 1.0:
            missed.append(f"planted: {kind}: {share(fast, ('AAA',)):.0%} AAA")
    return missed


def month_table(seeds, show, *, strength=0.02, columns=110):
    """Grade a correlation of .02 over a month; return what is missed."""
    show(head("planted .02, in sets of 110", "B or better"))
    missed = []
    for title, shape in (
        ("a month of 1 s, 60 s ahead", MONTH),
        ("a year of 1 min bars, 60 s ahead", YEAR_OF_BARS),
    ):
        fast: Counter[str] = Counter()
        slow: Counter[str] = Counter()
        for seed in range(seeds):
            random, timestamp, mid = market(seed, shape)
            values = np.empty((shape.rows, columns), dtype=np.float32)
            values[:, : columns // 5] = noise(random, shape.rows, columns // 5, "persistent")
            # A whole set of planted ones: each is corrected for as many tries as if it stood alone.
            for column in range(columns // 5, columns):
                values[:, column] = planted(
                    random, timestamp, mid, strength, shape.forward_s, (0.0, 0.98)[column % 2]
                )
            found = grades(timestamp, mid, values, shape)
            for column in range(columns // 5, columns):
                (slow if column % 2 else fast)[found[f"factor_{column}"]] += 1
        show(line(f"{title}: white noise beside it", fast, GOOD))
        show(line(f"{title}: AR(.98) beside it", slow, GOOD))
        if share(fast, GOOD) < 1.0:
            missed.append(f"month: {title}: {share(fast, GOOD):.1%} B or better")
    return missed


TABLES = {
    "noise": (noise_table, 20),
    "alone": (alone_table, 20),
    "past": (past_table, 20),
    "level": (level_table, 20),
    "planted": (planted_table, 20),
    "month": (month_table, 3),
}


def main():
    """Print the tables asked for, and fail where a figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", metavar="|".join(TABLES))
    parser.add_argument("--seeds", type=int, help="of every table, instead of 20 (month: 3)")
    options = parser.parse_args()
    unknown = set(options.tables) - set(TABLES)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: the tables are {', '.join(TABLES)}")
    missed = []
    for name in options.tables or TABLES:
        run, seeds = TABLES[name]
        start = time.perf_counter()
        missed += run(options.seeds or seeds, lambda text: print(text, flush=True))
        print(f"\n{name}: {time.perf_counter() - start:.0f} s", flush=True)
    print("\n" + ("\n".join(missed) if missed else "every figure is reached"))
    if missed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
