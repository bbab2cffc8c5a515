"""Choosing columns by name, family and window."""

import numpy as np
import pytest

from alphaseeker.errors import ConfigError
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.features.choice import choose_features

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
    names = ["flow.ofi_5s", "flow.ofi_60s", "book.spread"]
    assert choose_features(names, families=["flow"], windows=(60, 900)) == ("flow.ofi_60s",)


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"features": ["flow.ofi_61s"]}, r"features holds 'flow\.ofi_61s'.*'flow\.ofi_"),
        ({"families": ["books"]}, "families holds 'books'.*the nearest is 'book'"),
        ({"windows": [61]}, "windows holds 61.*the nearest is"),
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
