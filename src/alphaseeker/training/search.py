"""Search over hyper-parameters of the model with Optuna, within a number of minutes and of trials.

What a trial is worth is the caller's to say: a function from parameters to a loss on rows that the
trial was not fitted on. Every trial is kept with what it would have earned, for how many there
were and how much they differ is what the chosen one's Sharpe ratio has to be deflated by.

The sampler is the tree-structured Parzen estimator (Bergstra, Bardenet, Bengio and Kegl, Algorithms
for Hyper-Parameter Optimization, 2011).
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import ModelConfig
from alphaseeker.errors import ConfigError
from alphaseeker.training.fit import leaf_size

__all__ = ["SPACE", "Range", "Search", "Trial", "search_parameters", "with_parameters"]


@dataclass(frozen=True, kw_only=True)
class Range:
    """Bounds of one parameter, both included; ``log`` ones are drawn by their logarithm."""

    low: float
    high: float
    log: bool = False
    integer: bool = False

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


SPACE: dict[str, Range] = {
    "num_leaves": Range(low=2, high=64, log=True, integer=True),
    "learning_rate": Range(low=0.01, high=0.2, log=True),
    "feature_fraction": Range(low=0.2, high=1.0),
    "lambda_l2": Range(low=0.1, high=1000.0, log=True),
    "min_data_in_leaf": Range(low=0.001, high=0.2, log=True),
}
"""What is searched. ``min_data_in_leaf`` is a share of the training rows there, so that what was
found on the part of a fold means the same on all rows."""

# Rows of a leaf, whatever the share; and rows enough that it is the share alone that counts.
LEAST_LEAF = 50
MANY_ROWS = 10_000_000


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One configuration that was tried.

    Attributes
    ----------
    params
        Value of each key of ``SPACE``; those of the first trial are the configured ones, whose
        ``min_data_in_leaf`` is a number of rows or "auto".
    loss
        What is to be small.
    returns
        Shape (cells,), float64: what it would have earned in each cell of time. Cells are the same
        in all trials.
    cell_ns
        Length of a cell, nanoseconds.
    """

    params: dict[str, Any]
    loss: float
    returns: npt.NDArray[np.float64] = field(repr=False)
    cell_ns: int = 1


@dataclass(frozen=True, kw_only=True)
class Search:
    """All trials in the order they were made, and the parameters of the one with the least loss."""

    best: dict[str, Any]
    trials: tuple[Trial, ...]

    @property
    def returns(self) -> npt.NDArray[np.float64]:
        """Shape (cells, trials), float64."""
        return np.column_stack([trial.returns for trial in self.trials])


def with_parameters(config: ModelConfig, params: Mapping[str, Any], rows: int) -> ModelConfig:
    """Return ``config`` with the parameters of a trial, for a fit on ``rows`` training rows.

    A share in ``min_data_in_leaf`` becomes a number of rows, at least 50.
    """
    given = dict(params)
    share = given.get("min_data_in_leaf")
    if isinstance(share, float):
        given["min_data_in_leaf"] = max(LEAST_LEAF, round(share * rows))
    return dataclasses.replace(config, **given)


def search_parameters(
    evaluate: Callable[[Mapping[str, Any]], Trial],
    config: ModelConfig,
    *,
    minutes: float,
    on_progress: Callable[[int, int], None] | None = None,
) -> Search:
    """Try parameters until the minutes or the trials are used up, the configured ones first.

    No trial begins once the minutes are over; the one at work then is finished. Where the number of
    trials ends the search and not the clock, the same data give the same trials. Ctrl-C ends it
    with ``KeyboardInterrupt``, and nothing is left behind.

    Parameters
    ----------
    evaluate
        Fits with the parameters and returns the trial; see ``search_run.evaluate_trial``.
    config
        ``SEARCH_TRIALS`` (with the first one), ``random_state`` (seed of the sampler) and the
        parameters of the first trial.
    minutes
        Above 0.
    on_progress
        Called with the trials done and the greatest number of them, before the first and after
        each.

    Raises
    ------
    ConfigError
        Optuna is not installed, or ``minutes`` is not above 0.

    Notes
    -----
    A loss that is not finite is that of a trial that failed: it is kept, and never the best.
    """
    if not (0.0 < minutes < math.inf):
        raise ConfigError(
            f"the minutes of the search are {minutes}; give a number above 0 (SEARCH_MINUTES = 0 "
            "means no search)"
        )
    report = on_progress or (lambda done, most: None)
    until = time.monotonic() + 60.0 * minutes
    most = config.SEARCH_TRIALS
    with _quiet_optuna() as optuna:
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=config.random_state))
        report(0, most)
        first = {name: getattr(config, name) for name in SPACE}
        trials = [evaluate(first)]
        _tell_first(optuna, study, trials[0], config)
        report(1, most)
        while len(trials) < most and time.monotonic() < until:
            asked = study.ask()
            trials.append(evaluate(_suggested(asked)))
            loss = trials[-1].loss
            if math.isfinite(loss):
                study.tell(asked, loss)
            else:
                study.tell(asked, state=optuna.trial.TrialState.FAIL)
            report(len(trials), most)
    best = min(trials, key=lambda trial: trial.loss if math.isfinite(trial.loss) else math.inf)
    return Search(best=dict(best.params), trials=tuple(trials))


@contextmanager
def _quiet_optuna() -> Iterator[Any]:
    """Yield the package with its log at warnings, and put its level back afterwards."""
    try:
        import optuna
    except ImportError as error:
        raise ConfigError(
            "SEARCH_MINUTES asks for a search, which needs Optuna, and it is not installed; "
            "run pip install 'alphaseeker[search]', or set SEARCH_MINUTES to 0"
        ) from error
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield optuna
    finally:
        optuna.logging.set_verbosity(before)


def _suggested(asked: Any) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for name, space in SPACE.items():
        if space.integer:
            params[name] = asked.suggest_int(name, int(space.low), int(space.high), log=space.log)
        else:
            params[name] = asked.suggest_float(name, space.low, space.high, log=space.log)
    return params


def _tell_first(optuna: Any, study: Any, trial: Trial, config: ModelConfig) -> None:
    """Let the sampler learn from the configured parameters, where they lie in its space."""
    params = dict(trial.params)
    if params["min_data_in_leaf"] == "auto":
        params["min_data_in_leaf"] = leaf_size(config, MANY_ROWS) / MANY_ROWS
    inside = all(params[name] in space for name, space in SPACE.items())
    if not (inside and math.isfinite(trial.loss)):
        return
    kinds = {
        name: optuna.distributions.IntDistribution(int(space.low), int(space.high), log=space.log)
        if space.integer
        else optuna.distributions.FloatDistribution(space.low, space.high, log=space.log)
        for name, space in SPACE.items()
    }
    known = optuna.trial.create_trial(params=params, distributions=kinds, value=trial.loss)
    study.add_trial(known)
