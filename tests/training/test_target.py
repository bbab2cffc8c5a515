import numpy as np
import pytest

from alphaseeker.config import Config
from alphaseeker.errors import DataError, StateError
from alphaseeker.training.target import (
    classify,
    fit_threshold,
    require_all_classes,
    target_from_config,
    target_from_dict,
)

RETURNS = np.array([-0.003, -0.001, 0.0005, 0.0, 0.002, np.nan])


def target(**overrides):
    return target_from_config(Config().override(overrides))


def test_threshold_by_number_by_cost_and_by_tercile():
    assert target(THRESHOLD=0.002).threshold == 0.002
    assert target(THRESHOLD="cost", TRANSACTION_COST_PCT=0.0007).threshold == 0.0014
    unfitted = target()
    assert unfitted.threshold is None
    fitted = fit_threshold(unfitted, np.array([-0.03, 0.02, -0.01, 0.0]))
    assert fitted.threshold == pytest.approx(0.01)
    assert fit_threshold(target(THRESHOLD=0.002), RETURNS[:5]).threshold == 0.002


def test_classes_are_beyond_the_threshold_and_unresolved_rows_have_none():
    found = classify(RETURNS, None, target(THRESHOLD=0.001))
    assert found.tolist() == [0, 1, 1, 1, 2, -1]


def test_a_tercile_must_be_fitted_before_it_is_used():
    with pytest.raises(StateError, match="fit_threshold"):
        classify(RETURNS, None, target())


def test_barriers_come_from_the_risk_settings():
    own = target(KIND="triple_barrier", TAKE_PROFIT_PCT=0.01, STOP_LOSS_PCT=0.02)
    assert (own.take_profit, own.stop_loss, own.threshold) == (0.01, 0.02, None)
    assert target(custom_stop_loss=0.003, STOP_LOSS_PCT=0.02).stop_loss == 0.003


def test_a_target_survives_the_model_file():
    original = target(HORIZON_S=7, THRESHOLD=0.001)
    assert target_from_dict(original.to_dict()) == original


def test_a_missing_class_is_refused_with_a_threshold_that_works():
    returns = np.array([-0.003, -0.001, 0.0005, 0.0001, 0.002])
    wanted = target(THRESHOLD=0.01)
    with pytest.raises(DataError, match="no SELL and no BUY") as caught:
        require_all_classes(classify(returns, None, wanted), returns, wanted)
    advised = float(str(caught.value).rpartition(" ")[2])
    fixed = target(THRESHOLD=advised)
    assert set(classify(returns, None, fixed)) == {0, 1, 2}


def test_a_missing_hold_is_refused_with_a_threshold_that_works():
    returns = np.array([-0.003, -0.001, 0.0005, 0.0001, 0.002])
    wanted = target(THRESHOLD=0.0)
    with pytest.raises(DataError, match="no HOLD") as caught:
        require_all_classes(classify(returns, None, wanted), returns, wanted)
    fixed = target(THRESHOLD=float(str(caught.value).rpartition(" ")[2]))
    assert set(classify(returns, None, fixed)) == {0, 1, 2}


def test_prices_that_only_rise_have_no_threshold():
    returns = np.array([0.001, 0.002, 0.003])
    wanted = target(THRESHOLD=0.0015)
    with pytest.raises(DataError, match="no threshold gives all three"):
        require_all_classes(classify(returns, None, wanted), returns, wanted)


def test_a_triple_barrier_without_touches_names_its_barriers():
    returns = np.array([0.001, -0.002, 0.0001])
    wanted = target(KIND="triple_barrier")
    with pytest.raises(DataError, match=r"TAKE_PROFIT_PCT 0\.004.*both barriers between"):
        require_all_classes(np.array([1, 1, 1], np.int8), returns, wanted)
