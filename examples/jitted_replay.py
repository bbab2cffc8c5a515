"""A strategy of one's own as a jitted loop: every tick of a file through the whole live path.

python examples/jitted_replay.py models/trading_model.joblib ticks.parquet
"""

import sys
import time

import numpy as np
from numba import njit

from alphaseeker import create_ml_engine
from alphaseeker.inference import NO_LEVELS, step
from alphaseeker.market.readers import read_ticks


@njit
def replay(state, levels, ticks, cost):
    """Hold one unit in the direction of the latest BUY or SELL; return profit, trades, signals."""
    position, entry, profit, trades, signals = 0, 0.0, 0.0, 0, 0
    for i in range(ticks.shape[0]):
        t = ticks[i]
        answer = step(
            state,
            levels,
            t.timestamp,
            t.session,
            t.bid_price,
            t.ask_price,
            t.bid_volume,
            t.ask_volume,
            t.close,
            t.volume,
            t.buy_volume,
            t.sell_volume,
        )
        if answer.side == 0 or answer.side == position:
            continue
        signals += 1
        if position != 0:
            exit_price = t.bid_price if position > 0 else t.ask_price
            profit += position * (exit_price - entry) - cost * (exit_price + entry)
            trades += 1
        position = answer.side
        entry = t.ask_price if position > 0 else t.bid_price
    return profit, trades, signals


def main() -> None:
    """Replay a file and say what came of it, and how fast."""
    model, source = sys.argv[1:3]
    engine = create_ml_engine(log_level="WARNING")
    engine.load_model(model)
    for series in read_ticks(source):
        session = engine.session(series.symbol)
        # Compiles the loop; a row of a bad price is refused and leaves the session as it is.
        replay(session.state, NO_LEVELS, np.zeros(1, dtype=series.ticks.dtype), 0.0)
        start = time.perf_counter()
        profit, trades, signals = replay(session.state, NO_LEVELS, series.ticks, 0.0005)
        seconds = time.perf_counter() - start
        print(
            f"{series.symbol or '-'}: {len(series)} ticks, {len(series) / seconds:,.0f} a second; "
            f"{signals} signals, {trades} trades, profit {profit:.4f} a unit"
        )
        print(f"served by {engine.health_check()['components']['model']['message']}")


if __name__ == "__main__":
    main()
