"""The record of what became of a session's predictions: what is open, and the counters.

See ``inference.following`` for what the step does with it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.factors.forward_returns import is_coarse
from alphaseeker.model.adaptive import ADAPTIVE

__all__ = [
    "NEVER",
    "PAIRS",
    "REALISED",
    "abandon",
    "clear_realised",
    "followed_settings",
    "pack_realised",
    "unpack_realised",
    "withdraw",
]

NANOSECONDS = 1_000_000_000
NEVER = np.iinfo(np.int64).max
PAIRS = 1_024  # resolved predictions whose score and return are kept

FOLLOWED = np.dtype(
    [
        ("open", np.int64),
        ("timestamp", np.int64),
        ("end", np.int64),  # of the horizon
        ("accepted", np.int64),  # the gate's count at the prediction
        ("choice", np.int64),
        ("probability", np.float64),
        ("score", np.float64),  # p_buy - p_sell, less that of the class prior
        ("price", np.float64),  # that the label is of
        ("mid", np.float64),
        ("threshold", np.float64),  # smallest absolute log return that is a direction
        ("upper", np.float64),  # barriers; infinite where there are none
        ("lower", np.float64),
        ("cost", np.float64),  # of a round trip, as a share of the mid
    ]
)
REALISED = np.dtype(
    [
        # of the model
        ("horizon", np.int64),  # ns; 0: nothing is followed
        ("since", np.int64),  # first moment that the model was not trained on
        ("by_close", np.int64),
        ("barriers", np.int64),
        ("coarse", np.int64),  # 1 for a grid whose horizon may pass between two samples
        ("threshold", np.float64),
        ("take_profit", np.float64),
        ("stop_loss", np.float64),
        ("transaction_cost", np.float64),
        ("spacing", np.int64),  # ns between two sampled rows of features
        ("capacity", np.int64),  # rows of the sample
        # until when there is nothing to do
        ("due", np.int64),
        ("upper", np.float64),
        ("lower", np.float64),
        ("segment", np.int64),
        # the last tick
        ("timestamp", np.int64),
        ("price", np.float64),
        ("mid", np.float64),
        # the sample
        ("next", np.int64),  # when its next row is due
        ("sampled", np.int64),
        # counters
        ("resolved", np.int64),
        ("hits", np.int64),
        ("lost", np.int64),
        ("expected", np.float64),  # sum of the probabilities
        ("variance", np.float64),  # sum of p (1 - p)
        ("recent", np.float64),  # the same sums under the weights that fade
        ("recent_hits", np.float64),
        ("recent_expected", np.float64),
        ("recent_variance", np.float64),
        ("trades", np.int64),
        ("net", np.float64),
        ("peak", np.float64),
        ("deepest", np.float64),
        ("judged", FOLLOWED),
        ("traded", FOLLOWED),
        # the latest judged predictions: prediction k stands at place k % PAIRS
        ("scores", np.float64, (PAIRS,)),
        ("returns", np.float64, (PAIRS,)),  # log return of the label's price to the label's end
    ]
)
LAYOUT = hashlib.sha256(f"{REALISED}{ADAPTIVE}".encode()).digest()[:16]
OWN = ("next", "sampled", "resolved", "hits", "lost", "trades")
SUMS = (
    "expected",
    "variance",
    "recent",
    "recent_hits",
    "recent_expected",
    "recent_variance",
    "net",
    "peak",
    "deepest",
    "scores",
    "returns",
)


def followed_settings(target: Mapping[str, Any], training: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of ``REALISED`` that a model sets, from its file's tables.

    A model whose target does not say enough is served, and nothing of it is followed.
    """
    ranges = training.get("ranges") or {}
    reference = training.get("reference") or {}
    fitted = [bounds[1] for part, bounds in ranges.items() if part in ("train", "validation")]
    barriers = target.get("kind") == "triple_barrier"
    threshold = target.get("threshold")
    horizon = round(float(target.get("horizon_s", 0.0)) * NANOSECONDS)
    if not barriers and threshold is None:
        horizon = 0
    return {
        "horizon": horizon,
        "since": max(fitted, default=0),
        "by_close": target.get("label_price") == "close",
        "barriers": barriers,
        "coarse": is_coarse(float(reference.get("grid_interval_s", 0.0)), horizon),
        "threshold": math.inf if threshold is None else float(threshold),
        "take_profit": float(target.get("take_profit", math.inf)),
        "stop_loss": float(target.get("stop_loss", math.inf)),
        "transaction_cost": float(target.get("transaction_cost", 0.0)),
        "spacing": round(float(reference.get("spacing_s", 0.0)) * NANOSECONDS),
        "capacity": int(reference.get("window_rows", 0)),
    }


def clear_realised(realised: npt.NDArray[Any]) -> None:
    """Forget all that was followed, counted and sampled; what the model set stays.

    ``realised`` is a one-element array of ``REALISED``.
    """
    for name in (*OWN, *SUMS):
        realised[name] = 0
    abandon(realised)


def abandon(realised: npt.NDArray[Any]) -> None:
    """Give up what is open, from Python; the counters stay."""
    for chain in ("judged", "traded"):
        realised[chain]["open"] = 0
    realised["due"], realised["upper"], realised["lower"] = NEVER, math.inf, -math.inf
    realised["segment"] = -1


def withdraw(realised: npt.NDArray[Any], timestamp: int) -> None:
    """Take back the trade that a tick opened: its signal was held back after all."""
    traded = realised["traded"][0]
    if traded["open"] == 1 and traded["timestamp"] == timestamp:
        realised["traded"]["open"] = 0


def pack_realised(
    realised: npt.NDArray[Any],
    adaptive: npt.NDArray[Any],
    rows: npt.NDArray[np.float32],
    mark: bytes,
) -> bytes:
    """Return counters, open predictions, what the calibration learnt and sampled rows as bytes.

    Records of ``REALISED`` and ``model.adaptive.ADAPTIVE``, rows of shape (m, k); see the other
    way.
    """
    return mark + LAYOUT + realised.tobytes() + adaptive.tobytes() + rows.tobytes()


def unpack_realised(
    packed: bytes, mark: bytes, width: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.float32]] | None:
    """Return both records and the rows that were packed.

    None where they are of another model, another version of the record, or where there are none:
    what became of a model's predictions says nothing of another's.
    """
    head = mark + LAYOUT
    middle = len(head) + REALISED.itemsize
    start = middle + ADAPTIVE.itemsize
    if packed[: len(head)] != head or len(packed) < start:
        return None
    record = np.frombuffer(packed, dtype=REALISED, offset=len(head), count=1)
    adaptive = np.frombuffer(packed, dtype=ADAPTIVE, offset=middle, count=1)
    rows = np.frombuffer(packed, dtype=np.float32, offset=start)
    return record, adaptive, rows.reshape(-1, width)
