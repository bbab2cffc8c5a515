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
from alphaseeker.inference.batch_answers import (
    RowsBefore,
    check_refused,
    in_row_order,
    series_of,
)
from alphaseeker.inference.pool import SessionPool
from alphaseeker.inference.rows import run_rows
from alphaseeker.inference.session import Session
from alphaseeker.inference.signal import Reason, Signal
from alphaseeker.inference.tick_input import TickInput, levels_in, read_tick
from alphaseeker.market.frames import is_frame
from alphaseeker.market.quality import judge_series
from alphaseeker.market.schema import TickSeries

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
        is_market = type(market_data) is dict or isinstance(market_data, Mapping)
        symbol = market_data.get("symbol", "") if is_market else ""
        session = self.pool.get(symbol)
        session.adopt()
        now = time.time()
        try:
            tick = read_tick(
                market_data,
                kind=session.timestamp_kind,
                received=None if replay else session.stamp,
            )
            age = now - tick.timestamp / NANOSECONDS
            self._check_clock(tick, age, replay)
            model = session.model
            depth = levels_in(market_data, model.depth_levels)
            capture = session.captures.number(market_data.get("session"))
            values = tick.values
            mended = False
            if depth is not None or session.lacks(values[6], values[7]):
                mended = session.take_levels(depth, values)
        except DataError:
            session.statistics.count_refused()
            raise
        before = session.answers
        signal = session.step(start, tick.timestamp, capture, values)
        if mended:
            session.statistics.count_repaired()
        if market_data.get("timestamp") is not None and tick.kind is not None:
            session.note_time(tick.timestamp, tick.kind)
        if not replay and age > self.config.inference.MAX_AGE_S:
            signal = session.hold(signal, Reason.STALE, counted=session.answers > before)
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
        counted = session.statistics
        answer["performance_stats"] = {
            "total_predictions": counted.predictions,
            "cache_hits": counted.cache_hits,
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

    def predict_batch(
        self, data: Any, position: str, price_col: str | None
    ) -> list[dict[str, Any]]:
        """Return one answer a row from sessions of their own."""
        return self._predict_rows(data, position, self.pool.fresh, price_col)

    def predict_stream(
        self, ticks: Iterable[Mapping[str, Any]], position: str
    ) -> Iterator[dict[str, Any]]:
        """Return an iterator of one answer a tick; the live sessions go on, BATCH_SIZE a step."""
        rows = isinstance(ticks, Iterable) and not isinstance(ticks, (str, bytes, Mapping))
        if not rows or is_frame(ticks):
            raise DataError(
                f"ticks is a {type(ticks).__name__}; it must yield market data dictionaries; "
                "predict_batch and warm_up take frames and paths"
            )
        return self._stream(iter(ticks), position)

    def _stream(
        self, source: Iterator[Mapping[str, Any]], position: str
    ) -> Iterator[dict[str, Any]]:
        before = RowsBefore()
        while rows := list(itertools.islice(source, self.config.inference.BATCH_SIZE)):
            yield from self._predict_rows(rows, position, self.pool.get, None, before)

    def _predict_rows(
        self,
        data: Any,
        position: str,
        session_of: Callable[[str], Session],
        price_col: str | None,
        before: RowsBefore | None = None,
    ) -> list[dict[str, Any]]:
        start = perf_counter_ns()
        wanted = check_position(position)
        results = [
            (series, run_rows(session_of(series.symbol), series))
            for series in self._series_of(data, price_col, before=before)
        ]
        limits = self.config.data
        return in_row_order(results, position=wanted, started=start, config=limits, before=before)

    def _series_of(
        self,
        data: Any,
        price_col: str | None,
        symbol: str | None = None,
        before: RowsBefore | None = None,
    ) -> list[TickSeries]:
        model = self.pool.model
        column = price_col or model.artifact.training.get("price_col", "close")
        return series_of(
            data, self.config.data, model, symbol=symbol, price_col=column, before=before
        )

    def warm_up(self, history: Any, symbol: str | None, price_col: str | None) -> dict[str, Any]:
        """Feed past ticks to the live sessions and report by symbol."""
        every = self._series_of(history, price_col, symbol)
        gap, jump = self.config.inference.MAX_GAP_S, self.config.inference.MAX_JUMP
        judged = [judge_series(one, max_gap_s=gap, max_jump=jump) for one in every]
        check_refused(
            [(one, verdicts) for one, (verdicts, _) in zip(every, judged, strict=True)],
            self.config.data,
        )
        report = {}
        for series, (_, quality) in zip(every, judged, strict=True):
            session = self.pool.get(series.symbol)
            run_rows(session, series)
            remaining = session.warm_up_remaining_s
            report[series.symbol] = {
                "rows": len(series),
                "accepted": quality.accepted,
                "refused": quality.refused,
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
