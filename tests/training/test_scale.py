"""More data than memory: values in files, in pieces, and from many files, give the same model."""

import gc
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alphaseeker.config import load_config
from alphaseeker.features import matrix_cache
from alphaseeker.features.batch import compute_features
from alphaseeker.features.block import FeatureSettings
from alphaseeker.market.array_file import in_file
from alphaseeker.market.simulator import simulate
from alphaseeker.training import run as training_run
from alphaseeker.training.answers import Answers
from alphaseeker.training.factor_run import evaluate_factor_source
from alphaseeker.training.run import blocks_of, judge_source, train_source

QUICK = {"num_boost_round": 6, "windows": [1, 5], "num_threads": 1, "MIN_CONFIDENCE": 0.0}


def open_scratch_files() -> int:
    """Count the mappings of this process whose file is in the scratch folder or has no name."""
    return sum("(deleted)" in line for line in Path("/proc/self/maps").read_text().splitlines())


@pytest.fixture
def small(market):
    return market.head(6_000)


def same(first, second):
    """Compare everything that the data decides in two model files."""
    assert first.model_text == second.model_text
    assert first.calibration == second.calibration
    assert first.metrics == second.metrics
    assert first.settings == second.settings
    np.testing.assert_array_equal(first.golden_features, second.golden_features)


def test_values_in_files_give_the_same_model_and_leave_nothing(small, monkeypatch, tmp_path):
    monkeypatch.setenv("ALPHASEEKER_CACHE_DIR", str(tmp_path))
    kept = []

    def watched(*args, **options):
        kept.extend(blocks_of(*args, **options))
        return kept[-1:]

    monkeypatch.setattr(training_run, "blocks_of", watched)
    answers, give_back = [], Answers.release

    def given_back(self):
        answers.append([in_file(one) for one in (self.probabilities, *self.book.values())])
        give_back(self)

    monkeypatch.setattr(Answers, "release", given_back)
    gc.collect()  # what earlier tests left may hold such files
    before = open_scratch_files()
    runs = [
        train_source(small, load_config(None, {**QUICK, "MATRIX_MEMORY_MB": megabytes}))
        for megabytes in (512, 0)
    ]
    same(runs[0].artifact, runs[1].artifact)
    assert runs[0].factors == runs[1].factors
    assert [in_file(block.values) for block in kept] == [False, True]
    # Of each fold of either run.
    assert [set(one) for one in answers] == [{False}] * 4 + [{True}] * 4
    assert open_scratch_files() > before
    kept.clear()
    assert open_scratch_files() == before
    assert not any(path.is_file() for path in (tmp_path / "scratch").iterdir())


def test_a_training_from_the_disk_cache_gives_the_same_model(small, monkeypatch, tmp_path):
    monkeypatch.setenv("ALPHASEEKER_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(matrix_cache, "LEAST_ROWS", 1_000)
    computed = []

    def counted(series, **given):
        computed.append(len(given["names"]))
        return compute_features(series, **given)

    monkeypatch.setattr(matrix_cache, "compute_features", counted)
    runs = {
        name: train_source(small, load_config(None, {**QUICK, **given}))
        for name, given in (
            ("none", {"DISK_CACHE_MB": 0}),
            ("first", {}),
            ("second", {}),
            ("in files", {"MATRIX_MEMORY_MB": 0}),
        )
    }
    # The matrix, and the columns that each fit but the first writes anew; by two of the four runs.
    assert len(computed) == 2 * (1 + 4)
    for name in ("first", "second", "in files"):
        same(runs[name].artifact, runs["none"].artifact)
        assert runs[name].factors == runs["none"].factors


def test_grades_from_the_disk_cache_are_the_same(small, monkeypatch, tmp_path):
    monkeypatch.setenv("ALPHASEEKER_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(matrix_cache, "LEAST_ROWS", 1_000)
    given = {"report_path": tmp_path / "factors.json"}
    plain, first, second = [
        evaluate_factor_source(small, load_config(None, {**QUICK, "DISK_CACHE_MB": size}), **given)
        for size in (0, 100, 100)
    ]
    (path,) = tmp_path.glob("matrices/*.features")
    assert path.stat().st_mtime_ns > 0
    assert plain == first == second


def test_the_limit_counts_the_values_of_all_symbols(small, tmp_path):
    config = load_config(None, {**QUICK, "MATRIX_MEMORY_MB": 0.05})
    frames = [small.head(500).assign(symbol=name) for name in ("A", "B", "C")]
    judged = judge_source(pd.concat(frames), config)
    names = ["book.imbalance", "book.spread"]
    for limit, filed in ((12_000, [False] * 3), (9_000, [False, False, True]), (0, [True] * 3)):
        blocks = blocks_of(judged, FeatureSettings(), names=names, memory_limit=limit)
        assert [in_file(block.values) for block in blocks] == filed


def mapped_kb() -> int:
    """Return what of files is in this process's memory; the second kind is of a tmpfs."""
    text = Path("/proc/self/status").read_text()
    return sum(int(text.partition(f"{kind}:")[2].split()[0]) for kind in ("RssFile", "RssShmem"))


def test_computing_features_into_a_file_takes_no_more_memory_for_more_rows():
    """Traced memory, which counts every array of NumPy's, not the pages of the file."""
    settings = FeatureSettings(tick_size=0.01)
    # Compiled, since the pages of the compiler's own file count too.
    compute_features(simulate(2_000, seed=1), settings=settings, memory_limit=0)
    peaks, before = [], mapped_kb()
    for rows in (20_000, 80_000):
        series = simulate(rows, seed=1)
        tracemalloc.start()
        block = compute_features(series, settings=settings, memory_limit=0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        size = block.values.nbytes
    # Beside the values a block has 57 bytes a row.
    assert peaks[1] - peaks[0] < 60_000 * 57 * 1.5 < 0.1 * size
    assert mapped_kb() - before < 0.2 * size / 1024


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_files_of_several_symbols_and_sessions_train_as_one_model(small, tmp_path, suffix):
    """A directory, by name, is the same data as one frame; sessions and symbols stay apart."""
    parts = []
    for number, symbol in enumerate(("A", "B", "A", "B")):
        part = small.iloc[1_500 * number : 1_500 * (number + 1)].assign(
            symbol=symbol, session=f"day {number // 2}"
        )
        path = tmp_path / f"{number}{suffix}"
        part.to_parquet(path) if suffix == ".parquet" else part.to_csv(path, index=False)
        parts.append(part)
    config = load_config(None, {**QUICK, "HORIZON_S": 10, "EMBARGO_S": 10, "CHUNK_ROWS": 700})
    together = train_source(tmp_path, config)
    single = train_source(pd.concat(parts, ignore_index=True), config)
    same(together.artifact, single.artifact)
    assert together.artifact.training["symbols"] == ["A", "B"]
    assert together.quality.sessions == 4
    judged = judge_source(tmp_path, config)
    for block in blocks_of(judged, FeatureSettings()):
        assert len(np.unique(block.segment)) == 2
        # No window reaches over a boundary: the history begins anew.
        begins = np.flatnonzero(np.diff(block.segment)) + 1
        assert (block.history[begins] == 0).all()
