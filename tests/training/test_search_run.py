"""One trial inside a fold, and the search that is made of such trials."""

import dataclasses
import importlib.util
from functools import partial

import numpy as np
import pytest

from alphaseeker.config import Config, ModelConfig
from alphaseeker.training.dataset import gather, join_blocks
from alphaseeker.training.search import SPACE, Trial
from alphaseeker.training.search_run import evaluate_trial, search_model
from alphaseeker.training.significance import significance
from alphaseeker.training.target import classify, fit_threshold, target_from_config

needs_optuna = pytest.mark.skipif(
    importlib.util.find_spec("optuna") is None,
    reason="needs Optuna: pip install 'alphaseeker[search]'",
)
FAST = ModelConfig(
    num_boost_round=15, early_stopping_rounds=5, num_threads=1, SEARCH_TRIALS=4, SEARCH_MINUTES=9.0
)
PARAMS = {name: getattr(FAST, name) for name in SPACE}


@pytest.fixture(scope="module")
def fold(simulate):
    """What a fold knows before its test part: 4,000 rows to train on and 1,500 to validate."""
    block = simulate(5600, signal=0.3, seed=1)
    target = target_from_config(Config().override({"HORIZON_S": 10, "TRANSACTION_COST_PCT": 0.0}))
    rows = join_blocks([block], target)
    usable = np.flatnonzero(rows.usable)
    chosen = {"train": usable[20:4020], "validation": usable[4030:5530]}
    target = fit_threshold(target, rows.forward_return[chosen["train"]])
    label = classify(rows.forward_return, rows.barrier, target)
    part = {
        name: (
            gather([block], numbers, range(len(block.names))),
            label[numbers],
            np.ones(len(numbers)),
        )
        for name, numbers in chosen.items()
    }
    held = rows.take(chosen["validation"])
    # The made-up spread would eat every trade.
    held = dataclasses.replace(held, spread=np.zeros(len(held)))
    return {**part, "rows": held, "names": block.names, "config": FAST, "target": target}


def test_a_trial_that_finds_the_signal_beats_the_prior_and_earns(fold):
    trial = evaluate_trial(PARAMS, **fold)
    assert trial.params == PARAMS
    assert trial.loss < np.log(3) - 0.01
    assert trial.returns.sum() > 0.0
    assert len(trial.returns) > 20
    again = evaluate_trial(PARAMS, **fold)
    assert (again.loss, again.returns.tobytes()) == (trial.loss, trial.returns.tobytes())


def test_parameters_reach_the_fit(fold):
    losses = {evaluate_trial(PARAMS, **fold).loss}
    for change in (
        {"num_leaves": 2},
        {"learning_rate": 0.01},
        {"feature_fraction": 0.2},
        {"lambda_l2": 1000.0},
        {"min_data_in_leaf": 0.2},
    ):
        losses.add(evaluate_trial({**PARAMS, **change}, **fold).loss)
    assert len(losses) == 6


def test_rows_that_share_a_label_count_for_one(fold):
    """Half of the rows, made to share one label, hardly move the loss that the others give."""
    rows = fold["rows"]
    half = len(rows) // 2
    end = rows.label_end.copy()
    end[half:] = rows.label_end[-1]
    crowded = {**fold, "rows": dataclasses.replace(rows, label_end=end)}
    wrong = fold["validation"][1].copy()
    wrong[half:] = 2 - wrong[half:]
    flipped = (fold["validation"][0], wrong, fold["validation"][2])
    config = dataclasses.replace(FAST, num_boost_round=3)
    together = evaluate_trial(PARAMS, **{**crowded, "validation": flipped, "config": config})
    alone = evaluate_trial(PARAMS, **{**fold, "validation": flipped, "config": config})
    assert together.loss < alone.loss - 0.003


def test_what_never_pays_takes_no_trade(fold):
    target = dataclasses.replace(fold["target"], transaction_cost=0.01)
    trial = evaluate_trial(PARAMS, **{**fold, "target": target})
    assert not trial.returns.any()
    told = evaluate_trial(PARAMS, **{**fold, "target": target}, min_confidence=0.0)
    assert told.returns.sum() < 0.0


def counting(seen):
    def evaluate(params):
        seen.append(params)
        loss = float(len(seen) != 2)
        return Trial(params=dict(params), loss=loss, returns=np.zeros(3))

    return evaluate


def test_search_minutes_0_is_no_search():
    config = dataclasses.replace(FAST, SEARCH_MINUTES=0.0)
    seen = []
    assert search_model(counting(seen), config, rows=1000) == (config, None)
    assert seen == []


@needs_optuna
def test_search_minutes_above_0_search():
    seen = []
    found, search = search_model(counting(seen), FAST, rows=10_000)
    assert len(seen) == len(search.trials) == FAST.SEARCH_TRIALS
    assert found != FAST
    assert found.num_leaves == seen[1]["num_leaves"]
    assert found.min_data_in_leaf == max(50, round(10_000 * seen[1]["min_data_in_leaf"]))
    # A share so small that it is over after the first trial.
    seen.clear()
    unchanged, search = search_model(counting(seen), FAST, rows=10_000, share=1e-15)
    assert (unchanged, len(search.trials)) == (FAST, 1)


@needs_optuna
def test_a_search_over_real_fits(fold):
    found, search = search_model(partial(evaluate_trial, **fold), FAST, rows=4000)
    assert min(trial.loss for trial in search.trials) < np.log(3)
    assert isinstance(found.min_data_in_leaf, int) or search.best == search.trials[0].params
    told = significance(search.trials[0].returns, search.returns)
    assert told["trials"] == 4
    assert told["trial_variance"] > 0.0
    assert 0.0 <= told["pbo"] <= 1.0
