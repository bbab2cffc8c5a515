"""Random rules and random events: the risk machine beside rules written slowly and a ledger.

    python benchmarks/risk_sequences.py [--sequences 100000] [--first 0] [--seed 0]

Each sequence draws its rules and up to 30 events of three symbols on one account. At every step
action, reason, state, position and counters are compared with the rules; equity, fees and funding
with a ledger in ``Decimal``, to the cent; every entry is held against each limit on the account
itself; and every loss that touched a limit against the price gap that made it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from risk_twin import Twin, random_config, random_events


def run(first: int, sequences: int, seed: int) -> tuple[Counter[str], float, float]:
    """Return the counts, the largest passing of a limit and the largest distance in money."""
    counts: Counter[str] = Counter()
    overshoot = distance = 0.0
    for index in range(first, first + sequences):
        rng = np.random.default_rng([seed, index])
        twin = Twin(random_config(rng))
        events = random_events(rng, int(rng.integers(5, 31)))
        try:
            for event in events:
                twin.take(event)
        except AssertionError as error:
            raise AssertionError(f"sequence {index} of seed {seed}: {error}") from error
        counts.update(twin.counts)
        counts["steps"] += len(events)
        overshoot = max(overshoot, twin.overshoot)
        distance = max(distance, twin.worst_cents)
    return counts, overshoot, distance


def main() -> None:
    """Run what the command line asks for and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sequences", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    begun = time.perf_counter()
    counts, overshoot, distance = run(arguments.first, arguments.sequences, arguments.seed)
    print(
        f"{arguments.sequences:,} sequences in {time.perf_counter() - begun:,.0f} s, none differs"
    )
    for name, count in sorted(counts.items()):
        print(f"  {name:24} {count:>12,}")
    print(f"largest passing of a limit: {overshoot:.2%} of the price gap that made it")
    print(f"largest distance from the ledger: {distance:.3g} in money")


if __name__ == "__main__":
    main()
