"""The folds of a training, traded: by models that have not seen what they trade."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from alphaseeker.backtest import Backtest
from alphaseeker.backtest.walk_forward import FoldSignals
from alphaseeker.cli import app
from alphaseeker.config import load_config
from alphaseeker.engine import AlphaSeekerMLEngine
from alphaseeker.errors import ConfigError
from alphaseeker.training import pipeline

SETTINGS = {
    "num_boost_round": 8,
    "windows": [1, 5, 30],
    "FOLDS": 2,
    "MIN_CONFIDENCE": 0.0,
    "TRANSACTION_COST_PCT": 0.00002,
    "MAX_CONSECUTIVE_LOSSES": 1_000_000,
}


@pytest.fixture(scope="module")
def file(market, tmp_path_factory):
    path = tmp_path_factory.mktemp("walk") / "market.parquet"
    market.to_parquet(path)
    return path


@pytest.fixture(scope="module")
def told(file, tmp_path_factory):
    """What the verb prints, and the folder that it writes."""
    out = tmp_path_factory.mktemp("walked")
    flags = [f"--set={key}={json.dumps(value)}" for key, value in SETTINGS.items()]
    arguments = ["backtest", "--walk-forward", str(file), "--json", "--out", str(out), *flags]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout), out


@pytest.fixture(scope="module")
def evaluation(market, tmp_path_factory):
    """The evaluation by folds of a training with the same settings."""
    engine = AlphaSeekerMLEngine(load_config(None, SETTINGS))
    path = tmp_path_factory.mktemp("trained") / "model.joblib"
    return engine.train_model(market, model_path=path)["results"]["evaluation_results"]


def test_the_folds_are_those_of_the_training(told, evaluation):
    folds = told[0]["folds"]
    assert [fold["fold"] for fold in folds] == [1, 2]
    for fold, judged in zip(folds, evaluation["folds"], strict=True):
        start, end = judged["ranges"]["test"][0]
        assert pd.Timestamp(fold["start"]) == pd.Timestamp(start, tz="UTC").floor("s")
        assert pd.Timestamp(fold["end"]) <= pd.Timestamp(end, tz="UTC")
        # Every row with a resolved label was judged; those at the end of the data trade, too.
        signals = fold["signals"]
        assert 0 <= sum(signals.values()) - judged["test_size"] < 200
    assert told[0]["metrics"]["verdict"] == evaluation["verdict"]


def test_no_row_that_is_traded_was_trained_on(told, evaluation):
    trades = pd.read_parquet(told[1] / "trades.parquet")
    assert len(trades) > 20
    decided = trades.entry_decided.astype("int64").to_numpy()
    tests = [one["ranges"]["test"][0] for one in evaluation["folds"]]
    fitted = [
        [*one["ranges"]["train"], *one["ranges"]["validation"]] for one in evaluation["folds"]
    ]
    for moment in decided:
        (number,) = [n for n, (start, end) in enumerate(tests) if start <= moment < end]
        assert not any(start <= moment < end for start, end in fitted[number])


def test_the_whole_is_its_folds_on_one_account(told):
    plain, out = told
    trades = pd.read_parquet(out / "trades.parquet")
    assert trades.net_pnl.sum() == pytest.approx(plain["metrics"]["net_pnl"], abs=1e-6)
    assert plain["metrics"]["ticks"] == sum(fold["ticks"] for fold in plain["folds"])
    one_by_one = sum(fold["trades"] for fold in plain["folds"])
    assert abs(plain["metrics"]["trades"] - one_by_one) <= 2
    assert (out / "report.html").read_text().startswith("<!doctype html>")


def test_combinatorial_folds_have_no_order_of_time(file):
    engine = AlphaSeekerMLEngine(load_config(None, SETTINGS))
    with pytest.raises(ConfigError, match="set it to 'walk_forward'"):
        Backtest(engine).walk_forward(file, {"FOLD_SCHEME": "combinatorial"})


def test_a_choice_of_columns_is_that_of_the_training(file, monkeypatch):
    read = []
    call = FoldSignals.__call__

    def watched(self, fit):
        read.append(tuple(fit.feature_names))
        call(self, fit)

    monkeypatch.setattr(FoldSignals, "__call__", watched)
    test = Backtest(AlphaSeekerMLEngine(load_config(None, SETTINGS)))
    names = ["book.imbalance", "momentum.return_5s"]
    result = test.walk_forward(file, select=names)
    assert read == [tuple(names)] * 2
    assert len(result.folds) == 2
    with pytest.raises(ConfigError, match=r"book\.nothing"):
        test.walk_forward(file, select=["book.nothing"])


def test_what_is_traded_are_the_probabilities_that_were_judged(file, monkeypatch):
    judged, found = [], []
    ask, call = pipeline.answer, FoldSignals.__call__

    def asked(*given, **options):
        answers, sample = ask(*given, **options)
        judged.append(answers)
        return answers, sample

    def called(self, fit):
        call(self, fit)
        found.append(self)

    monkeypatch.setattr(pipeline, "answer", asked)
    monkeypatch.setattr(FoldSignals, "__call__", called)
    test = Backtest(AlphaSeekerMLEngine(load_config(None, SETTINGS)))
    test.walk_forward(file, select=["book.imbalance", "momentum.return_5s"])
    assert len(judged) == len(found) == 2
    (signals,), (places,) = found[-1].signals, found[-1]._places
    for answers in judged:
        rows = places[answers.chosen]
        assert signals.p_up[rows].tobytes() == answers.probabilities[:, 2].tobytes()
        assert signals.p_down[rows].tobytes() == answers.probabilities[:, 0].tobytes()


def test_signals_stand_at_the_rows_that_they_are_of(told):
    equity = pd.read_parquet(told[1] / "equity.parquet")
    assert equity.time.is_monotonic_increasing
    assert np.isfinite(equity.equity).all()
