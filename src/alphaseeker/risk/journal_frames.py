"""The bytes of a journal: frames that say of themselves whether they are whole.

A frame is a head (magic, kind, length, sequence number, a check of these, the checksum of what
follows), a body (sections of changed words, then JSON text) and an end mark. What a killed process
leaves behind its last frame is the beginning of another; what a power cut leaves may be zeros.
Everything else behind a sound frame is damage.
"""

from __future__ import annotations

import json
import struct
import zlib
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from alphaseeker.risk.delta import BODY, HEAD, Words, finish_step, head_check

__all__ = ["FRAME_ROOM", "Frame", "Kind", "finish_frame", "pack_text", "read_frames"]

_HEAD = struct.Struct("<HHIQII")  # magic, kind, length, sequence, checks of head and body
_COUNTS = struct.Struct("<II")  # sections, bytes of text
_HEAD_BYTES = 8 * HEAD
FRAME_ROOM = BODY + 1  # words beside the sections and the text
_SMALLEST = 8 * FRAME_ROOM
_BODY_CHECK = _HEAD.size - 4


class Kind(IntEnum):
    """What a frame was written for."""

    SNAPSHOT = 1  # the whole state: the first frame of a segment
    TICK = 2
    FILL = 3
    RECONCILE = 4
    SETTINGS = 5
    RESET_HALT = 6
    DRIFT = 7


class Frame(NamedTuple):
    """One sound frame: ``words`` holds its sections one behind the other."""

    kind: int
    sequence: int
    sections: int
    words: Words
    text: dict[str, Any]


def pack_text(entries: dict[str, Any]) -> Words:
    """Return entries as JSON text in whole words, shape (n,), uint64."""
    text = json.dumps(entries, separators=(",", ":")).encode()
    return np.frombuffer(text + b" " * (-len(text) % 8), np.uint64)


def finish_frame(
    out: Words, place: int, *, kind: int, sequence: int, sections: int, text: Words | None
) -> memoryview:
    """Put text, end mark, head and checksum to the sections in ``out``; return the frame.

    Parameters
    ----------
    out
        Shape (n,), uint64; the sections stand at ``BODY`` and end before ``place``.
    kind, sequence, sections
        Of the frame.
    text
        Of ``pack_text``; None for no text.
    """
    count = 0 if text is None else len(text)
    if text is not None:
        out[place : place + count] = text
    length = finish_step(out, place + count, kind, sequence, sections, 8 * count)
    frame = out.data.cast("B")[:length]
    struct.pack_into("<I", frame, _BODY_CHECK, zlib.crc32(frame[_HEAD_BYTES:]))
    return frame


def _frame_at(view: memoryview, start: int) -> tuple[Frame, int] | None:
    """Return the frame at ``start`` and its length; None where there is no sound one."""
    length = _length_at(view, start)
    if length is None or start + length > len(view):
        return None
    _, kind, _, sequence, _, checksum = _HEAD.unpack_from(view, start)
    body = view[start + _HEAD_BYTES : start + length]
    if zlib.crc32(body) != checksum:
        return None
    sections, text_bytes = _COUNTS.unpack_from(body)
    words = np.frombuffer(body, np.uint64)[1:-1]
    count = len(words) - text_bytes // 8
    text = json.loads(words[count:].tobytes()) if text_bytes else {}
    return Frame(kind, sequence, sections, words[:count], text), length


def _length_at(view: memoryview, start: int) -> int | None:
    """Return the length that a sound head at ``start`` gives; None where there is none."""
    if len(view) - start < _HEAD_BYTES:
        return None
    first, second = struct.unpack_from("<QQ", view, start)
    _, _, length, _, check, _ = _HEAD.unpack_from(view, start)
    sound = check == int(head_check(np.uint64(first), np.uint64(second)))
    return length if sound and length >= _SMALLEST and length % 8 == 0 else None


def _is_torn(view: memoryview, start: int) -> bool:
    """Say whether what stands behind the last sound frame is the beginning of one, or zeros."""
    left = len(bytes(view[start:]).rstrip(b"\0"))
    if left < _HEAD_BYTES:
        return True
    length = _length_at(view, start)
    return length is not None and left < length


def read_frames(data: bytes) -> tuple[list[Frame], str | None]:
    """Return the sound frames from the beginning on, and what damage ended them.

    The damage is None where the data end with a sound frame, or with a torn one that nobody was
    told of.
    """
    frames: list[Frame] = []
    view = memoryview(data)
    start = 0
    while start < len(view):
        found = _frame_at(view, start)
        if found is None:
            if _is_torn(view, start):
                return frames, None
            return frames, f"byte {start} of {len(view)}: no sound record"
        frame, length = found
        if frames and frame.sequence != frames[-1].sequence + 1:
            return frames, f"record {frame.sequence} follows record {frames[-1].sequence}"
        frames.append(frame)
        start += length
    return frames, None
