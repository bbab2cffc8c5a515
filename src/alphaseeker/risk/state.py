"""The records of the risk state machine: what an account and a position remember, and the codes.

One ``ACCOUNT`` record holds the rules, the money, the limits and the day; one ``POSITION`` record
a symbol holds its position, its last quote, its volatility and what the last step decided. A
kernel takes both as one-element arrays; several symbols trade on one account by sharing it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import allocate_record
from alphaseeker.config import RiskConfig
from alphaseeker.risk.codes import Action, Alert, Intent, Reason, Refusal, State
from alphaseeker.risk.symbol_rules import symbol_rules

__all__ = [
    "ACCOUNT",
    "GIVEN_EQUITIES",
    "POSITION",
    "REPORT",
    "RETURN_MINUTES",
    "RULES",
    "SYMBOL_RULES",
    "Action",
    "Alert",
    "Intent",
    "Reason",
    "Refusal",
    "State",
    "TOO_LARGE",
    "allocate_account",
    "allocate_position",
    "record_of",
    "write_all_rules",
    "write_rules",
    "write_symbol_rules",
]

# The smallest float64 that float32 rounds to infinity: no price, size or equity reaches it.
TOO_LARGE = 2.0**128 - 2.0**103

NO_ORDER_LIMIT = 2**62

GIVEN_EQUITIES = 16  # equities given out that are known again where a caller hands one back

RETURN_MINUTES = 1440  # equity returns kept for VaR, CVaR and Sharpe: one day of minutes


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
        ("max_position_size", np.float64),  # notional of one position over equity
        ("max_exposure", np.float64),  # notional of all positions over equity
        ("max_notional", np.float64),  # money, of one position; infinite: none
        ("kelly_fraction", np.float64),  # 0: no Kelly
        ("volatility_target", np.float64),  # a year; infinite: none
        ("size_by_strength", np.int64),  # 1: the size is multiplied by the signal strength
        ("lot_size", np.float64),  # 0: any size
        ("min_notional", np.float64),
        ("max_daily_loss", np.float64),
        ("max_drawdown", np.float64),
        ("trailing_stop", np.float64),  # share of the best exit price; 0: none
        ("max_holding_ns", np.int64),  # 0: none
        ("max_consecutive_losses", np.int64),  # 0: any number
        ("cooldown_ns", np.int64),
        ("max_orders", np.int64),  # entries a minute
        ("max_spread", np.float64),  # share of the mid
        ("max_quote_age_ns", np.int64),
        ("pending_entry_ns", np.int64),
        ("block_on_drift", np.int64),
        ("funding_rate", np.float64),  # what longs pay to shorts, share of the notional
        ("funding_interval_ns", np.int64),
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
        # entries under a venue that have not filled: their notional, and of how many symbols
        ("pending", np.float64),
        ("pending_error", np.float64),
        ("pending_entries", np.int64),
        ("equity", np.float64),
        ("givens", np.int64),  # equities given out since the last cash flow, no two alike in a row
        ("given", np.float64, (GIVEN_EQUITIES,)),  # ring of them
        ("reported_balance", np.float64),  # the last balance the venue reported
        ("cash_flow", np.float64),  # total since the start
        ("cash_flows", np.int64),  # how many
        ("realised_pnl", np.float64),  # fees deducted, without funding
        ("fees", np.float64),
        ("funding", np.float64),  # received; below 0 paid
        ("trades", np.int64),  # closed
        ("wins", np.int64),  # of them, with a profit after fees and funding
        # what denies entries for a while
        ("consecutive_losses", np.int64),  # up to now, or up to the cooldown that still lasts
        ("cooldown_until", np.int64),  # ns; 0: none
        ("orders", np.int64),  # entries proposed in the minute
        ("drift", np.int64),  # 1: the model has drifted
        ("alerted", np.int64),  # bits of the account's alerts that stand
        ("alert_counts", np.int64, (len(Alert),)),  # crossings, by Alert
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
        ("crossed", np.int64),  # bits of the alerts that were crossed in this step
    ]
)

# What one symbol has of its own. All zero: the account's rules are its rules.
SYMBOL_RULES = np.dtype(
    [
        ("own", np.int64),  # 1: these are in force, not the account's
        ("lot_size", np.float64),
        ("min_notional", np.float64),
        ("taker_cost", np.float64),
        ("maker_cost", np.float64),
    ]
)

POSITION = np.dtype(
    [
        ("rules", SYMBOL_RULES),
        # position
        ("quantity", np.float64),  # signed; exactly 0 when flat
        (
            "largest",
            np.float64,
        ),  # largest |quantity| since it was flat: scales the rounding residue
        ("entry_price", np.float64),  # average
        ("entry_fees", np.float64),  # paid for what is still open
        ("stop_loss", np.float64),  # the trailing one, once it is nearer
        ("take_profit", np.float64),
        ("stop_distance", np.float64),
        ("best_price", np.float64),  # best price of an exit since the entry
        ("opened", np.int64),  # ns
        ("next_funding", np.int64),  # ns
        ("funding", np.float64),  # received for the trade that is open
        ("paper", np.int64),  # 1: opened by a paper fill
        ("leaving", np.int64),  # Reason of an exit that the venue has not filled yet, else 0
        # the entry that was proposed last under a venue, as far as it has not filled
        ("pending", np.float64),  # notional
        ("pending_quantity", np.float64),
        ("pending_until", np.int64),  # ns
        ("unrealised", np.float64),
        ("notional", np.float64),
        ("realised_pnl", np.float64),  # of this symbol, fees deducted
        ("trade_pnl", np.float64),  # of the trade that is open, fees deducted, with funding
        # market
        ("quotes", np.int64),  # trusted ones, since its time last began anew
        ("timestamp", np.int64),  # of the last one, ns
        ("late_quotes", np.int64),  # out of order in a row, their times rising
        ("late_timestamp", np.int64),  # of the last one out of order, ns
        ("first_timestamp", np.int64),
        ("bid_price", np.float64),
        ("ask_price", np.float64),
        ("funding_rate", np.float64),  # in force at the last quote
        ("alerted", np.int64),  # bits of the symbol's alerts that stand
        ("return_square", np.float64),  # decayed sum of squared log returns, a second
        ("return_weight", np.float64),  # decayed share of time that it was observed
        ("report", REPORT),
    ]
)


def _nanoseconds(seconds: float | None) -> int:
    return 0 if seconds is None else round(seconds * 10**9)


def write_rules(account: npt.NDArray[Any], config: RiskConfig) -> None:
    """Write the rules of ``config`` into an account record; nothing else of it changes.

    A ``custom_stop_loss`` is a fixed stop: it takes the place of STOP_LOSS_PCT and switches the
    volatility stop off. Without MAX_EXPOSURE, MAX_POSITION_SIZE caps all positions together too.
    """
    fixed = config.custom_stop_loss is not None
    exposure = config.MAX_POSITION_SIZE if config.MAX_EXPOSURE is None else config.MAX_EXPOSURE
    target = config.VOLATILITY_TARGET
    values: dict[str, float | None] = {
        "taker_cost": config.TRANSACTION_COST_PCT,
        "take_profit": config.TAKE_PROFIT_PCT,
        "stop_loss": config.custom_stop_loss if fixed else config.STOP_LOSS_PCT,
        "volatility_stop": config.VOLATILITY_BASED_SL and not fixed,
        "volatility_multiplier": config.VOLATILITY_MULTIPLIER,
        "half_life_s": config.VOLATILITY_HALF_LIFE_S,
        "max_stop_loss": config.MAX_STOP_LOSS_PCT,
        "risk_per_trade": config.RISK_PER_TRADE,
        "max_position_size": config.MAX_POSITION_SIZE,
        "max_exposure": exposure,
        "max_notional": math.inf if config.MAX_NOTIONAL is None else config.MAX_NOTIONAL,
        "kelly_fraction": 0.0 if config.KELLY_FRACTION is None else config.KELLY_FRACTION,
        "volatility_target": math.inf if target is None else target,
        "size_by_strength": config.dynamic_position_sizing,
        "lot_size": config.LOT_SIZE,
        "min_notional": config.MIN_NOTIONAL,
        "max_daily_loss": config.MAX_DAILY_LOSS,
        "max_drawdown": config.MAX_DRAWDOWN,
        "trailing_stop": config.TRAILING_STOP_PCT or 0.0,
        "max_holding_ns": _nanoseconds(config.MAX_HOLDING_S),
        "max_consecutive_losses": config.MAX_CONSECUTIVE_LOSSES or 0,
        "cooldown_ns": _nanoseconds(config.COOLDOWN_S),
        "max_orders": config.MAX_ORDERS_PER_MINUTE or NO_ORDER_LIMIT,
        "max_spread": config.MAX_SPREAD_PCT,
        "max_quote_age_ns": _nanoseconds(config.MAX_QUOTE_AGE_S),
        "pending_entry_ns": _nanoseconds(config.PENDING_ENTRY_S),
        "block_on_drift": config.BLOCK_ON_DRIFT,
        "funding_rate": config.FUNDING_RATE,
        "funding_interval_ns": _nanoseconds(config.FUNDING_INTERVAL_S),
    }
    rules = account["rules"]
    for name, value in values.items():
        rules[name] = value


def write_symbol_rules(position: npt.NDArray[Any], config: RiskConfig, symbol: str) -> None:
    """Write what SYMBOL_RULES says about ``symbol`` into its record; nothing else changes."""
    own = symbol_rules(config, symbol)
    rules = position["rules"]
    for name, value in own._asdict().items():
        rules[name] = value if own.own else 0


def allocate_account(config: RiskConfig) -> npt.NDArray[Any]:
    """Return a new account record, shape (1,), dtype ``ACCOUNT``, under the rules of ``config``."""
    account = allocate_record(ACCOUNT)
    write_rules(account, config)
    return account


def allocate_position(config: RiskConfig | None = None, symbol: str = "") -> npt.NDArray[Any]:
    """Return a flat position record, shape (1,), dtype ``POSITION``.

    With a ``config`` that has rules of its own for ``symbol``, the record holds them; else the
    account's are in force.
    """
    position = allocate_record(POSITION)
    if config is not None and config.SYMBOL_RULES:
        write_symbol_rules(position, config, symbol)
    return position


def record_of(
    positions: dict[str, npt.NDArray[Any]], symbol: str, config: RiskConfig
) -> npt.NDArray[Any]:
    """Return the record of a symbol; a new one begins flat and joins ``positions``."""
    record = positions.get(symbol)
    if record is None:
        record = positions[symbol] = allocate_position(config, symbol)
    return record


def write_all_rules(
    account: npt.NDArray[Any], positions: Mapping[str, npt.NDArray[Any]], config: RiskConfig
) -> None:
    """Write the rules of ``config`` into all records of an account."""
    write_rules(account, config)
    for symbol, record in positions.items():
        write_symbol_rules(record, config, symbol)
