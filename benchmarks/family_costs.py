"""What each family costs: the batch loop with the family's kernels replaced by empty ones.

python benchmarks/family_costs.py [--runs 15]

``pytest benchmarks/test_features.py -k families`` prints the same table. Every figure comes from a
process of its own, in which the replacement is made before anything is compiled, and kernels
compile in memory. Sums that several families share are rows of their own, and what is left is the
gate, the clock and the copy of the row. A family that is taken away can make another cheaper (no
returns, no statistics of them): the parts need not add up to the whole. Times are of the processor.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time

from captures import EVENTS, GRID, Loop, load
from numba import njit

from alphaseeker.features import buckets, step, write
from alphaseeker.features.catalogue import FAMILIES

CALLERS = (write, buckets, step)
# Beside the families: what several of them read.
SHARED = {
    "extrema": ("_close_extrema",),
    "deviations": ("_close_series",),
    "window sums": ("window_sums_step",),
    "averages by time": ("pass_time",),
}
WITH_INPUTS = ("depth", "aggressor")
PARTS = [*FAMILIES, *SHARED]


def empty(function):
    """Return a kernel with the same number of arguments that does nothing."""
    count = function.py_func.__code__.co_argcount
    scope: dict = {}
    exec(f"def nothing({', '.join(f'a{i}' for i in range(count))}): return False", scope)
    return njit(scope["nothing"])


def remove(part):
    """Replace the kernels of a family, or shared ones, where the step calls them."""
    module = f"alphaseeker.features.families.{part}"
    replaced = 0
    for caller in CALLERS:
        for name, function in list(vars(caller).items()):
            code = getattr(function, "py_func", None)
            if code is None:
                continue
            if name in SHARED.get(part, ()) or code.__module__ == module:
                setattr(caller, name, empty(function))
                replaced += 1
    if replaced == 0:
        raise SystemExit(f"no kernel of {part!r} was found")


def measure(parts, runs, inputs):
    """Return the least nanoseconds a tick on both captures, without ``parts``."""
    for part in parts:
        remove(part)
    found = []
    for name in (EVENTS, GRID):
        loop = Loop(*load(name, sides=inputs, depth=inputs))
        times = []
        for _ in range(runs + 1):
            start = time.process_time()
            loop()
            times.append(time.process_time() - start)
        found.append(min(times[1:]) / len(loop.series) * 1e9)
    return found


def run(parts, runs, inputs=False):
    """Call ``measure`` in a fresh process."""
    # No folder below a file can be made: kernels are compiled in memory.
    environment = {**os.environ, "ALPHASEEKER_CACHE_DIR": os.devnull + "/none"}
    command = [sys.executable, __file__, "--runs", str(runs), "--without", *parts]
    command += ["--inputs"] if inputs else []
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)


def row(title, whole, rest):
    """Print what a part costs on each capture, and its share."""
    cells = [
        f"{all_of_it - without:6.0f} | {(all_of_it - without) / all_of_it:4.0%}"
        for all_of_it, without in zip(whole, rest, strict=True)
    ]
    print(f"| {title} | {' | '.join(cells)} |", flush=True)


def table(runs, only):
    """Print what each part costs."""
    whole = run([], runs)
    print("| part | BTC quotes, ns a tick | share | NEXO (1 s grid), ns a tick | share |")
    print("|---|---|---|---|---|")
    print(f"| everything | {whole[0]:.0f} | | {whole[1]:.0f} | |", flush=True)
    for part in only:
        if part not in WITH_INPUTS:
            row(part, whole, run([part], runs))
    parts = [part for part in (*FAMILIES, *SHARED) if part not in WITH_INPUTS]
    rest = run(parts, runs)
    print(f"| none of these | {rest[0]:.0f} | | {rest[1]:.0f} | |", flush=True)
    whole = run([], runs, inputs=True)
    print(f"| everything, depth and sides read | {whole[0]:.0f} | | {whole[1]:.0f} | |", flush=True)
    for part in WITH_INPUTS:
        if part in only:
            row(part, whole, run([part], runs, inputs=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--only", nargs="*", default=PARTS)
    parser.add_argument("--without", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--inputs", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.without is not None:
        print(json.dumps(measure(options.without, options.runs, options.inputs)))
    else:
        table(options.runs, options.only)


if __name__ == "__main__":
    main()
