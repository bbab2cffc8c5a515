"""The journal of a risk state: what a call changed is on disk before its answer is returned.

One frame a call holds the words that changed in the account and in a position, and what joined
the lists (fill ids, cash flows, events). A restart applies the frames to the snapshot that their
segment begins with, and has every byte again. See Mohan et al. 1992 (ARIES) for write-ahead logs;
here the log is the state, and nothing else is to be written.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import StateError
from alphaseeker.risk.delta import BODY, HEAD, Words, delta_step, section_room, tick_step, words_of
from alphaseeker.risk.journal_files import JournalFiles
from alphaseeker.risk.journal_frames import FRAME_ROOM, Kind, finish_frame, pack_text
from alphaseeker.risk.journal_reading import Restored, read_segments
from alphaseeker.risk.memory import Memory
from alphaseeker.risk.snapshot import LAYOUT
from alphaseeker.risk.state import ACCOUNT, POSITION

__all__ = ["Journal"]

logger = logging.getLogger(__name__)

# A segment of this length is followed by a new one, which begins with the whole state. Reading
# it takes a restart half a second.
SEGMENT_BYTES = 4 * 2**20
SNAPSHOTS_A_SEGMENT = 4  # a state with many fill ids is not written again all the time

_TICK = int(Kind.TICK)
_ACCOUNT_WORDS = ACCOUNT.itemsize // 8
_POSITION_WORDS = POSITION.itemsize // 8
# The ring of returns changes with the minute alone; it stands at the record's end.
_HEAD_WORDS = ACCOUNT.fields["returns"][1] // 8  # type: ignore[index]
_TICK_ROOM = FRAME_ROOM + section_room(_ACCOUNT_WORDS) + section_room(_POSITION_WORDS)
_HEAD_BYTES = 8 * HEAD
_BODY_CHECK = 2 * HEAD - 1  # in units of four bytes


class _Slot(NamedTuple):
    """One position's number, its words, and what was last written of them."""

    number: int
    words: Words
    before: Words


class Journal:
    """Writes what a risk manager's calls change, and reads it after a restart.

    Parameters
    ----------
    folder
        Made where it is missing; locked until ``close``.
    fsync
        When a frame is made durable: ``actions`` (calls that may lead to an order, fills,
        changes by hand), ``always`` or ``never`` (a killed process loses nothing, a power cut
        may).

    Raises
    ------
    StateError
        See ``JournalFiles``.
    """

    def __init__(self, folder: Path, *, fsync: str) -> None:
        self.fsync = fsync
        self.sequence = 0
        self.settings: dict[str, Any] = {}  # in force; kept for a restart to compare
        self.problem: str | None = None  # why the last frame could not be written
        self._files = JournalFiles(folder)
        self._out = np.zeros(_TICK_ROOM, np.uint64)
        self._view = self._out.data.cast("B")
        self._checks = self._view.cast("I")
        self._slots: dict[str, _Slot] = {}
        self._entries: dict[str, list[Any]] = {}
        self._stale: set[str] = set()  # positions of which a frame was not written
        self._account_stale = False
        self._set_aside: frozenset[Path] = frozenset()  # damaged segments, until there is another
        self._samples = -1
        self._limit = SEGMENT_BYTES

    @property
    def folder(self) -> Path:
        """Where it stands."""
        return self._files.folder

    @property
    def existed(self) -> bool:
        """Whether there has been a journal in the folder before."""
        return self._files.existed

    def check(self) -> None:
        """Refuse a call that could not be journalled because the files are not this process's.

        Raises
        ------
        StateError
            The journal was closed, or belongs to the process that this one is a fork of.
        """
        if self._files.held:
            return
        if self._files.left:
            raise StateError(
                f"the risk journal {self.folder} belongs to process {self._files.owner}, of which "
                "this one is a fork; make a RiskManager with a JOURNAL_PATH of its own here"
            )
        raise StateError(f"the risk journal {self.folder} was closed; make a new RiskManager")

    def read(self) -> Restored:
        """Return what the segments hold; the next frame's number follows on it."""
        restored = read_segments(self._files.segments())
        self.sequence = restored.sequence
        return restored

    def begin(self, memory: Memory, set_aside: frozenset[Path] = frozenset()) -> bool:
        """Write the whole of ``memory``, whose changes are journalled from here on.

        Segments in ``set_aside`` are damaged: they are kept under another name.
        """
        self._memory = memory
        self._files.usable = False
        self._set_aside = set_aside
        self._slots.clear()
        self._entries.clear()
        self._stale.clear()
        self._account_words = words_of(memory.account)
        self._account_before = np.zeros(_ACCOUNT_WORDS, np.uint64)
        return self._renew()

    def tick(self, symbol: str, position: npt.NDArray[Any], *, samples: int, durable: bool) -> bool:
        """Write what one quote changed; return False where that failed.

        Parameters
        ----------
        symbol, position
            The one that the quote was of.
        samples
            The account's, which say whether its ring of returns changed.
        durable
            Whether more than the marks of a quote changed.
        """
        slot = self._slots.get(symbol)
        if slot is None or self._account_stale or self._entries or not self._files.usable:
            return self.write(Kind.TICK, (symbol,), durable=durable)
        words = _HEAD_WORDS if samples == self._samples else _ACCOUNT_WORDS
        length = tick_step(
            self._out,
            self.sequence + 1,
            _TICK,
            self._account_words,
            self._account_before,
            words,
            slot.number,
            slot.words,
            slot.before,
        )
        view = self._view
        self._checks[_BODY_CHECK] = crc32(view[_HEAD_BYTES:length])
        return self._append(view[:length], (symbol,), samples, durable)

    def note(self, **entries: Any) -> None:
        """Put one entry a list (``fills``, ``cash_flows``, ``events``) into the next frame."""
        for name, entry in entries.items():
            self._entries.setdefault(name, []).append(entry)

    def write(
        self,
        kind: Kind,
        symbols: Iterable[str] | None = None,
        *,
        durable: bool = True,
    ) -> bool:
        """Write what a call changed in the account and some positions; False where that failed.

        Parameters
        ----------
        kind
            Which call.
        symbols
            Positions that it may have changed; None for all.
        durable
            As in ``tick``.
        """
        if not self._files.usable:
            return self._renew()
        self._number_positions()
        named = self._memory.positions if symbols is None else symbols
        names = list(dict.fromkeys([*named, *self._stale]))
        entries: dict[str, Any] = dict(self._entries)
        if kind == Kind.SETTINGS:
            entries["settings"] = self.settings
        text = pack_text(entries) if entries else None
        room = _TICK_ROOM + len(names) * section_room(_POSITION_WORDS)
        out = np.zeros(room + (0 if text is None else len(text)), np.uint64)
        place = self._sections(out, names)
        count = 1 + len(names)
        sequence = self.sequence + 1
        frame = finish_frame(out, place, kind=kind, sequence=sequence, sections=count, text=text)
        samples = int(self._memory.account["samples"][0])
        if not self._append(frame, names, samples, durable):
            return False
        self._all_written()
        return True

    def noted(self, name: str) -> int:
        """Return how many entries of a list wait for the next frame."""
        return len(self._entries.get(name, ()))

    def forget(self, name: str, kept: int) -> None:
        """Drop the entries of a list but for the first ``kept``: what they say was undone."""
        del self._entries.get(name, [])[kept:]

    def close(self) -> None:
        """Let go of the folder."""
        self._files.close()

    def _number_positions(self) -> None:
        """Give every position that has none a number, in the order of the memory."""
        for symbol, record in self._memory.positions.items():
            if symbol not in self._slots:
                before = np.zeros(_POSITION_WORDS, np.uint64)
                self._slots[symbol] = _Slot(len(self._slots) + 1, words_of(record), before)
                self.note(symbols=symbol)

    def _sections(self, out: Words, symbols: Iterable[str], *, whole: bool = False) -> int:
        place = delta_step(
            out,
            BODY,
            0,
            self._account_words,
            self._account_before,
            _ACCOUNT_WORDS,
            whole or self._account_stale,
        )
        for symbol in symbols:
            slot = self._slots[symbol]
            every = whole or symbol in self._stale
            place = delta_step(
                out, place, slot.number, slot.words, slot.before, _POSITION_WORDS, every
            )
        return place

    def _append(
        self, frame: memoryview, symbols: Iterable[str], samples: int, durable: bool
    ) -> bool:
        sync = self.fsync == "always" or (durable and self.fsync == "actions")
        try:
            self._files.append(frame, sync=sync)
        except OSError as error:
            # What these sections said counts as said in ``before``: they are written whole next.
            self._account_stale = True
            self._stale.update(symbols)
            self._failed(error)
            return False
        self.sequence += 1
        self._samples = samples
        self._files.usable = True
        length = self._files.length
        # A new segment takes milliseconds: better while no order waits for the answer.
        if length > self._limit and (not durable or length > 2 * self._limit):
            self._compact()
        return True

    def _all_written(self) -> None:
        self._stale.clear()
        self._account_stale = False
        self._entries.clear()
        if self.problem is not None:
            logger.warning("the risk journal %s can be written again", self.folder)
            self.problem = None

    def _failed(self, error: OSError) -> None:
        if self.problem is None:
            logger.error("the risk journal %s cannot be written: %s", self.folder, error)
        self.problem = error.strerror or str(error)

    def _compact(self) -> None:
        """Begin a new segment; where that fails, the old one serves on, or the next call tries."""
        try:
            self._begin_segment()
        except OSError as error:
            logger.warning("no new segment of the risk journal %s: %s", self.folder, error)
            self._limit = self._files.length + SEGMENT_BYTES

    def _renew(self) -> bool:
        """Write the whole state into a new segment; return False where that failed."""
        try:
            self._begin_segment()
        except OSError as error:
            self._account_stale = True
            self._stale.update(self._memory.positions)
            self._failed(error)
            return False
        self._all_written()
        return True

    def _begin_segment(self) -> None:
        memory = self._memory
        self._number_positions()
        text = pack_text(
            {
                "layout": LAYOUT,
                "symbols": list(memory.positions),
                "fills": list(memory.fills),
                "cash_flows": list(memory.cash_flows),
                "events": list(memory.events),
                "settings": self.settings,
            }
        )
        room = _TICK_ROOM + len(memory.positions) * section_room(_POSITION_WORDS)
        out = np.zeros(room + len(text), np.uint64)
        place = self._sections(out, memory.positions, whole=True)
        frame = finish_frame(
            out,
            place,
            kind=Kind.SNAPSHOT,
            sequence=self.sequence + 1,
            sections=1 + len(memory.positions),
            text=text,
        )
        self._files.begin_segment(frame, self._set_aside)
        self._set_aside = frozenset()
        self.sequence += 1
        self._samples = int(memory.account["samples"][0])
        self._files.usable = True
        self._limit = max(SEGMENT_BYTES, SNAPSHOTS_A_SEGMENT * len(frame))
