"""The fast path: one session a symbol, numbers in, a small immutable signal out.

python examples/fast_path.py models/trading_model.joblib
"""

import sys
import time

from alphaseeker import create_ml_engine


def main() -> None:
    """Update a session with one quote and show what came of it."""
    engine = create_ml_engine(log_level="WARNING")
    engine.load_model(sys.argv[1])
    session = engine.session("BTCUSDT")
    signal = session.update(
        time.time_ns(),  # nanoseconds UTC
        60_000.0,  # bid price
        60_000.1,  # ask price
        3.2,  # bid volume
        1.9,  # ask volume
        60_000.1,  # last trade
        0.05,  # volume since the previous tick
        0.03,  # of it bought by an aggressor: needed, as the next, only where the model reads it
        0.02,  # sold by one
    )
    print(signal)
    print(f"ready in {session.warm_up_remaining_s:.0f} s; {len(session.features)} features")


if __name__ == "__main__":
    main()
