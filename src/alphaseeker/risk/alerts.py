"""Alerts: which limit was crossed, told once per crossing to the logger and a callback."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy.typing as npt

from alphaseeker._jit import part
from alphaseeker.errors import ConfigError
from alphaseeker.risk.state import Alert

__all__ = ["EXPOSURE_TOLERANCE", "Alerts", "OnAlert", "alert_step"]

logger = logging.getLogger(__name__)

OnAlert = Callable[[dict[str, Any]], object]

KEPT_ALERTS = 100  # listed; their counts are never lost

# A full position stands at its cap and the price moves it to and fro across: only an exposure this
# share beyond the limit is told, and the next time after it was back inside.
EXPOSURE_TOLERANCE = 0.05

_ALERTS = len(Alert)
_DAILY_LOSS, _DRAWDOWN, _LOSSES, _EXPOSURE, _ORDERS, _DRIFT, _STALE, _SPREAD = (
    1 << int(alert) for alert in Alert
)
_SETTINGS = {
    Alert.DAILY_LOSS: "MAX_DAILY_LOSS",
    Alert.DRAWDOWN: "MAX_DRAWDOWN",
    Alert.CONSECUTIVE_LOSSES: "MAX_CONSECUTIVE_LOSSES",
    Alert.EXPOSURE: "MAX_EXPOSURE",
    Alert.ORDER_RATE: "MAX_ORDERS_PER_MINUTE",
    Alert.MODEL_DRIFT: "BLOCK_ON_DRIFT",
    Alert.STALE_PRICE: "MAX_QUOTE_AGE_S",
    Alert.SPREAD: "MAX_SPREAD_PCT",
}
_OF_SYMBOL = (Alert.STALE_PRICE, Alert.SPREAD)


@part
def alert_step(
    account: npt.NDArray[Any],
    position: npt.NDArray[Any],
    daily_loss: float,
    drawdown: float,
    exposure: float,
) -> int:
    """Judge every alert; return the bits (by ``Alert``) of those that were crossed just now."""
    a = account[0]
    p = position[0]
    rules = a.rules
    bits = 0
    if not (daily_loss < rules.max_daily_loss):
        bits |= _DAILY_LOSS
    if not (drawdown < rules.max_drawdown):
        bits |= _DRAWDOWN
    if a.cooldown_until > 0:
        bits |= _LOSSES
    allowed = rules.max_exposure
    if not (exposure <= allowed * (1.0 + EXPOSURE_TOLERANCE)) or (
        a.alerted & _EXPOSURE != 0 and exposure > allowed
    ):
        bits |= _EXPOSURE
    if a.orders >= rules.max_orders:
        bits |= _ORDERS
    if a.drift == 1:
        bits |= _DRIFT
    own = 0
    if a.timestamp - p.timestamp > rules.max_quote_age_ns and p.quotes > 0:
        own |= _STALE
    if p.ask_price - p.bid_price > rules.max_spread * (0.5 * (p.bid_price + p.ask_price)):
        own |= _SPREAD
    crossed = (bits & ~a.alerted) | (own & ~p.alerted)
    a.alerted = bits
    p.alerted = own
    if crossed != 0:
        for index in range(_ALERTS):
            a.alert_counts[index] += (crossed >> index) & 1
    return int(crossed)


def _last_heard(position: npt.NDArray[Any]) -> Any:
    """Return the time of the last quote; before the first, that of the fill."""
    return position["timestamp" if position["quotes"][0] > 0 else "opened"][0]


def _value_and_limit(
    alert: Alert, account: npt.NDArray[Any], position: npt.NDArray[Any]
) -> tuple[float, float]:
    """Return what was measured and its limit."""
    rules, report = account["rules"][0], position["report"][0]
    bid, ask = position["bid_price"][0], position["ask_price"][0]
    pairs = {
        Alert.DAILY_LOSS: (report["daily_loss"], rules["max_daily_loss"]),
        Alert.DRAWDOWN: (report["drawdown"], rules["max_drawdown"]),
        Alert.CONSECUTIVE_LOSSES: (
            account["consecutive_losses"][0],
            rules["max_consecutive_losses"],
        ),
        Alert.EXPOSURE: (report["exposure"], rules["max_exposure"]),
        Alert.ORDER_RATE: (account["orders"][0], rules["max_orders"]),
        Alert.MODEL_DRIFT: (1.0, 0.0),
        Alert.STALE_PRICE: (
            (account["timestamp"][0] - _last_heard(position)) * 1e-9,
            rules["max_quote_age_ns"] * 1e-9,
        ),
        Alert.SPREAD: (2.0 * (ask - bid) / (ask + bid), rules["max_spread"]),
    }
    value, limit = (float(number) for number in pairs[alert])
    return value if math.isfinite(value) else 0.0, limit


def _sentence(alert: Alert, symbol: str, value: float, limit: float) -> str:
    shares = (Alert.DAILY_LOSS, Alert.DRAWDOWN, Alert.EXPOSURE, Alert.SPREAD)
    shown = [f"{number:.2%}" if alert in shares else f"{number:g}" for number in (value, limit)]
    about = f"{symbol}: " if symbol else ""
    if alert == Alert.MODEL_DRIFT:
        return "the model has drifted from what it was trained on"
    name = alert.name.lower().replace("_", " ")
    return f"{about}{name} is {shown[0]}, {_SETTINGS[alert]} is {shown[1]}"


class Alerts:
    """Tells what was crossed; keeps the last ones.

    Parameters
    ----------
    on_alert
        Called with one dictionary: ``kind`` (an ``Alert`` in lower case), ``name`` (the setting),
        ``value``, ``limit``, ``symbol`` (empty for what is the account's) and ``sentence``. What it
        raises is logged, and stops no trading.

    Raises
    ------
    ConfigError
        ``on_alert`` cannot be called.
    """

    def __init__(self, on_alert: OnAlert | None = None) -> None:
        if on_alert is not None and not callable(on_alert):
            raise ConfigError(
                f"on_alert is {on_alert!r}; it must be None or something that can be called with "
                "a dictionary"
            )
        self._on_alert = on_alert
        self._recent: deque[dict[str, Any]] = deque(maxlen=KEPT_ALERTS)
        self._silent: dict[str, int] = {}  # of which that was told, and when they were last heard

    def collect(
        self,
        crossed: int,
        symbol: str,
        account: npt.NDArray[Any],
        position: npt.NDArray[Any],
    ) -> list[dict[str, Any]]:
        """Return the alerts of the bits ``crossed`` of a step that was just taken; keep them."""
        if crossed == 0:
            return []
        found = []
        for alert in Alert:
            if crossed >> alert & 1:
                value, limit = _value_and_limit(alert, account, position)
                about = symbol if alert in _OF_SYMBOL else ""
                found.append(
                    {
                        "kind": alert.name.lower(),
                        "name": _SETTINGS[alert],
                        "value": value,
                        "limit": limit,
                        "symbol": about,
                        "sentence": _sentence(alert, about, value, limit),
                    }
                )
        self._recent.extend(found)
        return found

    def silent(
        self, account: npt.NDArray[Any], positions: Mapping[str, npt.NDArray[Any]]
    ) -> list[dict[str, Any]]:
        """Return alerts of positions whose quotes have ceased: no step of their own could tell.

        Nothing of the state changes: they are not counted, and told again after a restart.
        """
        found: list[dict[str, Any]] = []
        silent: dict[str, int] = {}
        oldest = account["timestamp"][0] - account["rules"]["max_quote_age_ns"][0]
        for symbol, position in positions.items():
            if position["quantity"][0] != 0.0 and _last_heard(position) < oldest:
                heard = silent[symbol] = int(_last_heard(position))
                told = self._silent.get(symbol) == heard
                if not told and not position["alerted"][0] & _STALE:
                    found += self.collect(_STALE, symbol, account, position)
        self._silent = silent
        return found

    def send(self, alerts: Sequence[dict[str, Any]]) -> None:
        """Log each alert and hand it to the callback."""
        for alert in alerts:
            logger.warning("alert: %s", alert["sentence"])
            if self._on_alert is not None:
                try:
                    self._on_alert(dict(alert))
                except Exception:
                    logger.exception("the callback for alerts failed")

    def statistics(self, account: npt.NDArray[Any]) -> dict[str, Any]:
        """Return ``counts`` by kind, the account's that stand (``active``) and the last alerts."""
        counts = account["alert_counts"][0].tolist()
        standing = int(account["alerted"][0])
        return {
            "counts": {
                alert.name.lower(): count for alert, count in zip(Alert, counts, strict=True)
            },
            "active": [alert.name.lower() for alert in Alert if standing >> alert & 1],
            "recent": [dict(alert) for alert in self._recent],
        }
