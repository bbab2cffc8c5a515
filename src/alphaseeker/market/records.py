"""A text file as blocks of whole records, with their line numbers, in bounded memory."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from alphaseeker.errors import DataError
from alphaseeker.market.origin import Origin

__all__ = ["MAX_RECORD_BYTES", "record_blocks"]

MAX_RECORD_BYTES = 1 << 20  # one record, header included; beyond it a quote was left open

_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


def record_blocks(path: Path, block_bytes: int, origin: Origin) -> Iterator[tuple[int, bytes]]:
    """Yield (number of the first line, bytes) of a text file, plain or gzip.

    Blocks are about ``block_bytes`` long and end where a record ends, never inside quotes. They
    are valid UTF-8, without a byte order mark.

    Raises
    ------
    DataError
        The file cannot be read, is damaged, is not UTF-8, or leaves a quote open.
    """
    line = 1
    carry = b""
    for read in _read(path, block_bytes, origin):
        chunk = carry + (read.removeprefix(_BOM) if line == 1 and not carry else read)
        end = _last_record_end(chunk)
        if len(chunk) - end > block_bytes + MAX_RECORD_BYTES:
            raise _endless(chunk[end:], line + chunk.count(b"\n", 0, end), origin)
        carry = chunk[end:]
        if end > 0:
            block = chunk[:end]
            _check_text(block, line, origin)
            yield line, block
            line += block.count(b"\n")
    if carry:
        _check_text(carry, line, origin)
        if carry.count(b'"') % 2:
            raise _endless(carry, line, origin)
        yield line, carry


def _read(path: Path, block_bytes: int, origin: Origin) -> Iterator[bytes]:
    try:
        with path.open("rb") as raw:
            compressed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            with gzip.open(raw) if compressed else nullcontext(raw) as stream:
                while read := stream.read(block_bytes):
                    yield read
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{origin.name}: the compressed data is damaged ({error}); fetch the file again"
        ) from error
    except OSError as error:
        raise DataError(f"{origin.name} cannot be read: {error.strerror}") from error


def _last_record_end(chunk: bytes) -> int:
    """Return the position after the last line end that is not inside quotes; 0 if there is none."""
    end = chunk.rfind(b"\n") + 1
    quotes = chunk.count(b'"', 0, end)
    while end > 0 and quotes % 2:
        earlier = chunk.rfind(b"\n", 0, end - 1) + 1
        quotes -= chunk.count(b'"', earlier, end)
        end = earlier
    return end


def _endless(rest: bytes, line: int, origin: Origin) -> DataError:
    if b'"' not in rest:
        return origin.error(
            f"the line is longer than {MAX_RECORD_BYTES:,} bytes; is this a text file?", row=line
        )
    opened = line + rest.count(b"\n", 0, rest.index(b'"'))
    return origin.error("a quote is opened and never closed; close or remove it", row=opened)


def _check_text(block: bytes, line: int, origin: Origin) -> None:
    if block.isascii():
        return
    try:
        block.decode("utf-8")
    except UnicodeDecodeError as error:
        start = block.rfind(b"\n", 0, error.start) + 1
        cell = 1 + block.count(b",", start, error.start)
        raise origin.error(
            f"cell {cell} holds the byte 0x{block[error.start]:02x}, which is not UTF-8; "
            "save the file as UTF-8",
            row=line + block.count(b"\n", 0, error.start),
        ) from error
