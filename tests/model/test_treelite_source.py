import os
import re
import tempfile
from importlib.metadata import PackageNotFoundError

import pytest

from alphaseeker.errors import ModelError
from alphaseeker.model import treelite_source
from alphaseeker.model.lightgbm_text import read_splits
from alphaseeker.model.treelite_source import HEADER, generate_source, source_identity


@pytest.fixture(scope="module")
def sources(model_text):
    return generate_source(model_text)


@pytest.fixture(scope="module")
def raw(model_text):
    return treelite_source._raw_source(model_text, 1)


@pytest.fixture
def written(monkeypatch):
    """Return a function that says what TL2cgen shall have written."""

    def write(files):
        monkeypatch.setattr(treelite_source, "_raw_source", lambda text, units: dict(files))

    return write


def units_of(sources):
    return [content.decode() for name, content in sources.items() if name != HEADER]


def test_the_same_model_gives_the_same_bytes(sources, model_text):
    again = generate_source(model_text, n_features=6)
    assert again == sources
    assert list(again) == sorted(sources)
    assert HEADER in sources
    assert all(name == HEADER or name.endswith(".c") for name in sources)


def test_a_missing_entry_is_as_wide_as_a_value(sources):
    header = sources[HEADER].decode()
    assert header.count("int64_t missing;") == 1
    assert "int missing;" not in header


def test_every_node_is_one_comparison(sources, model_text):
    code = "".join(units_of(sources))
    assert ".missing" not in code
    found = [
        (int(column), float(threshold))
        for column, threshold in re.findall(
            r"data\[(\d+)\]\.fvalue (?:<=|>) \(double\)([^ )]+)\)", code
        )
    ]
    finite = [split for split in read_splits(model_text) if split[1] != float("inf")]
    assert sorted(found) == sorted(finite)


def test_a_split_of_the_missing_from_all_others(train):
    text = train(rounds=2)
    line = next(line for line in text.split("\n") if line.startswith("threshold="))
    thresholds = line.partition("=")[2].split()
    thresholds[0] = "inf".rjust(len(thresholds[0]), "0").replace("0", "") or "inf"
    edited = "threshold=" + " ".join(thresholds)
    sizes = re.search(r"tree_sizes=(\d+)", text)
    size = int(sizes[1]) + len(edited) - len(line)
    text = text.replace(sizes[0], f"tree_sizes={size}", 1).replace(line, edited, 1)
    code = "".join(units_of(generate_source(text)))
    first = re.search(r"if \( \w+\((.*)\) \) \{", code)[1].strip()
    assert re.fullmatch(r"\(1\)|\((data\[\d+\]\.fvalue) == \1\)", first)


def test_many_leaves_are_many_units(train):
    few = generate_source(train(rounds=1, leaves=4))
    many = generate_source(train(rounds=40, leaves=31))
    assert len(units_of(few)) == 1
    assert len(units_of(many)) > 2


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"zero_as_missing": True}, "zero_as_missing is not supported"),
        ({"linear_tree": True}, "linear"),
        ({"categorical": [5]}, "categorical"),
        (
            {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
            "random forest is not supported|average_output",
        ),
    ],
)
def test_what_cannot_be_exact_is_refused_with_the_reason(train, parameters, reason):
    with pytest.raises(ModelError, match=reason):
        generate_source(train(**parameters))


def test_another_number_of_features_is_refused(model_text):
    with pytest.raises(ModelError, match="max_feature_idx"):
        generate_source(model_text, n_features=7)


@pytest.mark.parametrize("header", ["", "union Entry {\n  int missing;\n  int missing;\n};"])
def test_another_header_is_refused(model_text, raw, written, header):
    written({**raw, HEADER: header})
    with pytest.raises(ModelError, match=r"it must stand once; install tl2cgen 1\.0\.0"):
        generate_source(model_text)


def test_another_condition_is_refused(model_text, raw, written):
    written({**raw, "main.c": raw["main.c"].replace(".missing != -1", ".missing == -1", 1)})
    with pytest.raises(ModelError, match=r"a condition in main\.c that is not known"):
        generate_source(model_text)


@pytest.mark.parametrize(
    ("pattern", "given"),
    [
        (r"\(double\)[-0-9.e]+", "(double)0.12345"),
        (r"data\[\d\]\.missing != -1\) \|\| \(data\[\d\]", "data[7].missing != -1) || (data[7]"),
        (r"if \( \w+\([^{]*\{", "if (1) {"),
    ],
)
def test_other_splits_are_refused(model_text, raw, written, pattern, given):
    code, count = re.subn(pattern, given, raw["main.c"], count=1)
    assert count == 1
    written({**raw, "main.c": code})
    with pytest.raises(ModelError, match="splits that are not the model's"):
        generate_source(model_text)


def test_no_code_is_refused(model_text, raw, written):
    written({HEADER: raw[HEADER]})
    with pytest.raises(ModelError, match=r"splits|wrote only"):
        generate_source(model_text)


def test_a_generator_that_fails_is_a_model_error(model_text, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("out of ink")

    monkeypatch.setattr(treelite_source, "_write_raw_source", fail)
    with pytest.raises(ModelError, match="cannot write the model as C: out of ink"):
        generate_source(model_text)


def test_without_a_temporary_folder(model_text, monkeypatch):
    def fail(*arguments, **keywords):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(tempfile, "mkdtemp", fail)
    with pytest.raises(ModelError, match=r"needs a temporary folder: No space left .*TMPDIR"):
        generate_source(model_text)


@pytest.mark.parametrize("call", [generate_source, source_identity])
def test_a_package_that_is_not_there_is_named(model_text, monkeypatch, call):
    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(treelite_source, "version", absent)
    with pytest.raises(ModelError, match="treelite is not installed; install it"):
        call(model_text)


def test_nothing_is_printed(model_text, capfd):
    generate_source(model_text)
    assert capfd.readouterr() == ("", "")


def test_the_identity_follows_the_model_and_the_versions(model_text, monkeypatch):
    before = source_identity(model_text)
    assert source_identity(model_text) == before
    assert source_identity(model_text + "\n") != before
    monkeypatch.setattr(treelite_source, "version", lambda name: "9.9.9")
    assert source_identity(model_text) != before
