"""One trial of the search: a fit on the training part, judged on the validation part alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from alphaseeker.config import ModelConfig
from alphaseeker.model.decision import allocate_decision, decide
from alphaseeker.training.bootstrap import cell_length, time_cells
from alphaseeker.training.calibration import choose_confidence, fit_calibration
from alphaseeker.training.dataset import Rows
from alphaseeker.training.fit import Part, fit_model, raw_scores
from alphaseeker.training.metrics import log_loss_terms
from alphaseeker.training.row_matrix import RowMatrix, score_rows
from alphaseeker.training.search import Search, Trial, search_parameters, with_parameters
from alphaseeker.training.significance import cell_returns
from alphaseeker.training.target import HOLD, Target
from alphaseeker.training.trades import simulate_trades
from alphaseeker.training.weights import average_uniqueness

__all__ = ["evaluate_trial", "search_model"]


def evaluate_trial(
    params: Mapping[str, Any],
    *,
    train: Part,
    validation: Part,
    rows: Rows,
    names: tuple[str, ...],
    config: ModelConfig,
    target: Target,
    min_confidence: float | str = "auto",
) -> Trial:
    """Fit with the parameters of a trial and say what that gives on the validation part.

    The fit stops early on the validation part, its temperature is fitted there, and there both the
    loss and the returns are measured: the test part has no place in a search. The probabilities
    are not adapted (``model.adaptive``): what a trial is to show is what its trees know, and a
    calibration that follows the labels would make up for part of what the worse trials lack.

    Parameters
    ----------
    params
        See ``search.SPACE``.
    train, validation
        Matrix, label and weight, as ``fit_model`` takes them.
    rows
        The validation rows.
    names
        The k column names.
    config
        All that ``params`` does not say.
    target
        Transaction cost, and how long a label looks ahead.
    min_confidence
        MIN_CONFIDENCE: a number, or "auto" for the one that earns the most on these rows.

    Returns
    -------
    Trial
        Its loss is the mean log loss of the tempered probabilities, rows weighted by the
        uniqueness of their labels; its returns are the net ones of the trades that the engine
        would take, all 0 where no threshold earns its costs.
    """
    fit = fit_model(train, validation, names, with_parameters(config, params, len(train[1])))
    matrix, label, _ = validation
    predict = raw_scores(fit.model_text)
    scores = score_rows(predict, matrix) if isinstance(matrix, RowMatrix) else predict(matrix)
    shares = np.bincount(train[1], minlength=3) / len(train[1])
    unique = average_uniqueness(rows.timestamp, rows.label_end, rows.symbol)
    calibration = fit_calibration(
        scores,
        label,
        prior=shares.tolist(),
        uninformed=fit.uninformed,
        method="temperature",
        weights=unique,
    )
    probabilities, choices = decide(
        allocate_decision({**calibration, "min_confidence": 0.0}), scores
    )
    loss = float(np.average(log_loss_terms(probabilities, label), weights=unique))
    least = min_confidence
    if isinstance(least, str):
        cost = target.transaction_cost
        least = choose_confidence(
            probabilities, choices, rows, transaction_cost=cost
        ).min_confidence
    sure = probabilities[np.arange(len(choices)), choices] >= least
    # At 1 the engine holds, as it does where no threshold pays.
    side = np.where(sure & (least < 1.0), choices - HOLD, 0).astype(np.int8)
    trades = simulate_trades(rows, side, transaction_cost=target.transaction_cost)
    cell = time_cells(rows.timestamp, target.horizon_ns)
    return Trial(
        params=dict(params),
        loss=loss,
        returns=cell_returns(trades, cell),
        cell_ns=cell_length(rows.timestamp, target.horizon_ns),
    )


def search_model(
    evaluate: Callable[[Mapping[str, Any]], Trial],
    config: ModelConfig,
    *,
    rows: int,
    share: float = 1.0,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[ModelConfig, Search | None]:
    """Return the settings with the least validation loss, and the search that found them.

    With ``SEARCH_MINUTES`` 0 there is no search: the settings come back as they are, with None.

    Parameters
    ----------
    evaluate
        `evaluate_trial` with all but its parameters given.
    config
        ``SEARCH_MINUTES``, ``SEARCH_TRIALS`` and what the search begins with.
    rows
        Training rows that the settings are for.
    share
        Of the minutes: one over the number of folds that are searched.
    on_progress
        As in `search_parameters`.

    Raises
    ------
    ConfigError
        Optuna is not installed.
    """
    if config.SEARCH_MINUTES == 0.0:
        return config, None
    search = search_parameters(
        evaluate, config, minutes=share * config.SEARCH_MINUTES, on_progress=on_progress
    )
    return with_parameters(config, search.best, rows), search
