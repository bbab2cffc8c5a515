import dataclasses

import numpy as np
import pytest

from alphaseeker.config import Config
from alphaseeker.errors import ModelError
from alphaseeker.training.evaluation import evaluate_on
from alphaseeker.training.fit import raw_scores
from alphaseeker.training.pipeline import train_on_blocks

FAST = {"HORIZON_S": 10, "num_boost_round": 5, "num_threads": 1}


@pytest.fixture(scope="module")
def block(simulate):
    return simulate(4000, signal=0.4, seed=3)


@pytest.fixture(scope="module")
def model(block):
    return train_on_blocks([block], Config().override(FAST))


def evaluate(blocks, model):
    start = model.training["ranges"]["test"][0]
    return evaluate_on(blocks, model, raw_scores(model.model_text), from_ns=start)


def test_columns_are_found_by_name(block, model):
    order = np.arange(len(block.names))[::-1]
    turned = dataclasses.replace(
        block,
        names=tuple(block.names[k] for k in order),
        values=np.ascontiguousarray(block.values[:, order]),
    )
    assert evaluate([turned], model) == evaluate([block], model)


def test_a_missing_column_is_refused_by_name(block, model):
    short = dataclasses.replace(
        block, names=block.names[1:], values=np.ascontiguousarray(block.values[:, 1:])
    )
    with pytest.raises(ModelError, match=r"'book\.imbalance'"):
        evaluate([short], model)


def test_the_smallest_confidence_holds_back_trades_and_not_metrics(block, model):
    model = dataclasses.replace(model, calibration={**model.calibration, "min_confidence": 0.3})
    found = evaluate([block], model)
    strict = dataclasses.replace(model, calibration={**model.calibration, "min_confidence": 1.0})
    held = evaluate([block], strict)
    assert held["n_trades"] == 0 < found["n_trades"]
    assert held["net_return_bp"] == 0.0
    assert held["n_trades_all"] == found["n_trades_all"] >= found["n_trades"]
    assert held["net_return_all_bp"] == found["net_return_all_bp"] != 0.0
    assert held["break_even_cost_bp"] != 0.0
    for name in ("mcc", "log_loss", "ic", "confusion_matrix"):
        assert held[name] == found[name]


def test_prices_before_the_held_back_part_are_not_looked_at(block, model):
    start = model.training["ranges"]["test"][0]
    # The last label that was known by then reaches back by its span and no further.
    earlier = block.timestamp < start - 60_000_000_000
    mid = block.mid.copy()
    mid[earlier] = np.random.default_rng(0).uniform(1.0, 900.0, earlier.sum())
    assert evaluate([dataclasses.replace(block, mid=mid)], model) == evaluate([block], model)


def test_the_reference_is_the_training_prior(block, model):
    found = evaluate([block], model)
    prior = found["baselines"]["class_prior"]
    assert prior["log_loss_skill"] == 0.0
    assert found["log_loss_skill"] == pytest.approx(prior["log_loss"] - found["log_loss"])
