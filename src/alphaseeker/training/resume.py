"""Training that goes on from an earlier model: on new data alone, with the old model's settings.

Two ways:

- ``refit``: a new model on the new data. Target and columns are the old model's (``select`` may
  choose among these); everything that is fitted (thresholds, trees, calibration) is fitted anew,
  and the old trees are gone.
- ``warm``: boosting goes on from the old model's scores. Its trees stay and new ones are added, so
  that everything that they read must stay what it was: the columns in their order, what the feature
  settings were fitted to, and the threshold of the classes. Calibration is fitted anew.

On SIMULATED markets (``benchmarks/resumed_training.py``) a warm start did better where the relation
had stayed or weakened, the more so the fewer the new rows; where it had turned over, the old trees
were in the way. Every warm start adds up to ``num_boost_round`` rounds to what a tick costs.

Rows of a time that the old model was trained on are left out either way: in a warm start the old
trees know them, and in a refit the choice of columns does. So are those of a gap behind it, as long
as the old labels look ahead and EMBARGO_S.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import Config
from alphaseeker.errors import ConfigError, DataError, ModelError
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import schema_hash
from alphaseeker.features.custom import CustomFeature
from alphaseeker.features.settings import settings_from_plain
from alphaseeker.market.schema import TickSeries
from alphaseeker.model.artifact import ModelArtifact, load_artifact
from alphaseeker.model.model_file import read_model_bytes, require_path
from alphaseeker.training.selection import Selection

__all__ = ["DEFAULT_MODE", "MODES", "Resumed", "later_rows", "naming_the_cut", "resume_from"]

MODES = ("refit", "warm")
DEFAULT_MODE = "warm"
SECONDS = 1e-9

# Keys of TARGET_CONFIG by the name that a model's target has for them.
TARGET_KEYS = {
    "kind": "KIND",
    "horizon_s": "HORIZON_S",
    "label_price": "LABEL_PRICE",
}


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """The model that a training goes on from.

    Attributes
    ----------
    mode
        ``refit`` or ``warm``.
    artifact
        The old model.
    settings
        Its feature settings.
    sha256
        Of its file.
    embargo_s
        EMBARGO_S of the new training.
    """

    mode: str
    artifact: ModelArtifact
    settings: FeatureSettings
    sha256: str
    embargo_s: float

    @property
    def start(self) -> str | None:
        """Text of the model whose scores the new trees go on from; None for a refit."""
        return self.artifact.model_text if self.mode == "warm" else None

    @property
    def trained_until(self) -> int:
        """End of the time that the old model was fitted to, in ns; itself no longer in it."""
        ranges = self.artifact.training["ranges"]
        return max(int(ranges[part][1]) for part in ("train", "validation") if part in ranges)

    @property
    def gap_s(self) -> float:
        """Time behind ``trained_until`` that is not new: the old labels' span plus the embargo."""
        return float(self.artifact.target["horizon_s"]) + self.embargo_s

    @property
    def new_from(self) -> int:
        """The first moment whose rows count as new, in ns."""
        return self.trained_until + round(self.gap_s / SECONDS)

    def config(self, config: Config) -> Config:
        """Return ``config`` with what the old model's target says.

        Costs and everything else stay as configured; the threshold does for a refit.
        """
        old = self.artifact.target
        target: dict[str, Any] = {
            key: old[name] for name, key in TARGET_KEYS.items() if name in old
        }
        if self.mode == "warm" and old["threshold"] is not None:
            target["THRESHOLD"] = old["threshold"]
        risk = config.risk
        if old["kind"] == "triple_barrier":
            risk = replace(
                risk,
                TAKE_PROFIT_PCT=old["take_profit"],
                STOP_LOSS_PCT=old["stop_loss"],
                custom_stop_loss=None,
            )
        model = config.model
        if self.mode == "warm":
            model = replace(model, objective=_objective(self.artifact.model_text))
        return replace(config, target=replace(config.target, **target), risk=risk, model=model)

    def overridden(self, config: Config) -> tuple[str, ...]:
        """Return a sentence for every setting of the user's that the old model replaces."""
        used, found = self.config(config), []
        for section in ("target", "risk", "model"):
            given, taken = getattr(config, section), getattr(used, section)
            for item in fields(given):
                value, own = getattr(given, item.name), getattr(taken, item.name)
                name = item.name
                if name == "custom_stop_loss":
                    # It went into the old model's barrier.
                    name, own = "STOP_LOSS_PCT", own if own == value else taken.STOP_LOSS_PCT
                if value not in (item.default, own):
                    found.append(
                        f"{item.name} = {value!r} has no effect: the model to resume sets {name} "
                        f"to {own!r}; train without resume to change it"
                    )
        return tuple(found)

    def candidates(self, names: Sequence[str]) -> list[int]:
        """Return the positions of the old model's columns among ``names``, in its order.

        Raises
        ------
        DataError
            The new data do not offer one of them.
        """
        known = {name: position for position, name in enumerate(names)}
        missing = [name for name in self.artifact.feature_names if name not in known]
        if missing:
            raise DataError(
                f"the model to resume reads {', '.join(missing[:5])}"
                f"{' and more' if len(missing) > 5 else ''}, which the new data do not offer: "
                "bring data with the same inputs, or train without resume"
            )
        return [known[name] for name in self.artifact.feature_names]

    def selection(self, names: Sequence[str]) -> Selection:
        """Return the old model's very columns, for a warm start."""
        return Selection(
            columns=tuple(self.candidates(names)), names=self.artifact.feature_names, warnings=()
        )

    def record(self) -> dict[str, Any]:
        """Return what the new model's file says of the old one."""
        return {
            "sha256": self.sha256,
            "created": self.artifact.training["created"],
            "mode": self.mode,
            "trained_until_ns": self.trained_until,
            "num_trees": self.artifact.training.get("num_trees", 0),
            "select": (self.artifact.training.get("selection") or {}).get("select"),
        }


def resume_from(
    path: str | os.PathLike[str], mode: str, config: Config, custom: Sequence[CustomFeature] = ()
) -> Resumed:
    """Read the model that a training is to go on from.

    Parameters
    ----------
    path
        A model file.
    mode
        ``refit`` or ``warm``.
    config
        ``INFERENCE_CONFIG`` has the gate's limits, which replace those of the old training;
        EMBARGO_S and SEARCH_MINUTES are used too.
    custom
        The custom features at hand: those that the model reads must be among them.

    Raises
    ------
    ConfigError
        The mode is unknown, or a warm start is to search.
    ModelError
        The file cannot be trusted, or its features are declared differently in this version.
    """
    if mode not in MODES:
        raise ConfigError(f"resume_mode is {mode!r}; it must be one of {', '.join(MODES)}")
    minutes = config.model.SEARCH_MINUTES
    if mode == "warm" and minutes > 0.0:
        raise ConfigError(
            f"SEARCH_MINUTES is {minutes:g}, but a warm start cannot search: trials are fitted "
            "from nothing. Set SEARCH_MINUTES = 0, or use resume_mode refit (--resume-mode refit)"
        )
    require_path(path, name="resume")
    path = Path(path)
    artifact = load_artifact(path)
    settings = settings_from_plain(artifact.settings, custom)
    if schema_hash(artifact.feature_names, settings.custom_columns) != artifact.schema_hash:
        raise ModelError(
            f"the features of {path} are declared differently in this version (schema hash "
            "differs): train without resume"
        )
    limits = config.inference
    return Resumed(
        mode=mode,
        artifact=artifact,
        settings=replace(settings, max_gap_s=limits.MAX_GAP_S, max_jump=limits.MAX_JUMP),
        sha256=hashlib.sha256(read_model_bytes(path)).hexdigest(),
        embargo_s=float(config.split.EMBARGO_S),
    )


def later_rows(
    series: Sequence[TickSeries],
    accepted: Sequence[npt.NDArray[np.bool_]],
    resumed: Resumed,
) -> tuple[tuple[TickSeries, ...], tuple[npt.NDArray[np.bool_], ...], tuple[str, ...]]:
    """Leave out the rows that the old model was trained on, and those of the gap behind them.

    Returns
    -------
    tuple
        Series, masks, and a sentence where rows went.

    Raises
    ------
    DataError
        No row is left.
    """
    kept = [one.ticks["timestamp"] >= resumed.new_from for one in series]
    before = sum(int((~rows).sum()) for rows in kept)
    rows = sum(len(rows) for rows in kept)
    cut = (
        f"rows lie before {_iso(resumed.new_from)} (the model to resume was trained up to "
        f"{_iso(resumed.trained_until)}; its label span and EMBARGO_S follow, {resumed.gap_s:g} s)"
    )
    if before == rows:
        raise DataError(f"all {rows:,} {cut}: give data of a later time, or train without resume")
    if before == 0:
        return tuple(series), tuple(accepted), ()
    taken = [one.chosen(mask) for one, mask in zip(series, kept, strict=True) if mask.any()]
    masks = [own[mask] for own, mask in zip(accepted, kept, strict=True) if mask.any()]
    warning = f"{before:,} of {rows:,} {cut} and were left out"
    return tuple(taken), tuple(masks), (warning,)


@contextmanager
def naming_the_cut(left_out: Sequence[str]) -> Iterator[None]:
    """Begin a DataError with what ``later_rows`` left out: what is short is the rest."""
    try:
        yield
    except DataError as error:
        if not left_out:
            raise
        raise DataError(f"{'; '.join(left_out)}: {error}") from error


def _iso(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds * SECONDS, UTC).isoformat(timespec="seconds")


def _objective(model_text: str) -> str:
    line = next(line for line in model_text.split("\n") if line.startswith("objective="))
    return line.partition("=")[2].partition(" ")[0]
