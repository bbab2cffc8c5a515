"""Names, defaults and limits of the settings, and where the effect of each key is tested."""

import ast
import dataclasses
import math
import re
import types
import typing
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker import ConfigError, config, create_ml_engine
from alphaseeker.config import Config, load_config

TESTS = Path(__file__).parent
SECTIONS = {item.name: item.default_factory for item in dataclasses.fields(Config)}
DEFAULTS = {name: dataclasses.asdict(section()) for name, section in SECTIONS.items()}
KEYS = [(section, key) for section, keys in DEFAULTS.items() for key in keys]

ONE_VALUE = ("num_class", "PRECISION", "ON_BAD_TICK")  # nothing but their default is allowed

# Promised to users; a default that changes here changes what their bot does.
PROMISED = {
    "model": {
        "objective": "multiclass",
        "num_class": 3,
        "random_state": 42,
        "class_weight": "balanced",
        "num_leaves": 31,
        "learning_rate": 0.1,
        "feature_fraction": 0.8,
        "min_data_in_leaf": "auto",
    },
    "risk": {
        "TAKE_PROFIT_PCT": 0.004,
        "STOP_LOSS_PCT": 0.004,
        "TRANSACTION_COST_PCT": 0.0005,
        "MAX_POSITION_SIZE": 1.0,
        "MAX_DAILY_LOSS": 0.02,
        "MAX_DRAWDOWN": 0.1,
        "VOLATILITY_BASED_SL": True,
        "VOLATILITY_MULTIPLIER": 2.0,
        "custom_stop_loss": None,
        "dynamic_position_sizing": True,
    },
    "inference": {
        "TARGET_LATENCY_MS": 500.0,
        "ENABLE_CACHING": True,
        "BATCH_SIZE": 32,
        "PRECISION": "float32",
        "BACKEND": "auto",
        "MIN_CONFIDENCE": "auto",
        "ADAPTIVE_CALIBRATION": True,
        "READY_HISTORY_S": 900,
        "MAX_GAP_S": 900.0,
        "MAX_JUMP": 0.2,
    },
    "target": {
        "KIND": "fixed_horizon",
        "HORIZON_S": 60,
        "THRESHOLD": "tercile",
        "LABEL_PRICE": "mid",
    },
    "data": {
        "ON_BAD_ROW": "drop",
        "ON_BAD_TICK": "raise",
        "MAX_BAD_RATIO": 0.001,
        "BUCKET_S": "auto",
    },
    "feature": {"families": "all", "windows": "all", "MAX_FEATURES": None},
}
# Promised by name; the value is ours to choose.
PROMISED_NAMES = {
    "model": {"num_boost_round", "early_stopping_rounds", "num_threads"},
    "risk": {"MAKER_COST_PCT", "LOT_SIZE", "MIN_NOTIONAL"},
    "inference": {
        "NUM_THREADS",
        "MAX_SESSIONS",
        "HISTORY_SIZE",
        "MAX_AGE_S",
        "MAX_CLOCK_SKEW_S",
    },
    "split": {"EMBARGO_S"},
}

RISK = "risk/test_risk_config.py::test_a_key_changes_what_a_user_sees"
TREES = "training/test_fit.py::test_every_model_key_changes_the_trees"
FIT = "training/test_fit.py::test_the_remaining_keys_reach_lightgbm"
TRAINED = "training/test_pipeline.py::test_keys_change_the_model"
BENT = "test_the_key_calibration_bends_the_model_it_is_set_for"
TRIALS = "test_search_trials_ends_it_and_then_it_is_the_same_again"
PLANNED = "training/test_folds.py::test_combinatorial_keys_change_the_plan"
FACTORS = "test_config_effects.py::test_factor_settings"

# The test that changes a key and sees what it does. A key that does nothing does not exist.
KEY_TESTS = {
    "LATENCY_MS": "backtest/test_run.py::test_LATENCY_MS_is_the_latency_where_none_is_given",
    "INITIAL_EQUITY": "backtest/test_run.py::test_INITIAL_EQUITY_is_the_equity_where_none_is_given",
    "objective": TREES,
    "num_class": FIT,
    "random_state": TREES,
    "class_weight": TRAINED,
    "num_leaves": TREES,
    "learning_rate": TREES,
    "feature_fraction": TREES,
    "lambda_l2": TREES,
    "min_gain_to_split": TREES,
    "linear_part": TREES,
    "num_boost_round": TREES,
    "early_stopping_rounds": FIT,
    "min_data_in_leaf": TREES,
    "num_threads": FIT,
    "calibration": f"training/test_calibration.py::{BENT}",
    "SEARCH_MINUTES": "training/test_search_run.py::test_search_minutes_above_0_search",
    "SEARCH_TRIALS": f"training/test_search.py::{TRIALS}",
    **dict.fromkeys(DEFAULTS["risk"], RISK),
    "JOURNAL_PATH": "risk/test_journal.py::test_journal_path",
    "JOURNAL_FSYNC": "risk/test_journal.py::test_journal_fsync",
    "JOURNAL_REQUIRED": "risk/test_journal.py::test_journal_required",
    "KIND": TRAINED,
    "HORIZON_S": TRAINED,
    "THRESHOLD": TRAINED,
    "LABEL_PRICE": TRAINED,
    "VALIDATION_FRACTION": TRAINED,
    "TEST_FRACTION": TRAINED,
    "EMBARGO_S": TRAINED,
    "FOLDS": TRAINED,
    "FOLD_SCHEME": TRAINED,
    "ROLLING_TRAIN_S": TRAINED,
    "REFIT": TRAINED,
    "COMBINATORIAL_GROUPS": PLANNED,
    "COMBINATORIAL_TEST_GROUPS": PLANNED,
    "recency_half_life_s": TRAINED,
    "label_weight": "training/test_pipeline.py"
    "::test_the_weight_of_labels_that_overlap_changes_the_model",
    **{
        key: f"test_config_effects.py::test_{key.lower()}"
        for section in ("inference", "data", "feature", "monitoring")
        for key in DEFAULTS[section]
    },
    "MATRIX_MEMORY_MB": (
        "training/test_scale.py::test_values_in_files_give_the_same_model_and_leave_nothing"
    ),
    "FORWARD_S": FACTORS,
    "HORIZONS_S": "factors/test_figures.py::test_horizons_of_the_decay_are_a_setting",
    "QUANTILES": FACTORS,
    "BLOCKS": FACTORS,
    "ALPHA": "test_config_effects.py::test_alpha",
}


def value_of(loaded, section, key):
    return getattr(getattr(loaded, section), key)


def another_value(section, key):
    """Return a permitted value that is not the default."""
    words = {
        "objective": "multiclassova",
        "class_weight": None,
        "min_data_in_leaf": 5,
        "custom_stop_loss": 0.003,
        "JOURNAL_PATH": "journal",
        "JOURNAL_FSYNC": "always",
        "BACKEND": "lightgbm",
        "MIN_CONFIDENCE": 0.5,
        "UNKNOWN_SYMBOL": "refuse",
        "KIND": "triple_barrier",
        "THRESHOLD": "cost",
        "LABEL_PRICE": "close",
        "ON_BAD_ROW": "raise",
        "BUCKET_S": 5,
        "families": ["book", "flow"],
        "windows": [5, 60],
        "MAX_FEATURES": 10,
        "label_weight": None,
        "recency_half_life_s": 3600.0,
        "calibration": "isotonic",
        "FOLD_SCHEME": "combinatorial",
        "ROLLING_TRAIN_S": 3600.0,
        "VAR_METHOD": "cornish_fisher",
        "SYMBOL_RULES": {"BTC*": {"LOT_SIZE": 0.001}},
        "TRAILING_STOP_PCT": 0.002,
        "MAX_HOLDING_S": 60.0,
        "MAX_EXPOSURE": 2.0,
        "MAX_NOTIONAL": 1_000.0,
        "VOLATILITY_TARGET": 0.5,
        "HORIZONS_S": (5.0, 30.0),
    }
    default = DEFAULTS[section][key]
    if key in words:
        return words[key]
    if isinstance(default, bool):
        return not default
    return default + 1 if isinstance(default, int) else default / 2 or 0.5


# ---- names and defaults -------------------------------------------------------------------------


@pytest.mark.parametrize("section", SECTIONS)
def test_published_defaults_are_those_of_the_dataclass(section):
    published = getattr(config, f"{section.upper()}_CONFIG")
    assert published == DEFAULTS[section]
    assert list(published) == list(DEFAULTS[section])
    assert dataclasses.asdict(getattr(Config(), section)) == published
    assert {f"{section.upper()}_CONFIG", SECTIONS[section].__name__} <= set(config.__all__)


@pytest.mark.parametrize("section", PROMISED)
def test_promised_defaults(section):
    found = {key: DEFAULTS[section][key] for key in PROMISED[section]}
    assert found == PROMISED[section]


@pytest.mark.parametrize("section", PROMISED_NAMES)
def test_promised_names(section):
    assert set(DEFAULTS[section]) >= PROMISED_NAMES[section]


def test_no_key_stands_in_two_sections_or_is_called_like_a_section():
    names = [key for _, key in KEYS]
    assert len(names) == len(set(names))
    counts = Counter(key.lower() for key in names)
    assert [key for key, count in counts.items() if count > 1] == ["num_threads"]
    assert not {key.lower().removesuffix("_config") for key in names} & set(SECTIONS)


def test_settings_cannot_be_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().risk.STOP_LOSS_PCT = 0.5
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().risk = None


@pytest.mark.parametrize(("section", "key"), KEYS)
def test_defaults_have_the_declared_type(section, key):
    declared = typing.get_type_hints(SECTIONS[section])[key]
    is_union = typing.get_origin(declared) in (typing.Union, types.UnionType)
    kinds = typing.get_args(declared) if is_union else (declared,)
    kinds = tuple(typing.get_origin(kind) or kind for kind in kinds)
    default = DEFAULTS[section][key]
    assert isinstance(default, (*kinds, int) if float in kinds else kinds)


# ---- every key does something -------------------------------------------------------------------


@cache
def functions_of(file):
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_key_has_a_test_of_its_effect():
    assert sorted(KEY_TESTS) == sorted(key for _, key in KEYS)


@pytest.mark.parametrize("key", KEY_TESTS)
def test_the_test_of_a_key_exists(key):
    file, _, function = KEY_TESTS[key].partition("::")
    assert function in functions_of(file)
    assert re.search(rf"\b{key}\b", (TESTS / file).read_text(encoding="utf-8"))


# ---- overrides ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("section", "key"), [place for place in KEYS if place[1] not in ONE_VALUE])
def test_an_override_reaches_its_key_and_no_other(section, key):
    value = another_value(section, key)
    published = f"{section.upper()}_CONFIG"
    for overrides in ({key: value}, {section: {key: value}}, {published: {key: value}}):
        loaded = load_config(None, overrides)
        assert value_of(loaded, section, key) == value
        assert loaded == Config().override({key: value}) != Config()
        back = loaded.override({key: DEFAULTS[section][key]})
        assert back == Config()


def test_nested_and_flat_overrides_mix_and_the_later_one_counts():
    loaded = load_config(None, {"risk": {"STOP_LOSS_PCT": 0.01}, "num_leaves": 15, "target": {}})
    assert loaded.risk.STOP_LOSS_PCT == 0.01
    assert loaded.model.num_leaves == 15
    assert loaded.target == Config().target
    later = load_config(None, {"risk": {"STOP_LOSS_PCT": 0.01}, "STOP_LOSS_PCT": 0.02})
    assert later.risk.STOP_LOSS_PCT == 0.02


def test_overriding_leaves_the_original_alone():
    original = Config()
    original.override({"num_leaves": 15})
    assert original == Config()
    assert load_config(None, {}) == load_config() == Config()


def test_a_file_then_a_mapping_then_keywords(tmp_path):
    path = tmp_path / "bot.toml"
    path.write_text(
        "num_leaves = 15\nlearning_rate = 0.05\nlambda_l2 = 1\n"
        "[RISK_CONFIG]\nSTOP_LOSS_PCT = 0.01\n[feature]\nwindows = [5, 60]\n",
        encoding="utf-8",
    )
    loaded = load_config(path, {"num_leaves": 7})
    assert (loaded.model.num_leaves, loaded.model.learning_rate) == (7, 0.05)
    assert loaded.model.lambda_l2 == 1
    assert loaded.risk.STOP_LOSS_PCT == 0.01
    assert loaded.feature.windows == [5, 60]
    engine = create_ml_engine(
        str(path), config={"num_leaves": 7, "learning_rate": 0.2}, learning_rate=0.3
    )
    assert engine.config.model.num_leaves == 7
    assert engine.config.model.learning_rate == 0.3
    assert engine.config.risk.STOP_LOSS_PCT == 0.01


# ---- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        ({"num_leafs": 3}, ("'num_leafs'", "num_leaves")),
        ({"stop_loss_pct": 0.01}, ("'stop_loss_pct'", "STOP_LOSS_PCT")),
        ({"num_thread": 2}, ("'num_thread'", "is num_threads")),
        ({"NUM_THREAD": 2}, ("'NUM_THREAD'", "is NUM_THREADS")),
        ({"risk": {"STOP_LOS": 0.01}}, ("'STOP_LOS'", "in section risk", "STOP_LOSS_PCT")),
        ({"RISK_CONFIG": {"num_leaves": 3}}, ("'num_leaves'", "in section RISK_CONFIG")),
        ({"rsk": {"STOP_LOSS_PCT": 0.01}}, ("'rsk'", "is risk")),
        ({"": 1}, ("unknown setting ''",)),
        ({7: 1}, ("unknown setting 7",)),
        ({"risk": {7: 1}}, ("unknown setting 7 in section risk",)),
        ({"risk": 0.01}, ("section risk is 0.01", "table")),
        ([("num_leaves", 3)], ("[('num_leaves', 3)]", "mapping")),
    ],
)
def test_an_unknown_key_is_refused_by_name_with_the_nearest_known_one(overrides, named):
    with pytest.raises(ConfigError) as refused:
        load_config(None, overrides)
    assert all(part in str(refused.value) for part in named), str(refused.value)


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("num_leaves", 1, "a whole number from 2 to 64"),
        ("num_leaves", 65, "a whole number from 2 to 64"),
        ("num_leaves", 31.0, "a whole number"),
        ("num_leaves", True, "a whole number"),
        ("num_leaves", "31", "a whole number"),
        ("num_leaves", None, "a whole number"),
        ("num_class", 2, "one of 3"),
        ("num_class", 3.0, "one of 3"),
        ("objective", "regression", "one of 'multiclass', 'multiclassova'"),
        ("objective", ["multiclass"], "one of 'multiclass'"),
        ("class_weight", "none", "one of 'balanced', None"),
        ("min_data_in_leaf", "automatic", "a whole number from 1 to 1e+09, or 'auto'"),
        ("STOP_LOSS_PCT", 0.0, "a number from 1e-06 to 1"),
        ("STOP_LOSS_PCT", 4.0, "a number from 1e-06 to 1"),
        ("STOP_LOSS_PCT", -0.004, "a number from"),
        ("STOP_LOSS_PCT", math.nan, "a number from"),
        ("custom_stop_loss", "none", "a number from 1e-06 to 1, or None"),
        ("LOT_SIZE", math.inf, "a number from 0 up"),
        ("LOT_SIZE", 10**400, "a number from 0 up"),
        ("LOT_SIZE", 1j, "a number from 0 up"),
        ("VOLATILITY_BASED_SL", 1, "one of True, False"),
        ("VOLATILITY_BASED_SL", "yes", "one of True, False"),
        ("MIN_CONFIDENCE", 1.5, "a number from 0 to 1, or 'auto'"),
        ("MAX_DRAWDOWN", 1.1, "a number from 0 to 1"),
        ("BATCH_SIZE", 0, "a whole number from 1"),
        ("BACKEND", "treelight", "one of 'auto'"),
        ("PRECISION", "float64", "'float32': features leave the step as float32"),
        ("PRECISION", "float32 ", "Set it to 'float32' or leave it out"),
        ("PRECISION", 32, "'float32'"),
        ("PRECISION", None, "'float32'"),
        ("ON_BAD_TICK", "drop", "'raise': a bot must learn of a malformed live tick."),
        ("families", [], "'all' or a list of str"),
        ("families", "book", "'all' or a list of str"),
        ("families", ["book", 1], "'all' or a list of str"),
        ("windows", [5.0], "'all' or a list of int"),
        ("windows", [True], "'all' or a list of int"),
        ("MAX_FEATURES", 0, "or None"),
        ("windows", np.array([1, 5]), "'all' or a list of int"),
        ("families", np.array(["book", "flow"]), "'all' or a list of str"),
        ("num_leaves", np.array(7), "a whole number from 2 to 64"),
        ("num_leaves", np.array([7]), "a whole number from 2 to 64"),
        ("min_data_in_leaf", np.array([1, 5]), "or 'auto'"),
        ("MAX_FEATURES", np.array([1, 5]), "or None"),
        ("STOP_LOSS_PCT", np.array([0.1, 0.2]), "a number from"),
        ("KIND", np.array(["fixed_horizon"]), "one of 'fixed_horizon'"),
        ("VOLATILITY_BASED_SL", np.array([True]), "one of True, False"),
        ("HORIZON_S", 0, "a number from 0.001"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(key, value, allowed):
    section = next(section for section, known in KEYS if known == key)
    message = rf"^{key} is {re.escape(repr(value))}; it must be .*{re.escape(allowed)}"
    with pytest.raises(ConfigError, match=message):
        load_config(None, {key: value})
    with pytest.raises(ConfigError, match=message):
        SECTIONS[section](**{key: value})


odd = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=12),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.binary(max_size=3),
    st.lists(st.one_of(st.integers(), st.text(max_size=3)), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@settings(deadline=None, derandomize=True)
@given(where=st.sampled_from(KEYS), value=odd)
def test_any_value_is_taken_as_it_is_or_refused_by_name(where, value):
    section, key = where
    loaded, message = None, f"{key} is {value!r}; it must be "
    try:
        loaded = load_config(None, {key: value})
    except ConfigError as error:
        message = str(error)
    assert message.startswith(f"{key} is {value!r}; it must be ")
    if loaded is not None:
        found = value_of(loaded, section, key)
        assert found == value if isinstance(value, list) else found is value


@pytest.mark.parametrize(
    ("section", "key", "value", "plain"),
    [
        ("risk", "STOP_LOSS_PCT", np.float64(0.01), 0.01),
        ("risk", "STOP_LOSS_PCT", np.float32(0.25), 0.25),
        ("risk", "STOP_LOSS_PCT", np.longdouble(0.25), 0.25),
        ("risk", "LOT_SIZE", np.int64(2), 2),
        ("model", "num_leaves", np.int64(7), 7),
        ("model", "num_leaves", np.uint8(7), 7),
        ("model", "num_class", np.int64(3), 3),
        ("model", "min_data_in_leaf", np.int32(7), 7),
        ("risk", "VOLATILITY_BASED_SL", np.False_, False),
        ("target", "KIND", np.str_("triple_barrier"), "triple_barrier"),
        ("feature", "windows", [np.int64(1), 5], [1, 5]),
        ("feature", "families", (np.str_("book"),), ("book",)),
    ],
)
def test_scalars_of_numpy_are_stored_as_plain_ones(section, key, value, plain):
    found = value_of(load_config(None, {key: value}), section, key)
    assert found == plain
    assert type(found) is type(plain)
    if isinstance(plain, (list, tuple)):
        assert [type(item) for item in found] == [type(item) for item in plain]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_leaves", np.float64(7)),
        ("num_leaves", np.int64(65)),
        ("num_leaves", np.True_),
        ("STOP_LOSS_PCT", np.float64("nan")),
        ("STOP_LOSS_PCT", np.False_),
        ("windows", [np.float64(5.0)]),
        ("LOT_SIZE", np.longdouble("inf")),
        ("LOT_SIZE", np.complex128(1)),
        ("HORIZON_S", np.timedelta64(60, "s")),
    ],
)
def test_scalars_of_numpy_have_the_ranges_of_plain_ones(key, value):
    with pytest.raises(ConfigError, match=f"^{key} is .*; it must be "):
        load_config(None, {key: value})


def test_arrays_are_refused_by_the_engine_too():
    with pytest.raises(ConfigError, match="windows is array"):
        create_ml_engine(windows=np.array([1, 5]))


@pytest.mark.parametrize("overrides", [0, "", [], np.array([1, 2]), ("num_leaves", 3)])
def test_overrides_that_are_no_mapping_are_refused(overrides):
    with pytest.raises(ConfigError, match="they must be a mapping"):
        load_config(None, overrides)


def test_a_list_given_is_copied():
    windows = [1, 5]
    loaded = load_config(None, {"windows": windows})
    windows.append("tomorrow")
    assert loaded.feature.windows == [1, 5]


# ---- published defaults -------------------------------------------------------------------------


@pytest.mark.parametrize(("section", "key"), [place for place in KEYS if place[1] not in ONE_VALUE])
def test_a_published_default_that_is_changed_holds_from_then_on(section, key, monkeypatch):
    published = getattr(config, f"{section.upper()}_CONFIG")
    before = load_config()
    monkeypatch.setitem(published, key, another_value(section, key))
    assert load_config() == Config().override({key: another_value(section, key)})
    assert load_config(None, {key: DEFAULTS[section][key]}) == before == Config()
    monkeypatch.undo()
    assert load_config() == before


def test_a_file_outranks_a_published_default(tmp_path, monkeypatch):
    monkeypatch.setitem(config.RISK_CONFIG, "STOP_LOSS_PCT", 0.1)
    monkeypatch.setitem(config.MODEL_CONFIG, "num_leaves", 7)
    path = tmp_path / "bot.toml"
    path.write_text("STOP_LOSS_PCT = 0.05\n", encoding="utf-8")
    loaded = create_ml_engine(path).config
    assert (loaded.risk.STOP_LOSS_PCT, loaded.model.num_leaves) == (0.05, 7)


def test_in_a_file_the_word_none_stands_for_None(tmp_path):
    path = tmp_path / "bot.toml"
    path.write_text('KELLY_FRACTION = "none"\n[risk]\nMAX_NOTIONAL = "none"\n', encoding="utf-8")
    loaded = load_config(path).risk
    assert (loaded.KELLY_FRACTION, loaded.MAX_NOTIONAL) == (None, None)


def test_a_published_dictionary_may_be_replaced(monkeypatch):
    monkeypatch.setattr(config, "RISK_CONFIG", {"STOP_LOSS_PCT": 0.1})
    assert load_config() == Config().override({"STOP_LOSS_PCT": 0.1})


def test_a_published_list_may_change_later(monkeypatch):
    monkeypatch.setitem(config.FEATURE_CONFIG, "windows", [1, 5])
    loaded = load_config()
    config.FEATURE_CONFIG["windows"].append(30)
    assert loaded.feature.windows == [1, 5]
    assert load_config().feature.windows == [1, 5, 30]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("STOP_LOSS_PCT", 4.0, "STOP_LOSS_PCT is 4.0; it must be a number from"),
        ("STOP_LOSS_PCT", np.array([0.1, 0.2]), "STOP_LOSS_PCT is array"),
        ("STOP_LOS_PCT", 0.1, "unknown setting 'STOP_LOS_PCT' in section risk"),
    ],
)
def test_a_wrong_published_default_is_refused_by_name(key, value, message, monkeypatch):
    monkeypatch.setitem(config.RISK_CONFIG, key, value)
    with pytest.raises(ConfigError) as refused:
        load_config()
    assert str(refused.value).startswith("default changed in alphaseeker.config: ")
    assert message in str(refused.value)


# ---- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"num_leaves = ", "is not TOML"),
        (b"num_leaves = 15\nnum_leaves = 7\n", "is not TOML"),
        (b"num_leaves: 15\n", "is not TOML"),
        (b"\xff\xfe\x00", "is not TOML"),
        (b"num_leaves = " + b"9" * 5000, "is not TOML"),
        (b"num_leafs = 15\n", "unknown setting 'num_leafs'; the nearest known one is num_leaves"),
        (b"[risk]\nSTOP_LOSS_PCT = nan\n", "STOP_LOSS_PCT is nan; it must be"),
        (b"[risk.deeper]\nSTOP_LOSS_PCT = 0.1\n", "unknown setting 'deeper' in section risk"),
        (b"[[risk]]\nSTOP_LOSS_PCT = 0.1\n", "it must be a table of keys"),
    ],
)
def test_a_faulty_file_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "bot.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        load_config(path)
    assert str(path) in str(refused.value)
    assert message in str(refused.value)


def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path):
    for path in (tmp_path / "absent.toml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read") as refused:
            load_config(path)
        assert str(path) in str(refused.value)


@pytest.mark.parametrize("path", [5, True, "", b"bot.toml", {"num_leaves": 7}, ["a"], "a\0b"])
def test_a_path_that_is_none_is_refused(path):
    for load in (load_config, create_ml_engine):
        with pytest.raises(ConfigError) as refused:
            load(path)
        assert str(refused.value).startswith(f"config_path is {path!r}; it must be the path")
        assert "config={...}" in str(refused.value)


def test_an_empty_file_and_one_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "bot.toml"
    path.write_bytes(b"")
    assert load_config(path) == Config()
    path.write_bytes(b"\xef\xbb\xbfnum_leaves = 15\r\n")
    assert load_config(path).model.num_leaves == 15
