import dataclasses
import io

import joblib
import numpy as np
import pytest

from alphaseeker.errors import ModelError
from alphaseeker.model import artifact as artifact_module
from alphaseeker.model.artifact import load_artifact, save_artifact
from alphaseeker.model.plain_pickle import decode, encode


@pytest.fixture
def path(tmp_path):
    return tmp_path / "models" / "trading_model.joblib"


def test_a_model_comes_back_as_it_was_saved(artifact, path):
    assert save_artifact(artifact, path) == path
    loaded = load_artifact(path)
    for item in dataclasses.fields(artifact):
        given, expected = getattr(loaded, item.name), getattr(artifact, item.name)
        if isinstance(expected, np.ndarray):
            assert (given.dtype, given.shape) == (expected.dtype, expected.shape)
            assert given.tobytes() == expected.tobytes()
            assert not given.flags.writeable
        elif item.name != "metrics":
            assert given == expected
    # plain values: NumPy scalars are Python's, tuples are lists
    assert loaded.metrics["accuracy"] == 0.5
    assert type(loaded.metrics["accuracy"]) is float
    assert np.isnan(loaded.metrics["folds"][0]["ic"])


def test_a_loaded_model_can_be_saved_again_with_the_same_checksum(artifact, path):
    save_artifact(artifact, path)
    again = save_artifact(load_artifact(path), path.with_name("again.joblib"))
    one, other = (decode(item.read_bytes())["sha256"] for item in (path, again))
    assert one == other


def test_joblib_reads_the_file(artifact, path):
    save_artifact(artifact, path)
    assert joblib.load(path)["content"]["model_text"] == artifact.model_text


def test_saving_again_keeps_the_previous_model(artifact, variant, path):
    save_artifact(artifact, path)
    save_artifact(variant(schema_hash="other"), path)
    kept = [item for item in path.parent.iterdir() if item != path]
    assert len(kept) == 1
    assert load_artifact(kept[0]).schema_hash == artifact.schema_hash
    assert load_artifact(path).schema_hash == "other"


def test_a_signed_model_needs_its_key(artifact, path):
    save_artifact(artifact, path, key=b"secret")
    assert load_artifact(path, key=b"secret").schema_hash == artifact.schema_hash
    assert load_artifact(path).schema_hash == artifact.schema_hash
    with pytest.raises(ModelError, match="does not match the key"):
        load_artifact(path, key=b"another")
    save_artifact(artifact, path)
    with pytest.raises(ModelError, match="not signed"):
        load_artifact(path, key=b"secret")


@pytest.mark.parametrize("key", [b"", "secret"])
def test_a_key_that_protects_nothing_is_refused(artifact, path, key):
    for call in (
        lambda: save_artifact(artifact, path, key=key),
        lambda: load_artifact(path, key=key),
    ):
        with pytest.raises(ModelError, match="must be bytes and not empty"):
            call()


CALIBRATION = {"temperature": 1.5, "bias": [0.1, 0.0, -0.1], "min_confidence": 0.4}
CHANGES = [
    ({"model_text": ""}, "model_text must be a text"),
    ({"schema_hash": ""}, "schema_hash must be a text"),
    ({"schema_hash": 5}, "schema_hash must be a text"),
    ({"feature_names": ()}, "feature_names must be a list"),
    ({"feature_names": (1, 2)}, "feature_names must be a list"),
    ({"feature_names": ("a", "a")}, "a name twice"),
    ({"feature_names": tuple("abcdef")}, "names in the model text disagree"),
    ({"feature_names": tuple("abcdefg")}, "max_feature_idx"),
    ({"label_mapping": {"SELL": 0, "BUY": 1}}, "label_mapping"),
    ({"label_mapping": {"SELL": 2, "HOLD": 1, "BUY": 0}}, "must rise from SELL to BUY"),
    ({"label_mapping": {"SELL": "0", "HOLD": "1", "BUY": "2"}}, "label_mapping"),
    ({"label_mapping": None}, "it must be a dictionary"),
    ({"class_prior": (0.5, 0.5)}, "class_prior"),
    ({"class_prior": (0.5, 0.5, 0.5)}, "class_prior"),
    ({"class_prior": (1.5, -0.5, 0.0)}, "class_prior"),
    ({"class_prior": (np.nan, 0.5, 0.5)}, "class_prior"),
    ({"calibration": {}}, "temperature"),
    ({"calibration": {"temperature": -1.0}}, "temperature"),
    ({"calibration": {**CALIBRATION, "isotonic": {"positions": [[0.1]] * 3}}}, "under 'values'"),
    ({"settings": {"bucket_s": 1.0}}, "settings tick_size"),
    ({"settings": {"bucket_s": 0.0}}, "settings bucket_s"),
    ({"settings": {"bucket_s": "1"}}, "settings bucket_s"),
    ({"settings": {"bucket_s": 1, "tick_size": np.nan}}, "settings tick_size"),
    ({"training": {"rows": 1}}, "training has no ranges, fingerprint, symbols, created"),
    ({"versions": [1]}, "it must be a dictionary"),
    ({"golden_features": np.zeros((0, 6), np.float32)}, "golden_features has shape"),
    ({"golden_features": np.zeros((1001, 6), np.float32)}, "golden_features has shape"),
    ({"golden_features": np.zeros((200, 5), np.float32)}, "golden_features has shape"),
    ({"golden_features": np.zeros((199, 6), np.float32)}, "199 rows and golden_scores has 200"),
    ({"golden_features": np.zeros((200, 6))}, "has dtype '<f8', it must be <f4"),
    ({"golden_scores": np.full((200, 3), np.nan)}, "not finite"),
    ({"golden_scores": np.zeros((200, 2))}, "golden_scores has shape"),
    ({"metrics": {"a": {"b": [object()]}}}, r"metrics.a.b\[0\] is a object"),
    ({"metrics": {"a": np.zeros(2)}}, "metrics.a is a ndarray"),
]


@pytest.mark.parametrize(("change", "words"), CHANGES)
def test_what_would_not_load_is_not_saved(artifact, variant, path, change, words):
    save_artifact(artifact, path)
    before = path.read_bytes()
    with pytest.raises(ModelError, match=words):
        save_artifact(variant(**change), path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_isotonic_knots_come_back_as_they_were_and_older_files_have_none(artifact, variant, path):
    assert "isotonic" not in artifact.calibration
    save_artifact(artifact, path)
    assert load_artifact(path).calibration == artifact.calibration
    knots = {"positions": [[0.1, 0.25], [0.2], [1 / 3]], "values": [[0.2, 0.3], [0.4], [1 / 7]]}
    for isotonic in (None, knots):
        calibration = {**artifact.calibration, "isotonic": isotonic}
        save_artifact(variant(calibration=calibration), path)
        assert load_artifact(path).calibration == calibration


def forge(path, change):
    """Change the content of a saved model and give it the right checksum again."""
    envelope = decode(path.read_bytes())
    change(envelope["content"])
    envelope["sha256"] = artifact_module._digests(envelope["content"], None)[0]
    path.write_bytes(encode(envelope))


def setter(*keys, value):
    def change(content):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content.pop("metrics"), r"misses \['metrics'\]"),
        (setter("extra", value=1), r"unknown \['extra'\]"),
        (setter("model_text", value=b"tree"), "model_text must be a text"),
        (setter("calibration", "temperature", value=None), "temperature"),
        (setter("calibration", "bias", value={"a": 1.0}), "bias"),
        (setter("class_prior", value=[1, 0, 0]), "class_prior"),
        (setter("class_prior", value=1.0), "class_prior"),
        (setter("label_mapping", "SELL", value=True), "label_mapping"),
        (setter("training", "ranges", value=[1]), "training ranges"),
        (setter("training", "ranges", "train", value=[2, 1]), "training ranges"),
        (setter("training", "ranges", "train", value=["a", "b"]), "training ranges"),
        (setter("golden_features", value=b"x"), "must hold dtype, shape and data"),
        (setter("golden_features", "data", value="x"), "golden_features has dtype"),
        (setter("golden_features", "data", value=b"x"), "disagrees with its shape"),
        (setter("golden_features", "dtype", value="O"), "it must be <f4"),
        (setter("golden_features", "dtype", value=[]), "it must be <f4"),
        (setter("golden_features", "shape", value=[-200, -6]), "golden_features has shape"),
        (setter("golden_features", "shape", value=[200.0, 6.0]), "golden_features has shape"),
        (setter("golden_features", "shape", value=7), "golden_features has shape"),
    ],
)
def test_wrong_content_with_a_right_checksum_is_refused(artifact, path, change, words):
    save_artifact(artifact, path)
    forge(path, change)
    with pytest.raises(ModelError, match=words) as caught:
        load_artifact(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("envelope", "words"),
    [
        ([], "not a model of alphaseeker"),
        ({}, "not a model of alphaseeker"),
        ({"format": ["alphaseeker model"]}, "not a model of alphaseeker"),
        ({"format": "alphaseeker model"}, "schema version None"),
        ({"format": "alphaseeker model", "schema_version": True}, "schema version True"),
        ({"format": "alphaseeker model", "schema_version": 1}, "misses"),
    ],
)
def test_other_joblib_files_are_refused(path, envelope, words):
    path.parent.mkdir()
    joblib.dump(envelope, path, compress=("zlib", 3))
    with pytest.raises(ModelError, match=words):
        load_artifact(path)


@pytest.mark.parametrize("value", [None, 5, "", "é", "0" * 64])
def test_a_checksum_of_another_kind_is_refused(artifact, path, value):
    save_artifact(artifact, path)
    envelope = decode(path.read_bytes())
    path.write_bytes(encode({**envelope, "sha256": value}))
    with pytest.raises(ModelError, match="SHA-256"):
        load_artifact(path)


def test_columns_without_names_in_the_text_are_accepted(artifact, variant, path):
    text = artifact.model_text
    for index, name in enumerate(artifact.feature_names):
        text = text.replace(name, f"Column_{index}")
    assert load_artifact(save_artifact(variant(model_text=text), path)).model_text == text


def test_an_uncompressed_joblib_file_is_refused(artifact, path):
    save_artifact(artifact, path)
    buffer = io.BytesIO()
    joblib.dump(decode(path.read_bytes()), buffer)
    path.write_bytes(buffer.getvalue())
    with pytest.raises(ModelError, match="not a zlib-compressed joblib file"):
        load_artifact(path)
