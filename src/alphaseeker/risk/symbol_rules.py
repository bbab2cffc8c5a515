"""Which costs, lot and minimum are in force for a symbol: its own, or the account's."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

from alphaseeker.config import RiskConfig

__all__ = ["SymbolRules", "symbol_rules"]


class SymbolRules(NamedTuple):
    """What is in force for one symbol; ``own`` says whether SYMBOL_RULES names it."""

    own: bool
    lot_size: float
    min_notional: float
    taker_cost: float
    maker_cost: float


def symbol_rules(config: RiskConfig, symbol: str) -> SymbolRules:
    """Return the rules of ``symbol``.

    Notes
    -----
    An entry of SYMBOL_RULES under the symbol's very name counts; else the first one whose pattern
    (``fnmatch``, upper and lower case distinct) matches it. What that entry leaves out, and a
    symbol that none matches, has the account's LOT_SIZE, MIN_NOTIONAL and costs.
    """
    found = config.SYMBOL_RULES.get(symbol)
    if found is None:
        matches = (name for name in config.SYMBOL_RULES if fnmatchcase(symbol, name))
        name = next(matches, None)
        found = None if name is None else config.SYMBOL_RULES[name]
    given = found or {}
    return SymbolRules(
        own=found is not None,
        lot_size=given.get("LOT_SIZE", config.LOT_SIZE),
        min_notional=given.get("MIN_NOTIONAL", config.MIN_NOTIONAL),
        taker_cost=given.get("TRANSACTION_COST_PCT", config.TRANSACTION_COST_PCT),
        maker_cost=given.get("MAKER_COST_PCT", config.MAKER_COST_PCT),
    )
