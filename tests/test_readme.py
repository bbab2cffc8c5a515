"""What the README shows is what happens."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from alphaseeker import config, create_ml_engine
from alphaseeker.cli import app

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
QUICK = "num_boost_round = 8\nwindows = [1, 5, 30, 60]\nTRADE_WITHOUT_EDGE = true\n"


def blocks(language, text=TEXT):
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch, market, trained):
    """A working directory with the files that the README names."""
    monkeypatch.chdir(tmp_path)
    market.assign(my_signal=market["bid_volume"] - market["ask_volume"]).to_parquet("ticks.parquet")
    later = market["timestamp"] + (market["timestamp"].iloc[-1] - market["timestamp"].iloc[0]) * 2
    market.assign(timestamp=later).to_parquet("later.parquet")
    (tmp_path / "bot.toml").write_text(QUICK)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "trading_model.joblib").write_bytes(trained[0].read_bytes())
    return tmp_path


def test_every_python_block_runs_in_order(folder, market):
    row = market.iloc[0].to_dict()
    names = {
        "market_data": {**row, "timestamp": None},
        "account_balance": 10_000.0,
        "frame": market.head(500),
        "sides": [1, 0, -1, 0, 0] * 100,
        "timestamp_ns": 1_700_000_000_000_000_000,
        **{name: row[name] for name in row if name.endswith(("price", "volume"))},
        "close": row["close"],
    }
    found = blocks("python")
    assert len(found) >= 4
    for number, block in enumerate(found, start=1):
        exec(compile(block, f"README block {number}", "exec"), names)
    assert names["signal"].reason == "warming_up"
    assert names["decision"]["action"] == "monitor"
    assert len(names["factors"]["top_factors"]) > 30
    assert names["engine"].config.inference.MIN_CONFIDENCE == 0.55


@pytest.mark.parametrize("page", ["backtest", "live_risk"])
def test_every_python_block_of_a_page_runs(folder, market, page):
    market.to_parquet("market.parquet")
    ml_engine = create_ml_engine("bot.toml", FOLDS=2)
    ml_engine.load_model("models/trading_model.joblib")
    names = {"ml_engine": ml_engine, "frame": market.head(500), "sides": [1, 0, -1, 0, 0] * 100}
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    found = blocks("python", text)
    assert found
    for number, block in enumerate(found, start=1):
        exec(compile(block, f"docs/{page}.md block {number}", "exec"), names)
    for block in blocks("toml", text):
        (folder / "page.toml").write_text(block)
        assert config.load_config("page.toml") != config.load_config()


def commands():
    lines = [line.split("#")[0] for block in blocks("sh") for line in block.splitlines()]
    return [line.strip() for line in lines if line.startswith("alphaseeker ")]


def test_every_command_runs_in_order(folder):
    found = commands()
    assert {shlex.split(line)[1] for line in found} >= {"train", "evaluate", "doctor", "predict"}
    for line in found:
        arguments = shlex.split(line)[1:]
        if arguments[0] == "train" or "--walk-forward" in arguments:
            arguments += ["--config", "bot.toml"]
        if arguments[0] == "bench":
            arguments += ["--ticks", "100"]
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, (line, result.output)


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"make (\w+)", TEXT)):
        assert f"\n{target}:" in makefile, target


def test_named_files_and_settings_exist():
    for path in re.findall(r"`((?:docs|examples|tests)/[\w/.]+)`", TEXT):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"`([A-Z]+_CONFIG)`", TEXT):
        assert isinstance(getattr(config, name), dict)


def test_the_pages_it_names_say_something():
    for page in re.findall(r"`(docs/\w+\.md)`", TEXT):
        assert len((ROOT / page).read_text(encoding="utf-8")) > 1_000, page
