"""What changed in a record since it was last written, as words in a frame, and how to apply it.

A section is one word ``slot << 32 | words``, then for every 64 words of the record a mask of those
that follow, and these themselves. Words are compared as bits: NaN and -0.0 are values like others.
A risk step changes about 25 of 85 words, so that a section takes a third of its record.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel, part

__all__ = [
    "BODY",
    "HEAD",
    "Words",
    "apply_step",
    "delta_step",
    "finish_step",
    "head_check",
    "section_room",
    "tick_step",
    "words_of",
]

Words = npt.NDArray[np.uint64]

HEAD = 3  # words: magic, kind and length; sequence number; checksums of the head and of the body
BODY = HEAD + 1  # where the sections begin, behind the number of them and the bytes of text

_BLOCK = 64
_MAGIC = 0x4A52
_END = 0xA5C396E17B2D4F81


def words_of(record: npt.NDArray[Any]) -> Words:
    """Return a record's memory as words, shape (n,), uint64: a view that may be written to."""
    return np.asarray(record).view(np.uint64)


def section_room(words: int) -> int:
    """Return how many words a section of a record of ``words`` words takes at most."""
    return 1 + words + (words + _BLOCK - 1) // _BLOCK


@part
def _section_step(
    out: Words, start: int, slot: int, now: Words, before: Words, words: int, whole: bool
) -> int:
    place = start + 1
    for first in range(0, words, _BLOCK):
        mask_place = place
        place += 1
        mask = np.uint64(0)
        for bit in range(min(_BLOCK, words - first)):
            word = now[first + bit]
            if whole or word != before[first + bit]:
                mask |= np.uint64(1) << np.uint64(bit)
                out[place] = word
                place += 1
                before[first + bit] = word
        out[mask_place] = mask
    out[start] = np.uint64(slot) << np.uint64(32) | np.uint64(words)
    return place


@kernel
def delta_step(
    out: Words, start: int, slot: int, now: Words, before: Words, words: int, whole: bool
) -> int:
    """Write the section of one record; return the place behind it.

    Parameters
    ----------
    out
        Shape (m,), uint64; the section begins at ``start``.
    slot
        The record's number.
    now, before
        Shape (n,), uint64: the record, and what was last written of it, which becomes the same.
    words
        How many words from the record's beginning are looked at.
    whole
        Write them all, changed or not.
    """
    return _section_step(out, start, slot, now, before, words, whole)


@part
def _scrambled(word: Any) -> Any:
    """Return the next number of an xorshift generator (Marsaglia 2003), which is linear in bits."""
    word ^= word << np.uint64(13)
    word ^= word >> np.uint64(7)
    return word ^ word << np.uint64(17)


@part
def head_check(first: Any, second: Any) -> int:
    """Return 32 bits that tell whether the first two words of a head are what was written.

    Without a multiplication, whose overflow NumPy reports where nothing is compiled. As all of it
    is linear, a flipped bit changes the same bits of the check whatever the words are.
    """
    mixed = _scrambled(_scrambled(np.uint64(first)) ^ np.uint64(second))
    return int((mixed ^ mixed >> np.uint64(32)) & np.uint64(0xFFFFFFFF))


@part
def _finish_step(
    out: Words, place: int, kind: int, sequence: int, sections: int, text_bytes: int
) -> int:
    out[place] = np.uint64(_END)
    length = 8 * (place + 1)
    out[0] = (
        np.uint64(_MAGIC) | np.uint64(kind) << np.uint64(16) | np.uint64(length) << np.uint64(32)
    )
    out[1] = np.uint64(sequence)
    out[2] = head_check(out[0], out[1])
    out[HEAD] = np.uint64(sections) | np.uint64(text_bytes) << np.uint64(32)
    return length


@kernel
def finish_step(
    out: Words, place: int, kind: int, sequence: int, sections: int, text_bytes: int
) -> int:
    """Put end mark and head to what stands before ``place``; return the frame's bytes.

    The upper half of the head's last word is left for the checksum of what follows the head.
    """
    return _finish_step(out, place, kind, sequence, sections, text_bytes)


@kernel
def tick_step(
    out: Words,
    sequence: int,
    kind: int,
    account: Words,
    account_before: Words,
    account_words: int,
    slot: int,
    position: Words,
    position_before: Words,
) -> int:
    """Write the frame of one quote: account (slot 0) and one position; return its bytes."""
    place = _section_step(out, BODY, 0, account, account_before, account_words, False)
    words = position.shape[0]
    place = _section_step(out, place, slot, position, position_before, words, False)
    return _finish_step(out, place, kind, sequence, 2, 0)


@kernel
def apply_step(section: Words, start: int, record: Words) -> int:
    """Apply the section at ``start`` to a record; return the place behind it.

    Returns -1, with the record in between, where the section does not fit: it was not written
    for this record.
    """
    words = int(section[start] & np.uint64(0xFFFFFFFF))
    if words > record.shape[0]:
        return -1
    place = start + 1
    for first in range(0, words, _BLOCK):
        if place >= section.shape[0]:
            return -1
        mask = section[place]
        place += 1
        for bit in range(min(_BLOCK, words - first)):
            if mask >> np.uint64(bit) & np.uint64(1):
                if place >= section.shape[0]:
                    return -1
                record[first + bit] = section[place]
                place += 1
    return place
