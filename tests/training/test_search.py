"""The search over hyper-parameters: what it tries, what ends it, and what it leaves behind."""

import importlib.util
import math
import subprocess
import sys
import time

import numpy as np
import pytest

from alphaseeker.config import ModelConfig
from alphaseeker.errors import ConfigError
from alphaseeker.training.search import SPACE, Search, Trial, search_parameters, with_parameters

needs_optuna = pytest.mark.skipif(
    importlib.util.find_spec("optuna") is None,
    reason="needs Optuna: pip install 'alphaseeker[search]'",
)
CONFIGURED = {
    "num_leaves": 31,
    "learning_rate": 0.1,
    "feature_fraction": 0.8,
    "lambda_l2": 10.0,
    "min_data_in_leaf": "auto",
}


def config(**keys):
    return ModelConfig(**{**CONFIGURED, "SEARCH_TRIALS": 12, **keys})


def bowl(params):
    """A loss with its least value where leaves are few and the learning rate is .03."""
    loss = math.log(params["num_leaves"]) ** 2 + math.log(params["learning_rate"] / 0.03) ** 2
    return Trial(params=dict(params), loss=loss, returns=np.full(4, loss))


# ---- parameters ---------------------------------------------------------------------------------


def test_a_share_of_the_rows_becomes_a_number_of_rows():
    start = config()
    params = {**CONFIGURED, "num_leaves": 5, "min_data_in_leaf": 0.02}
    found = with_parameters(start, params, 10_000)
    assert (found.num_leaves, found.min_data_in_leaf) == (5, 200)
    assert with_parameters(start, params, 1_000_000).min_data_in_leaf == 20_000
    assert with_parameters(start, params, 100).min_data_in_leaf == 50
    assert with_parameters(start, CONFIGURED, 100) == start
    rows = {**CONFIGURED, "min_data_in_leaf": 77}
    assert with_parameters(start, rows, 10_000).min_data_in_leaf == 77


@pytest.mark.parametrize("name", SPACE)
def test_the_bounds_of_the_space_are_allowed_settings(name):
    for value in (SPACE[name].low, SPACE[name].high):
        given = int(value) if SPACE[name].integer else float(value)
        with_parameters(ModelConfig(), {name: given}, 100_000)


# ---- the search ---------------------------------------------------------------------------------


@needs_optuna
def test_the_configured_parameters_come_first_and_the_best_ones_win():
    found = search_parameters(bowl, config(SEARCH_TRIALS=40), minutes=10.0)
    assert found.trials[0].params == CONFIGURED
    assert found.best == min(found.trials, key=lambda trial: trial.loss).params
    assert bowl(found.best).loss < 0.3 * found.trials[0].loss
    assert found.returns.shape == (4, 40)
    assert found.returns[0].tolist() == [trial.loss for trial in found.trials]
    for trial in found.trials[1:]:
        assert list(trial.params) == list(SPACE)
        assert all(trial.params[name] in SPACE[name] for name in SPACE)
        assert type(trial.params["num_leaves"]) is int
        assert type(trial.params["min_data_in_leaf"]) is float


@needs_optuna
def test_search_trials_ends_it_and_then_it_is_the_same_again():
    first = search_parameters(bowl, config(SEARCH_TRIALS=15), minutes=10.0)
    again = search_parameters(bowl, config(SEARCH_TRIALS=15), minutes=20.0)
    assert len(first.trials) == 15
    assert [trial.params for trial in again.trials] == [trial.params for trial in first.trials]
    assert again.best == first.best
    other = search_parameters(bowl, config(SEARCH_TRIALS=15, random_state=7), minutes=10.0)
    assert other.trials[1].params != first.trials[1].params


@needs_optuna
def test_what_is_configured_outside_the_space_is_tried_all_the_same():
    start = config(learning_rate=0.9, min_data_in_leaf=500, SEARCH_TRIALS=3)
    found = search_parameters(bowl, start, minutes=10.0)
    assert found.trials[0].params["learning_rate"] == 0.9
    assert found.trials[0].params["min_data_in_leaf"] == 500
    assert len(found.trials) == 3


@needs_optuna
def test_the_minutes_end_it_after_the_trial_at_work(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def slow(params):
        now[0] += 20.0
        return bowl(params)

    assert len(search_parameters(slow, config(), minutes=1.0).trials) == 3
    now[0] = 0.0
    assert len(search_parameters(slow, config(), minutes=0.01).trials) == 1


@needs_optuna
def test_progress_is_told():
    told = []
    search_parameters(
        bowl, config(SEARCH_TRIALS=3), minutes=10.0, on_progress=lambda *seen: told.append(seen)
    )
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


@needs_optuna
@pytest.mark.parametrize("failed", [0, 3])
def test_a_trial_without_a_loss_is_kept_and_never_the_best(failed):
    count = [0]

    def sometimes(params):
        trial = bowl(params)
        count[0] += 1
        loss = math.nan if count[0] == failed + 1 else trial.loss
        return Trial(params=trial.params, loss=loss, returns=np.zeros(4))

    found = search_parameters(sometimes, config(SEARCH_TRIALS=6), minutes=10.0)
    assert len(found.trials) == 6
    assert found.best != found.trials[failed].params


@needs_optuna
def test_an_interrupt_ends_it_at_once_and_leaves_the_log_as_it_was():
    import optuna

    before = optuna.logging.get_verbosity()
    tried = []

    def interrupted(params):
        tried.append(params)
        if len(tried) == 3:
            raise KeyboardInterrupt
        return bowl(params)

    with pytest.raises(KeyboardInterrupt):
        search_parameters(interrupted, config(), minutes=10.0)
    assert len(tried) == 3
    assert optuna.logging.get_verbosity() == before


@needs_optuna
def test_nothing_is_written_to_the_terminal():
    script = (
        "import numpy as np\n"
        "from alphaseeker.config import ModelConfig\n"
        "from alphaseeker.training.search import Trial, search_parameters\n"
        "def evaluate(params):\n"
        "    return Trial(params=dict(params), loss=params['lambda_l2'], returns=np.zeros(2))\n"
        "search_parameters(evaluate, ModelConfig(SEARCH_TRIALS=14), minutes=5.0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=1_800, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# ---- what is refused ----------------------------------------------------------------------------


def test_without_optuna_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'alphaseeker\[search\]'"):
        search_parameters(bowl, config(), minutes=1.0)


@pytest.mark.parametrize("minutes", [0.0, -1.0, math.nan, math.inf])
def test_minutes_must_be_above_0(minutes):
    with pytest.raises(ConfigError, match="give a number above 0"):
        search_parameters(bowl, config(), minutes=minutes)


def test_the_returns_of_all_trials_stand_side_by_side():
    trials = tuple(Trial(params={}, loss=0.0, returns=np.arange(3.0) + k) for k in range(2))
    assert Search(best={}, trials=trials).returns.tolist() == [[0, 1], [1, 2], [2, 3]]
