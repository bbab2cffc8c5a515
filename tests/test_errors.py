"""The tree of errors that a bot catches."""

import inspect
import pickle

import pytest

import alphaseeker
from alphaseeker import errors

TREE = {
    "AlphaSeekerError": (Exception,),
    "DataError": (errors.AlphaSeekerError, ValueError),
    "ModelError": (errors.AlphaSeekerError,),
    "ConfigError": (errors.AlphaSeekerError, ValueError),
    "StateError": (errors.AlphaSeekerError,),
}


def test_the_tree_is_the_one_promised():
    defined = {
        name: item.__bases__
        for name, item in vars(errors).items()
        if inspect.isclass(item) and item.__module__ == errors.__name__
    }
    assert defined == TREE
    assert sorted(errors.__all__) == sorted(TREE)


def test_the_tree_is_drawn_in_the_docstring():
    drawn = errors.__doc__
    assert all(name in drawn for name in TREE)
    for name, bases in TREE.items():
        line = next(line for line in drawn.splitlines() if name in line)
        assert ("also a ValueError" in line) == (ValueError in bases)


@pytest.mark.parametrize("name", TREE)
def test_errors_are_public_documented_and_travel_between_processes(name):
    error = getattr(errors, name)
    assert getattr(alphaseeker, name) is error
    assert error.__doc__
    again = pickle.loads(pickle.dumps(error("bid_price is nan")))
    assert type(again) is error
    assert str(again) == "bid_price is nan"


@pytest.mark.parametrize("name", [name for name in TREE if name != "AlphaSeekerError"])
def test_one_except_clause_catches_every_kind(name):
    with pytest.raises(errors.AlphaSeekerError, match="what to do"):
        raise getattr(errors, name)("what to do")
