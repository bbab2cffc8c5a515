"""A bot's loop: warm up from history, then signal and risk decision for every tick.

    python examples/bot.py models/trading_model.joblib ticks.csv

Without arguments it trains on SIMULATED data first. A real bot takes its ticks from the venue, and
sends the orders that ``manage_risk`` asks for; here fills happen on paper, at the quote.
"""

import sys
import tempfile
from pathlib import Path

import pandas as pd

from alphaseeker import DataError, create_ml_engine
from alphaseeker.market.simulator import simulate_frame

HISTORY_ROWS = 2_000
BALANCE = 10_000.0


def trade(engine, ticks: pd.DataFrame) -> float:
    """Replay ``ticks`` and return the equity at the end."""
    engine.warm_up(ticks.head(HISTORY_ROWS))
    equity = BALANCE
    for tick in ticks.iloc[HISTORY_ROWS:].to_dict("records"):
        try:
            signal = engine.predict(tick, replay=True)  # replay: the ticks are history
        except DataError as error:
            print(f"tick skipped: {error}")
            continue
        decision = engine.manage_risk(tick, signal, equity)
        equity = decision["risk_status"]["equity"]
        if decision["action"] in ("open_position", "close_position", "halt"):
            print(decision["action"], decision["position"]["side"], decision["reason"])
    return equity


def main() -> None:
    """Trade on what the command line names, or on SIMULATED data."""
    engine = create_ml_engine(log_level="WARNING", num_boost_round=50, TRADE_WITHOUT_EDGE=True)
    if len(sys.argv) == 3:
        engine.load_model(sys.argv[1])
        path = Path(sys.argv[2])
        ticks = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    else:
        with tempfile.TemporaryDirectory() as folder:
            market = simulate_frame(20_000, seed=1, signal_strength=0.4)
            engine.train_model(market.head(15_000), model_path=Path(folder) / "model.joblib")
        ticks = market.tail(5_000)
    print(f"equity {trade(engine, ticks):,.2f} after {BALANCE:,.2f}")


if __name__ == "__main__":
    main()
