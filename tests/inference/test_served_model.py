"""A model that this version cannot serve as trained is refused."""

import dataclasses

import pytest

from alphaseeker.config import InferenceConfig
from alphaseeker.errors import ModelError
from alphaseeker.features.catalogue import schema_hash
from alphaseeker.inference.served_model import serve


@pytest.fixture
def artifact(engine):
    """The small model's content."""
    return engine._pool.model.artifact


def test_refuses_an_unknown_feature(artifact):
    names = ("book.moonphase", *artifact.feature_names[1:])
    with pytest.raises(ModelError, match="moonphase"):
        serve(dataclasses.replace(artifact, feature_names=names), InferenceConfig())


def test_refuses_reordered_features(artifact):
    names = tuple(reversed(artifact.feature_names))
    with pytest.raises(ModelError, match="schema hash"):
        serve(dataclasses.replace(artifact, feature_names=names), InferenceConfig())
    assert schema_hash(names) != artifact.schema_hash


def test_refuses_golden_rows_that_differ(artifact):
    scores = artifact.golden_scores.copy()
    scores[3, 1] += 1e-9
    with pytest.raises(ModelError, match="golden"):
        serve(dataclasses.replace(artifact, golden_scores=scores), InferenceConfig())


def test_abstains_without_an_edge_unless_told(artifact):
    metrics = {**artifact.metrics, "verdict": "no edge"}
    poor = dataclasses.replace(artifact, metrics=metrics)
    assert serve(poor, InferenceConfig()).abstain
    assert not serve(poor, InferenceConfig(TRADE_WITHOUT_EDGE=True)).abstain
    good = dataclasses.replace(artifact, metrics={**metrics, "verdict": "edge"})
    assert not serve(good, InferenceConfig()).abstain
