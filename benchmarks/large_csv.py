"""Peak memory and speed of reading a CSV file far larger than what may be held.

Run with ``python benchmarks/large_csv.py [--gigabytes 2] [--chunk-rows 250000]``. The file is
written to a temporary folder and deleted at the end. Reading runs in a process of its own, so
that the peak is the reader's; the baseline is the same process before it opens the file. Memory
comes from ``/proc/self/status``: ``ru_maxrss`` begins at the peak of the process that started it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROWS_A_PART = 1_000_000
PRICES = ("bid_price", "ask_price", "bid_volume", "ask_volume", "close", "volume")


def write_csv(path: Path, size: int) -> int:
    """Write quotes until the file has ``size`` bytes; return the number of rows."""
    import pyarrow as pa
    from pyarrow import csv

    rng = np.random.default_rng(1)
    rows = 0
    with path.open("wb") as stream:
        while stream.tell() < size:
            mid = 60_000 + np.cumsum(rng.integers(-1, 2, ROWS_A_PART)) * 0.1
            volume = np.round(rng.exponential(2.0, (5, ROWS_A_PART)), 3)
            time_us = 1_721_749_184_000_000 + (rows + np.arange(ROWS_A_PART)) * 10_000
            columns = {
                "timestamp": time_us,
                "bid_price": np.round(mid - 0.05, 2),
                "bid_volume": volume[0],
                "ask_price": np.round(mid + 0.05, 2),
                "ask_volume": volume[1],
                "close": np.round(mid, 2),
                "volume": volume[2],
                "buy_volume": volume[3],
                "sell_volume": volume[4],
                "session": np.array(["day 1", "day 2"])[(np.arange(ROWS_A_PART) // 500_000)],
            }
            options = csv.WriteOptions(include_header=rows == 0)
            csv.write_csv(pa.table(columns), stream, options)
            rows += ROWS_A_PART
    return rows


def read_csv(path: Path, chunk_rows: int) -> dict[str, float]:
    """Iterate over the file once; return rows, seconds and memory in MB."""
    import pyarrow.csv
    import pyarrow.parquet  # noqa: F401 - the baseline holds every library the reader loads

    from alphaseeker.market.readers import iter_ticks

    before = resident_mb("VmRSS")
    begin = time.perf_counter()
    rows = 0
    total = 0.0
    for piece in iter_ticks(path, chunk_rows=chunk_rows):
        rows += len(piece)
        total += float(piece.ticks["volume"].sum())
    seconds = time.perf_counter() - begin
    return {
        "rows": rows,
        "seconds": seconds,
        "before_mb": before,
        "peak_mb": resident_mb("VmHWM"),
        "volume": total,
    }


def resident_mb(field: str) -> float:
    """Return this process's resident memory now (VmRSS) or at its peak (VmHWM), in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"/proc/self/status has no {field}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--chunk-rows", type=int, default=250_000)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read is not None:
        print(json.dumps(read_csv(options.read, options.chunk_rows)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.csv"
        written = write_csv(path, int(options.gigabytes * 1e9))
        size = path.stat().st_size
        command = [sys.executable, __file__, "--read", str(path)]
        command += ["--chunk-rows", str(options.chunk_rows)]
        answer = subprocess.run(command, check=True, capture_output=True, text=True)
        result = json.loads(answer.stdout)
    if result["rows"] != written:
        raise SystemExit(f"{written:,} rows were written, {result['rows']:,} were read")
    seconds = result["seconds"]
    print(f"file            {size / 1e9:8.2f} GB, {written:,} rows")
    print(f"time            {seconds:8.1f} s, {size / 1e6 / seconds:,.0f} MB/s")
    print(f"rows a second   {written / seconds:,.0f}")
    print(f"memory before   {result['before_mb']:8.0f} MB resident")
    print(f"memory at peak  {result['peak_mb']:8.0f} MB resident")


if __name__ == "__main__":
    main()
