"""Prediction from dictionaries and frames: what stands between a bot's data and the sessions."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from time import perf_counter_ns
from typing import Any

from alphaseeker.config import Config
from alphaseeker.errors import DataError
from alphaseeker.inference.answers import check_position, prediction
from alphaseeker.inference.batch_answers import in_row_order, series_of
from alphaseeker.inference.pool import SessionPool
from alphaseeker.inference.rows import run_rows
from alphaseeker.inference.session import Session
from alphaseeker.inference.signal import Reason, Signal
from alphaseeker.inference.tick_input import TickInput, read_tick

__all__ = ["LivePrediction"]

logger = logging.getLogger(__name__)

NANOSECONDS = 1_000_000_000


class LivePrediction:
    """Feeds the sessions of a pool and words their signals.

    Parameters
    ----------
    pool
        The live sessions.
    config
        Limits of age and clock, and what to do about bad rows.
    held_position
        Returns the position that the risk manager holds in a symbol: FLAT, LONG or SHORT.
    """

    def __init__(
        self, pool: SessionPool, config: Config, held_position: Callable[[str], str]
    ) -> None:
        self.pool = pool
        self.config = config
        self._held_position = held_position
        self._volume_warned: set[str] = set()

    def predict(
        self, market_data: Mapping[str, Any], position: str, replay: bool
    ) -> dict[str, Any]:
        """Take one tick in and return the answer; see the engine's ``predict``."""
        start = perf_counter_ns()
        wanted = check_position(position)
        symbol = market_data.get("symbol", "") if isinstance(market_data, Mapping) else ""
        if not isinstance(symbol, str):
            raise DataError(f"symbol is {symbol!r}; it must be a string")
        session = self.pool.get(symbol)
        now = time.time()
        try:
            tick = read_tick(market_data, kind=session.timestamp_kind)
            age = now - tick.timestamp / NANOSECONDS
            self._check_clock(tick, age, replay)
            if market_data.get("depth") is not None:
                session.check_depth(market_data["depth"])
        except DataError:
            session.statistics.refused += 1
            raise
        code = session.capture(market_data.get("session"))
        signal = session.step(start, tick.timestamp, code, tick.values)
        session.timestamp_kind = tick.kind
        if not replay and age > self.config.inference.MAX_AGE_S:
            signal = session.hold(signal, Reason.STALE)
        if wanted == "FLAT":
            wanted = self._held_position(symbol)
        if session.volume_is_cumulative:
            self._warn_of_volume(symbol)
        answer = prediction(
            signal,
            symbol=symbol,
            position=wanted,
            predicted_at=now,
            latency_ns=perf_counter_ns() - start,
        )
        answer["warm_up_remaining_s"] = session.warm_up_remaining_s
        answer["performance_stats"] = {
            "total_predictions": session.statistics.predictions,
            "cache_hits": session.statistics.cache_hits,
        }
        if logger.isEnabledFor(logging.DEBUG):
            _log(symbol, signal, answer)
        return answer

    def _check_clock(self, tick: TickInput, age: float, replay: bool) -> None:
        limit = self.config.inference.MAX_CLOCK_SKEW_S
        if not replay and -age > limit:
            raise DataError(
                f"timestamp {tick.timestamp} ns is {-age:.3f} s in the future; MAX_CLOCK_SKEW_S "
                f"is {limit:g}: set the clock, or pass replay=True for history"
            )

    def _warn_of_volume(self, symbol: str) -> None:
        if symbol in self._volume_warned:
            return
        self._volume_warned.add(symbol)
        logger.warning(
            "volume of %r never falls and keeps rising: it looks like a running total; give what "
            "was traded since the previous tick",
            symbol,
        )

    def predict_batch(self, data: Any, position: str) -> list[dict[str, Any]]:
        """Return one answer a row from sessions of their own."""
        return self._predict_rows(data, position, self.pool.fresh)

    def predict_stream(
        self, ticks: Iterable[Mapping[str, Any]], position: str
    ) -> Iterator[dict[str, Any]]:
        """Yield an answer a tick; the live sessions go on, BATCH_SIZE rows a step."""
        source = iter(ticks)
        while rows := list(itertools.islice(source, self.config.inference.BATCH_SIZE)):
            yield from self._predict_rows(rows, position, self.pool.get)

    def _predict_rows(
        self, data: Any, position: str, session_of: Callable[[str], Session]
    ) -> list[dict[str, Any]]:
        start = perf_counter_ns()
        wanted = check_position(position)
        results = [
            (series, run_rows(session_of(series.symbol), series))
            for series in series_of(data, self.config.data)
        ]
        return in_row_order(results, position=wanted, started=start, config=self.config.data)

    def warm_up(self, history: Any, symbol: str | None) -> dict[str, Any]:
        """Feed past ticks to the live sessions and report by symbol."""
        report = {}
        for series in series_of(history, self.config.data, symbol=symbol):
            session = self.pool.get(series.symbol)
            run_rows(session, series)
            remaining = session.warm_up_remaining_s
            report[series.symbol] = {
                "rows": len(series),
                "ready": remaining == 0.0,
                "warm_up_remaining_s": remaining,
            }
        return report


def _log(symbol: str, signal: Signal, answer: Mapping[str, Any]) -> None:
    logger.debug(
        "%s %s p_buy=%.4f p_hold=%.4f p_sell=%.4f reason=%s %.4f ms",
        symbol or "-",
        answer["signal_label"],
        signal.p_buy,
        signal.p_hold,
        signal.p_sell,
        signal.reason,
        answer["latency_ms"],
    )
