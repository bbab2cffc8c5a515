import dataclasses

import numpy as np
import pytest

from alphaseeker.config import Config
from alphaseeker.errors import ModelError
from alphaseeker.training.adaptation import adapt
from alphaseeker.training.answers import answer, join_answers
from alphaseeker.training.dataset import join_blocks
from alphaseeker.training.evaluation import evaluate_on, judge_answers, report_of
from alphaseeker.training.fit import raw_scores
from alphaseeker.training.pipeline import train_on_blocks
from alphaseeker.training.target import target_from_dict

FAST = {"HORIZON_S": 10, "num_boost_round": 5, "num_threads": 1, "FOLDS": 1, "REFIT": False}


@pytest.fixture(scope="module")
def block(simulate):
    return simulate(4000, signal=0.4, seed=3)


@pytest.fixture(scope="module")
def model(block):
    return train_on_blocks([block], Config().override(FAST))


def evaluate(blocks, model):
    start = model.training["ranges"]["test"][0]
    return evaluate_on(blocks, model, raw_scores(model.model_text), from_ns=start)


def test_the_ic_of_the_models_own_probabilities_stands_beside_the_adapted_one(block, model):
    adapted = evaluate([block], model)
    fixed = dataclasses.replace(model, calibration={**model.calibration, "adaptive": None})
    own = evaluate([block], fixed)
    for name in ("ic", "ic_pooled"):
        assert own[f"{name}_unadapted"] == pytest.approx(own[name], abs=1e-12)
        assert adapted[f"{name}_unadapted"] == own[f"{name}_unadapted"]
        assert adapted[name] != own[name]


def test_baselines_follow_the_labels_as_the_model_does(block, model):
    """What a calibration that goes on is worth to the model, it is worth to them."""
    start = model.training["ranges"]["test"][0]
    rows = join_blocks([block], target_from_dict(model.target))
    chosen = np.flatnonzero(rows.usable & (rows.timestamp >= start))
    asked = np.flatnonzero(rows.asked & (rows.timestamp >= start))
    predict = raw_scores(model.model_text)
    own, _ = answer([block], rows, model, predict, chosen, asked=asked)
    fixed = dataclasses.replace(model, calibration={**model.calibration, "adaptive": None})
    still, _ = answer([block], rows, fixed, predict, asked)
    for name in ("last_label", "logistic"):
        followed = adapt(
            [block],
            asked,
            still.rivals[name],
            calibration=model.calibration,
            prior=model.class_prior,
            target=model.target,
            reference=model.training["reference"],
        )
        np.testing.assert_array_equal(own.rivals[name], followed[np.isin(asked, chosen)])
        assert not np.array_equal(own.rivals[name], still.rivals[name][np.isin(asked, chosen)])
    assert (own.rivals["class_prior"] == model.class_prior).all()


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


def test_answers_of_several_folds_are_put_in_the_order_of_the_rows(block, model):
    # Each fold's answers begin anew to adapt: without that they are those of one model.
    model = dataclasses.replace(model, calibration={**model.calibration, "adaptive": None})
    rows = join_blocks([block], target_from_dict(model.target))
    predict = raw_scores(model.model_text)
    whole, _ = answer([block], rows, model, predict, np.arange(3000, 3400))
    parts = [
        answer([block], rows, model, predict, np.arange(start, start + 200))[0]
        for start in (3200, 3000)
    ]
    joined = join_answers(parts)
    for name in ("chosen", "label", "prior", "probabilities", "choice", "side"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))
    for name in ("timestamp", "segment", "spread", "forward_return"):
        np.testing.assert_array_equal(getattr(joined.rows, name), getattr(whole.rows, name))
    for name in ("rivals", "book"):
        for key, values in getattr(whole, name).items():
            np.testing.assert_array_equal(getattr(joined, name)[key], values)
    inside = whole.within(int(block.timestamp[3100]), int(block.timestamp[3150]))
    assert inside.chosen.tolist() == list(range(3100, 3150))
    assert judge_answers(joined, target_from_dict(model.target)).card["n_rows"] == 400


def test_each_rows_own_prior_is_the_reference(block, model):
    rows = join_blocks([block], target_from_dict(model.target))
    predict = raw_scores(model.model_text)
    target = target_from_dict(model.target)
    other = dataclasses.replace(model, class_prior=(0.2, 0.5, 0.3))
    one, two = (
        answer([block], rows, each, predict, np.arange(start, start + 300))[0]
        for each, start in ((model, 3000), (other, 3300))
    )
    cards = [judge_answers(each, target).card for each in (one, two, join_answers([one, two]))]
    for name in ("log_loss", "log_loss_skill"):
        assert cards[2][name] == pytest.approx((cards[0][name] + cards[1][name]) / 2)
    assert cards[2]["baselines"]["class_prior"]["log_loss_skill"] == 0.0


def test_the_returns_are_those_of_the_trades_of_each_cell(block, model):
    free = dataclasses.replace(model, calibration={**model.calibration, "min_confidence": 0.0})
    strict = dataclasses.replace(model, calibration={**model.calibration, "min_confidence": 1.0})
    rows = join_blocks([block], target_from_dict(model.target))
    predict = raw_scores(model.model_text)
    target = target_from_dict(model.target)
    judged = [
        judge_answers(answer([block], rows, each, predict, np.arange(2500, 3900))[0], target)
        for each in (free, strict)
    ]
    total = judged[0].card["n_trades"] * judged[0].card["net_return_bp"] / 1e4
    assert judged[0].returns.sum() == pytest.approx(total)
    assert len(judged[0].returns) == judged[0].card["n_blocks"]
    # Where the engine takes none: those of every BUY and SELL.
    np.testing.assert_array_equal(judged[0].returns, judged[1].returns)
    named = [
        report_of([one], [], target, importance=[])["overfitting"]["returns_of"] for one in judged
    ]
    assert named == ["trades", "every BUY and SELL"]
