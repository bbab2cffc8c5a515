"""Every example runs as it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(name, *arguments):
    command = [sys.executable, str(EXAMPLES / name), *[str(a) for a in arguments]]
    return subprocess.run(command, capture_output=True, text=True, timeout=1_800, check=False)


def test_bot_on_simulated_data():
    result = run("bot.py")
    assert result.returncode == 0, result.stderr
    assert "equity" in result.stdout


def test_bot_on_a_file(trained, market, tmp_path):
    path = tmp_path / "ticks.csv"
    market.tail(2_500).to_csv(path, index=False)
    result = run("bot.py", trained[0], path)
    assert result.returncode == 0, result.stderr
    assert "equity" in result.stdout


def test_fast_path(trained):
    result = run("fast_path.py", trained[0])
    assert result.returncode == 0, result.stderr
    assert "warming_up" in result.stdout


def test_jitted_replay(trained, market, tmp_path):
    path = tmp_path / "ticks.parquet"
    market.tail(2_500).to_parquet(path)
    result = run("jitted_replay.py", trained[0], path)
    assert result.returncode == 0, result.stderr
    assert "2500 ticks" in result.stdout


def test_custom_feature():
    result = run("custom_feature.py")
    assert result.returncode == 0, result.stderr
    assert "live equals batch: True" in result.stdout
    assert "needs the custom feature 'queue_pressure'" in result.stdout
    assert "'change' is a frame feature" in result.stdout
    assert "loaded: True" in result.stdout


def test_order_loop(trained, market, tmp_path):
    """The example asserts itself that its account equals the venue's; simulated_venue.py is its."""
    path = tmp_path / "ticks.parquet"
    market.tail(4_000).to_parquet(path)
    result = run("order_loop.py", trained[0], path)
    assert result.returncode == 0, result.stderr
    counted = re.search(
        r"(\d+) fills, (\d+) of them further parts, (\d+) rejects, (\d+) fills came twice, "
        r"(\d+) trades",
        result.stdout,
    )
    assert all(int(number) > 5 for number in counted.groups()), result.stdout
    own, venue = re.findall(r"([\d,.]+) (?:here|at the venue)", result.stdout)
    assert own == venue


def test_order_loop_says_how_it_is_called():
    told = run("order_loop.py", "--help")
    assert told.returncode == 0
    assert "ticks" in told.stdout
    alone = run("order_loop.py", "model.joblib")
    assert alone.returncode == 2
    assert "a model and a file of ticks" in alone.stderr


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_every_example_is_run_here(path):
    assert path.name in Path(__file__).read_text(encoding="utf-8")
