"""Every fault of a model file, one by one: refused with ModelError while the old model serves."""

import os
import pickle
import random
import re
import zlib
from pathlib import Path

import joblib
import numpy as np
import pytest

from alphaseeker.errors import ModelError
from alphaseeker.model import artifact as artifact_module
from alphaseeker.model import model_file
from alphaseeker.model.artifact import load_artifact, save_artifact
from alphaseeker.model.backends import choose_predictor
from alphaseeker.model.plain_pickle import canonical_bytes, decode, encode

ADVICE = re.compile("train|get (the file|it) again|give the path|copy the file|get the right file")


def load_and_choose(path, **options):
    """Load a model as far as serving it."""
    artifact = load_artifact(path, **options)
    return choose_predictor(artifact)[0]


@pytest.fixture
def path(artifact, tmp_path):
    folder = tmp_path / "models"
    return save_artifact(artifact, folder / "trading_model.joblib")


def change_bytes(change):
    return lambda path: path.write_bytes(change(path.read_bytes()))


def change_envelope(change, *, repair):
    """Change what the file holds; ``repair`` gives it the right checksum, as a forger would."""

    def fault(path):
        envelope = decode(path.read_bytes())
        change(envelope)
        if repair:
            envelope["sha256"] = artifact_module._digests(envelope["content"], None)[0]
        path.write_bytes(encode(envelope))

    return fault


def change_content(change):
    return change_envelope(lambda envelope: change(envelope["content"]), repair=True)


def change_tree(key, change):
    """Change a line of the second tree, and tree_sizes with it, under a right checksum."""

    def edit(content):
        text = content["model_text"]
        found = re.compile(rf"^{key}=(.*)$", re.MULTILINE).search(text, text.index("Tree=1\n"))
        value = change(found[1].split(" "))
        text = text[: found.start(1)] + value + text[found.end(1) :]
        trees = text[text.index("Tree=0\n") : text.index("end of trees")]
        sizes = [len(tree) for tree in re.split(r"(?=^Tree=)", trees, flags=re.MULTILINE)[1:]]
        sized = "tree_sizes=" + " ".join(map(str, sizes))
        content["model_text"] = re.sub("tree_sizes=.*", sized, text)

    return change_content(edit)


def first(value):
    return lambda items: " ".join([value, *items[1:]])


def nudge_leaf(items):
    return " ".join([f"{float(items[0]) + 1e-9:.17g}", *items[1:]])


def edit_text(old, new):
    def edit(content):
        assert old in content["model_text"]
        content["model_text"] = content["model_text"].replace(old, new)

    return edit


def shift_golden(content):
    scores = np.frombuffer(content["golden_scores"]["data"]).copy()
    scores[0] = np.nextafter(scores[0], np.inf)
    content["golden_scores"]["data"] = scores.tobytes()


def replace_by_pickle_with_code(path):
    class Runs:
        def __reduce__(self):
            return open, (str(path.with_name("made by code")), "w")

    joblib.dump({"format": Runs()}, path, compress=("zlib", 3))


def replace_by_numpy_pickle(path):
    joblib.dump({"format": np.zeros(3)}, path, compress=("zlib", 3))


def replace_by_fifo(path):
    path.unlink()
    os.mkfifo(path)


def replace_by_directory(path):
    path.unlink()
    path.mkdir()


def replace_by_link_outside(path):
    path.symlink_to(path.rename(path.parents[1] / "elsewhere.joblib"))


def replace_by_link_to_device(path):
    path.unlink()
    path.symlink_to("/dev/zero")


FAULTS = {
    "missing": (Path.unlink, "there is no model file"),
    "empty": (change_bytes(lambda raw: b""), "not a zlib-compressed joblib file"),
    "truncated": (change_bytes(lambda raw: raw[: len(raw) // 2]), "truncated"),
    "truncated by a byte": (change_bytes(lambda raw: raw[:-1]), "truncated"),
    "extended": (change_bytes(lambda raw: raw + b"\0"), "after its end"),
    "not a joblib file": (change_bytes(lambda raw: b"a,b\n1,2\n"), "not a zlib-compressed"),
    "plain pickle": (change_bytes(lambda raw: pickle.dumps({})), "not a zlib-compressed"),
    "zlib of text": (change_bytes(lambda raw: zlib.compress(b"a,b\n1,2\n")), "damaged"),
    "pickle with code": (replace_by_pickle_with_code, "may run code"),
    "pickle with an array": (replace_by_numpy_pickle, "may run code"),
    "FIFO": (replace_by_fifo, "is a FIFO"),
    "directory": (replace_by_directory, "is a directory"),
    "link to a device": (replace_by_link_to_device, "leads out of the model directory"),
    "link out of the directory": (replace_by_link_outside, "leads out of the model directory"),
    "wrong schema version": (
        change_envelope(lambda envelope: envelope.update(schema_version=2), repair=True),
        "schema version 2",
    ),
    "missing key": (change_content(lambda content: content.pop("calibration")), "misses"),
    "missing digest": (change_envelope(lambda e: e.pop("sha256"), repair=False), "misses"),
    "wrong type": (change_content(lambda c: c.update(settings=[1])), "must be a dictionary"),
    "wrong class count": (
        change_content(edit_text("num_class=3", "num_class=4")),
        "num_class: it is '4', it must be '3'",
    ),
    "child index out of range": (change_tree("left_child", first("77")), "no tree"),
    "cycle": (change_tree("left_child", first("0")), "no tree"),
    "feature index out of range": (change_tree("split_feature", first("6")), "split_feature"),
    "NaN threshold": (change_tree("threshold", first("nan")), "threshold"),
    "NaN leaf": (change_tree("leaf_value", first("nan")), "leaf_value"),
    "infinite leaf": (change_tree("leaf_value", first("inf")), "leaf_value"),
    "array lengths that disagree": (
        change_tree("leaf_value", lambda items: " ".join(items[1:])),
        "leaf_value: it holds",
    ),
    "golden rows that disagree": (
        change_content(lambda content: content["golden_features"].update(shape=[100, 6])),
        "disagrees with its shape",
    ),
    "linear trees": (change_tree("is_linear", lambda _: "1"), "linear trees"),
    "zero_as_missing": (change_tree("decision_type", first("6")), "zero_as_missing"),
    "categorical splits": (change_tree("decision_type", first("9")), "categorical splits"),
    "changed leaf": (
        change_envelope(
            lambda envelope: edit_text("leaf_value=", "leaf_value=1")(envelope["content"]),
            repair=False,
        ),
        "does not match its SHA-256",
    ),
    "changed leaf under a right checksum": (
        change_tree("leaf_value", nudge_leaf),
        "differs from the model's golden scores",
    ),
    "features in another order than the text": (
        change_content(lambda content: content["feature_names"].reverse()),
        "stand in another order",
    ),
    "golden rows that differ": (change_content(shift_golden), "golden scores in 1 of 200 rows"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_refused_and_the_running_model_keeps_serving(path, artifact, fault):
    damage, words = FAULTS[fault]
    running = load_and_choose(path)
    damage(path)
    with pytest.raises(ModelError, match=words) as caught:
        load_and_choose(path)
    assert ADVICE.search(str(caught.value)), str(caught.value)
    assert not path.with_name("made by code").exists()
    assert running.predict_matrix(artifact.golden_features).tobytes() == (
        artifact.golden_scores.tobytes()
    )


def test_a_device_is_refused():
    with pytest.raises(ModelError, match="is a device"):
        load_and_choose("/dev/zero")


def test_an_oversize_file_is_refused(path, monkeypatch):
    monkeypatch.setattr(model_file, "MAX_FILE_BYTES", path.stat().st_size - 1)
    with pytest.raises(ModelError, match="larger than the allowed"):
        load_and_choose(path)


def test_an_unreadable_file_is_refused(path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ModelError, match="Permission denied"):
        load_and_choose(path)


def refused_or_the_same(path, original):
    """Return whether the file is refused; a file that is not must hold the very same content."""
    try:
        load_and_choose(path)
    except ModelError:
        return True
    assert canonical_bytes(decode(path.read_bytes())) == original
    return False


def test_flipped_bits_are_refused(path):
    # Deflate has a few bits that mean nothing (the padding of its last byte): such a file still
    # holds exactly the saved model and may be served.
    raw = path.read_bytes()
    original = canonical_bytes(decode(raw))
    source = random.Random(4)
    edges = [*range(64), *range(len(raw) * 8 - 64, len(raw) * 8)]
    bits = [*edges, *(source.randrange(len(raw) * 8) for _ in range(400))]
    refused = 0
    for bit in bits:
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        refused += refused_or_the_same(path, original)
    assert refused >= len(bits) - 8


def test_flipped_bits_behind_the_compression_are_refused(path):
    raw = path.read_bytes()
    content = zlib.decompress(raw)
    original = canonical_bytes(decode(raw))
    source = random.Random(5)
    for _ in range(400):
        flipped = bytearray(content)
        bit = source.randrange(len(content) * 8)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(zlib.compress(bytes(flipped), 1))
        refused_or_the_same(path, original)


def test_every_truncation_is_refused(path):
    raw = path.read_bytes()
    for end in range(0, len(raw), 37):
        path.write_bytes(raw[:end])
        with pytest.raises(ModelError):
            load_and_choose(path)
