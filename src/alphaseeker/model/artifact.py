"""The model file: everything that serving a model needs, checked in full when saved and loaded.

On disk it is a joblib file of plain containers::

    {"format": "alphaseeker model", "schema_version": 1, "content": {...},
     "sha256": hex, "hmac_sha256": hex or None}

``content`` holds the fields of ``ModelArtifact``; its two arrays are ``{"dtype", "shape",
"data"}``. Both digests are taken of the canonical encoding of version and content.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from reprlib import repr as shorten
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import ModelError
from alphaseeker.model.decision import N_CLASSES, check_calibration
from alphaseeker.model.golden import GOLDEN_ROWS
from alphaseeker.model.lightgbm_text import validate_model_text
from alphaseeker.model.model_file import read_model_bytes, write_model_bytes
from alphaseeker.model.plain_pickle import canonical_bytes, decode, encode

__all__ = ["CLASS_ORDER", "SCHEMA_VERSION", "ModelArtifact", "load_artifact", "save_artifact"]

FORMAT = "alphaseeker model"
SCHEMA_VERSION = 1
CLASS_ORDER = ("SELL", "HOLD", "BUY")

_SETTINGS = ("bucket_s", "tick_size", "max_gap_s", "max_jump")
_TRAINING = ("ranges", "fingerprint", "symbols", "rows", "created")
_PRIOR_TOLERANCE = 1e-6
_ENVELOPE = ("format", "schema_version", "content", "sha256", "hmac_sha256")


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelArtifact:
    """A trained model with what it was trained on.

    Attributes
    ----------
    model_text
        LightGBM's text model.
    feature_names
        Columns, in the order the model takes them.
    schema_hash
        Hash of the declarations of these features, in this order.
    label_mapping
        SELL, HOLD and BUY to whole numbers that rise in this order.
    class_prior
        Shares of SELL, HOLD and BUY in the training part.
    calibration
        ``temperature``, ``bias`` (three numbers), ``min_confidence``, and ``isotonic``: None, or
        knots as in ``model.isotonic``. Files written before it could be isotonic lack the key.
    settings
        What the feature step is set up with: at least ``bucket_s``, ``tick_size``, ``max_gap_s``
        and ``max_jump``.
    target
        What the labels mean.
    training
        ``ranges`` (part to [start, end] in nanoseconds UTC), ``fingerprint`` of the data,
        ``symbols``, ``rows``, ``created``.
    metrics
        The evaluation.
    versions
        Of Python and the packages that made it.
    golden_features
        Shape (n, k), float32, 1 to 1000 rows.
    golden_scores
        Shape (n, 3), float64: LightGBM's raw scores for them.
    """

    model_text: str
    feature_names: tuple[str, ...]
    schema_hash: str
    label_mapping: dict[str, int]
    class_prior: tuple[float, float, float]
    calibration: dict[str, Any]
    settings: dict[str, Any]
    target: dict[str, Any]
    training: dict[str, Any]
    metrics: dict[str, Any]
    versions: dict[str, Any]
    golden_features: npt.NDArray[np.float32]
    golden_scores: npt.NDArray[np.float64]


_FIELDS = tuple(item.name for item in fields(ModelArtifact))
_TEXTS = ("model_text", "schema_hash")
_TABLES = ("label_mapping", "calibration", "settings", "target", "training", "metrics", "versions")


def _refuse(what: str) -> NoReturn:
    raise ModelError(f"{what}; train the model again or get the file again")


def _plain(value: Any, where: str) -> Any:
    """Return ``value`` with tuples as lists and NumPy scalars as Python's own."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if value is None or type(value) in (bool, int, float, str, bytes):
        return value
    raise ModelError(
        f"{where} is a {type(value).__name__}, which a model file cannot hold; it must be made of"
        " numbers, text, None, lists and dictionaries"
    )


def _pack(array: npt.NDArray[Any]) -> dict[str, Any]:
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return {"dtype": little.dtype.str, "shape": list(little.shape), "data": little.tobytes()}


def _unpack(packed: Any, name: str, dtype: str, columns: int) -> npt.NDArray[Any]:
    if type(packed) is not dict or set(packed) != {"dtype", "shape", "data"}:
        _refuse(f"{name} must hold dtype, shape and data")
    shape, data = packed["shape"], packed["data"]
    if packed["dtype"] != dtype or type(data) is not bytes:
        _refuse(f"{name} has dtype {shorten(packed['dtype'])}, it must be {dtype} in bytes")
    whole = type(shape) is list and len(shape) == 2 and all(type(size) is int for size in shape)
    if not whole or not 1 <= shape[0] <= GOLDEN_ROWS or shape[1] != columns:
        _refuse(
            f"{name} has shape {shorten(shape)}, it must be 1 to {GOLDEN_ROWS} rows of {columns}"
        )
    if len(data) != shape[0] * shape[1] * np.dtype(dtype).itemsize:
        _refuse(f"{name} has {len(data)} bytes, which disagrees with its shape {shape}")
    array = np.frombuffer(data, dtype=dtype).reshape(shape)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _check_tables(content: dict[str, Any]) -> None:
    """Check the dictionaries that serving depends on."""
    mapping = content["label_mapping"]
    if set(mapping) != set(CLASS_ORDER) or not all(type(i) is int for i in mapping.values()):
        _refuse(
            f"label_mapping is {shorten(mapping)}, it must map {', '.join(CLASS_ORDER)} to numbers"
        )
    if not mapping["SELL"] < mapping["HOLD"] < mapping["BUY"]:
        _refuse(f"label_mapping is {shorten(mapping)}, its numbers must rise from SELL to BUY")
    prior = content["class_prior"]
    shares = type(prior) is list and all(type(p) is float and 0.0 <= p <= 1.0 for p in prior)
    if not shares or len(prior) != N_CLASSES or abs(math.fsum(prior) - 1.0) > _PRIOR_TOLERANCE:
        _refuse(f"class_prior is {shorten(prior)}, it must be {N_CLASSES} shares that sum to 1")
    check_calibration(content["calibration"])
    settings, training = content["settings"], content["training"]
    for key in _SETTINGS:
        value = settings.get(key)
        if type(value) not in (int, float) or not 0.0 < value < math.inf:
            _refuse(f"settings {key} is {shorten(value)}, it must be a finite number above 0")
    absent = [key for key in _TRAINING if key not in training]
    if absent:
        _refuse(f"training has no {', '.join(absent)}")
    ranges = training["ranges"]
    if type(ranges) is not dict or not all(map(_is_range, ranges.values())):
        _refuse(
            f"training ranges is {shorten(ranges)}, it must map parts to [start, end] in"
            " nanoseconds"
        )


def _is_range(value: Any) -> bool:
    two = type(value) is list and len(value) == 2 and all(type(item) is int for item in value)
    return two and value[0] <= value[1]


def _check_names(content: dict[str, Any]) -> tuple[str, ...]:
    names = content["feature_names"]
    if type(names) is not list or not names or not all(type(name) is str for name in names):
        _refuse("feature_names must be a list of names")
    if len(set(names)) != len(names):
        _refuse("feature_names holds a name twice")
    shape = validate_model_text(content["model_text"], n_features=len(names), n_classes=N_CLASSES)
    unnamed = tuple(f"Column_{index}" for index in range(len(names)))
    if shape.feature_names not in (unnamed, tuple(names)):
        _refuse("feature_names and the names in the model text disagree, or stand in another order")
    return tuple(names)


def _artifact(content: Any) -> ModelArtifact:
    """Check every field of plain ``content`` and build the artifact."""
    if type(content) is not dict or set(content) != set(_FIELDS):
        held = set(content) if type(content) is dict else set()
        missing, unknown = sorted(set(_FIELDS) - held), sorted(held - set(_FIELDS))
        _refuse(f"the model's content misses {shorten(missing)} and has unknown {shorten(unknown)}")
    for key in _TEXTS:
        if type(content[key]) is not str or not content[key]:
            _refuse(f"{key} must be a text that is not empty")
    for key in _TABLES:
        if type(content[key]) is not dict:
            _refuse(f"{key} is a {type(content[key]).__name__}, it must be a dictionary")
    _check_tables(content)
    names = _check_names(content)
    features = _unpack(content["golden_features"], "golden_features", "<f4", len(names))
    scores = _unpack(content["golden_scores"], "golden_scores", "<f8", N_CLASSES)
    if len(features) != len(scores):
        _refuse(f"golden_features has {len(features)} rows and golden_scores has {len(scores)}")
    if not np.isfinite(scores).all():
        _refuse("golden_scores holds a score that is not finite")
    sell, hold, buy = content["class_prior"]
    changed = {
        "feature_names": names,
        "class_prior": (sell, hold, buy),
        "golden_features": features,
        "golden_scores": scores,
    }
    return ModelArtifact(**{**content, **changed})


def _digests(content: dict[str, Any], key: bytes | None) -> tuple[str, str | None]:
    encoded = canonical_bytes([FORMAT, SCHEMA_VERSION, content])
    signed = None if key is None else hmac.new(key, encoded, hashlib.sha256).hexdigest()
    return hashlib.sha256(encoded).hexdigest(), signed


def _check_key(key: bytes | None) -> None:
    if key is not None and (not isinstance(key, bytes) or not key):
        raise ModelError("the key must be bytes and not empty; give the key, or None for none")


def save_artifact(artifact: ModelArtifact, path: str | Path, *, key: bytes | None = None) -> Path:
    """Check the model and write it to ``path`` in one step; the previous file is kept beside it.

    Parameters
    ----------
    artifact
        The model. NumPy scalars and tuples in its dictionaries are stored as plain values.
    path
        Usually ``models/trading_model.joblib``; parent directories are created.
    key
        Secret to sign the file with (HMAC-SHA-256); without one it carries a checksum only, which
        guards against damage, not against forgery.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    ModelError
        The artifact would not load, or the file cannot be written; the old file is then whole.
    """
    _check_key(key)
    content = {
        name: _pack(np.asarray(value)) if name.startswith("golden_") else _plain(value, name)
        for name, value in ((name, getattr(artifact, name)) for name in _FIELDS)
    }
    _artifact(content)
    sha256, signed = _digests(content, key)
    envelope = (FORMAT, SCHEMA_VERSION, content, sha256, signed)
    return write_model_bytes(path, encode(dict(zip(_ENVELOPE, envelope, strict=True))))


def _open_envelope(envelope: Any, key: bytes | None) -> Any:
    """Return the content once version, checksum and signature are right."""
    if type(envelope) is not dict or envelope.get("format") != FORMAT:
        raise ModelError("it is not a model of alphaseeker; give the path of one")
    version = envelope.get("schema_version")
    if type(version) is not int or version != SCHEMA_VERSION:
        raise ModelError(
            f"it has schema version {shorten(version)}, this release reads version"
            f" {SCHEMA_VERSION}; train the model again, or install the release that wrote it"
        )
    missing = [name for name in _ENVELOPE if name not in envelope]
    if missing or len(envelope) != len(_ENVELOPE):
        _refuse(f"it misses {missing} or has keys it must not have")
    content, stored, signature = (envelope[name] for name in _ENVELOPE[2:])
    sha256, signed = _digests(content, key)
    if type(stored) is not str or not _same(stored, sha256):
        _refuse("its content does not match its SHA-256, it was changed or damaged")
    if signed is not None:
        if type(signature) is not str:
            raise ModelError("it is not signed; sign it by saving with the key, or load without")
        if not _same(signature, signed):
            raise ModelError("its signature does not match the key; do not use it, get it again")
    return content


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), right.encode())


def load_artifact(
    path: str | Path,
    *,
    root: str | Path | None = None,
    key: bytes | None = None,
) -> ModelArtifact:
    """Read a model file, run nothing it holds, and check everything it holds.

    Parameters
    ----------
    path
        The file.
    root
        The directory that symbolic links may not leave; by default the one named in ``path``.
    key
        Secret the file must be signed with; None does not look at the signature.

    Returns
    -------
    ModelArtifact
        The arrays are read-only.

    Raises
    ------
    ModelError
        Whatever is wrong with the file, with what to do about it.
    """
    _check_key(key)
    raw = read_model_bytes(path, root=root)
    try:
        return _artifact(_open_envelope(decode(raw), key))
    except ModelError as error:
        raise ModelError(f"the model file {path} is refused: {error}") from error
