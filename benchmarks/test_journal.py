"""What a risk manager's call costs with a journal, with a rule in Python, and a restart.

    pytest benchmarks/test_journal.py --benchmark-only -s

``manage`` gets quotes of one symbol, HOLD signals with probabilities, and a dictionary back; the
quantiles are over calls. ``actions`` makes a quote durable only where something is done, ``always``
each one. ``restart`` opens a journal of so many records.
"""

import time

import numpy as np
import pytest

from alphaseeker.risk.manager import RiskManager

START = 1_700_006_400
TICKS = 30_000
SYNCED_TICKS = 500
HOLD = {
    "signal": 0,
    "signal_label": "HOLD",
    "confidence": 0.5,
    "signal_strength": 0.5,
    "filter_reason": None,
    "probabilities": {"BUY": 0.3, "HOLD": 0.4, "SELL": 0.3},
    "symbol": "BTCUSDT",
}
BUY = HOLD | {"signal": 1, "signal_label": "BUY"}


class Ruled(RiskManager):
    """A manager with a rule of its own, such as users write."""

    def allow_entry(self, market_data, signal, proposed):
        """Allow no entry outside of a band of prices, and none that is small."""
        if not 50.0 < market_data["bid_price"] < 150.0:
            return "outside the band"
        return "too small" if proposed["size"] < 1e12 else None


def quotes(count):
    prices = 99.99 + 0.001 * (np.arange(count) % 7)
    return [
        {
            "bid_price": bid,
            "ask_price": bid + 0.02,
            "bid_volume": 1.0,
            "ask_volume": 2.0,
            "close": bid,
            "volume": 0.0,
            "timestamp": START + 0.1 * index,
            "symbol": "BTCUSDT",
        }
        for index, bid in enumerate(prices.tolist())
    ]


def timed(manager, signal, count):
    clock, manage = time.perf_counter_ns, manager.manage
    ticks = quotes(count)
    times = np.zeros(count, dtype=np.int64)
    for index, tick in enumerate(ticks):
        start = clock()
        manage(tick, signal, 10_000.0)
        times[index] = clock() - start
    return times[min(100, count // 2) :]


def told(benchmark, times):
    p50, p99, p999 = np.quantile(times, [0.5, 0.99, 0.999])
    benchmark.extra_info.update(
        least_us=round(times.min() / 1e3, 2),
        p50_us=round(p50 / 1e3, 2),
        p99_us=round(p99 / 1e3, 1),
        p999_us=round(p999 / 1e3, 1),
        max_us=round(times.max() / 1e3, 1),
    )


@pytest.mark.parametrize("fsync", ["none", "never", "actions", "always"])
def test_manage(benchmark, tmp_path, fsync):
    """``none`` is a manager without a journal."""
    settings = {} if fsync == "none" else {"JOURNAL_PATH": tmp_path, "JOURNAL_FSYNC": fsync}
    with RiskManager(settings) as manager:
        count = SYNCED_TICKS if fsync == "always" else TICKS
        told(benchmark, benchmark.pedantic(timed, (manager, HOLD, count), rounds=1))
        if manager.journal is not None:
            size = sum(path.stat().st_size for path in tmp_path.glob("*.journal"))
            benchmark.extra_info["segment_bytes"] = size
    print(benchmark.extra_info)


@pytest.mark.parametrize("kind", [RiskManager, Ruled])
def test_entries(benchmark, kind):
    """Entries that are refused, built in (no size is left) and by a rule in Python."""
    settings = {"MAX_ORDERS_PER_MINUTE": None, "KELLY_FRACTION": None}
    if kind is RiskManager:
        settings["MIN_NOTIONAL"] = 1e9
    told(benchmark, benchmark.pedantic(timed, (kind(settings), BUY, TICKS), rounds=1))
    print(benchmark.extra_info)


@pytest.mark.parametrize("records", [100, 10_000])
def test_restart(benchmark, tmp_path, records):
    with RiskManager(journal=tmp_path) as manager:
        timed(manager, HOLD, records)
        state = manager.state_bytes()
    content = {path: path.read_bytes() for path in tmp_path.glob("*.journal")}

    def again():
        for path in tmp_path.glob("*.journal"):
            path.unlink()
        for path, data in content.items():
            path.write_bytes(data)
        return (tmp_path,), {}

    def restart(folder):
        with RiskManager(journal=folder) as manager:
            return manager.state_bytes()

    assert benchmark.pedantic(restart, setup=again, rounds=5) == state
