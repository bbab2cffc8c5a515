"""Shared data: the real captures where they are present, and one small trained model."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import usable_cache  # noqa: F401  # before any kernel is imported

# isort: split
from alphaseeker._logging import PUBLIC_LOGGER
from alphaseeker.config import load_config
from alphaseeker.engine import AlphaSeekerMLEngine
from alphaseeker.market.simulator import simulate_frame

# The same examples in every run, in whatever time: a failure is one that anybody can repeat.
settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")

# What is printed is compared: a terminal's width and colours, asked for by whoever runs the tests,
# would change it.
for name in ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
    os.environ.pop(name, None)

CAPTURES = Path(__file__).resolve().parents[2] / "shared" / "data"
ROWS = 16_000
DEPTH_LEVELS = 5
# Small windows and few rounds: what the tests ask of a model does not depend on its size.
SETTINGS = {
    "num_boost_round": 25,
    "windows": [1, 5, 30],
    "FOLDS": 2,
    "TRADE_WITHOUT_EDGE": True,
    "MIN_CONFIDENCE": 0.0,
}


@pytest.fixture(scope="session", autouse=True)
def patience():
    """Let a busy machine take its time: what a user waits for at most is no limit to a test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (
            "model.compiler.COMPILE_TIMEOUT_S",
            "model.compiler._VERSION_TIMEOUT_S",
            "model.library_cache.LOCK_TIMEOUT_S",
            "bench.start.TIMEOUT_S",
        ):
            patch.setattr(f"alphaseeker.{name}", 1_800.0)
        yield


@pytest.fixture(autouse=True)
def logging_as_it_was():
    """Undo what a test changed of the public logger."""
    level, handlers = PUBLIC_LOGGER.level, list(PUBLIC_LOGGER.handlers)
    yield
    PUBLIC_LOGGER.setLevel(level)
    PUBLIC_LOGGER.handlers[:] = handlers


@pytest.fixture(scope="session")
def captures():
    """Folder of real market captures; the test is skipped where there is none."""
    if not CAPTURES.is_dir():
        pytest.skip(f"needs the market captures in {CAPTURES.name}/ beside the repository")
    return CAPTURES


@pytest.fixture(scope="session")
def market():
    """SIMULATED quotes with a strong signal, as a pandas frame: the required columns alone."""
    frame = simulate_frame(ROWS, seed=3, signal_strength=0.5)
    return frame.drop(columns=["buy_volume", "sell_volume"])


@pytest.fixture(scope="session")
def deep_market():
    """SIMULATED quotes with depth and the aggressor's side."""
    return simulate_frame(6_000, seed=4, signal_strength=0.5, depth_levels=DEPTH_LEVELS)


@pytest.fixture(scope="session")
def trained(market, tmp_path_factory):
    """Path of a model trained on ``market``, and what ``train_model`` answered."""
    engine = AlphaSeekerMLEngine(load_config(None, SETTINGS))
    path = tmp_path_factory.mktemp("model") / "simulated.joblib"
    return path, engine.train_model(market, model_path=path)


@pytest.fixture(scope="session")
def deep_trained(deep_market, tmp_path_factory):
    """Path of a model that reads depth and the aggressor's side."""
    engine = AlphaSeekerMLEngine(load_config(None, SETTINGS))
    path = tmp_path_factory.mktemp("model") / "deep.joblib"
    engine.train_model(deep_market, model_path=path)
    return path


@pytest.fixture
def engine(trained):
    """A fresh engine that serves the small model."""
    engine = AlphaSeekerMLEngine(load_config(None, SETTINGS))
    engine.load_model(trained[0])
    return engine


@pytest.fixture
def deep_engine(deep_trained):
    """A fresh engine that serves the model with depth and the aggressor's side."""
    engine = AlphaSeekerMLEngine(load_config(None, SETTINGS))
    engine.load_model(deep_trained)
    return engine
