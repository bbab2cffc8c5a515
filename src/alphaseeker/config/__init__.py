"""Every setting: its name, its default, what it may be, and how an override reaches it.

Settings stand in sections. A section is a frozen dataclass whose fields are the public keys; its
defaults are also published as a dictionary (``MODEL_CONFIG`` ...). No key stands in two sections,
so an override may be flat. Overrides come as one flat or nested mapping, a TOML file or keyword
arguments; they are checked once, here at the edge. Scalars of NumPy become plain numbers.

The published dictionaries are where ``load_config`` starts: a default changed there, as by
``RISK_CONFIG["STOP_LOSS_PCT"] = 0.01``, is checked like any override and holds for every
configuration that is loaded afterwards. One already loaded stays as it is.
"""

from __future__ import annotations

from alphaseeker.config.loading import (
    BACKTEST_CONFIG,
    DATA_CONFIG,
    FACTOR_CONFIG,
    FEATURE_CONFIG,
    INFERENCE_CONFIG,
    MODEL_CONFIG,
    MONITORING_CONFIG,
    RISK_CONFIG,
    SPLIT_CONFIG,
    TARGET_CONFIG,
    Config,
    load_config,
)
from alphaseeker.config.sections import (
    BacktestConfig,
    DataConfig,
    FactorConfig,
    FeatureConfig,
    InferenceConfig,
    ModelConfig,
    MonitoringConfig,
    RiskConfig,
    SplitConfig,
    TargetConfig,
)

__all__ = [
    "BACKTEST_CONFIG",
    "DATA_CONFIG",
    "FACTOR_CONFIG",
    "FEATURE_CONFIG",
    "INFERENCE_CONFIG",
    "MODEL_CONFIG",
    "MONITORING_CONFIG",
    "RISK_CONFIG",
    "SPLIT_CONFIG",
    "TARGET_CONFIG",
    "BacktestConfig",
    "Config",
    "DataConfig",
    "FactorConfig",
    "FeatureConfig",
    "InferenceConfig",
    "ModelConfig",
    "MonitoringConfig",
    "RiskConfig",
    "SplitConfig",
    "TargetConfig",
    "load_config",
]
