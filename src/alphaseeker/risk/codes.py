"""The codes of the risk state machine: states, intents, actions, reasons, refusals, alerts."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Action", "Alert", "Intent", "Reason", "Refusal", "State"]


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
    TIME_LIMIT = 23
    TRAILING_STOP = 24
    MAX_DAILY_LOSS = 30
    MAX_DRAWDOWN = 31
    # what bound the size of an entry, or left none; or why there is none
    RISK_PER_TRADE = 40
    MAX_POSITION_SIZE = 41
    LOT_SIZE = 42
    MIN_NOTIONAL = 43
    NO_SIGNAL_STRENGTH = 44
    COST_BREAKS_LIMIT = 45
    STOP_INSIDE_SPREAD = 46
    KELLY = 47
    VOLATILITY_TARGET = 48
    MAX_EXPOSURE = 49
    REFUSED_BY_RULE = 50
    MAX_NOTIONAL = 51
    COOLDOWN = 52
    MAX_ORDERS_PER_MINUTE = 53
    MAX_SPREAD = 54
    STALE_QUOTE = 55
    MODEL_DRIFT = 56
    # the journal
    JOURNAL_DAMAGED = 60
    JOURNAL_RECONCILED = 61
    JOURNAL_FAILED = 62


class Refusal(IntEnum):
    """Inputs that a step does not take: it returns the code and leaves every byte as it was."""

    BAD_TIMESTAMP = -1
    BAD_BID_PRICE = -2
    BAD_ASK_PRICE = -3
    BAD_VOLUME = -4
    BAD_BALANCE = -5
    BAD_INTENT = -6
    BAD_STRENGTH = -7
    BAD_PROBABILITY = -8
    BAD_FUNDING_RATE = -9


class Alert(IntEnum):
    """What an alert is about: the number of its bit in the record's mask."""

    DAILY_LOSS = 0
    DRAWDOWN = 1
    CONSECUTIVE_LOSSES = 2
    EXPOSURE = 3
    ORDER_RATE = 4
    MODEL_DRIFT = 5
    # of one symbol
    STALE_PRICE = 6
    SPREAD = 7
