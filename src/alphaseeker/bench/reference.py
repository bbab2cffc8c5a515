"""The model and the ticks of a measurement: SIMULATED, and of the size that figures are given for.

Speed hangs on the number and depth of the trees, on the columns and on how often a threshold is
crossed, not on whether the model is any good: this one is fitted to the noise of a short market
and is for nothing but measuring.
"""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from alphaseeker.config import Config
from alphaseeker.features.batch import compute_features
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import schema_hash
from alphaseeker.features.inputs import available_names
from alphaseeker.market.simulator import HORIZON_S, START_NS, simulate, simulate_frame
from alphaseeker.model.artifact import ModelArtifact
from alphaseeker.model.golden import build_golden
from alphaseeker.training.reference import feature_reference

__all__ = ["SYMBOL", "reference_artifact", "simulated_ticks"]

SYMBOL = "SIMULATED"
NANOSECONDS = 1_000_000_000
SEED = 1
SIGNAL_STRENGTH = 0.3
PRICE_IN_TICKS = 10_000.0
ROUNDS = 100
LEAVES = 31
TRAINING_ROWS = 9_000
WARM_ROWS = 1_000  # by then the columns of up to 15 minutes have their history
GOLDEN_FEATURES = 500
PARAMETERS = {
    "objective": "multiclass",
    "num_class": 3,
    "num_leaves": LEAVES,
    "learning_rate": 0.1,
    "feature_fraction": 0.8,
    # Small leaves: every tree grows to its full size on few rows.
    "min_data_in_leaf": 20,
    "seed": 42,
    "deterministic": True,
    "force_row_wise": True,
    # Two threads took seven times as long here whenever another process kept a core busy.
    "num_threads": 1,
    "verbosity": -1,
}


def simulated_ticks(
    rows: int, *, tick_size: float, symbol: str, depth_levels: int, seed: int = SEED
) -> pd.DataFrame:
    """Return SIMULATED ticks in the file schema, one a second.

    Parameters
    ----------
    rows
        Seconds.
    tick_size
        Of prices; a price is about 10,000 of them.
    symbol
        Value of the column ``symbol``; without a name there is no such column, as in files of one
        unnamed symbol.
    depth_levels
        Levels behind the quotes; 0 for none.
    seed
        Of the simulator.
    """
    frame = simulate_frame(
        rows,
        seed=seed,
        signal_strength=SIGNAL_STRENGTH,
        tick_size=tick_size,
        start_price=PRICE_IN_TICKS * tick_size,
        depth_levels=depth_levels,
    )
    return frame.assign(symbol=symbol) if symbol else frame.drop(columns="symbol", errors="ignore")


def reference_artifact(
    *, rounds: int = ROUNDS, leaves: int = LEAVES, rows: int = TRAINING_ROWS, config: Config
) -> ModelArtifact:
    """Fit the model that figures are given for, on SIMULATED ticks.

    It reads every column of the catalogue that needs no depth. Labels are the terciles of the
    mid's change over the next minute.

    Parameters
    ----------
    rounds, leaves
        Of the fit: three trees a round.
    rows
        Seconds simulated; the first 1,000 of them are not fitted on.
    config
        ``INFERENCE_CONFIG`` has the gate's limits.
    """
    import lightgbm

    settings = FeatureSettings(
        tick_size=0.01,
        max_gap_s=config.inference.MAX_GAP_S,
        max_jump=config.inference.MAX_JUMP,
        aggressor=True,
    )
    names = available_names(settings)
    ticks = simulate(
        rows,
        seed=SEED + 1,
        signal_strength=SIGNAL_STRENGTH,
        symbol=SYMBOL,
        start_ns=START_NS - rows * NANOSECONDS,  # live ticks come later: then they are followed
    )
    block = compute_features(ticks, settings=settings, names=names)
    horizon = round(HORIZON_S)
    change = block.mid[WARM_ROWS + horizon :] - block.mid[WARM_ROWS:-horizon]
    label = np.digitize(change, np.quantile(change, (1 / 3, 2 / 3)))
    matrix = np.ascontiguousarray(block.values[WARM_ROWS:-horizon])
    parameters = {**PARAMETERS, "num_leaves": leaves}
    data = lightgbm.Dataset(matrix, label, feature_name=list(names))
    booster = lightgbm.train(parameters, data, num_boost_round=rounds)
    text = booster.model_to_string()
    features, scores = build_golden(text, matrix, rows=GOLDEN_FEATURES)
    times = block.timestamp[WARM_ROWS:-horizon]
    return ModelArtifact(
        model_text=text,
        feature_names=names,
        schema_hash=schema_hash(names, settings.custom_columns),
        label_mapping={"SELL": 0, "HOLD": 1, "BUY": 2},
        class_prior=_shares(label),
        calibration={"temperature": 1.0, "bias": [0.0, 0.0, 0.0], "min_confidence": 0.0},
        settings=settings.to_dict(names),
        target={
            "kind": "fixed_horizon",
            "horizon_s": HORIZON_S,
            "threshold": float(np.quantile(np.abs(change / block.mid[WARM_ROWS:-horizon]), 1 / 3)),
            "label_price": "mid",
            "transaction_cost": config.risk.TRANSACTION_COST_PCT,
        },
        training={
            **_training(times, booster),
            "reference": feature_reference(
                matrix.__getitem__, times, block.segment[WARM_ROWS:-horizon]
            ),
        },
        metrics={},
        versions={
            "python": platform.python_version(),
            "alphaseeker": version("alphaseeker"),
            "lightgbm": version("lightgbm"),
        },
        golden_features=features,
        golden_scores=scores,
    )


def _shares(label: npt.NDArray[Any]) -> tuple[float, float, float]:
    sell, hold, buy = (np.bincount(label, minlength=3) / len(label)).tolist()
    return sell, hold, buy


def _training(times: npt.NDArray[np.int64], booster: Any) -> dict[str, Any]:
    return {
        "ranges": {"train": [int(times[0]), int(times[-1])]},
        "fingerprint": "",
        "symbols": [SYMBOL],
        "rows": {"train": len(times)},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "best_iteration": int(booster.current_iteration()),
        "num_trees": int(booster.num_trees()),
        "price_col": "close",
        "simulated": True,
    }
