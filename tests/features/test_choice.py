"""Choosing columns by name, family and window."""

import numpy as np
import pytest

from alphaseeker.errors import ConfigError
from alphaseeker.factors.grade import GRADES as EVERY_GRADE
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.features.choice import GRADES, choose_features

NAMES = tuple(feature.name for feature in FEATURES)


def test_without_a_filter_it_is_the_catalogue():
    assert choose_features() == NAMES


def test_names_keep_their_order():
    names = ["momentum.return_60s", "book.spread"]
    assert choose_features(names) == tuple(names)
    assert choose_features(np.array(names, dtype=object)) == tuple(names)


def test_filters_narrow_each_other():
    book = choose_features(families=["book"])
    assert set(book) == {name for name in NAMES if name.startswith("book.")}
    chosen = choose_features(families=["flow", "momentum"], windows=[60])
    assert "flow.ofi_60s" in chosen
    assert "flow.ofi_fast_slow" in chosen  # no window in its name
    assert not any(name.endswith("_300s") for name in chosen)
    bars = choose_features(families=["bars", "calendar"], windows=[900])
    assert len(bars) == 10 + 3  # the calendar has no windows
    assert {name.endswith("_900s") for name in bars if name.startswith("bars.")} == {True}
    deep = choose_features(families=["depth"], windows=[60])
    assert "depth.ofi_level3_60s" in deep
    assert "depth.imbalance_3" in deep
    assert "depth.within_5bp" in deep
    assert "depth.ofi_level3_30s" not in deep
    names = ["flow.ofi_5s", "flow.ofi_60s", "book.spread"]
    assert choose_features(names, families=["flow"], windows=(60, 900)) == ("flow.ofi_60s",)


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"features": ["flow.ofi_61s"]}, r"features holds 'flow\.ofi_61s'.*'flow\.ofi_"),
        ({"families": ["books"]}, "families holds 'books'.*the nearest is 'book'"),
        ({"windows": [61]}, "windows holds 61.*the nearest is 60"),
        ({"windows": [7]}, "windows holds 7.*the nearest is 5,"),
        ({"windows": [600.5]}, "windows holds 600.5.*the nearest is 900"),
        ({"windows": [float("nan")]}, "windows holds nan.*the nearest is"),
        ({"windows": ["60"]}, "windows holds '60'.*the nearest is 60"),
        ({"features": ["book.spread"] * 2}, r"'book\.spread' twice"),
        ({"features": "book.spread"}, "must be a list"),
        ({"windows": 60}, "windows is 60; it must be a list"),
        ({"features": []}, "leave no column"),
        ({"features": ["book.spread"], "families": ["flow"]}, "leave no column"),
    ],
)
def test_what_is_refused(filters, message):
    with pytest.raises(ConfigError, match=message):
        choose_features(**filters)


GRADED = {"flow.ofi_60s": "A", "book.spread": "B", "momentum.slope_5s": "C", "book.depth": "AAA"}


def test_grades_keep_what_is_as_good_or_better():
    assert choose_features(grades=GRADED) == ("book.spread", "book.depth", "flow.ofi_60s")
    assert choose_features(grades=GRADED, min_grade="AA") == ("book.depth",)
    assert choose_features(families=["flow"], grades=GRADED) == ("flow.ofi_60s",)


def test_grades_are_read_from_an_evaluation():
    rows = [{"factor_name": name, "grade": grade, "ic": 0.1} for name, grade in GRADED.items()]
    assert choose_features(grades=rows) == choose_features(grades=GRADED)


@pytest.mark.parametrize(
    ("choice", "word"),
    [
        ({"grades": GRADED, "min_grade": "F"}, "min_grade is 'F'"),
        ({"grades": {"book.spread": "great"}}, "'great'"),
        ({"grades": [{"name": "book.spread"}]}, "factor_name"),
        ({"grades": {"book.spread": "E"}}, "leave no column"),
    ],
)
def test_grades_that_make_no_sense_are_refused(choice, word):
    with pytest.raises(ConfigError, match=word):
        choose_features(**choice)


def test_grades_are_those_of_the_factors():
    assert tuple(EVERY_GRADE) == GRADES
