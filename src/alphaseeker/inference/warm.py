"""Compiles the whole live path ahead, so that nothing is left to compile at the first tick."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.features.batch import column_indices
from alphaseeker.features.block import FeatureSettings
from alphaseeker.inference.rows import run_rows
from alphaseeker.inference.served_model import ServedModel
from alphaseeker.inference.session import Session
from alphaseeker.market.depth import MAX_LEVELS, repair_depth_series
from alphaseeker.market.schema import TICK, TickSeries
from alphaseeker.model.adaptive import allocate_adaptive
from alphaseeker.model.artifact import ModelArtifact
from alphaseeker.model.backends import compile_predictors
from alphaseeker.model.decision import allocate_decision
from alphaseeker.model.predictor import BoundPredictor, row_entry
from alphaseeker.risk.manager import RiskManager

__all__ = ["compile_kernels", "compile_path"]

NOON_NS = 1_600_000_000_000_000_000
SECOND_NS = 1_000_000_000
QUOTE = (100.0, 100.1, 2.0, 3.0, 100.0, 0.0)
LEVELS = np.array([[100.0 - n, 2.0, 100.1 + n, 3.0] for n in range(MAX_LEVELS)])
SIDES = (0.0, 0.0)
NAMES = ("book.spread", "book.imbalance")


@kernel
def _leave_scores(context: int, fresh: int) -> int:
    return 1


LEAVE_SCORES = row_entry(_leave_scores)


class _NoPrediction:
    """Leaves the scores as they are."""

    context = 0

    @property
    def entry(self) -> int:
        """Address of a kernel that does nothing."""
        return LEAVE_SCORES.address

    def __call__(self) -> None:
        """Do nothing."""


class _NoPredictor:
    """Stands where there is no model to compile for."""

    name = "none"
    n_features = len(NAMES)

    def predict_row(
        self, features: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]
    ) -> None:
        """Leave ``scores``."""

    def predict_matrix(self, matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return zeros, shape (n, 3)."""
        return np.zeros((len(matrix), 3))

    def bind(
        self, features: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]
    ) -> BoundPredictor:
        """Return what leaves ``scores``."""
        return _NoPrediction()

    def close(self) -> None:
        """Hold nothing."""


def compile_path(model: ServedModel) -> None:
    """Run a few made-up ticks through a throwaway session and risk manager."""
    session = Session("", model)
    for second in range(2):
        session.update(NOON_NS + second * SECOND_NS, *QUOTE, *SIDES, depth=LEVELS)
    ticks = np.zeros(2, dtype=TICK)
    for second in range(2):
        stamp = NOON_NS + (2 + second) * SECOND_NS
        ticks[second] = (stamp, *QUOTE, *SIDES, 0)
    depth = np.stack([LEVELS, LEVELS])
    repair_depth_series(depth)
    run_rows(session, TickSeries(symbol="", ticks=ticks, rows=np.arange(2), depth=depth))
    market = {
        "bid_price": QUOTE[0],
        "ask_price": QUOTE[1],
        "bid_volume": QUOTE[2],
        "ask_volume": QUOTE[3],
        "timestamp": NOON_NS,
    }
    # A filtered signal goes through the entry rules and is then turned down.
    RiskManager().manage(market, {"signal": 1, "filter_reason": "warm-up"}, 1_000.0)


def compile_kernels() -> float:
    """Compile, or load from the cache, every kernel of the live path; return the seconds taken."""
    start = perf_counter()
    compile_predictors()
    artifact = ModelArtifact(
        model_text="",
        feature_names=NAMES,
        schema_hash="",
        label_mapping={},
        class_prior=(0.25, 0.5, 0.25),
        calibration={"temperature": 1.0, "bias": [0.0, 0.0, 0.0], "min_confidence": 0.0},
        settings={},
        target={},
        training={},
        metrics={},
        versions={},
        golden_features=np.zeros((0, len(NAMES)), dtype=np.float32),
        golden_scores=np.zeros((0, 3)),
    )
    compile_path(
        ServedModel(
            artifact=artifact,
            predictor=_NoPredictor(),
            passed_over=(),
            decision=allocate_decision(artifact.calibration),
            adaptive=allocate_adaptive(None, prior=artifact.class_prior, target={}),
            columns=column_indices(NAMES),
            custom=(),
            settings=FeatureSettings(tick_size=0.1),
            needed_buckets=0,
            depth_levels=0,
            reads_sides=False,
            abstain=False,
        )
    )
    return perf_counter() - start
