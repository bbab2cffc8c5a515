import logging
from dataclasses import fields, replace

import numpy as np
import pytest

from alphaseeker.config import InferenceConfig
from alphaseeker.features import matrix_cache
from alphaseeker.features.batch import compute_features
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.custom import custom_feature
from alphaseeker.features.matrix_cache import MatrixCache, disk_budget, series_fingerprint
from alphaseeker.market.array_file import file_array, in_file
from alphaseeker.market.quality import QualityReport
from alphaseeker.market.simulator import simulate

ROWS = 1_500
SETTINGS = FeatureSettings(tick_size=0.01)
NAMES = ("book.imbalance", "book.microprice_dev", "flow.ofi_5s")
QUALITY = QualityReport(source="made up", rows=ROWS)


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("ALPHASEEKER_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(matrix_cache, "LEAST_ROWS", 1_000)
    return tmp_path


@pytest.fixture
def computed(monkeypatch):
    """The columns that were computed, each time."""
    calls = []

    def counted(series, **given):
        calls.append(given["names"])
        return compute_features(series, **given)

    monkeypatch.setattr(matrix_cache, "compute_features", counted)
    return calls


@pytest.fixture(scope="module")
def series():
    return simulate(ROWS, seed=5)


def features(series, settings=SETTINGS, names=NAMES, cache=None, **given):
    cache = cache or MatrixCache(InferenceConfig())
    return cache.features(series, settings=settings, names=names, quality=QUALITY, **given)


def same(one, other):
    for item in fields(one):
        first, second = getattr(one, item.name), getattr(other, item.name)
        if isinstance(first, np.ndarray):
            assert first.dtype == second.dtype
            assert first.flags.f_contiguous == second.flags.f_contiguous
            assert first.tobytes(order="A") == second.tobytes(order="A"), item.name
        else:
            assert first == second, item.name


def test_the_second_run_reads_what_the_first_computed(series, computed):
    plain = compute_features(series, settings=SETTINGS, names=NAMES, quality=QUALITY)
    first, second = features(series), features(series)
    assert len(computed) == 1
    same(first, plain)
    same(second, plain)


def test_columns_of_all_that_the_settings_offer(series, computed):
    first, second = features(series, names=None), features(series, names=None)
    assert len(computed) == 1
    assert len(first.names) > 200
    same(second, first)


def test_values_that_stand_in_a_file_are_kept_and_read_alike(series, computed):
    plain = features(series)
    stored = features(series, memory_limit=0)
    assert len(computed) == 1
    assert in_file(stored.values)
    assert in_file(stored.timestamp)
    same(stored, plain)


def test_changing_a_block_changes_nothing_that_is_kept(series, computed):
    first = features(series)
    expected = first.values.copy()
    first.values[:] = 0.0
    second = features(series)
    second.values[:] = 1.0
    assert features(series).values.tobytes() == expected.tobytes()
    assert len(computed) == 1


def one_price(series):
    ticks = series.ticks.copy()
    ticks["bid_volume"][700] = np.nextafter(ticks["bid_volume"][700], np.inf)
    return replace(series, ticks=ticks)


def one_row(series):
    rows = series.rows.copy()
    rows[-1] += 1
    return replace(series, rows=rows)


def one_less(series):
    return replace(series, ticks=series.ticks[:-1], rows=series.rows[:-1])


@pytest.mark.parametrize(
    "change", [one_price, one_row, one_less, lambda one: replace(one, symbol="OTHER")]
)
def test_other_ticks_are_computed(series, computed, change):
    features(series)
    changed = change(series)
    found = features(changed)
    assert len(computed) == 2
    same(found, compute_features(changed, settings=SETTINGS, names=NAMES, quality=QUALITY))


@pytest.mark.parametrize(
    "changed",
    [
        {"bucket_s": 2.0},
        {"tick_size": 0.02},
        {"max_gap_s": 100.0},
        {"max_jump": 0.1},
        {"tick_sizes": {"SIMULATED": 0.05}},
        {"microprices": {"SIMULATED": ((0.1,) * 10,)}},
        {"round_trip_notional": 5_000.0},
    ],
)
def test_other_settings_have_another_name(series, changed):
    names = [
        MatrixCache(InferenceConfig())._name(series, settings, NAMES)
        for settings in (SETTINGS, replace(SETTINGS), replace(SETTINGS, **changed))
    ]
    assert names[0] == names[1] != names[2]


def test_other_columns_or_another_order_are_computed(series, computed):
    features(series)
    features(series, names=NAMES[:2])
    features(series, names=(NAMES[1], NAMES[0], NAMES[2]))
    assert len(computed) == 3


def test_depth_counts():
    deep = simulate(ROWS, seed=5, depth_levels=3)
    settings = replace(SETTINGS, depth_levels=3)
    depth = deep.depth.copy()
    depth[700, 2, 1] *= 2.0
    prints = {
        series_fingerprint(one)
        for one in (deep, replace(deep, depth=depth), replace(deep, depth=None))
    }
    assert len(prints) == 3
    names = ("depth.imbalance_3", "book.imbalance")
    plain = compute_features(deep, settings=settings, names=names, quality=QUALITY)
    for _ in range(2):
        same(features(deep, settings, names), plain)


def test_a_fingerprint_is_of_the_bytes_wherever_they_stand(series):
    ticks = file_array(series.ticks.shape, series.ticks.dtype)
    ticks[...] = series.ticks
    assert series_fingerprint(replace(series, ticks=ticks)) == series_fingerprint(series)


@pytest.mark.parametrize("part", ["source_hash", "platform", "tunables"])
def test_other_kernels_or_another_library_are_computed(series, computed, monkeypatch, part):
    from alphaseeker import _jit

    features(series)
    _jit.code_mark.cache_clear()
    if part == "platform":
        monkeypatch.setattr(_jit.platform, "libc_ver", lambda: ("other", "1"))
    elif part == "tunables":
        monkeypatch.setenv("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-FMA")
    else:
        monkeypatch.setattr(_jit, part, lambda: "other sources")
    features(series)
    _jit.code_mark.cache_clear()
    assert len(computed) == 2


def test_a_torn_file_is_computed_again(series, computed, root, caplog):
    plain = features(series)
    (path,) = (root / "matrices").iterdir()
    with path.open("r+b") as file:
        file.seek(5_000)
        file.write(b"torn")
    with caplog.at_level(logging.WARNING):
        same(features(series), plain)
    assert "damaged" in caplog.text
    same(features(series), plain)
    assert len(computed) == 2


def test_few_rows_and_no_budget_keep_nothing(series, computed, root):
    off = {"DISK_CACHE_MB": 0.0}, {"ENABLE_CACHING": False}
    for given in off:
        config = InferenceConfig(**given)
        assert disk_budget(config) == 0.0
        for _ in range(2):
            features(series, cache=MatrixCache(config))
    short = replace(series, ticks=series.ticks[:999], rows=series.rows[:999])
    for _ in range(2):
        features(short)
    assert len(computed) == 6
    assert not (root / "matrices").exists()
    assert disk_budget(InferenceConfig(DISK_CACHE_MB=3.0)) == 3e6


def test_a_series_is_hashed_once(series, monkeypatch):
    hashed = []
    monkeypatch.setattr(
        matrix_cache, "series_fingerprint", lambda one: hashed.append(one) or "the same"
    )
    cache = MatrixCache(InferenceConfig())
    for names in (NAMES, NAMES[:1], NAMES[:2]):
        features(series, names=names, cache=cache)
    assert len(hashed) == 1
    # Another series may come to stand where an older one stood.
    features(replace(series), cache=cache)
    assert len(hashed) == 2


def scaled(factor):
    @custom_feature(name="scaled")
    def step(state, tick, window_s):
        return tick.mid * factor

    return step


def looked_up(table):
    @custom_feature(name="scaled")
    def step(state, tick, window_s):
        return tick.mid * len(table)

    return step


def test_a_custom_step_counts_with_what_it_reads(series, computed):
    names = (*NAMES, "custom.scaled")

    def values(feature):
        settings = replace(SETTINGS, custom=(feature,))
        return features(series, settings, names).values[:, -1]

    first = values(scaled(2.0))
    np.testing.assert_array_equal(values(scaled(2.0)), first)
    assert len(computed) == 1
    assert not np.array_equal(values(scaled(3.0)), first)
    assert len(computed) == 2


SCALE = 2.0


@custom_feature()
def by_global(state, tick, window_s):
    return tick.mid * SCALE


def test_a_step_that_its_digest_does_not_tell_keeps_nothing(series, monkeypatch):
    cache = MatrixCache(InferenceConfig())

    def name_with(feature):
        settings = replace(SETTINGS, custom=(feature,))
        return cache._name(series, settings, (feature.columns[0].name,))

    assert name_with(looked_up([1.0, 2.0])) is None  # the content of a list is not told
    assert name_with(looked_up((1.0, 2.0))) is not None
    assert name_with(by_global) is not None
    monkeypatch.setitem(globals(), "SCALE", 3.0)
    assert name_with(by_global) is None  # not what was declared
