"""The public logger: silent by default, one place for level and handler."""

import logging
from contextlib import contextmanager

import pytest

from alphaseeker import ConfigError, create_ml_engine
from alphaseeker._logging import PUBLIC_LOGGER, set_level


@pytest.fixture(autouse=True)
def fresh_logger(monkeypatch):
    """Give the public logger as it is after an import, and put it back afterwards."""
    level = PUBLIC_LOGGER.level
    monkeypatch.setattr(PUBLIC_LOGGER, "handlers", [logging.NullHandler()])
    PUBLIC_LOGGER.setLevel(logging.NOTSET)
    yield
    PUBLIC_LOGGER.setLevel(level)


@contextmanager
def root_handlers(*handlers):
    """Stand in for a program that gave the root logger these handlers, pytest's own aside."""
    root = logging.getLogger()
    before, root.handlers = root.handlers, list(handlers)
    try:
        yield
    finally:
        root.handlers = before


def shown():
    return [h for h in PUBLIC_LOGGER.handlers if not isinstance(h, logging.NullHandler)]


def test_module_loggers_hang_under_the_public_one():
    assert logging.getLogger("alpha_seeker_ml") is PUBLIC_LOGGER
    package = logging.getLogger("alphaseeker")
    assert package.parent is PUBLIC_LOGGER
    assert package.level == logging.NOTSET
    assert package.handlers == []
    assert logging.getLogger("alphaseeker.market.readers").parent is package


@pytest.mark.parametrize(
    ("level", "debug"), [("DEBUG", True), ("INFO", False), (logging.DEBUG, True), ("debug", True)]
)
def test_the_level_reaches_module_loggers(level, debug):
    set_level(level)
    logger = logging.getLogger("alphaseeker.inference.live")
    assert logger.isEnabledFor(logging.DEBUG) is debug
    assert logger.isEnabledFor(logging.INFO)


def test_lines_reach_the_handlers_of_the_public_logger_and_of_the_root(caplog):
    logging.getLogger("alpha_seeker_ml").setLevel(logging.DEBUG)
    logging.getLogger("alphaseeker.engine").debug("a line")
    assert caplog.record_tuples == [("alphaseeker.engine", logging.DEBUG, "a line")]


def test_setting_the_level_shows_lines_where_nothing_would(capsys):
    with root_handlers():
        set_level("INFO")
        set_level("DEBUG")
        logging.getLogger("alphaseeker.engine").debug("seen")
    assert len(shown()) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("DEBUG alphaseeker.engine: seen\n")
    assert err.count("seen") == 1


def test_without_a_level_the_library_is_silent(capsys):
    with root_handlers():
        logging.getLogger("alphaseeker.engine").warning("not shown")
    assert capsys.readouterr() == ("", "")


def test_a_handler_of_the_program_is_enough():
    with root_handlers(logging.NullHandler()):
        set_level("INFO")
    assert shown() == []


def test_a_handler_on_the_public_logger_is_enough(capsys):
    PUBLIC_LOGGER.addHandler(logging.StreamHandler())
    with root_handlers():
        set_level("INFO")
        logging.getLogger("alphaseeker.engine").info("once")
    assert capsys.readouterr().err == "once\n"


@pytest.mark.parametrize("level", ["LOUD", "", None, 3.5])
def test_an_unknown_level_is_refused_and_changes_nothing(level):
    set_level("WARNING")
    with pytest.raises(ConfigError, match=r"log_level is .* DEBUG, INFO"):
        set_level(level)
    assert PUBLIC_LOGGER.level == logging.WARNING


@pytest.mark.parametrize("level", ["DEBUG", "ERROR"])
def test_the_factory_sets_the_level(level):
    create_ml_engine(log_level=level)
    assert logging.getLevelName(PUBLIC_LOGGER.level) == level


def test_the_factory_refuses_an_unknown_level():
    with pytest.raises(ConfigError, match="log_level is 'LOUD'"):
        create_ml_engine(log_level="LOUD")
