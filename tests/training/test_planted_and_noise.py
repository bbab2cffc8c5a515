"""The figures of ``benchmarks/planted_and_noise.py`` on fewer rows and seeds."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

import planted_and_noise as benchmark

from alphaseeker.training.baselines import logistic_columns
from known_blocks import permuted_block, persistent_block, planted_block, planted_place, walk_block


def quiet(line):
    pass


def test_a_planted_signal_is_found_by_the_defaults():
    means, _ = benchmark.planted(1, rows=60_000, columns=30, show=quiet)
    # 160,000 rows and five seeds must reach .085, .54 and .0032.
    assert means["ic"] > 0.07
    assert means["directional_accuracy"] > 0.53
    assert means["log_loss_skill"] > 0.0015


def test_noise_gives_no_skill_by_the_defaults():
    lines = []
    figures, _ = benchmark.noise(2, rows=40_000, columns=30, show=lines.append)
    assert figures["log_loss_skill"] < 3e-4
    assert figures["test_rows"] > 10_000
    assert figures["mcc"] >= 0.5
    assert sum("no edge" in line for line in lines) == 2
    assert any(line.startswith("pooled IC") for line in lines)


def test_overlapping_noise_has_no_edge_by_the_defaults():
    figures, missed = benchmark.overlap(1, rows=20_000, columns=20, show=quiet)
    assert figures["no edge"] == 1.0
    assert missed == []


def test_what_is_missed_is_said(monkeypatch):
    card = {
        "ic": 0.02,
        "ic_pooled": 0.02,
        "directional_accuracy": 0.51,
        "log_loss_skill": 0.001,
        "mcc": 0.02,
        "confusion_matrix": [[50, 20, 30], [30, 40, 30], [30, 20, 50]],
        "verdict": "weak",
        "n_rows": 40_000,
        "n_blocks": 60,
    }
    monkeypatch.setattr(benchmark, "evaluate", lambda block, **settings: card)
    small = {"rows": 100, "columns": 30, "show": quiet}
    _, missed = benchmark.planted(2, **small)
    assert [line.split()[1] for line in missed] == [
        "ic",
        "directional_accuracy",
        "log_loss_skill",
    ]
    sums = {"ic": (0.0, 0.0, 1.0, 1.0, 0.02), "ic_pooled": (0.0, 0.0, 1.0, 1.0, 0.02)}
    monkeypatch.setattr(benchmark, "evaluate_with_sums", lambda block, **settings: (card, sums))
    figures, missed = benchmark.noise(4, **small)
    assert figures["mcc"] >= 0.5
    assert len(missed) == 3
    assert benchmark.overlap(2, **small)[1] == ["overlap: 'no edge' in 0% of runs"]


def test_bands_are_those_of_permutations():
    random = np.random.default_rng(0)
    label, choice = random.integers(0, 3, 600), random.choice(3, 600, p=[0.2, 0.5, 0.3])
    table = np.zeros((3, 3), int)
    np.add.at(table, (label, choice), 1)
    from sklearn.metrics import matthews_corrcoef

    drawn = [matthews_corrcoef(random.permutation(label), choice) for _ in range(500)]
    np.testing.assert_allclose(
        benchmark.mcc_band(table), np.percentile(drawn, (2.5, 97.5)), atol=0.012
    )
    assert benchmark.mcc_band([[5, 0, 0], [5, 0, 0], [5, 0, 0]]) == (0.0, 0.0)
    # One side leans to a half: from zero, permuted pairs agree on average.
    for lean in (0.0, 0.5):
        left, right = random.normal(lean, 1.0, 600), random.normal(lean, 1.0, 600)
        scale = np.sqrt((left**2).sum() * (right**2).sum())
        shuffled = [random.permutation(left) @ right / scale for _ in range(2_000)]
        sums = (left.sum(), right.sum(), (left**2).sum(), (right**2).sum(), left @ right)
        np.testing.assert_allclose(
            benchmark.rank_band(sums, 600), np.percentile(shuffled, (2.5, 97.5)), atol=0.012
        )
    assert benchmark.rank_band((0.0, 0.0, 1.0, 1.0, 0.0), 401)[1] == pytest.approx(0.0980, abs=1e-4)
    assert benchmark.rank_band((0.0, 0.0, 0.0, 1.0, 0.0), 400) == (0.0, 0.0)
    assert benchmark.share_inside(97, 100) == "97 of 100, 97.0% (91.5% to 99.4%)"
    assert not benchmark.too_few_inside(17, 20)
    assert benchmark.too_few_inside(16, 20)


def test_blocks_hold_what_they_promise():
    block = planted_block(40_000, seed=3, columns=20)
    step = np.diff(np.log(block.mid))
    known = [np.corrcoef(block.values[:-1, c], step)[0, 1] for c in range(20)]
    place = planted_place(3, 20)
    assert known[place] == pytest.approx(0.1, abs=0.02)
    assert max(abs(k) for c, k in enumerate(known) if c != place) < 0.02
    assert block.names[place] not in logistic_columns(block.names)
    for make in (walk_block, permuted_block, persistent_block):
        block = make(20_000, seed=3, columns=20)
        step = np.diff(np.log(block.mid))
        values = np.nan_to_num(block.values[:-1])
        assert max(abs(np.corrcoef(values[:, c], step)[0, 1]) for c in range(20)) < 0.04
    values = block.values[:, 5]
    assert np.corrcoef(values[1:], values[:-1])[0, 1] == pytest.approx(0.98, abs=0.01)
