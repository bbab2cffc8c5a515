"""The LightGBM fit: parameters, early stopping on the validation part, and the linear part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import ModelConfig
from alphaseeker.model.decision import N_CLASSES
from alphaseeker.model.joined_text import join_models
from alphaseeker.training.baselines import logistic_columns
from alphaseeker.training.binned import binned_dataset
from alphaseeker.training.direction import (
    Steps,
    blend_weights,
    direction_scores,
    fit_direction,
)
from alphaseeker.training.row_matrix import RowMatrix, score_rows
from alphaseeker.training.tree_text import blended_text

__all__ = ["Fit", "Part", "fit_model", "leaf_size", "lightgbm_parameters", "raw_scores"]

MAX_BIN = 255

# A leaf holds at least this share of the training rows, and never fewer than MIN_LEAF of them.
LEAF_SHARE = 1 / 20
MIN_LEAF = 50

Part = tuple[RowMatrix | npt.NDArray[np.float32], npt.NDArray[np.int8], npt.NDArray[np.float64]]
"""Matrix, shape (n, k), float32, labels 0, 1, 2 and weights, both of shape (n,)."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A fitted model.

    Attributes
    ----------
    model_text
        LightGBM's text: the boosted trees, and the linear part as trees before them.
    best_iteration
        The round with the least validation loss.
    num_trees
        Trees in all.
    uninformed
        Raw scores of this model where it says nothing beyond the class shares, shape (3,).
    blend
        Weights of ``trees`` and ``linear`` part, as fitted on the validation part.
    """

    model_text: str
    best_iteration: int
    num_trees: int
    uninformed: npt.NDArray[np.float64]
    blend: dict[str, float]


def leaf_size(config: ModelConfig, rows: int) -> int:
    """Return min_data_in_leaf; "auto" is a twentieth of the training rows, at least 50.

    At a correlation of .1 between a feature and the return a split moves the class shares by a
    few hundredths. A leaf of n independent rows knows them to sqrt(.22 / n), overlapping labels
    to less, so low signal wants big leaves; and what more data should sharpen is the shares in a
    leaf, not the number of leaves. Measured on 160,000 rows with one such feature among 90 (means
    of two seeds, out of sample): a twentieth gave a skill of .0026 nats and an IC of .084, a
    fiftieth .0023 and .081, one in 200 .0023 and .082.
    """
    if not isinstance(config.min_data_in_leaf, str):
        return config.min_data_in_leaf
    return max(MIN_LEAF, round(rows * LEAF_SHARE))


def lightgbm_parameters(config: ModelConfig, rows: int) -> dict[str, Any]:
    """Return LightGBM's parameters for ``rows`` training rows.

    ``deterministic`` with ``force_col_wise`` gives the same bytes on every run: LightGBM would
    otherwise choose its histogram layout by a timing. By rows it would keep all bins a second
    time: 90 MB for 400,000 rows of 232 columns, in the same time with one thread and with two.
    """
    return {
        "objective": config.objective,
        "num_class": config.num_class,
        "metric": "multi_logloss",
        "seed": config.random_state,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": config.num_threads,
        "num_leaves": config.num_leaves,
        "learning_rate": config.learning_rate,
        "feature_fraction": config.feature_fraction,
        "lambda_l2": config.lambda_l2,
        "min_data_in_leaf": leaf_size(config, rows),
        "min_gain_to_split": config.min_gain_to_split,
        "max_bin": MAX_BIN,
        "verbosity": -1,
    }


def fit_model(
    train: Part,
    validation: Part,
    names: Sequence[str],
    config: ModelConfig,
    *,
    on_round: Callable[[int, int], None] | None = None,
    start: str | None = None,
) -> Fit:
    """Fit on ``train``, stop by the log loss of ``validation``, keep the rounds up to its best.

    With ``linear_part`` the direction's regression (``direction.py``) joins the trees. How much
    each counts is fitted on the validation part, never more than it was fitted to.

    Parameters
    ----------
    train, validation
        See ``Part``. The weights' sum is the number of independent labels the rows are worth:
        ``lambda_l2`` and the linear part's penalty stand against it.
    names
        The k column names.
    on_round
        Called after each round with its number and the greatest number of rounds.
    start
        Text of a model of the same columns to go on from: new trees are fitted to what its scores
        leave, and stand behind its own trees in the result. Its linear part stays as it is.
    """
    import lightgbm

    params = lightgbm_parameters(config, len(train[1]))
    before = None if start is None else raw_scores(start)

    def binned(part: Part, reference: lightgbm.Dataset | None) -> lightgbm.Dataset:
        scores = None if before is None else score_rows(before, part[0])
        return binned_dataset(*part, names, params=params, reference=reference, init_score=scores)

    fitted = binned(train, None)
    watched = binned(validation, fitted)
    callbacks: list[Callable[[Any], None]] = [
        lightgbm.early_stopping(config.early_stopping_rounds, verbose=False)
    ]
    if on_round is not None:
        report = on_round
        callbacks.append(lambda env: report(env.iteration + 1, env.end_iteration))
    booster = lightgbm.train(
        params,
        fitted,
        num_boost_round=config.num_boost_round,
        valid_sets=[watched],
        callbacks=callbacks,
    )
    text = str(booster.model_to_string(num_iteration=booster.best_iteration))
    # Where LightGBM finds nothing to split, it counts a round whose trees it does not keep.
    rounds = text.count("\nTree=") // N_CLASSES
    del booster, fitted, watched
    uninformed, log_shares = _uninformed(train[1], train[2], config)
    steps: tuple[Steps, ...] = ()
    trees, linear = 1.0, 0.0
    if start is not None:
        # The new trees learn how the class shares moved: ``uninformed`` is that of the new labels.
        text = join_models(start, text)
    elif config.linear_part:
        trees, linear, steps = _blend(text, train, validation, names, uninformed, log_shares)
    if steps or trees != 1.0:
        text = blended_text(text, names, steps, trees=trees)
    return Fit(
        model_text=text,
        best_iteration=rounds,
        num_trees=int(lightgbm.Booster(model_str=text).num_trees()),
        uninformed=trees * uninformed,
        blend={"trees": trees, "linear": linear},
    )


def _uninformed(
    label: npt.NDArray[np.int8], weight: npt.NDArray[np.float64], config: ModelConfig
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the scores from which boosting starts, and the log shares of the classes behind them.

    Those scores are log q for one softmax and log q / (1 - q) for three classifiers of one against
    all, q the weighted class shares.
    """
    shares = np.bincount(label, weight, minlength=3) / weight.sum()
    log_shares = np.log(shares)
    if config.objective == "multiclassova":
        return np.asarray(log_shares - np.log1p(-shares)), log_shares
    return log_shares, log_shares


def _blend(
    text: str,
    train: Part,
    validation: Part,
    names: Sequence[str],
    uninformed: npt.NDArray[np.float64],
    log_shares: npt.NDArray[np.float64],
) -> tuple[float, float, tuple[Steps, ...]]:
    """Fit the linear part, and the weights of both; the steps come back with theirs worked in."""
    used = logistic_columns(names)
    positions = [list(names).index(name) for name in used]
    if not used:
        return 1.0, 0.0, ()
    steps = fit_direction(
        [_column(train[0], position) for position in positions], used, train[1], train[2]
    )
    if not steps:
        return 1.0, 0.0, ()
    held = [_column(validation[0], list(names).index(one.name)) for one in steps]
    trees, linear = blend_weights(
        score_rows(raw_scores(text), validation[0]) - uninformed,
        direction_scores(steps, held),
        validation[1],
        validation[2],
        log_shares,
    )
    if linear == 0.0:
        return trees, 0.0, ()
    return trees, linear, tuple(replace(one, values=linear * one.values) for one in steps)


def _column(matrix: RowMatrix | npt.NDArray[np.float32], position: int) -> npt.NDArray[np.float32]:
    return matrix.column(position) if isinstance(matrix, RowMatrix) else matrix[:, position]


def raw_scores(model_text: str) -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]]:
    """Return LightGBM's own raw scores, shape (n, 3), as a function of a matrix, shape (n, k).

    The model is read back from its text: what is evaluated is what is saved.
    """
    import lightgbm

    booster = lightgbm.Booster(model_str=model_text)

    def predict(matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        return np.asarray(booster.predict(matrix, raw_score=True), dtype=np.float64)

    return predict
