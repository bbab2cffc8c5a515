"""One fit of a fold: what it may see, and what its weights are worth."""

import dataclasses

import numpy as np
import pytest
from scipy.special import softmax

from alphaseeker.config import Config
from alphaseeker.model.adaptive import DEFAULT_ADAPTATION
from alphaseeker.training import fold_fit, graded_selection, search_run
from alphaseeker.training.dataset import join_blocks
from alphaseeker.training.fit import raw_scores
from alphaseeker.training.fold_fit import fit_fold
from alphaseeker.training.fold_parts import TrainingData, labelled_parts
from alphaseeker.training.folds import plan_folds
from alphaseeker.training.search import Search
from alphaseeker.training.target import target_from_config
from alphaseeker.training.weights import average_uniqueness

FAST = {
    "HORIZON_S": 30,
    "num_boost_round": 12,
    "early_stopping_rounds": 4,
    "num_threads": 1,
    "FOLDS": 3,
}


def nothing(stage, done, total):
    pass


def data_of(blocks, *, select=None, **overrides):
    config = Config().override({**FAST, **overrides})
    target = target_from_config(config)
    return TrainingData(
        blocks=blocks,
        rows=join_blocks(blocks, target),
        target=target,
        config=config,
        select=select,
    )


def plan_of(data):
    return plan_folds(
        data.rows.timestamp,
        data.rows.segment,
        label_span_ns=data.target.horizon_ns,
        config=data.config.split,
    )


def fitted(data, fold):
    return fit_fold(data, fold, report=nothing)


@pytest.fixture(scope="module")
def block(simulate):
    return simulate(5000, signal=0.4, seed=1)


def garbled(block, rows):
    random = np.random.default_rng(0)
    changed = {}
    for name in ("values", "mid", "close", "spread"):
        values = getattr(block, name).copy()
        values[rows] = random.uniform(0.5, 900.0, size=values[rows].shape)
        changed[name] = values
    return dataclasses.replace(block, **changed)


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("keys", [{}, {"MAX_FEATURES": 2}, {"select": "auto"}])
def test_no_row_outside_of_its_parts_changes_a_fit(block, number, keys):
    data = data_of([block], **keys)
    fold = plan_of(data).folds[number]
    ending = fold.validation[-1][1] + data.target.horizon_ns
    other = data_of([garbled(block, block.timestamp > ending)], **keys)
    one, two = (fitted(each, fold) for each in (data, other))
    # What the test rows hold is not looked at, and early stopping goes by the validation part.
    assert two.sample.tobytes() == one.sample.tobytes()
    for item in dataclasses.fields(one):
        if item.name != "sample":
            assert getattr(two, item.name) == getattr(one, item.name), item.name


@pytest.mark.parametrize("number", range(3))
def test_auto_selects_by_the_training_part_of_the_fold_alone(block, number, monkeypatch):
    monkeypatch.setattr(graded_selection, "LEAST_SELECTED", 1)
    data = data_of([block], select="auto")
    fold = plan_of(data).folds[number]
    later = block.timestamp >= fold.validation[0][0]
    # What is noise until then tells the next return from then on.
    noise = block.names[5]
    values = block.values.copy()
    values[later, 5] = np.append(np.diff(np.log(block.mid)), 0.0)[later]
    told = dataclasses.replace(block, values=values)
    one, two = fitted(data, fold), fitted(data_of([told], select="auto"), fold)
    assert noise not in one.feature_names
    assert two.feature_names == one.feature_names
    assert two.training["selection"] == one.training["selection"]
    assert one.training["selection"]["grades"]["book.imbalance"] == "AAA"
    assert fitted(data_of([told]), fold).feature_names == block.names


def test_what_the_training_part_decides_the_validation_part_does_not(block):
    # With a linear part the validation part also says how much it and the trees count.
    keys = {"MAX_FEATURES": 3, "linear_part": False}
    data = data_of([block], **keys)
    fold = plan_of(data).folds[0]
    start = fold.validation[0][0]
    one, two = (
        fitted(each, fold)
        for each in (data, data_of([garbled(block, block.timestamp >= start)], **keys))
    )
    assert two.feature_names == one.feature_names
    assert two.class_prior == one.class_prior
    assert two.target == one.target
    assert two.sample.tobytes() == one.sample.tobytes()
    # Of the trees only their number is the validation part's.
    first = [
        text.partition("Tree=1")[0].partition("Tree=0")[2]
        for text in (one.model_text, two.model_text)
    ]
    assert first[0] == first[1] != ""


@pytest.mark.parametrize("class_weight", ["balanced", None])
def test_the_weights_add_up_to_the_number_of_independent_labels(block, class_weight):
    data = data_of([block], class_weight=class_weight)
    fold = plan_of(data).folds[0]
    train, validation, _ = labelled_parts(data, fold, block.names)
    worth = average_uniqueness(train.rows.timestamp, train.rows.label_end, train.rows.symbol)
    # Labels of 30 s on a grid of 10 s.
    assert worth.sum() == pytest.approx(len(train.label) / 3, rel=0.01)
    assert train.weight.sum() == pytest.approx(worth.sum())
    totals = np.bincount(train.label, train.weight)
    if class_weight is None:
        np.testing.assert_allclose(train.weight, worth)
    else:
        np.testing.assert_allclose(totals, worth.sum() / 3)
        # The validation part is weighed as the training part is, by class.
        own = average_uniqueness(
            validation.rows.timestamp, validation.rows.label_end, validation.rows.symbol
        )
        ratio = validation.weight / own
        expected = [
            train.weight[train.label == k][0] / worth[train.label == k][0] for k in range(3)
        ]
        np.testing.assert_allclose(ratio, np.array(expected)[validation.label])
    assert data_of([block], label_weight=None).config.model.label_weight is None
    alike, _, _ = labelled_parts(data_of([block], label_weight=None), fold, block.names)
    assert alike.weight.sum() == pytest.approx(len(alike.label))


@pytest.mark.parametrize("objective", ["multiclass", "multiclassova"])
@pytest.mark.parametrize("class_weight", ["balanced", None])
@pytest.mark.parametrize("label_weight", ["uniqueness", None])
def test_without_a_signal_the_probabilities_are_the_class_shares(
    make_block, objective, class_weight, label_weight
):
    # Calm stretches of many rows and wild ones of few: a HOLD is worth less than a BUY, so that
    # the shares that the weights make differ from those of the rows.
    random = np.random.default_rng(5)
    calm = (np.arange(9000) // 300) % 2 == 0
    step = np.where(calm, 1, 10)
    times = np.cumsum(step) * 10**9
    moves = random.normal(size=9000) * np.where(calm, 1e-5, 4e-4)
    mid = 100.0 * np.exp(np.cumsum(moves))
    values = random.normal(size=(9000, 3)).astype(np.float32)
    block = make_block(
        mid,
        timestamp=1_700_000_000 * 10**9 + times,
        values=values,
        names=("book.imbalance", "book.spread", "flow.ofi_5s"),
    )
    keys = {"objective": objective, "class_weight": class_weight, "label_weight": label_weight}
    data = data_of([block], THRESHOLD=2e-4, FOLDS=1, MIN_CONFIDENCE=0.0, **keys)
    fold = plan_of(data).folds[0]
    fit = fitted(data, fold)
    train, validation, _ = labelled_parts(data, fold, fit.feature_names)
    shares = np.bincount(train.label, minlength=3) / len(train.label)
    assert fit.class_prior == pytest.approx(shares)
    weighed = np.bincount(train.label, train.weight) / train.weight.sum()
    if label_weight is not None:
        assert np.abs(weighed - shares).max() > 0.1
    scores = raw_scores(fit.model_text)(block.values[validation.chosen])
    calibration = fit.calibration
    probabilities = softmax(
        scores / calibration["temperature"] + np.asarray(calibration["bias"]), axis=1
    )
    assert probabilities.mean(axis=0) == pytest.approx(shares, abs=0.02)


def test_a_model_adapts_unless_it_is_told_not_to(block, monkeypatch):
    fits, seen = {}, []
    real = fold_fit.choose_confidence

    def spy(probabilities, choices, rows, **costs):
        seen.append(probabilities)
        return real(probabilities, choices, rows, **costs)

    monkeypatch.setattr(fold_fit, "choose_confidence", spy)
    for on in (True, False):
        data = data_of([block], ADAPTIVE_CALIBRATION=on)
        fits[on] = fitted(data, plan_of(data).folds[0])
    assert fits[True].calibration["adaptive"] == DEFAULT_ADAPTATION
    assert fits[False].calibration["adaptive"] is None
    # It follows the fit: nothing of that hangs on it.
    assert fits[True].model_text == fits[False].model_text
    for name in ("temperature", "bias"):
        assert fits[True].calibration[name] == fits[False].calibration[name]
    # The smallest confidence is chosen by the probabilities that will be given.
    assert np.abs(seen[0] - seen[1]).max() > 1e-4


def test_a_search_decides_the_parameters(block, monkeypatch):
    seen = []

    def search(evaluate, config, *, minutes, on_progress=None):
        trials = tuple(evaluate(params) for params in ({}, {"num_leaves": 3}))
        seen.append(minutes)
        return Search(best={"num_leaves": 3}, trials=trials)

    monkeypatch.setattr(search_run, "search_parameters", search)
    data = data_of([block], SEARCH_MINUTES=2.0)
    fold = plan_of(data).folds[0]
    fit = fit_fold(data, fold, report=nothing, search_share=0.25)
    assert seen == [0.5]
    assert fit.training["parameters"] == {"num_leaves": 3}
    assert fit.model_text == fitted(data_of([block], num_leaves=3), fold).model_text
    assert fit.search.returns.shape[1] == 2
    assert fitted(data_of([block]), fold).search is None
