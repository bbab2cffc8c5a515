"""Taking the venue's word: which positions it says there are, and what the equity's gap was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from alphaseeker.errors import DataError
from alphaseeker.risk.account import clock_step, flow_step, start_step
from alphaseeker.risk.fills import discard_step, missed_loss_step, position_set_step
from alphaseeker.risk.funding import funding_step
from alphaseeker.risk.inputs import VenuePosition
from alphaseeker.risk.pending import expire_step
from alphaseeker.risk.state import allocate_position

__all__ = ["settle", "take_positions", "trust_venue", "venue_targets"]

_SIZE_TOLERANCE = 1e-9


def _same_size(one: float, other: float) -> bool:
    """Say whether two signed sizes differ by no more than rounding."""
    return abs(one - other) <= _SIZE_TOLERANCE * max(abs(one), abs(other))


def trust_venue(account: npt.NDArray[Any], positions: Mapping[str, npt.NDArray[Any]]) -> None:
    """From now on the venue's word alone changes positions; undo those that were on paper."""
    if account["venue"][0] == 0:
        for position in positions.values():
            discard_step(account, position)
        account["venue"][0] = 1


def venue_targets(
    listed: Mapping[str, VenuePosition],
    positions: Mapping[str, npt.NDArray[Any]],
    *,
    whole: bool,
) -> dict[str, tuple[float, float]]:
    """Return signed size and entry price by symbol, as the venue has them.

    Parameters
    ----------
    listed
        What the venue says. Without an entry price the last mid stands in.
    positions
        Records of dtype ``POSITION`` by symbol.
    whole
        Whether ``listed`` is the whole account: then every other symbol is flat.

    Raises
    ------
    DataError
        A position has no entry price and no quote of its symbol was seen.
    """
    targets = dict.fromkeys(positions, (0.0, 0.0)) if whole else {}
    for symbol, venue in listed.items():
        price = venue.entry_price
        if venue.quantity == 0.0:
            price = 0.0
        elif price is None:
            record = positions.get(symbol)
            if record is None or record["bid_price"][0] <= 0.0:
                raise DataError(
                    f"the position of {symbol!r} has no entry_price, and no quote was seen that "
                    "could stand in; give entry_price"
                )
            price = float(0.5 * (record["bid_price"][0] + record["ask_price"][0]))
        targets[symbol] = (venue.quantity, price)
    return targets


def take_positions(
    account: npt.NDArray[Any],
    positions: dict[str, npt.NDArray[Any]],
    targets: Mapping[str, tuple[float, float]],
    now: int,
) -> tuple[list[str], bool]:
    """Bring the positions to the venue's sizes.

    Parameters
    ----------
    account, positions
        Changed; a symbol that is new joins ``positions``.
    targets
        Of ``venue_targets``.
    now
        Time in ns.

    Returns
    -------
    tuple[list[str], bool]
        The symbols whose size was another before, a dropped paper position's too; and whether
        fills were missed, which those of a paper position were not.
    """
    before = {symbol: float(record["quantity"][0]) for symbol, record in positions.items()}
    trust_venue(account, positions)
    clock_step(account, now)
    for record in positions.values():
        # The venue's equity has paid what fell due up to now.
        funding_step(account, record)
        expire_step(account, record)
    missed = False
    for symbol, (quantity, price) in targets.items():
        record = positions.setdefault(symbol, allocate_position())
        if not _same_size(float(record["quantity"][0]), quantity):
            position_set_step(account, record, quantity, price)
            missed = True
    changed = [
        symbol
        for symbol, record in positions.items()
        if not _same_size(before.get(symbol, 0.0), float(record["quantity"][0]))
    ]
    return changed, missed


def settle(account: npt.NDArray[Any], balance: float, *, fills_missed: bool) -> tuple[float, float]:
    """Bring the account's equity to the venue's; return what was cash flow and what was loss.

    Where fills were missed, a shortfall is the loss that they made, and counts against the
    limits. Every other difference is a cash flow.
    """
    if account["started"][0] == 0:
        start_step(account, balance)
        return 0.0, 0.0
    difference = balance - float(account["equity"][0])
    account["reported_balance"][0] = balance
    if difference == 0.0:
        return 0.0, 0.0
    if fills_missed and difference < 0.0:
        missed_loss_step(account, difference)
        return 0.0, difference
    flow_step(account, difference)
    return difference, 0.0
