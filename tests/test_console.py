"""What the tables and sentences of the command line say."""

import numpy as np
import pytest

from alphaseeker.console import factor_sentences, significance_sentence
from alphaseeker.training.significance import significance


def sentence(returns, trials=None):
    worth = significance(np.asarray(returns), trials)
    return significance_sentence({**worth, "cells": len(returns), "returns_of": "the trades"})


def test_what_cannot_be_computed_is_not_shown_as_zero():
    random = np.random.default_rng(0)
    good = random.normal(0.3, 1.0, 60)
    tried = random.normal(0.0, 1.0, (60, 5))
    assert "deflated not judged" not in sentence(good)
    assert "probability of overfitting not judged" in sentence(good)
    assert "not judged" not in sentence(good, tried)
    for returns in (np.zeros(60), np.full(60, 0.1), good[:5]):
        assert "deflated not judged (5 tried), probability of overfitting 0." in sentence(
            returns, tried
        )


@pytest.mark.parametrize("tried", [np.zeros((60, 5)), np.eye(4), np.ones((60, 1))])
def test_a_choice_that_says_nothing_is_not_judged(tried):
    good = np.random.default_rng(0).normal(0.3, 1.0, 60)
    assert "probability of overfitting not judged" in sentence(good, tried)


def test_a_hopeless_ratio_is_judged():
    bad = np.random.default_rng(0).normal(-9.0, 1.0, 400)
    assert "deflated 0.000" in sentence(bad)


def test_factors_are_summed_up_in_sentences():
    def row(name, cluster, *, reason="", significant=False):
        known = {"factor_name": name, "cluster": cluster, "significant": significant}
        return {**known, "reason": reason, "n_blocks": 0 if reason else 40}

    rows = [row(name, 0, significant=True) for name in ("x", "x again")]
    rows.append(row("noise", 1))
    rows += [row(f"c{place}", 2 + place, reason="the factor is constant") for place in range(5)]
    rows.append(row("never", 7, reason="the factor is never finite"))
    first, *others = factor_sentences(rows)
    assert first.startswith("2 of 9 significant")
    assert first.endswith("; 1 without repeats")
    assert others == [
        "not measured: c0, c1, c2 and 2 more (the factor is constant)",
        "not measured: never (the factor is never finite)",
    ]
