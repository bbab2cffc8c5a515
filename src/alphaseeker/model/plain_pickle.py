"""Plain containers to the bytes of a joblib file and back, without ever running anything.

A pickle is a program. The one written here holds only ``dict``, ``list``, ``str``, ``bytes``,
``int``, ``float``, ``bool`` and ``None``, and the one read here may use only the opcodes that
build those. Globals, persistent ids, extensions, tuples (nested deep enough, their hash ends the
process) and indexed memo writes (they reserve memory by a number in the file) are refused before
the first opcode runs; the unpickler itself then refuses every global once more.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
import zlib
from typing import Any, NoReturn

from alphaseeker.errors import ModelError

__all__ = [
    "AGAIN",
    "MAX_CONTENT_BYTES",
    "MAX_DEPTH",
    "MAX_FILE_BYTES",
    "MAX_OPCODES",
    "canonical_bytes",
    "decode",
    "encode",
]

MAX_FILE_BYTES = 128 * 2**20
"""Largest file that is read."""

MAX_CONTENT_BYTES = 256 * 2**20
"""Largest content after decompression: 10,000 rounds of 3 trees of 64 leaves are 195 MB."""

MAX_OPCODES = 200_000
"""Most pickle opcodes: a model of 1,000 features needs about 5,000."""

MAX_DEPTH = 32
"""Deepest nesting of containers."""

_SCALARS = ("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT")
_TEXTS = ("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8")
_BYTES = ("SHORT_BINBYTES", "BINBYTES", "BINBYTES8")
_CONTAINERS = ("EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS", "MARK")
_FRAMING = ("PROTO", "FRAME", "MEMOIZE", "BINGET", "LONG_BINGET", "STOP")
_ALLOWED = frozenset(_SCALARS + _TEXTS + _BYTES + _CONTAINERS + _FRAMING)

AGAIN = "train the model again or get the file again"
"""What to do about a file that is refused; it ends every message."""


class _PlainUnpickler(pickle.Unpickler):
    """Refuses whatever names code or lives outside the pickle."""

    def find_class(self, module_name: str, global_name: str, /) -> NoReturn:
        raise pickle.UnpicklingError(f"it names code: {module_name}.{global_name}")

    def persistent_load(self, pid: Any, /) -> NoReturn:
        raise pickle.UnpicklingError("it holds a persistent id")


def _decompress(raw: bytes, limit: int) -> bytes:
    decompressor = zlib.decompressobj()
    content = decompressor.decompress(raw, limit + 1)
    if len(content) > limit:
        raise ModelError(f"it holds more than the allowed {limit} bytes; {AGAIN}")
    if not decompressor.eof:
        raise ModelError(f"it ends early, it is truncated; {AGAIN}")
    if decompressor.unused_data:
        extra = len(decompressor.unused_data)
        raise ModelError(f"it goes on for {extra} bytes after its end; {AGAIN}")
    return content


def _check_opcodes(content: bytes) -> None:
    position = -1
    for count, (opcode, _, at) in enumerate(pickletools.genops(content), start=1):
        if opcode.name not in _ALLOWED:
            raise ModelError(
                f"its pickle uses {opcode.name}, which a file of plain containers never does and"
                f" which may run code; do not load it elsewhere either, {AGAIN}"
            )
        if count > MAX_OPCODES:
            raise ModelError(f"its pickle has more than {MAX_OPCODES} opcodes; {AGAIN}")
        position = -1 if at is None else at
    if position != len(content) - 1:
        raise ModelError(f"its pickle goes on after its end; {AGAIN}")


def decode(raw: bytes, *, limit: int = MAX_CONTENT_BYTES) -> Any:
    """Return the plain containers that the bytes of a zlib-compressed joblib file hold.

    Parameters
    ----------
    raw
        The whole file.
    limit
        Most bytes that may come out of the decompression.

    Raises
    ------
    ModelError
        Not zlib, truncated, with bytes behind its end, too large, or a pickle that holds
        anything but plain containers. Whatever goes wrong, no code of the file has run.
    """
    if raw[:1] != b"\x78":
        raise ModelError(f"it is not a zlib-compressed joblib file; {AGAIN}")
    try:
        content = _decompress(raw, limit)
        _check_opcodes(content)
        return _PlainUnpickler(io.BytesIO(content)).load()
    except (
        zlib.error,
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        OverflowError,
        MemoryError,
        RecursionError,
    ) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ModelError(f"it is damaged ({reason}); {AGAIN}") from error


def encode(content: Any) -> bytes:
    """Return the bytes of a zlib-compressed joblib file that holds ``content``.

    The bytes are decoded again before they are returned, so that nothing is ever written that
    could not be read.

    Raises
    ------
    ModelError
        ``content`` holds something other than plain containers, or too much.
    """
    import joblib

    canonical_bytes(content)
    buffer = io.BytesIO()
    joblib.dump(content, buffer, compress=("zlib", 3))
    raw = buffer.getvalue()
    if len(raw) > MAX_FILE_BYTES:
        raise ModelError(
            f"the model takes {len(raw)} bytes, at most {MAX_FILE_BYTES} are allowed; train with"
            " fewer rounds or fewer leaves"
        )
    decode(raw)
    return raw


class _Writer:
    """Collects the canonical encoding, within the limits on size and depth."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def put(self, part: bytes) -> None:
        self.size += len(part)
        if self.size > MAX_CONTENT_BYTES:
            raise ModelError(f"it holds more than {MAX_CONTENT_BYTES} bytes; {AGAIN}")
        self.parts.append(part)

    def text(self, value: str) -> None:
        encoded = value.encode()
        self.put(b"s%d:" % len(encoded))
        self.put(encoded)

    def value(self, value: Any, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise ModelError(f"it is nested deeper than {MAX_DEPTH} containers; {AGAIN}")
        kind = type(value)
        if kind is dict:
            if not all(type(key) is str for key in value):
                raise ModelError(f"it holds a key that is not a string; {AGAIN}")
            self.put(b"d%d:" % len(value))
            for key in sorted(value):
                self.text(key)
                self.value(value[key], depth + 1)
        elif kind is list:
            self.put(b"l%d:" % len(value))
            for item in value:
                self.value(item, depth + 1)
        elif kind is str:
            self.text(value)
        elif kind is bytes:
            self.put(b"b%d:" % len(value))
            self.put(value)
        elif kind is float:
            self.put(b"f" + struct.pack(">d", value))
        elif kind is int:
            if not -(2**63) <= value < 2**63:
                raise ModelError(f"it holds a whole number of more than 64 bits; {AGAIN}")
            self.put(b"i%d:" % value)
        elif kind is bool or value is None:
            self.put({None: b"n", True: b"t", False: b"u"}[value])
        else:
            raise ModelError(f"it holds a {kind.__name__}, which is not a plain value; {AGAIN}")


def canonical_bytes(content: Any) -> bytes:
    """Return the one encoding of plain containers that checksums are taken of.

    Every value carries its type and its length, and keys are sorted: equal contents, and only
    those, give equal bytes, whatever the pickle looked like.

    Raises
    ------
    ModelError
        A value that is not plain, a key that is no string, too deep, or too large.
    """
    writer = _Writer()
    try:
        writer.value(content, 0)
    except UnicodeEncodeError as error:
        raise ModelError(f"it holds text that is not Unicode ({error.reason}); {AGAIN}") from error
    return b"".join(writer.parts)
