"""Peak memory of a whole training from a Parquet file, beside what it may be.

Run with ``python benchmarks/memory.py [--ticks 1000000] [--rounds 20] [--set KEY=VALUE ...]``. The
SIMULATED ticks are written to a temporary folder and deleted at the end. The training runs in a
process of its own; its memory comes from ``/proc/self/status``, where pages of files count as long
as they are mapped. The allowance is 1 GB and 1.3 times the binned data: a byte a cell of the rows
that the last fit trains and stops on, which LightGBM holds at once.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROWS_A_PART = 500_000
SECOND = 1_000_000_000
GB = 1_000_000_000


def write_ticks(path: Path, ticks: int) -> None:
    """Write a market of one-second ticks, part by part, as one session."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from alphaseeker.market.simulator import simulate_frame

    writer = None
    start_ns, price = 1_704_067_200 * SECOND, 100.0
    for first in range(0, ticks, ROWS_A_PART):
        rows = min(ROWS_A_PART, ticks - first)
        frame = simulate_frame(
            rows, seed=first + 1, signal_strength=0.3, start_ns=start_ns, start_price=price
        )
        start_ns += rows * SECOND
        price = float(frame["close"].iloc[-1])
        table = pa.Table.from_pandas(frame, preserve_index=False)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    writer.close()


def memory(field: str) -> float:
    """Return a number of this process's memory in GB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / GB
    raise SystemExit(f"/proc/self/status has no {field}")


def train(path: Path, settings: dict[str, object]) -> dict[str, object]:
    """Train once; return peak memory and processor seconds by stage."""
    from alphaseeker.config import load_config
    from alphaseeker.training.run import train_source

    stages: list[list[object]] = []
    started = time.perf_counter(), time.process_time()

    def enter(stage: str) -> None:
        if stages:
            leave()
        # The peak of each stage by itself.
        Path("/proc/self/clear_refs").write_text("5")
        stages.append([stage, time.perf_counter(), time.process_time()])

    def leave() -> None:
        stage, wall, processor = stages[-1]
        now = time.perf_counter(), time.process_time()
        own = [now[0] - wall, now[1] - processor]
        stages[-1] = [stage, *own, memory("VmHWM"), memory("RssAnon"), memory("RssFile")]

    last = ""

    def progress(stage: str, done: int, total: int) -> None:
        nonlocal last
        if stage != last:
            enter(stage)
            last = stage

    enter("start")
    run = train_source(path, load_config(None, settings), on_progress=progress)
    leave()
    rows = run.trained.training["rows"]
    return {
        "stages": stages,
        "rows": rows,
        "columns": len(run.trained.feature_names),
        "wall_s": time.perf_counter() - started[0],
        "processor_s": time.process_time() - started[1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ticks", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    settings = {"num_boost_round": options.rounds, "num_threads": options.threads}
    for item in options.set:
        key, _, value = item.partition("=")
        settings[key] = json.loads(value)
    if options.train is not None:
        print(json.dumps(train(options.train, settings)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ticks.parquet"
        write_ticks(path, options.ticks)
        command = [sys.executable, __file__, "--train", str(path), *sys.argv[1:]]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result = json.loads(answer.stdout.splitlines()[-1])
    print(f"{'stage':<12}{'wall s':>9}{'cpu s':>9}{'peak GB':>9}   at its end: own GB, file GB")
    for stage, wall, processor, peak, own, mapped in result["stages"]:
        print(f"{stage:<12}{wall:9.1f}{processor:9.1f}{peak:9.2f}{own:14.2f}{mapped:9.2f}")
    peak = max(stage[3] for stage in result["stages"])
    rows = result["rows"]
    binned = (rows["train"] + rows["validation"]) * result["columns"] / GB
    allowed = 1.0 + 1.3 * binned
    print(f"rows        {result['rows']}, {result['columns']} columns")
    print(f"binned data {binned:.2f} GB")
    print(f"peak        {peak:.2f} GB")
    print(f"allowed     {allowed:.2f} GB (1 GB + 1.3 x binned)")
    if peak > allowed:
        raise SystemExit("the training takes more memory than it may")


if __name__ == "__main__":
    main()
