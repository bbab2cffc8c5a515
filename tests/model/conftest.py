"""A small trained model, with missing values, and the artifact around it."""

import dataclasses

import lightgbm
import numpy as np
import pytest

from alphaseeker.model.artifact import ModelArtifact
from alphaseeker.model.golden import build_golden

N_FEATURES = 6
NAMES = tuple(f"book.column_{index}s" for index in range(N_FEATURES))


def make_matrix(rows, seed=5):
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(rows, N_FEATURES)).astype(np.float32)
    matrix[random.random(matrix.shape) < 0.1] = np.nan
    matrix[:, 5] = np.where(random.random(rows) < 0.5, 0.0, matrix[:, 5])
    return matrix


def train_text(rounds=4, leaves=9, categorical="auto", **parameters):
    """Return the text of a model of three classes that splits on values and on missing ones."""
    matrix = make_matrix(3000)
    matrix[:, 5] = np.abs(np.rint(matrix[:, 5]))  # fit to be a category
    seen = np.nan_to_num(matrix, nan=-1.0)
    label = (seen[:, 0] > 0.3).astype(int) + (seen[:, 1] * seen[:, 2] > 0.0)
    label[np.isnan(matrix[:, 3])] = 2
    settings = {
        "objective": "multiclass",
        "num_class": 3,
        "num_leaves": leaves,
        "verbose": -1,
        "num_threads": 1,
        "seed": 3,
        **parameters,
    }
    data = lightgbm.Dataset(
        matrix,
        label,
        feature_name=list(NAMES),
        categorical_feature=categorical,
        params=settings,
    )
    return lightgbm.train(settings, data, rounds).model_to_string()


@pytest.fixture(scope="session")
def train():
    return train_text


@pytest.fixture(scope="session")
def model_text():
    return train_text()


@pytest.fixture(scope="session")
def artifact(model_text):
    features, scores = build_golden(model_text, make_matrix(500), rows=200)
    return ModelArtifact(
        model_text=model_text,
        feature_names=NAMES,
        schema_hash="hash of " + ",".join(NAMES),
        label_mapping={"SELL": 0, "HOLD": 1, "BUY": 2},
        class_prior=(0.3, 0.4, 0.3),
        calibration={"temperature": 1.5, "bias": [0.1, 0.0, -0.1], "min_confidence": 0.4},
        settings={"bucket_s": 1.0, "tick_size": 0.1, "max_gap_s": 900.0, "max_jump": 0.2},
        target={"kind": "fixed_horizon", "horizon_s": 60},
        training={
            "ranges": {"train": [1, 2], "validation": [3, 4], "test": [5, 6]},
            "fingerprint": "abc",
            "symbols": ["BTCUSDT"],
            "rows": 3000,
            "created": "2026-11-22T10:15:00Z",
        },
        metrics={"accuracy": np.float64(0.5), "folds": ({"ic": float("nan")}, None)},
        versions={"lightgbm": lightgbm.__version__},
        golden_features=features,
        golden_scores=scores,
    )


@pytest.fixture
def variant(artifact):
    """Return a function that gives the artifact with fields replaced."""
    return lambda **changes: dataclasses.replace(artifact, **changes)
