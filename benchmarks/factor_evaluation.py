"""What an evaluation of factors costs: time and memory, beside a plain one and alphalens.

python benchmarks/factor_evaluation.py [speed] [peers] [stream] [--rows N] [--threads N]

- speed: 110 factors over 1,000,000 rows of one second at 3 horizons: at most 30 s and 2 GB.
- peers: seconds for each row, factor and horizon, in one run, at the same work: ours, that of
  ``factors_plain.py`` (pandas and SciPy: at least 100 times ours) and, where it is installed, mean
  IC by block, returns by quantile, turnover and autocorrelation by alphalens (at least 5 times).
- stream: peak memory of an evaluation of 8 columns of a SIMULATED file without quotes, of 1 and of
  5 million rows: what is read beyond MATRIX_MEMORY_MB stands in files, and so peaks are alike.

The exit code is 1 if a figure is missed.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from factors_plain import QUANTILES, evaluate_plainly

from alphaseeker.config import Config
from alphaseeker.factors.evaluation import evaluate_factor_blocks
from alphaseeker.features.block import FeatureBlock
from alphaseeker.market.quality import QualityReport
from alphaseeker.training.factor_run import evaluate_factor_source

SECOND = 10**9
HORIZONS = (10, 60, 300)
MOST_S, MOST_MB = 30.0, 2_000.0
PLAIN_TIMES, ALPHALENS_TIMES = 100.0, 5.0
MOST_GROWTH_MB = 300.0


def block_of(rows, factors, seed=0):
    """Return noise, half of it with a warm-up, and a planted factor."""
    rng = np.random.default_rng(seed)
    mid = 100.0 * np.exp(np.cumsum(1e-4 * rng.standard_normal(rows)))
    values = np.empty((rows, factors), dtype=np.float32, order="F")
    for column in range(factors):
        values[:, column] = rng.standard_normal(rows, dtype=np.float32)
        values[: 900 * (column % 2), column] = np.nan
    ahead = np.log(np.roll(mid, -60) / mid)
    values[:, 0] += 0.1 * ahead / ahead[:-60].std()
    zeros = np.zeros(rows, dtype=np.int64)
    return FeatureBlock(
        symbol="BENCH",
        names=tuple(f"factor_{column}" for column in range(factors)),
        values=values,
        timestamp=np.arange(rows) * SECOND,
        mid=mid,
        spread=np.full(rows, 0.01),
        close=mid,
        segment=zeros,
        history=zeros,
        verdict=zeros.astype(np.int8),
        row=np.arange(rows),
        bucket_s=1.0,
        quality=QualityReport(),
    )


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def evaluated(block, threads):
    started, worked = time.perf_counter(), time.process_time()
    result = evaluate_factor_blocks([block], Config(), threads=threads)
    return result, time.perf_counter() - started, time.process_time() - worked


def warm(threads):
    """Compile all that is called."""
    evaluate_factor_blocks([block_of(20_000, 3)], Config(), threads=threads)


def speed(rows, threads):
    warm(threads)
    block = block_of(rows, 110)
    before = peak_mb()
    _, seconds, worked = evaluated(block, threads)
    print(
        f"110 factors x {rows:,} rows x 3 horizons, {threads} threads: {seconds:.1f} s "
        f"({worked:.1f} s of processor), peak {peak_mb():,.0f} MB ({before:,.0f} MB before)"
    )
    return seconds <= MOST_S and peak_mb() <= MOST_MB


def by_alphalens(block, column, blocks):
    """Return the IC of every block and horizon, a block being what alphalens takes for a day."""
    from alphalens import performance, utils

    mid = block.mid
    frame = pd.DataFrame(
        {
            f"{horizon}s": np.append(np.log(mid[horizon:] / mid[:-horizon]), [np.nan] * horizon)
            for horizon in HORIZONS
        }
    )
    frame["factor"] = block.values[:, column].astype(np.float64)
    day = np.arange(len(mid)) * blocks // len(mid)
    frame["date"] = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(day, unit="D")
    frame["asset"] = np.arange(len(mid)) % (len(mid) // blocks)
    frame = frame.dropna().set_index(["date", "asset"])
    frame["factor_quantile"] = utils.quantize_factor(frame, quantiles=QUANTILES)
    ics = performance.factor_information_coefficient(frame)
    means, errors = performance.mean_return_by_quantile(frame, by_date=True)
    performance.compute_mean_returns_spread(means, QUANTILES, 1, errors)
    for quantile in (1, QUANTILES):
        performance.quantile_turnover(frame["factor_quantile"], quantile)
    performance.factor_rank_autocorrelation(frame)
    return ics


def peers(threads):
    warm(threads)
    rows, few = 57_600, 3
    block = block_of(rows, 110)
    evaluated(block, threads)
    result, seconds, worked = min((evaluated(block, threads) for _ in range(3)), key=lambda x: x[1])
    ours = seconds / (rows * 110 * len(HORIZONS))
    print(f"ours       {ours * 1e9:10,.1f} ns a row, factor and horizon ({worked:.2f} s worked)")
    short = replace(block, mid=block.mid[:20_000], values=block.values[:20_000])
    evaluate_plainly(pd.Series(short.values[:, 0]), pd.Series(short.mid), 60)
    started, working = time.perf_counter(), time.process_time()
    for column in range(few):
        evaluate_plainly(pd.Series(short.values[:, column]), pd.Series(short.mid), 60)
    plain = (time.perf_counter() - started) / (20_000 * few)
    busy = (time.process_time() - working) / few
    print(
        f"plain      {plain * 1e9:10,.1f} ns, {plain / ours:,.0f} times ours ({busy:.2f} s worked)"
    )
    good = plain >= PLAIN_TIMES * ours
    try:
        import alphalens  # noqa: F401
    except ImportError:
        print("alphalens is not installed")
        return good
    by_alphalens(block, 0, 40)
    started = time.perf_counter()
    found = [by_alphalens(block, column, 40) for column in range(few)]
    theirs = (time.perf_counter() - started) / (rows * few * len(HORIZONS))
    print(f"alphalens  {theirs * 1e9:10,.1f} ns, {theirs / ours:,.0f} times ours")
    for column in range(few):
        own = next(
            one for one in result["factor_results"] if one["factor_name"] == f"factor_{column}"
        )
        # It leaves rows out that lack the return of any horizon: the last block is another one.
        ics = found[column]["60s"].to_numpy()[:-1]
        np.testing.assert_allclose(own["rolling_ic"][:-1], ics, atol=1e-9)
    return good and theirs >= ALPHALENS_TIMES * ours


def write_bars(path, rows):
    """Write SIMULATED bars of one second, 8 columns, a piece at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(1)
    price, done, writer = 100.0, 0, None
    while done < rows:
        count = min(250_000, rows - done)
        walk = price * np.exp(np.cumsum(1e-4 * rng.standard_normal(count)))
        table = pa.table(
            {
                "timestamp": 1_700_000_000_000 + 1_000 * np.arange(done, done + count),
                "close": walk,
                **{f"factor_{k}": rng.standard_normal(count) for k in range(8)},
            }
        )
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
        price, done = walk[-1], done + count
    writer.close()


def one_stream(path):
    """Evaluate a file, and say what the peak was before and after."""
    warm(2)
    before = peak_mb()
    started = time.perf_counter()
    result = evaluate_factor_source(
        path,
        Config().override({"MATRIX_MEMORY_MB": 64.0}),
        columns=[f"factor_{k}" for k in range(8)],
        only_columns=True,
        report_path=Path(path).with_suffix(".json"),
    )
    print(before, peak_mb(), time.perf_counter() - started, result["streamed"])


def stream(rows):
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for count in (rows // 5, rows):
            path = Path(folder) / f"{count}.parquet"
            write_bars(path, count)
            ran = subprocess.run(
                [sys.executable, __file__, "--one-stream", str(path)],
                capture_output=True,
                text=True,
                check=True,
            )
            before, peak, seconds, streamed = ran.stdout.split()[-4:]
            peaks.append(float(peak))
            print(
                f"stream of {count:,} rows x 8 columns x 3 horizons: {float(seconds):.1f} s, peak "
                f"{float(peak):,.0f} MB ({float(before):,.0f} MB before), streamed {streamed}"
            )
            path.unlink()
    return peaks[1] - peaks[0] <= MOST_GROWTH_MB


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=["speed", "peers", "stream"])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--one-stream")
    given = parser.parse_args()
    if given.one_stream:
        one_stream(given.one_stream)
        return 0
    good = True
    if "speed" in given.what:
        good &= speed(given.rows, given.threads)
    if "peers" in given.what:
        good &= peers(given.threads)
    if "stream" in given.what:
        good &= stream(5 * given.rows)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
