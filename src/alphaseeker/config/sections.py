"""The sections: every key, its default, and what it may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alphaseeker.config.checks import (
    BOOL,
    FRACTION,
    NOT_NEGATIVE,
    Check,
    Section,
    all_or_list,
    key,
    list_of,
    number,
    one_of,
    only,
    path_or_none,
    tables,
)

__all__ = [
    "BacktestConfig",
    "DataConfig",
    "FactorConfig",
    "FeatureConfig",
    "InferenceConfig",
    "ModelConfig",
    "MonitoringConfig",
    "RiskConfig",
    "SplitConfig",
    "TargetConfig",
]


_PRECISION = (
    "features leave the step as float32, and with every BACKEND a model's thresholds are made from "
    "these values, which LightGBM sorts into bins in any case. Set it to 'float32' or leave it "
    "out; prices, window sums and scores are float64 as they are"
)
_ON_BAD_TICK = (
    "a bot must learn of a malformed live tick. Catch the DataError of predict or update and go "
    "on: the stream is as it was before the tick. Rows of files are dropped by ON_BAD_ROW"
)


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Section):
    """The LightGBM model."""

    objective: str = key("multiclass", one_of("multiclass", "multiclassova"))
    num_class: int = key(3, one_of(3))
    random_state: int = key(42, number(0, 2**31 - 1, integer=True))
    class_weight: str | None = key("balanced", one_of("balanced", None))
    num_leaves: int = key(31, number(2, 64, integer=True))
    learning_rate: float = key(0.1, number(1e-6, 1.0))
    feature_fraction: float = key(0.8, number(0.01, 1.0))
    lambda_l2: float = key(30.0, NOT_NEGATIVE)
    min_gain_to_split: float = key(5.0, NOT_NEGATIVE)
    num_boost_round: int = key(300, number(1, 10_000, integer=True))
    early_stopping_rounds: int = key(30, number(1, 10_000, integer=True))
    min_data_in_leaf: int | str = key("auto", number(1, 10**9, integer=True, words=("auto",)))
    num_threads: int = key(0, number(0, 1024, integer=True))
    label_weight: str | None = key("uniqueness", one_of("uniqueness", None))
    recency_half_life_s: float | None = key(None, number(1.0, words=(None,)))
    linear_part: bool = key(True, BOOL)
    calibration: str = key("temperature", one_of("temperature", "isotonic"))
    SEARCH_MINUTES: float = key(0.0, NOT_NEGATIVE)
    SEARCH_TRIALS: int = key(100, number(1, 10_000, integer=True))


# What may differ from one symbol to the next; the keys that are left out are the account's.
_SYMBOL_RULES: dict[str, Check] = {
    "LOT_SIZE": NOT_NEGATIVE,
    "MIN_NOTIONAL": NOT_NEGATIVE,
    "TRANSACTION_COST_PCT": number(0.0, 0.1),
    "MAKER_COST_PCT": number(-0.01, 0.1),
}


@dataclass(frozen=True, kw_only=True)
class RiskConfig(Section):
    """Costs, exits, sizing and limits. Shares of the price or of the equity, not per cent."""

    TAKE_PROFIT_PCT: float = key(0.004, number(1e-6, 1.0))
    STOP_LOSS_PCT: float = key(0.004, number(1e-6, 1.0))
    custom_stop_loss: float | None = key(None, number(1e-6, 1.0, words=(None,)))
    TRANSACTION_COST_PCT: float = key(0.0005, number(0.0, 0.1))
    MAKER_COST_PCT: float = key(0.0002, number(-0.01, 0.1))
    MAX_POSITION_SIZE: float = key(1.0, number(0.0, 100.0))
    RISK_PER_TRADE: float = key(0.01, number(0.0, 1.0))
    dynamic_position_sizing: bool = key(True, BOOL)
    LOT_SIZE: float = key(0.0, NOT_NEGATIVE)
    MIN_NOTIONAL: float = key(0.0, NOT_NEGATIVE)
    MAX_DAILY_LOSS: float = key(0.02, FRACTION)
    MAX_DRAWDOWN: float = key(0.1, FRACTION)
    VOLATILITY_BASED_SL: bool = key(True, BOOL)
    VOLATILITY_MULTIPLIER: float = key(2.0, number(1e-3, 100.0))
    VOLATILITY_HALF_LIFE_S: float = key(60.0, number(1.0, 86_400.0))
    MAX_STOP_LOSS_PCT: float = key(0.02, number(1e-6, 1.0))
    TRAILING_STOP_PCT: float | None = key(None, number(1e-6, 1.0, words=(None,)))
    MAX_HOLDING_S: float | None = key(None, number(1e-3, 1e9, words=(None,)))
    MAX_EXPOSURE: float | None = key(None, number(0.0, 1_000.0, words=(None,)))
    MAX_NOTIONAL: float | None = key(None, number(0.0, words=(None,)))
    KELLY_FRACTION: float | None = key(0.2, number(1e-6, 1.0, words=(None,)))
    VOLATILITY_TARGET: float | None = key(None, number(1e-6, 1_000.0, words=(None,)))
    MAX_CONSECUTIVE_LOSSES: int | None = key(5, number(1, 10**6, integer=True, words=(None,)))
    COOLDOWN_S: float = key(900.0, number(0.0, 1e9))
    MAX_ORDERS_PER_MINUTE: int | None = key(60, number(1, 10**9, integer=True, words=(None,)))
    MAX_SPREAD_PCT: float = key(0.005, number(0.0, 2.0))
    MAX_QUOTE_AGE_S: float = key(30.0, number(0.0, 1e9))
    PENDING_ENTRY_S: float = key(60.0, number(0.0, 1e9))
    BLOCK_ON_DRIFT: bool = key(False, BOOL)
    VAR_METHOD: str = key("historical", one_of("historical", "cornish_fisher"))
    FUNDING_RATE: float = key(0.0, number(-1.0, 1.0))
    FUNDING_INTERVAL_S: float = key(28_800.0, number(1.0, 1e9))
    SYMBOL_RULES: Mapping[str, Any] = key({}, tables(_SYMBOL_RULES))
    JOURNAL_PATH: str | None = key(None, path_or_none)
    JOURNAL_FSYNC: str = key("actions", one_of("actions", "always", "never"))
    JOURNAL_REQUIRED: bool = key(False, BOOL)


@dataclass(frozen=True, kw_only=True)
class InferenceConfig(Section):
    """Live prediction."""

    TARGET_LATENCY_MS: float = key(500.0, number(1e-6))
    ENABLE_CACHING: bool = key(True, BOOL)
    DISK_CACHE_MB: float = key(2048.0, NOT_NEGATIVE)
    BATCH_SIZE: int = key(32, number(1, 10**7, integer=True))
    PRECISION: str = key("float32", only("float32", _PRECISION))
    BACKEND: str = key("auto", one_of("auto", "forest", "treelite", "lightgbm"))
    MIN_CONFIDENCE: float | str = key("auto", number(0.0, 1.0, words=("auto",)))
    ADAPTIVE_CALIBRATION: bool = key(True, BOOL)
    TRADE_WITHOUT_EDGE: bool = key(False, BOOL)
    NUM_THREADS: int = key(1, number(1, 1024, integer=True))
    MAX_SESSIONS: int = key(1000, number(1, 10**6, integer=True))
    HISTORY_SIZE: int = key(1000, number(0, 10**7, integer=True))
    READY_HISTORY_S: int = key(900, number(0, 10**6, integer=True))
    MAX_GAP_S: float = key(900.0, number(1e-3))
    MAX_AGE_S: float = key(30.0, number(1e-3))
    MAX_CLOCK_SKEW_S: float = key(5.0, NOT_NEGATIVE)
    MAX_JUMP: float = key(0.2, number(1e-6, 1.0))
    UNKNOWN_SYMBOL: str = key("warn", one_of("warn", "refuse"))


@dataclass(frozen=True, kw_only=True)
class TargetConfig(Section):
    """What the model learns to predict."""

    KIND: str = key("fixed_horizon", one_of("fixed_horizon", "triple_barrier"))
    HORIZON_S: float = key(60, number(1e-3, 86_400.0))
    THRESHOLD: float | str = key("tercile", number(0.0, 1.0, words=("tercile", "cost")))
    LABEL_PRICE: str = key("mid", one_of("mid", "close"))


@dataclass(frozen=True, kw_only=True)
class SplitConfig(Section):
    """Which rows train, stop and calibrate, and which are held back, in time order."""

    VALIDATION_FRACTION: float = key(0.2, number(0.01, 0.5))
    TEST_FRACTION: float = key(0.4, number(0.01, 0.8))
    EMBARGO_S: float = key(60.0, NOT_NEGATIVE)
    FOLDS: int = key(4, number(1, 50, integer=True))
    FOLD_SCHEME: str = key("walk_forward", one_of("walk_forward", "combinatorial"))
    COMBINATORIAL_GROUPS: int = key(6, number(3, 20, integer=True))
    COMBINATORIAL_TEST_GROUPS: int = key(2, number(1, 10, integer=True))
    ROLLING_TRAIN_S: float | None = key(None, number(1.0, words=(None,)))
    REFIT: bool = key(True, BOOL)


@dataclass(frozen=True, kw_only=True)
class DataConfig(Section):
    """Reading files and frames."""

    ON_BAD_ROW: str = key("drop", one_of("drop", "raise"))
    ON_BAD_TICK: str = key("raise", only("raise", _ON_BAD_TICK))
    MAX_BAD_RATIO: float = key(0.001, FRACTION)
    BUCKET_S: float | str = key("auto", number(1, 900, words=("auto",)))
    CHUNK_ROWS: int = key(250_000, number(1, 10**8, integer=True))
    MATRIX_MEMORY_MB: float = key(512.0, NOT_NEGATIVE)


@dataclass(frozen=True, kw_only=True)
class FeatureConfig(Section):
    """Which columns of the catalogue a model may use."""

    families: str | Sequence[str] = key("all", all_or_list(str))
    windows: str | Sequence[int] = key("all", all_or_list(int))
    MAX_FEATURES: int | None = key(None, number(1, 10**6, integer=True, words=(None,)))
    MIN_WARM_SHARE: float = key(0.5, FRACTION)
    ROUND_TRIP_NOTIONAL: float = key(10_000.0, number(1e-9))


@dataclass(frozen=True, kw_only=True)
class FactorConfig(Section):
    """Factor evaluation."""

    FORWARD_S: float = key(60, number(1e-3, 31 * 86_400.0))
    HORIZONS_S: Sequence[float] = key((10.0, 60.0, 300.0), list_of(number(1e-3, 31 * 86_400.0)))
    QUANTILES: int = key(5, number(2, 100, integer=True))
    BLOCKS: int = key(40, number(2, 10_000, integer=True))
    ALPHA: float = key(0.05, number(1e-9, 0.5))


@dataclass(frozen=True, kw_only=True)
class MonitoringConfig(Section):
    """When ``health_check`` warns, ``on_alert`` is called and ``needs_retraining`` says yes."""

    MAX_MODEL_AGE_DAYS: float = key(30.0, number(1e-6))
    MAX_HELD_SHARE: float = key(0.05, FRACTION)
    MAX_FEATURE_PSI: float = key(0.25, NOT_NEGATIVE)
    MAX_HIT_RATE_GAP: float = key(0.1, FRACTION)
    MIN_RESOLVED: int = key(200, number(1, 10**9, integer=True))
    MAX_MODEL_DRAWDOWN: float = key(0.05, FRACTION)
    MIN_ROLLING_IC: float = key(0.0, number(-1.0, 1.0))
    MAX_IC_GAP: float = key(0.05, number(0.0, 2.0))
    ALERT_EVERY_S: float | None = key(60.0, number(0.0, words=(None,)))


@dataclass(frozen=True, kw_only=True)
class BacktestConfig(Section):
    """Replaying recorded ticks on an account of its own."""

    LATENCY_MS: float = key(100.0, number(0.0, 3_600_000.0))
    INITIAL_EQUITY: float = key(10_000.0, number(1e-6))
