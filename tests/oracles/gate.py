"""The quality gate from its policies, in plain Python: slow, one rule after the other."""

from __future__ import annotations

import itertools
import math
import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

FIELDS = (
    "timestamp",
    "bid_price",
    "ask_price",
    "bid_volume",
    "ask_volume",
    "close",
    "volume",
    "buy_volume",
    "sell_volume",
)


def fits_float32(value: float) -> bool:
    if not math.isfinite(value):
        return False
    try:
        struct.pack("<f", value)
    except OverflowError:
        return False
    return True


def is_bad(name: str, tick: dict[str, Any]) -> bool:
    value = tick[name]
    if name == "timestamp":
        return value <= 0
    if name in ("buy_volume", "sell_volume") and math.isnan(value):
        return False
    if name in ("bid_price", "ask_price") and tick[name.replace("price", "volume")] == 0:
        if value == 0 or math.isnan(value):
            return False
    if name.endswith("volume"):
        return not (fits_float32(value) and value >= 0)
    return not (fits_float32(value) and value > 0)


def mid_of(tick: dict[str, Any]) -> float:
    return 0.5 * (tick["bid_price"] + tick["ask_price"])


def key(tick: dict[str, Any]) -> tuple[Any, ...]:
    return tuple("absent" if v != v else v for _, v in sorted(tick.items()))


def looks_cumulative(volumes: list[float], run: int, rises: int) -> bool:
    """Whether the last volumes, from some point on, are positive, never fall, and rise enough."""
    tail: list[float] = []
    for volume in reversed(volumes):
        if volume <= 0 or (tail and volume > tail[-1]):
            break
        tail.append(volume)
    steps = itertools.pairwise(tail)  # backwards in time
    return len(tail) >= run and sum(later > earlier for later, earlier in steps) >= rises


@dataclass
class GateOracle:
    max_gap_ns: int
    max_jump: float
    cumulative_run: int = 100
    cumulative_rises: int = 50
    last: dict[str, Any] | None = None
    held: list[dict[str, Any]] = field(default_factory=list)  # ticks that make up an open jump
    volumes: list[float] = field(default_factory=list)  # accepted, of this session
    counters: Counter[str] = field(default_factory=Counter)
    cumulative: bool = False

    def near(self, tick: dict[str, Any], level: dict[str, Any]) -> bool:
        return abs(mid_of(tick) - mid_of(level)) <= self.max_jump * mid_of(level)

    def judge(self, tick: dict[str, Any]) -> str:
        for name in FIELDS:
            if is_bad(name, tick):
                return f"BAD_{name.upper()}"
        verdict = self.judge_whole(tick)
        self.counters[verdict] += 1
        if verdict in ("ACCEPTED", "LOCKED", "AFTER_GAP", "NEW_SESSION"):
            if verdict == "NEW_SESSION":
                self.volumes = []
            self.volumes.append(tick["volume"])
            if looks_cumulative(self.volumes, self.cumulative_run, self.cumulative_rises):
                self.cumulative = True
            self.last = tick
            self.counters["accepted"] += 1
            self.counters["locked"] += tick["bid_price"] == tick["ask_price"]
        return verdict

    def judge_whole(self, tick: dict[str, Any]) -> str:
        fresh = self.last is None or self.last["session"] != tick["session"]
        if not fresh:
            if tick["timestamp"] < self.last["timestamp"]:
                return "OUT_OF_ORDER"
            if key(tick) == key(self.last):
                return "REPEATED"
        if tick["bid_volume"] == 0 or tick["ask_volume"] == 0:
            return "EMPTY_SIDE"
        if tick["bid_price"] > tick["ask_price"]:
            return "CROSSED_BOOK"
        if fresh or tick["timestamp"] - self.last["timestamp"] > self.max_gap_ns:
            self.drop_jump()
            return "NEW_SESSION" if fresh else "AFTER_GAP"
        calm = "LOCKED" if tick["bid_price"] == tick["ask_price"] else "ACCEPTED"
        if self.near(tick, self.last):
            self.drop_jump()
            return calm
        if self.held and self.near(tick, self.held[0]):
            if tick["timestamp"] > self.held[-1]["timestamp"]:
                self.held.append(tick)
            if len(self.held) < 3:
                return "PRICE_JUMP"
            self.held = []
            self.counters["jumps_confirmed"] += 1
            return calm
        self.drop_jump()
        self.held = [tick]
        return "PRICE_JUMP"

    def drop_jump(self) -> None:
        if self.held:
            self.counters["jumps_dropped"] += 1
            self.held = []
