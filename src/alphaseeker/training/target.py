"""What a model learns to predict: the numbers of the label, the classes, the fitted threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import Config
from alphaseeker.errors import DataError, StateError

__all__ = [
    "BUY",
    "CLASS_NAMES",
    "HOLD",
    "NANOSECONDS",
    "SELL",
    "UNRESOLVED",
    "Target",
    "classify",
    "fit_threshold",
    "require_all_classes",
    "target_from_config",
    "target_from_dict",
]

SELL, HOLD, BUY = 0, 1, 2
UNRESOLVED = -1
CLASS_NAMES = ("SELL", "HOLD", "BUY")

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a model learns: the numbers of the label, stored in the model as plain values.

    Attributes
    ----------
    kind
        ``fixed_horizon`` or ``triple_barrier``.
    horizon_s
        Horizon or time limit, in seconds.
    threshold
        Smallest absolute log return that is a direction; None until fitted (``tercile``) and for
        a triple barrier, which needs none.
    label_price
        ``mid`` or ``close``.
    take_profit, stop_loss
        Barriers, as shares of the price.
    transaction_cost
        Cost a side, as a share of the price.
    """

    kind: str
    horizon_s: float
    threshold: float | None
    label_price: str
    take_profit: float
    stop_loss: float
    transaction_cost: float

    @property
    def horizon_ns(self) -> int:
        """Horizon in nanoseconds: the longest time that a label looks ahead."""
        return round(self.horizon_s * NANOSECONDS)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, the form in which a model keeps its target."""
        return asdict(self)


def target_from_config(config: Config) -> Target:
    """Return the target that ``config`` asks for; a ``tercile`` threshold is left to be fitted."""
    risk, target = config.risk, config.target
    threshold: float | None = None
    if target.KIND == "fixed_horizon" and target.THRESHOLD == "cost":
        threshold = 2.0 * risk.TRANSACTION_COST_PCT
    elif target.KIND == "fixed_horizon" and not isinstance(target.THRESHOLD, str):
        threshold = float(target.THRESHOLD)
    stop = risk.custom_stop_loss
    return Target(
        kind=target.KIND,
        horizon_s=float(target.HORIZON_S),
        threshold=threshold,
        label_price=target.LABEL_PRICE,
        take_profit=risk.TAKE_PROFIT_PCT,
        stop_loss=risk.STOP_LOSS_PCT if stop is None else stop,
        transaction_cost=risk.TRANSACTION_COST_PCT,
    )


def target_from_dict(values: Mapping[str, Any]) -> Target:
    """Return the target that ``Target.to_dict`` gave."""
    return Target(**values)


def fit_threshold(target: Target, forward_return: npt.NDArray[np.float64]) -> Target:
    """Return ``target`` with its threshold: a third of the given absolute returns stay within it.

    A threshold that the configuration fixed, and a triple barrier, are left as they are.

    Parameters
    ----------
    forward_return
        Of the training part alone, shape (n,), finite.
    """
    if target.threshold is not None or target.kind != "fixed_horizon":
        return target
    return replace(target, threshold=float(np.quantile(np.abs(forward_return), 1.0 / 3.0)))


def classify(
    forward_return: npt.NDArray[np.float64],
    barrier: npt.NDArray[np.int8] | None,
    target: Target,
) -> npt.NDArray[np.int8]:
    """Return the class of every row: 0 SELL, 1 HOLD, 2 BUY, -1 unresolved.

    Parameters
    ----------
    forward_return
        Shape (n,), float64, log returns, NaN where unresolved.
    barrier
        Classes of a triple barrier, which are taken as they are, or None.
    target
        Its threshold is the largest absolute log return that is still HOLD.

    Raises
    ------
    StateError
        The threshold has not been fitted yet.
    """
    if barrier is not None:
        return barrier.copy()
    if target.threshold is None:
        raise StateError("the target has no threshold yet: call fit_threshold on the training part")
    label = np.full(len(forward_return), HOLD, dtype=np.int8)
    label[forward_return > target.threshold] = BUY
    label[forward_return < -target.threshold] = SELL
    label[np.isnan(forward_return)] = UNRESOLVED
    return label


def require_all_classes(
    label: npt.NDArray[np.int8],
    forward_return: npt.NDArray[np.float64],
    target: Target,
) -> None:
    """Refuse a training part that lacks a class, and say which threshold would give all three.

    Parameters
    ----------
    label, forward_return
        Of the training part alone, shape (n,).

    Raises
    ------
    DataError
        SELL, HOLD or BUY does not occur.
    """
    counts = np.bincount(label, minlength=3)
    missing = [name for name, count in zip(CLASS_NAMES, counts, strict=True) if count == 0]
    if not missing:
        return
    size = np.abs(forward_return)
    smallest = float(size.min())
    largest = float(min(forward_return.max(), -forward_return.min()))
    what = (
        f"the training part has no {' and no '.join(missing)} label "
        f"(SELL {counts[0]}, HOLD {counts[1]}, BUY {counts[2]} rows)"
    )
    if largest <= smallest:
        raise DataError(
            f"{what}; over {target.horizon_s:g} s its returns run from {forward_return.min():.3g} "
            f"to {forward_return.max():.3g}, so that no threshold gives all three: train on more "
            "data, or change HORIZON_S"
        )
    middle = float(np.quantile(size, 1.0 / 3.0))
    advice = middle if smallest <= middle < largest else smallest
    if target.kind == "fixed_horizon":
        raise DataError(
            f"{what} with THRESHOLD {target.threshold:.3g}; any THRESHOLD from {smallest:.3g} to "
            f"below {largest:.3g} gives all three, for example {advice:.3g}"
        )
    raise DataError(
        f"{what} with TAKE_PROFIT_PCT {target.take_profit:g} and stop {target.stop_loss:g}; "
        f"returns over the {target.horizon_s:g} s limit reach {largest:.3g} both ways and a third "
        f"of them stay within {middle:.3g}: set both barriers between, or change HORIZON_S"
    )
