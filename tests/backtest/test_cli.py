"""``alphaseeker backtest``: tables, JSON, files, and wrong use."""

import json

import pandas as pd
import pytest
from click.testing import CliRunner

from alphaseeker.backtest import Backtest
from alphaseeker.cli import app
from alphaseeker.errors import DataError
from alphaseeker.market.simulator import START_NS, simulate_frame
from alphaseeker.risk.manager import RiskManager

FLAGS = [
    "--set=TRADE_WITHOUT_EDGE=true",
    "--set=MIN_CONFIDENCE=0.0",
    "--set=READY_HISTORY_S=60",
    "--set=TRANSACTION_COST_PCT=0.00002",
    "--set=MAX_CONSECUTIVE_LOSSES=1000000",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "later.parquet"
    start = START_NS + 10 * 86_400 * 10**9
    simulate_frame(1_500, seed=31, signal_strength=0.5, start_ns=start).to_parquet(path)
    return path


def call(*arguments):
    return CliRunner().invoke(app, ["backtest", *map(str, arguments)])


def test_the_tables_say_what_was_earned(trained, data):
    result = call(trained[0], data, *FLAGS)
    assert result.exit_code == 0, result.output
    for word in ("net return", "break-even bp a side", "hit rate", "exit opposite signal"):
        assert word in result.stdout
    assert "IN SAMPLE" not in result.stdout
    assert "warning: fees differ: 0.0020% a side are paid here" in result.stdout
    assert "100 ms after the tick" in result.stdout


def test_json_and_files(trained, data, tmp_path):
    out = tmp_path / "out"
    more = ("--json", "--out", out, "--latency-ms", 250, "--equity", 2_000)
    result = call(trained[0], data, *FLAGS, *more)
    told = json.loads(result.stdout)
    assert told["settings"]["latency_ms"] == 250.0
    assert told["metrics"]["initial_equity"] == 2_000.0
    trades = pd.read_parquet(told["paths"]["trades"])
    assert len(trades) == told["metrics"]["trades"] > 10
    page = (out / "report.html").read_text()
    assert "<svg" in page
    assert "later.parquet" in page


def test_in_sample_rows_are_warned_of(trained, market, tmp_path):
    path = tmp_path / "market.parquet"
    market.head(3_000).to_parquet(path)
    result = call(trained[0], path, *FLAGS)
    assert "warning: IN SAMPLE: 3,000 of 3,000 rows" in result.stdout


def test_a_bot_that_holds_the_journal_of_the_same_settings_is_left_alone(trained, data, tmp_path):
    folder = tmp_path / "journal"
    with RiskManager({"JOURNAL_PATH": str(folder)}) as bot:
        before = {path: path.read_bytes() for path in folder.iterdir()}
        result = call(trained[0], data, *FLAGS, f"--set=JOURNAL_PATH={folder}", "--json")
        assert result.exit_code == 0, result.output
        assert {path: path.read_bytes() for path in folder.iterdir()} == before
        assert bot.journal_problem is None
    assert json.loads(result.stdout)["settings"]["risk"]["JOURNAL_PATH"] is None


def test_custom_features_and_columns_reach_the_folds(data, tmp_path, monkeypatch):
    path = tmp_path / "mine.py"
    path.write_text(
        "from alphaseeker import custom_feature\n\n\n"
        "@custom_feature()\ndef skew(state, tick, window_s):\n"
        "    return tick.bid_volume - tick.ask_volume\n"
    )
    seen = {}

    def stop(self, source, **arguments):
        seen.update(arguments, custom=[one.name for one in self._engine.custom])
        raise DataError("seen")

    monkeypatch.setattr(Backtest, "walk_forward", stop)
    more = ("--custom", path, "--select", "book.imbalance,custom.skew")
    result = call("--walk-forward", data, *more)
    assert str(result.exception) == "seen"
    assert (seen["custom"], seen["select"]) == (["skew"], ["book.imbalance", "custom.skew"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["one"], "give MODEL and DATA; 1 arguments"),
        (["--walk-forward", "one", "two"], "give DATA alone; 2 arguments"),
        ([], "Missing argument"),
        (["one", "two", "--select", "auto"], "--select is for --walk-forward"),
    ],
)
def test_wrong_use_says_what_to_give(arguments, says):
    result = call(*arguments)
    assert result.exit_code == 2
    assert says in result.output
