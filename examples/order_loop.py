"""A bot with a venue's orders and fills, a crash in the middle, and not a cent lost.

    python examples/order_loop.py models/trading_model.joblib ticks.parquet

Without arguments it trains on SIMULATED data first. Ticks come in, ``predict`` and ``manage_risk``
say what to do, an order goes out, and fills come back later, in parts, some of them twice. The
bot's process then ends without a word, with an order on its way. Its successor takes up the risk
state from the journal and the streams from the saved state, asks the venue for the fills it has
missed, compares itself with the venue's account, and goes on.
"""

import argparse
import asyncio
import contextlib
import gc
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from simulated_venue import LOT_SIZE, MIN_NOTIONAL, TAKER_FEE, OrderRejected, SimulatedVenue

from alphaseeker import create_ml_engine
from alphaseeker.market.simulator import simulate_frame

HISTORY_ROWS = 1_000
LAST_ROWS = 60  # the bot leaves its position in the last ticks
SAVE_EVERY = 250  # ticks
PATIENCE_S = 15.0  # how long a limit order may wait
CASH = "10000"
SETTINGS = {
    "TRADE_WITHOUT_EDGE": True,
    "MIN_CONFIDENCE": 0.0,
    "num_boost_round": 25,
    "TRANSACTION_COST_PCT": float(TAKER_FEE),
    "LOT_SIZE": float(LOT_SIZE),
    "MIN_NOTIONAL": float(MIN_NOTIONAL),
    "RISK_PER_TRADE": 0.002,
}


class Bot:
    """An engine, a connection to the venue, and the one order that is under way."""

    def __init__(self, venue: SimulatedVenue, model: Path, folder: Path) -> None:
        self.venue = venue
        self.state = folder / "state"
        # Every decision and fill is in the journal before anybody is told of it.
        self.engine = create_ml_engine(
            log_level="ERROR", JOURNAL_PATH=folder / "journal", **SETTINGS
        )
        self.engine.load_model(model)
        self.order: int | None = None  # under way until all its fills have come
        self.left = 0.0  # of its size, as far as the bot was told
        self.entering = False
        self.sent_at = 0.0
        self.repeated = 0
        self.trading = True

    def begin(self, history: list[dict[str, Any]]) -> None:
        """Start for the first time: the venue's account is flat, and its fills are the truth."""
        self.engine.warm_up(history, self.venue.symbol)
        position, equity = self.venue.account()
        self.engine.manage_risk(self.venue.tick, {"signal": 0}, equity)
        self.engine.reconcile(position, equity)

    async def take_up(self, missed: list[dict[str, Any]]) -> dict[str, Any]:
        """Go on after a crash: streams, then fills, then the venue's word; return what differed."""
        await self.venue.cancel_all()
        if self.state.exists():
            self.engine.load_state(self.state)  # the risk state is the journal's, which is newer
        if missed:
            self.engine.warm_up(missed, self.venue.symbol)
        for fill in self.venue.fills:  # those known already are told apart by their id
            self.engine.on_fill(fill)
        # Valued at the same quote, both accounts must agree.
        position, equity = self.venue.account()
        own = self.engine.risk_manager.equity
        self.engine.manage_risk(self.venue.tick, {"signal": 0}, own)
        return self.engine.reconcile(position, equity)

    async def run(self, ticks: int) -> None:
        """Trade for so many ticks."""
        fills = asyncio.create_task(self.read_fills(self.venue.subscribe()))
        try:
            count = 0
            async for tick in self.venue.stream(ticks):
                await self.on_tick(tick)
                count += 1
                if count % SAVE_EVERY == 0:
                    self.engine.save_state(self.state)
        finally:
            fills.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await fills

    async def read_fills(self, messages: "asyncio.Queue[dict[str, Any]]") -> None:
        """Hand every fill to the risk manager, which knows one that comes twice."""
        while True:
            fill = await messages.get()
            done = self.engine.on_fill(fill)
            self.repeated += not done["applied"]
            if done["applied"] and fill["order"] == self.order:
                self.left -= fill["size"]
                self.settle()

    def settle(self) -> None:
        """Forget the order once nothing of it is to come: only then another one may go."""
        if self.left < 0.5 * float(LOT_SIZE):
            self.order = None

    async def on_tick(self, tick: dict[str, Any]) -> None:
        """Predict, ask the risk manager, and send what it says."""
        signal = self.engine.predict(tick, replay=True)  # replay: the ticks are history
        if not self.trading or self.order is not None:
            signal = {"signal": 0}  # exits alone
        # The manager's own equity is no news; a real bot gives the venue's, or adds deposits.
        decision = self.engine.manage_risk(tick, signal, self.engine.risk_manager.equity)
        action, position = decision["action"], decision["position"]
        held = self.engine.risk_manager.position(self.venue.symbol)
        leave = action in ("close_position", "halt") or not self.trading
        if self.order is not None:
            late = tick["timestamp"] - self.sent_at > PATIENCE_S
            if self.entering and (leave or late):
                self.left -= await self.venue.cancel(self.order)  # fills may be on their way
                self.entering = False
                self.settle()
            return
        if leave and held["size"] > 0.0:
            await self.send(tick, "SELL" if held["side"] == "LONG" else "BUY", held["size"])
        elif action == "open_position":
            long = position["side"] == "LONG"
            limit = tick["bid_price"] if long else tick["ask_price"]
            await self.send(tick, "BUY" if long else "SELL", position["size"], limit)

    async def send(
        self, tick: dict[str, Any], side: str, size: float, limit: float | None = None
    ) -> None:
        """Send an order; a rejected one is decided anew at the next tick."""
        with contextlib.suppress(OrderRejected):
            self.order = await self.venue.submit(side, size, limit)
            self.left = size
            self.entering = limit is not None
            self.sent_at = tick["timestamp"]


async def trade(ticks: pd.DataFrame, model: Path, folder: Path) -> None:
    """Trade over ``ticks`` with a crash in the middle, and compare the accounts at the end."""
    rows = ticks.to_dict("records")
    symbol = str(rows[0].get("symbol", "BTCUSDT"))
    for row in rows:
        row["symbol"] = symbol
        if isinstance(row["timestamp"], pd.Timestamp):
            row["timestamp"] = row["timestamp"].timestamp()
    history, live = rows[:HISTORY_ROWS], rows[HISTORY_ROWS:]
    venue = SimulatedVenue(live, symbol, CASH)
    middle = len(live) // 2

    bot = Bot(venue, model, folder)
    bot.begin(history)
    await bot.run(middle)
    used = middle
    while not venue.open_orders():  # crash with an order on its way
        await bot.run(1)
        used += 1
    known = len(venue.fills)
    saved = used - middle % SAVE_EVERY - (used - middle)
    repeated = bot.repeated
    # The end of the process: the system takes the lock back, nothing is said to anybody.
    venue.disconnect()
    bot.engine.risk_manager.close()
    del bot
    gc.collect()
    while len(venue.fills) == known:  # meanwhile the order fills, and the message is lost
        venue.advance()
        used += 1

    bot = Bot(venue, model, folder)
    difference = await bot.take_up(live[saved:used])
    print(f"restart: the venue differs by {difference}")
    assert difference["changed"] == []
    assert abs(difference["cash_flow"]) < 0.005
    assert difference["missed_loss"] == 0.0
    await bot.run(len(live) - used - LAST_ROWS)
    bot.trading = False
    await bot.run(LAST_ROWS)

    metrics = bot.engine.risk_manager.metrics()
    position, equity = venue.account()
    parts = len(venue.fills) - len({fill["order"] for fill in venue.fills})
    print(
        f"{len(venue.fills)} fills, {parts} of them further parts, {venue.rejected} rejects, "
        f"{bot.repeated + repeated} fills came twice, {metrics['trades']} trades"
    )
    print(f"equity {metrics['equity']:,.2f} here, {equity:,.2f} at the venue, from {CASH}")
    assert position["side"] == "FLAT" == bot.engine.risk_manager.position_side(symbol)
    assert abs(metrics["equity"] - float(venue.cash)) < 0.005
    assert abs(metrics["fees"] - float(venue.fees)) < 0.005
    assert abs(metrics["cash_flow"]) < 0.005
    bot.engine.risk_manager.close()


def main() -> None:
    """Trade on what the command line names, or on SIMULATED data."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, nargs="?", help="model file; needs ticks, too")
    parser.add_argument("ticks", type=Path, nargs="?", help="CSV or Parquet file of one symbol")
    given = parser.parse_args()
    if given.model is not None and given.ticks is None:
        parser.error("give a model and a file of ticks, or neither")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.model is not None:
            model, path = given.model, given.ticks
            ticks = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
        else:
            model = folder / "model.joblib"
            market = simulate_frame(20_000, seed=1, signal_strength=0.5)
            engine = create_ml_engine(log_level="ERROR", **SETTINGS)
            engine.train_model(market.head(15_000), model_path=model)
            ticks = market.tail(5_000)
        asyncio.run(trade(ticks, model, folder))


if __name__ == "__main__":
    main()
