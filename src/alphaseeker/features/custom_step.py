"""What a custom feature's step is given, and the kernels around it, compiled for each step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel, user_kernel
from alphaseeker.features.output import as_output
from alphaseeker.market.gate import Verdict

__all__ = [
    "CLOCK",
    "LARGEST",
    "STEP_TICK",
    "StepKernels",
    "column_dtype",
    "compile_step",
    "no_number",
    "take_tick",
]

REPEATED = int(Verdict.REPEATED)
NAN = np.float32(math.nan)
LARGEST = float(np.finfo(np.float32).max)
SECONDS = 1e-9

STEP_TICK = np.dtype(
    [
        ("timestamp", np.int64),  # nanoseconds UTC
        ("bid_price", np.float64),
        ("ask_price", np.float64),
        ("bid_volume", np.float64),
        ("ask_volume", np.float64),
        ("close", np.float64),
        ("volume", np.float64),
        ("buy_volume", np.float64),  # NaN where unknown, as the next
        ("sell_volume", np.float64),
        ("mid", np.float64),  # as decimal as the prices
        ("elapsed_s", np.float64),  # since the accepted tick before; 0 at a segment's first
        ("first", np.int64),  # 1 at a segment's first tick
    ],
    align=True,
)

# Where a stream of custom features stands: all its columns see the same tick.
CLOCK = np.dtype(
    [
        ("segment", np.int64),
        ("timestamp", np.int64),  # of the last accepted tick
        ("seen", np.int64),  # whole buckets behind it
        ("tick", STEP_TICK),
    ],
    align=True,
)


def column_dtype(state: np.dtype[Any]) -> np.dtype[Any]:
    """Return the record of one column around a step's own ``state``."""
    return np.dtype(
        [
            ("state", state),
            ("window_s", np.float64),
            ("needed", np.int64),  # whole buckets of history
            ("place", np.int64),  # among the columns wanted
            ("value", np.float32),  # the latest
        ],
        align=True,
    )


@kernel
def take_tick(
    clocks: npt.NDArray[Any],
    timestamp: int,
    bid_price: float,
    ask_price: float,
    bid_volume: float,
    ask_volume: float,
    close: float,
    volume: float,
    buy_volume: float,
    sell_volume: float,
    mid: float,
    segment: int,
    seen: int,
) -> None:
    """Move a clock, an array of one ``CLOCK``, on to an accepted tick."""
    clock = clocks[0]
    tick = clock.tick
    if segment != clock.segment:
        tick.first = 1
        tick.elapsed_s = 0.0
    else:
        tick.first = 0
        tick.elapsed_s = (timestamp - clock.timestamp) * SECONDS
    clock.segment = segment
    clock.timestamp = timestamp
    clock.seen = seen
    tick.timestamp = timestamp
    tick.bid_price = bid_price
    tick.ask_price = ask_price
    tick.bid_volume = bid_volume
    tick.ask_volume = ask_volume
    tick.close = close
    tick.volume = volume
    tick.buy_volume = buy_volume
    tick.sell_volume = sell_volume
    tick.mid = mid


class StepKernels(NamedTuple):
    """Kernels of one step.

    Attributes
    ----------
    advance
        ``(clocks, columns, memory) -> float32``: calls the step on the clock's tick; ``columns``
        is one record of ``column_dtype``, ``memory`` the bytes of its state.
    update
        ``(clocks, columns, memory, features) -> bool``: the same, writes the value to its place
        among ``features`` and says whether it changed.
    run
        ``(clocks, columns, memory, ticks, verdicts, segments, history, mids, values)``: the same
        for every accepted row, into a column of ``values``.
    attempt
        ``(clocks, columns)``: returns what the step itself does, or raises it.
    """

    advance: Callable[..., Any]
    update: Callable[..., Any]
    run: Callable[..., Any]
    attempt: Callable[..., Any]


def compile_step(step: Callable[..., float]) -> StepKernels:
    """Return the kernels around ``step``, compiled at their first call."""
    compiled = user_kernel(step)

    @user_kernel
    def advance(
        clocks: npt.NDArray[Any], columns: npt.NDArray[Any], memory: npt.NDArray[np.uint8]
    ) -> np.float32:
        clock = clocks[0]
        column = columns[0]
        if clock.tick.first == 1:
            memory[:] = 0
        try:
            # A sum, for Numba makes no float of a truth value; as_output knows no -0.0.
            value = 0.0 + compiled(column.state, clock.tick, column.window_s)
        except Exception:  # noqa: BLE001  (a column without a value, not a bot without a signal)
            value = math.nan
        result = NAN
        if clock.seen >= column.needed and abs(value) <= LARGEST:
            result = as_output(value)
        column.value = result
        return result

    @user_kernel
    def update(
        clocks: npt.NDArray[Any],
        columns: npt.NDArray[Any],
        memory: npt.NDArray[np.uint8],
        features: npt.NDArray[np.float32],
    ) -> bool:
        value = advance(clocks, columns, memory)
        place = columns[0].place
        before = features[place]
        features[place] = value
        return not (value == before or (value != value and before != before))

    @user_kernel
    def run(
        clocks: npt.NDArray[Any],
        columns: npt.NDArray[Any],
        memory: npt.NDArray[np.uint8],
        ticks: npt.NDArray[Any],
        verdicts: npt.NDArray[np.int8],
        segments: npt.NDArray[np.int64],
        history: npt.NDArray[np.int64],
        mids: npt.NDArray[np.float64],
        values: npt.NDArray[np.float32],
    ) -> None:
        place = columns[0].place
        for i in range(ticks.shape[0]):
            if 0 <= verdicts[i] < REPEATED:
                tick = ticks[i]
                take_tick(
                    clocks,
                    tick.timestamp,
                    tick.bid_price,
                    tick.ask_price,
                    tick.bid_volume,
                    tick.ask_volume,
                    tick.close,
                    tick.volume,
                    tick.buy_volume,
                    tick.sell_volume,
                    mids[i],
                    segments[i],
                    history[i],
                )
                values[i, place] = advance(clocks, columns, memory)

    @user_kernel
    def attempt(clocks: npt.NDArray[Any], columns: npt.NDArray[Any]) -> Any:
        return compiled(columns[0].state, clocks[0].tick, columns[0].window_s)

    return StepKernels(advance, update, run, attempt)


def no_number(given: object, called: Any) -> str:
    """Say what a step that was attempted returns, where that is no number; else nothing."""
    if not isinstance(given, (bool, int, float, np.integer, np.floating)):
        return f"returned {given!r}"
    signatures = getattr(called, "nopython_signatures", ())  # none without the compiler
    optional = any(isinstance(one.return_type, numba.types.Optional) for one in signatures)
    return "may return None" if optional else ""
