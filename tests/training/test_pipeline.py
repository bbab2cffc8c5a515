import dataclasses
import json

import numpy as np
import pytest

from alphaseeker.config import Config
from alphaseeker.errors import DataError
from alphaseeker.features.batch import compute_features
from alphaseeker.features.settings import fit_settings
from alphaseeker.market.schema import TICK, TickSeries
from alphaseeker.model.golden import verify_golden
from alphaseeker.model.lightgbm_predictor import LightGBMPredictor
from alphaseeker.training.evaluation import evaluate_on, evaluation_rows
from alphaseeker.training.fit import raw_scores
from alphaseeker.training.pipeline import TrainedModel, train_on_blocks

FAST = {"HORIZON_S": 10, "num_boost_round": 15, "early_stopping_rounds": 5, "num_threads": 1}
# One fold, and its model is the one kept: for what does not depend on the folds.
ONE = {"FOLDS": 1, "REFIT": False}


def train(blocks, **overrides) -> TrainedModel:
    return train_on_blocks(blocks, Config().override({**FAST, **overrides}))


@pytest.fixture(scope="module")
def block(simulate):
    return simulate(6000, signal=0.3, seed=1)


@pytest.fixture(scope="module")
def model(block):
    return train([block])


@pytest.fixture(scope="module")
def kept(block):
    """The model of a single fold."""
    return train([block], **ONE)


def evaluation(model):
    return model.results["evaluation_results"]


def test_results_hold_what_the_public_api_promises(model):
    results = model.results
    assert {"feature_names", "train_size", "val_size", "test_size"} <= set(results)
    # The final fit takes all rows, and the folds' test parts are among them.
    assert 5500 < results["train_size"] + results["val_size"] < 6000
    assert results["test_size"] == sum(fold["test_size"] for fold in evaluation(model)["folds"])
    assert results["test_size"] == evaluation(model)["n_rows"] == pytest.approx(2400, abs=2)
    promised = (
        "accuracy macro_f1 weighted_f1 weighted_precision weighted_recall mcc log_loss "
        "log_loss_skill ic ic_pooled ece brier confusion_matrix classification_report folds "
        "baselines net_return_bp break_even_cost_bp n_trades verdict verdict_reason intervals "
        "n_blocks n_paths calibration_curve importance overfitting"
    )
    assert set(promised.split()) <= set(evaluation(model))
    assert set(evaluation(model)["baselines"]) == {"class_prior", "last_label", "logistic"}
    assert len(evaluation(model)["folds"]) == 4
    # Three trees a round, and three for each column of the linear part.
    assert results["model_info"]["num_trees"] == 3 * (results["model_info"]["best_iteration"] + 3)
    assert results["warnings"] == list(model.warnings)
    assert json.loads(json.dumps(results, allow_nan=False)) == results


def test_what_goes_into_a_model_file_is_plain(model):
    for plain in (model.calibration, model.target, model.training, model.label_mapping):
        assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert sum(model.class_prior) == pytest.approx(1.0)
    assert model.golden_features.dtype == np.float32
    assert 0 < len(model.golden_features) <= 1000
    predictor = LightGBMPredictor(model.model_text, len(model.feature_names))
    verify_golden(predictor, model.golden_features, model.golden_scores)
    predictor.close()


def test_a_planted_signal_is_found(model):
    found = evaluation(model)
    assert found["intervals"]["log_loss_skill"][0] > 0.0
    assert found["intervals"]["ic"][0] > 0.1
    assert found["verdict"] == "weak"  # ten bp of costs are more than it can earn
    assert found["baselines"]["logistic"]["log_loss_skill"] > 0.0
    assert found["ece"] < 0.06


def test_a_signal_that_pays_its_costs_is_an_edge(simulate):
    strong = simulate(6000, signal=0.6, seed=1, spread=0.0)
    values = strong.values.copy()
    # Turned round beyond 1.54 the signal has no linear correlation left for a logistic regression.
    values[:, 0] = np.where(np.abs(values[:, 0]) < 1.54, values[:, 0], -values[:, 0])
    bent = dataclasses.replace(strong, values=values)
    found = evaluation(train([bent], FOLDS=2, TRANSACTION_COST_PCT=0.0, num_boost_round=60))
    assert found["net_return_bp"] > 0.0
    assert found["verdict"] == "edge", found["verdict_reason"]
    ahead = found["baselines"]["logistic"]["intervals"]["skill_behind_model"]
    assert ahead[0] > 0.0


def test_a_linear_signal_is_left_to_the_logistic_regression(simulate):
    strong = simulate(6000, signal=0.6, seed=1, spread=0.0)
    found = evaluation(train([strong], FOLDS=2, TRANSACTION_COST_PCT=0.0))
    assert found["verdict"] == "weak"
    assert "the logistic baseline does better" in found["verdict_reason"]


def test_pure_noise_has_no_edge(simulate):
    noise = train([simulate(6000, signal=0.0, seed=2)])
    assert evaluation(noise)["verdict"] == "no edge"
    assert evaluation(noise)["log_loss_skill"] < 1e-3
    assert any("no edge" in warning for warning in noise.warnings)


@pytest.mark.parametrize("seed", range(2))
def test_a_random_walk_has_no_edge_through_the_real_features(seed):
    random = np.random.default_rng(seed)
    n = 32_000
    ticks = np.zeros(n, TICK)
    ticks["timestamp"] = 1_700_000_000 * 10**9 + np.arange(n) * 10**9
    mid = 100.0 * np.exp(np.cumsum(1e-4 * random.normal(size=n)))
    half = 0.01 * random.integers(1, 3, n)
    ticks["bid_price"], ticks["ask_price"] = mid - half, mid + half
    ticks["close"] = mid
    for name in ("bid_volume", "ask_volume", "volume"):
        ticks[name] = random.lognormal(size=n)
    ticks["buy_volume"] = ticks["volume"] * random.random(n)
    ticks["sell_volume"] = ticks["volume"] - ticks["buy_volume"]
    series = TickSeries(symbol="WALK", ticks=ticks, rows=np.arange(1, n + 1))
    config = Config().override({**FAST, "HORIZON_S": 60, "num_boost_round": 8, "FOLDS": 2})
    block = compute_features(series, settings=fit_settings([series], config))
    found = evaluation(train_on_blocks([block], config))
    assert found["verdict"] == "no edge", found["verdict_reason"]
    assert found["log_loss_skill"] < 0.005
    assert found["n_blocks"] >= 20
    # The test part has some 100 label spans: one deviation of a correlation is .1.
    for card in (found, found["baselines"]["last_label"]):
        assert abs(card["ic_pooled"]) < 0.3
        assert abs(card["ic"]) < 0.3


def test_a_leak_is_suspected(simulate):
    block = simulate(6000, signal=0.0, seed=2, step_s=60.0)
    values = block.values.copy()
    # The next return, in a column that is not of the book.
    values[:-1, 1] = 1e4 * np.diff(np.log(block.mid))
    found = train([dataclasses.replace(block, values=values)], HORIZON_S=60)
    assert any("suspect: IC" in warning for warning in found.warnings)
    assert any("suspect: macro-F1" in warning for warning in found.warnings)


def test_every_fold_has_every_metric_its_place_and_its_baselines(block, model):
    found = evaluation(model)
    whole = set(found) - {"classification_report", "folds", "n_paths", "path_spread"}
    whole -= {"calibration_curve", "importance", "overfitting", "verdict", "verdict_reason"}
    end = 0
    for fold in found["folds"]:
        assert whole <= set(fold)
        assert set(fold["baselines"]) == set(found["baselines"])
        assert end < fold["start_ns"] < fold["end_ns"]
        end = fold["end_ns"]
        (first, last) = fold["ranges"]["test"][0]
        assert first <= fold["start_ns"] < fold["end_ns"] < last
        assert fold["ranges"]["train"][-1][1] < fold["ranges"]["validation"][0][0]
        assert fold["val_size"] == pytest.approx(
            0.2 * (fold["train_size"] + fold["val_size"]), rel=0.02
        )
        assert fold["threshold"] > 0.0
    assert (found["start_ns"], found["end_ns"]) == (found["folds"][0]["start_ns"], end)
    # What is pooled is of the rows of all folds.
    rows = np.array([fold["n_rows"] for fold in found["folds"]])
    for metric in ("log_loss", "log_loss_skill", "brier", "accuracy"):
        parts = np.array([fold[metric] for fold in found["folds"]])
        assert found[metric] == pytest.approx((rows * parts).sum() / rows.sum()), metric
    confusion = np.sum([fold["confusion_matrix"] for fold in found["folds"]], axis=0)
    assert found["confusion_matrix"] == confusion.tolist()
    own = found["baselines"]["logistic"]
    ahead = found["log_loss_skill"] - own["log_loss_skill"]
    assert own["skill_behind_model"] == pytest.approx(ahead)


def test_the_final_model_has_seen_all_rows_and_the_last_fold_has_not(block, model):
    last = int(block.timestamp[-1])
    assert model.training["ranges"]["test"] == [last + 1, last + 1]
    assert model.training["ranges"]["validation"][1] > last - 20 * 10**9
    unrefitted = train([block], REFIT=False)
    assert unrefitted.model_text != model.model_text
    assert unrefitted.training["ranges"]["test"][0] == evaluation(model)["folds"][-1]["start_ns"]
    # The folds are the same, whichever model is kept.
    assert evaluation(unrefitted)["folds"] == evaluation(model)["folds"]
    entry = evaluation(unrefitted)["folds"][-1]
    assert unrefitted.results["train_size"] == entry["train_size"] < model.results["train_size"]


@pytest.mark.parametrize("folds", [1, 3])
def test_nothing_of_the_test_part_influences_anything_fitted(block, folds):
    before = train([block], FOLDS=folds, REFIT=False)
    start = before.training["ranges"]["test"][0]
    later = block.timestamp >= start
    random = np.random.default_rng(0)
    garbage = {
        "values": block.values.copy(),
        "mid": block.mid.copy(),
        "close": block.close.copy(),
        "spread": block.spread.copy(),
    }
    for values in garbage.values():
        values[later] = random.uniform(0.5, 900.0, size=values[later].shape)
    other = train([dataclasses.replace(block, **garbage)], FOLDS=folds, REFIT=False)
    for name in (
        "model_text",
        "feature_names",
        "class_prior",
        "calibration",
        "target",
        "training",
    ):
        assert getattr(other, name) == getattr(before, name), name
    assert other.golden_features.tobytes() == before.golden_features.tobytes()
    assert other.golden_scores.tobytes() == before.golden_scores.tobytes()
    # The last labels of the fold before reach into what was changed.
    assert evaluation(other)["folds"][:-2] == evaluation(before)["folds"][:-2]
    assert evaluation(other)["folds"][-1] != evaluation(before)["folds"][-1]


def test_combinatorial_folds_are_judged_by_paths(block):
    keys = {"FOLD_SCHEME": "combinatorial", "COMBINATORIAL_GROUPS": 4, "num_boost_round": 5}
    model = train([block], **keys, REFIT=False)
    found = evaluation(model)
    assert model.training["scheme"] == "combinatorial"
    assert (len(found["folds"]), found["n_paths"]) == (6, 3)
    assert found["n_rows"] == pytest.approx(5990, abs=40)
    low, high = found["path_spread"]["log_loss_skill"]
    assert low < found["log_loss_skill"] < high
    counts = found["calibration_curve"]["BUY"]
    assert sum(entry["count"] for entry in counts) == 3 * found["n_rows"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["intervals"]["ic"][0] > 0.1
    # The model kept is that of the last split, which tests the last groups.
    start, end = model.training["ranges"]["test"]
    assert end == block.timestamp[-1] + 1
    assert model.training["ranges"]["train"][1] < start


def test_a_rolling_training_part_forgets(block):
    rolling = train([block], **ONE, ROLLING_TRAIN_S=15_000.0)
    assert rolling.results["train_size"] == pytest.approx(1200, abs=20)


def test_short_data_are_trained_with_fewer_folds_and_say_so(simulate):
    model = train([simulate(700, signal=0.3, seed=1)], FOLDS=50, EMBARGO_S=10, windows=[60])
    assert 1 <= len(evaluation(model)["folds"]) < 50
    assert "too short for 50 folds" in model.warnings[0]


def test_every_fit_rewrites_its_columns_first(block):
    calls = []

    def refit(train):
        calls.append(train)
        # A column that says which fit it was written for.
        block_.values[:, 5] = len(calls) * block.values[:, 5]

    block_ = dataclasses.replace(block, values=block.values.copy())
    model = train_on_blocks([block_], Config().override({**FAST, "FOLDS": 2}), refit_columns=refit)
    assert len(calls) == 3
    for mask, fold in zip(calls, evaluation(model)["folds"], strict=False):
        times = block.timestamp[mask]
        assert [[int(times[0]), int(times[-1]) + 1]] == fold["ranges"]["train"]
    golden = model.golden_features[:500, 5]
    assert np.isin(golden, (3 * block.values[:, 5]).astype(np.float32)).all()


def test_the_same_data_and_seed_give_the_same_model(block, model):
    again = train([block])
    assert again.model_text == model.model_text
    assert again.results == model.results


def test_evaluating_again_gives_the_very_same_numbers(block, kept):
    start = kept.training["ranges"]["test"][0]
    again = evaluate_on([block], kept, raw_scores(kept.model_text), from_ns=start)
    again.pop("warnings")
    assert {key: again[key] for key in again if key != "folds"} == {
        key: value for key, value in evaluation(kept).items() if key != "folds"
    }
    (fold,), (entry,) = again["folds"], evaluation(kept)["folds"]
    assert fold == {key: entry[key] for key in fold}
    rows = evaluation_rows([block], kept, from_ns=start)
    assert len(rows) == kept.results["test_size"]
    assert block.timestamp[rows].min() >= start


def test_the_importances_are_those_of_the_model_and_of_rows_it_has_not_seen(model):
    rows = evaluation(model)["importance"]
    assert rows[0]["feature"] == "book.imbalance"
    assert {row["feature"] for row in rows} == set(model.feature_names)
    gains = [row["gain"] for row in rows]
    assert gains == sorted(gains, reverse=True)
    assert sum(row["gain_share"] for row in rows) == pytest.approx(1.0)
    assert rows[0]["permutation"] > 0.01
    assert all(abs(row["permutation"]) < 0.01 for row in rows[1:])


def test_the_returns_that_are_judged_for_overfitting_are_named(block, model, kept):
    found = evaluation(model)
    assert found["overfitting"]["cells"] == found["n_blocks"]
    assert found["overfitting"]["trials"] == 1
    expected = "trades" if found["n_trades"] else "every BUY and SELL"
    assert found["overfitting"]["returns_of"] == expected


def test_nothing_to_evaluate_is_refused(block, model):
    with pytest.raises(DataError, match="0 rows can be evaluated"):
        evaluate_on(
            [block], model, raw_scores(model.model_text), from_ns=int(block.timestamp[-1]) + 1
        )


@pytest.mark.parametrize(
    "change",
    [
        {"KIND": "triple_barrier", "TAKE_PROFIT_PCT": 3e-4, "STOP_LOSS_PCT": 3e-4},
        {"HORIZON_S": 30},
        {"THRESHOLD": 3e-4},
        {"THRESHOLD": "cost", "TRANSACTION_COST_PCT": 1e-4},
        {"LABEL_PRICE": "close"},
        {"VALIDATION_FRACTION": 0.3},
        {"TEST_FRACTION": 0.3},
        {"EMBARGO_S": 600.0},
        {"FOLDS": 3},
        {"FOLD_SCHEME": "combinatorial", "COMBINATORIAL_GROUPS": 3},
        {"ROLLING_TRAIN_S": 20_000.0},
        {"REFIT": True},
        {"class_weight": None},
        {"recency_half_life_s": 3_600.0},
        {"objective": "multiclassova"},
        {"MAX_FEATURES": 2},
        {"families": ["book"]},
        {"windows": [60]},
    ],
    ids=lambda change: "-".join(f"{key}={value}" for key, value in change.items()),
)
def test_keys_change_the_model(block, kept, change):
    if "LABEL_PRICE" in change:
        random = np.random.default_rng(0)
        moved = block.mid * np.exp(1e-4 * random.normal(size=len(block)))
        block = dataclasses.replace(block, close=moved)
    changed = train([block], **{**ONE, **change})
    assert (
        changed.model_text.partition("end of trees")[0]
        != (kept.model_text.partition("end of trees")[0])
    )


def test_the_other_keys_have_their_effect(block, kept):
    assert train([block], **ONE, MIN_CONFIDENCE=0.42).calibration["min_confidence"] == 0.42
    assert kept.calibration["min_confidence"] != 0.42
    free = train([block], **ONE, TRANSACTION_COST_PCT=0.0)
    assert evaluation(free)["break_even_cost_bp"] != evaluation(free)["net_return_bp"]
    assert free.target["transaction_cost"] == 0.0
    stop = train([block], **ONE, KIND="triple_barrier", TAKE_PROFIT_PCT=3e-4, custom_stop_loss=2e-4)
    assert stop.target["stop_loss"] == 2e-4
    cold = dataclasses.replace(block, values=block.values.copy())
    cold.values[: len(block) // 3, 4] = np.nan
    assert len(train([cold], **ONE).feature_names) == len(kept.feature_names) - 1
    assert len(train([cold], **ONE, MIN_WARM_SHARE=0.1).feature_names) == len(kept.feature_names)
    # Columns with a longer memory than READY_HISTORY_S hold no row back.
    assert (
        train([block], **ONE, READY_HISTORY_S=0).training["rows"]["train"]
        > (kept.training["rows"]["train"])
    )


def test_the_weight_of_labels_that_overlap_changes_the_model(block):
    alike = train([block], **ONE, HORIZON_S=60, label_weight=None)
    assert alike.model_text != train([block], **ONE, HORIZON_S=60).model_text


def test_several_symbols_train_as_one(simulate):
    blocks = [simulate(3000, signal=0.4, seed=seed, symbol=f"S{seed}") for seed in range(3)]
    model = train(blocks)
    assert model.training["symbols"] == ["S0", "S1", "S2"]
    assert evaluation(model)["intervals"]["ic"][0] > 0.1
    # The boundaries are times, the same for all.
    assert model.training["rows"]["test"] == pytest.approx(0.4 * 9000, rel=0.05)


def test_progress_names_the_stages(block):
    seen = []
    train_on_blocks([block], Config().override(FAST), on_progress=lambda *step: seen.append(step))
    assert list(dict.fromkeys(stage for stage, _, _ in seen)) == [
        "select",
        "fit",
        "calibrate",
        "evaluate",
    ]
    assert seen[-1] == ("evaluate", 1, 1)
    for stage in ("select", "fit"):
        steps = [(done, total) for name, done, total in seen if name == stage]
        assert len({total for _, total in steps}) == 1
        assert steps == sorted(steps)
        assert all(0 <= done <= total for done, total in steps)


def test_a_threshold_without_three_classes_is_refused(block):
    with pytest.raises(DataError, match="any THRESHOLD from"):
        train([block], THRESHOLD=0.5)


def test_a_class_that_only_a_later_fold_has_is_refused_with_the_fold(block):
    mid = block.mid.copy()
    early = len(mid) * 3 // 4
    mid[:early] = np.maximum.accumulate(mid[:early])
    with pytest.raises(DataError, match=r"^fold 1 of 4: the training part has no SELL label"):
        train([dataclasses.replace(block, mid=mid, close=mid)], FOLDS=4)


def test_a_class_whose_rows_have_faded_is_refused(block):
    """Weights of old rows halve every second: next to nothing is left of a class."""
    calm = np.arange(len(block)) > 0.3 * len(block)
    keys = {"KIND": "triple_barrier", "TAKE_PROFIT_PCT": 1e-3, "STOP_LOSS_PCT": 1e-3}
    mid = block.mid * np.where(calm, 1.0, np.exp(5e-3 * np.sin(np.arange(len(block)) / 20)))
    made = dataclasses.replace(block, mid=mid, close=mid)
    for balance in ("balanced", None):
        with pytest.raises(DataError, match="at least a millionth is needed; take a longer"):
            train([made], **keys, recency_half_life_s=1.0, class_weight=balance)


def test_a_horizon_that_no_session_lasts_is_named(block):
    short = dataclasses.replace(block, segment=np.arange(len(block)) // 5)
    lasts = 4 * (block.timestamp[1] - block.timestamp[0]) / 1e9
    with pytest.raises(DataError, match=rf"HORIZON_S is 600, and the longest .* {lasts:g} s"):
        train([short], HORIZON_S=600)


@pytest.mark.parametrize("kind", ["fixed_horizon", "triple_barrier"])
def test_a_horizon_shorter_than_the_grid_is_named(block, kind):
    step = (block.timestamp[1] - block.timestamp[0]) / 1e9
    with pytest.raises(DataError, match=rf"rows of this grid lie {step:g} s apart"):
        train([block], HORIZON_S=step / 2, KIND=kind)


def test_a_validation_part_of_a_few_label_spans_is_told(simulate):
    short = simulate(2000, signal=0.3, seed=1, step_s=0.5)
    model = train([short], windows=[60], EMBARGO_S=10)
    assert any("label spans" in warning for warning in model.warnings)
    assert evaluation(model)["verdict"] == "no edge"


def test_data_that_never_warms_up_is_refused(simulate):
    short = simulate(300, step_s=1.0, seed=0)
    with pytest.raises(DataError, match="usable rows"):
        train([short])


def test_blocks_without_the_usual_columns_have_no_logistic_baseline(block):
    bare = dataclasses.replace(
        block, names=block.names[3:], values=np.ascontiguousarray(block.values[:, 3:])
    )
    assert set(evaluation(train([bare], **ONE))["baselines"]) == {"class_prior", "last_label"}


def test_columns_that_a_later_part_never_warms_up_are_dropped(block):
    late = np.arange(len(block.history)) >= len(block.history) // 2
    short = dataclasses.replace(block, history=np.where(late, block.history % 45, block.history))
    model = train([short], **ONE)
    named = [w for w in model.warnings if "too few rows of the validation" in w]
    assert len(named) == 1
    assert "300s" in named[0]
    windows = [int(n.rsplit("_", 1)[1][:-1]) for n in model.feature_names if n.endswith("0s")]
    assert windows
    assert max(windows) <= 45
    assert not [w for w in train([block], **ONE).warnings if "too few rows of the validation" in w]
