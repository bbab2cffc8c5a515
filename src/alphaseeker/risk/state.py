"""The records of the risk state machine: what an account and a position remember, and the codes.

One ``ACCOUNT`` record holds the rules, the money, the limits and the day; one ``POSITION`` record
a symbol holds its position, its last quote, its volatility and what the last step decided. A
kernel takes both as one-element arrays; several symbols trade on one account by sharing it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import allocate_record
from alphaseeker.config import RiskConfig

__all__ = [
    "ACCOUNT",
    "POSITION",
    "REPORT",
    "RETURN_MINUTES",
    "RULES",
    "Action",
    "Intent",
    "Reason",
    "Refusal",
    "State",
    "TOO_LARGE",
    "allocate_account",
    "allocate_position",
    "write_rules",
]

# The smallest float64 that float32 rounds to infinity: no price, size or equity reaches it.
TOO_LARGE = 2.0**128 - 2.0**103

RETURN_MINUTES = 1440  # equity returns kept for VaR, CVaR and Sharpe: one day of minutes


class State(IntEnum):
    """What the account may do."""

    ACTIVE = 0
    REDUCING = 1  # the daily loss limit was touched: exits only, until the next UTC day
    HALTED = 2  # the drawdown limit was touched: exits only, until halt is lifted by hand


class Intent(IntEnum):
    """What the signal asks for."""

    CLOSE_SHORT = -2
    SELL = -1
    HOLD = 0
    BUY = 1
    CLOSE_LONG = 2


class Action(IntEnum):
    """What the step decided."""

    MONITOR = 0
    OPEN_POSITION = 1
    CLOSE_POSITION = 2
    REJECT_SIGNAL = 3
    HALT = 4  # a limit was touched; closes the position where there is one


class Reason(IntEnum):
    """Why it decided so. The names are part of the text that users read."""

    NO_SIGNAL = 0
    IN_POSITION = 1
    NOTHING_TO_CLOSE = 2
    # the book cannot be traded on
    EMPTY_SIDE = 10
    CROSSED_BOOK = 11
    LOCKED_BOOK = 12
    OUT_OF_ORDER = 13
    # exits
    STOP_LOSS = 20
    TAKE_PROFIT = 21
    OPPOSITE_SIGNAL = 22
    MAX_DAILY_LOSS = 30
    MAX_DRAWDOWN = 31
    # what bound the size of an entry, or left none
    RISK_PER_TRADE = 40
    MAX_POSITION_SIZE = 41
    LOT_SIZE = 42
    MIN_NOTIONAL = 43
    NO_SIGNAL_STRENGTH = 44
    COST_BREAKS_LIMIT = 45
    STOP_INSIDE_SPREAD = 46
    REFUSED_BY_RULE = 50


class Refusal(IntEnum):
    """Inputs that a step does not take: it returns the code and leaves every byte as it was."""

    BAD_TIMESTAMP = -1
    BAD_BID_PRICE = -2
    BAD_ASK_PRICE = -3
    BAD_VOLUME = -4
    BAD_BALANCE = -5
    BAD_INTENT = -6
    BAD_STRENGTH = -7


# Every field takes eight bytes, so the packed layout is the aligned one.
# No field may bear the name of an array attribute (size, data, base ...): without the compiler
# the attribute would be read in its place.
RULES = np.dtype(
    [
        ("taker_cost", np.float64),  # share of the notional, a side
        ("take_profit", np.float64),  # share of the entry price
        ("stop_loss", np.float64),  # share of the entry price
        ("volatility_stop", np.int64),  # 1: the stop follows volatility, once it is known
        ("volatility_multiplier", np.float64),
        ("half_life_s", np.float64),
        ("max_stop_loss", np.float64),
        ("risk_per_trade", np.float64),  # share of the equity
        ("max_position_size", np.float64),  # notional of all positions over equity
        ("size_by_strength", np.int64),  # 1: the size is multiplied by the signal strength
        ("lot_size", np.float64),  # 0: any size
        ("min_notional", np.float64),
        ("max_daily_loss", np.float64),
        ("max_drawdown", np.float64),
    ]
)

ACCOUNT = np.dtype(
    [
        ("rules", RULES),
        ("state", np.int64),  # State
        ("halt_reason", np.int64),  # Reason of the limit that was touched, 0 while ACTIVE
        ("started", np.int64),  # 1 once an equity is known
        ("venue", np.int64),  # 1: the venue's fills alone change positions; 0: paper fills
        # time, which only moves forward
        ("timestamp", np.int64),  # ns
        ("day", np.int64),  # UTC days since 1970-01-01
        ("minute", np.int64),  # UTC minutes since 1970-01-01
        # money
        ("balance", np.float64),  # cash flows + realised PnL - fees
        ("unrealised", np.float64),  # of all positions, exit fees deducted
        ("unrealised_error", np.float64),  # compensation of that running total
        ("notional", np.float64),  # of all positions at the price one could exit at
        ("notional_error", np.float64),
        ("open_positions", np.int64),
        ("equity", np.float64),
        ("reported_balance", np.float64),  # the last balance the venue reported
        ("cash_flow", np.float64),  # total since the start
        ("cash_flows", np.int64),  # how many
        ("realised_pnl", np.float64),  # fees deducted
        ("fees", np.float64),
        ("trades", np.int64),  # closed
        ("wins", np.int64),  # of them, with a profit after fees
        # limits: bases are scaled by cash flows, so that a deposit neither hides nor makes a loss
        ("day_start_equity", np.float64),  # shifted by cash flows: daily PnL is equity minus this
        ("day_base", np.float64),
        ("peak_equity", np.float64),
        # statistics
        ("sample_equity", np.float64),  # equity at the last minute boundary, scaled by flows
        ("samples", np.int64),  # minutes sampled since the start
        ("decisions", np.int64, (len(Action),)),  # by Action
        ("returns", np.float64, (RETURN_MINUTES,)),  # ring of equity returns a minute
    ]
)

REPORT = np.dtype(
    [
        ("action", np.int64),
        ("reason", np.int64),
        ("state", np.int64),
        ("side", np.int64),  # of the position that is opened, closed or held: 1, 0, -1
        ("quantity", np.float64),
        ("price", np.float64),  # an entry's or exit's price in this step
        ("entry_price", np.float64),
        ("stop_loss", np.float64),
        ("take_profit", np.float64),
        ("stop_distance", np.float64),  # share of the entry price
        ("equity", np.float64),
        ("daily_pnl", np.float64),
        ("daily_loss", np.float64),  # share of the day's base, at least 0
        ("drawdown", np.float64),  # share of the peak
        ("exposure", np.float64),  # notional of all positions over equity
        ("cash_flow", np.float64),  # seen in this step
        ("samples", np.int64),
        ("late_quotes", np.int64),  # in a row, up to this one: above 0, exits are blocked
    ]
)

POSITION = np.dtype(
    [
        # position
        ("quantity", np.float64),  # signed; exactly 0 when flat
        (
            "largest",
            np.float64,
        ),  # largest |quantity| since it was flat: scales the rounding residue
        ("entry_price", np.float64),  # average
        ("entry_fees", np.float64),  # paid for what is still open
        ("stop_loss", np.float64),
        ("take_profit", np.float64),
        ("stop_distance", np.float64),
        ("opened", np.int64),  # ns
        ("paper", np.int64),  # 1: opened by a paper fill
        ("unrealised", np.float64),
        ("notional", np.float64),
        ("realised_pnl", np.float64),  # of this symbol, fees deducted
        ("trade_pnl", np.float64),  # of the trade that is open, fees deducted
        # market
        ("quotes", np.int64),  # trusted ones, since its time last began anew
        ("timestamp", np.int64),  # of the last one, ns
        ("late_quotes", np.int64),  # out of order in a row, their times rising
        ("late_timestamp", np.int64),  # of the last one out of order, ns
        ("first_timestamp", np.int64),
        ("bid_price", np.float64),
        ("ask_price", np.float64),
        ("return_square", np.float64),  # decayed sum of squared log returns, a second
        ("return_weight", np.float64),  # decayed share of time that it was observed
        ("report", REPORT),
    ]
)


def write_rules(account: npt.NDArray[Any], config: RiskConfig) -> None:
    """Write the rules of ``config`` into an account record; nothing else of it changes.

    A ``custom_stop_loss`` is a fixed stop: it takes the place of STOP_LOSS_PCT and switches the
    volatility stop off.
    """
    fixed = config.custom_stop_loss is not None
    rules = account["rules"]
    rules["taker_cost"] = config.TRANSACTION_COST_PCT
    rules["take_profit"] = config.TAKE_PROFIT_PCT
    rules["stop_loss"] = config.custom_stop_loss if fixed else config.STOP_LOSS_PCT
    rules["volatility_stop"] = config.VOLATILITY_BASED_SL and not fixed
    rules["volatility_multiplier"] = config.VOLATILITY_MULTIPLIER
    rules["half_life_s"] = config.VOLATILITY_HALF_LIFE_S
    rules["max_stop_loss"] = config.MAX_STOP_LOSS_PCT
    rules["risk_per_trade"] = config.RISK_PER_TRADE
    rules["max_position_size"] = config.MAX_POSITION_SIZE
    rules["size_by_strength"] = config.dynamic_position_sizing
    rules["lot_size"] = config.LOT_SIZE
    rules["min_notional"] = config.MIN_NOTIONAL
    rules["max_daily_loss"] = config.MAX_DAILY_LOSS
    rules["max_drawdown"] = config.MAX_DRAWDOWN


def allocate_account(config: RiskConfig) -> npt.NDArray[Any]:
    """Return a new account record, shape (1,), dtype ``ACCOUNT``, under the rules of ``config``."""
    account = allocate_record(ACCOUNT)
    write_rules(account, config)
    return account


def allocate_position() -> npt.NDArray[Any]:
    """Return a flat position record, shape (1,), dtype ``POSITION``."""
    return allocate_record(POSITION)
