"""From the segments of a journal to the state that they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from alphaseeker._jit import allocate_record
from alphaseeker.risk.delta import apply_step, words_of
from alphaseeker.risk.journal_frames import Frame, Kind, read_frames
from alphaseeker.risk.memory import Memory
from alphaseeker.risk.snapshot import LAYOUT
from alphaseeker.risk.state import ACCOUNT, POSITION

__all__ = ["Restored", "read_segments"]


class Restored(NamedTuple):
    """What a journal holds: ``memory`` is None where nothing of it can be read."""

    memory: Memory | None
    settings: dict[str, Any]
    sequence: int
    damage: str | None
    damaged: frozenset[Path]


def read_segments(segments: list[Path]) -> Restored:
    """Return the state in the newest segment whose beginning is sound.

    Parameters
    ----------
    segments
        The newest first. There is one, but where the process ended between writing a segment
        and removing the one before, or where a snapshot is damaged.
    """
    damages: list[str] = []
    damaged: list[Path] = []
    memory: Memory | None = None
    settings: dict[str, Any] = {}
    sequence = 0
    for path in segments:
        try:
            frames, damage = read_frames(path.read_bytes())
        except OSError as error:
            frames, damage = [], f"cannot be read: {error.strerror}"
        memory, sequence = None, 0
        if frames and frames[0].kind == Kind.SNAPSHOT:
            layout = frames[0].text["layout"]
            if layout == LAYOUT:
                memory, settings, sequence, unfit = _replayed(frames)
                damage = unfit or damage
            else:
                damage = f"it was written with layout {layout}, this version has {LAYOUT}"
        elif damage is None:
            damage = "it does not begin with a whole state"
        if damage is not None:
            damages.append(f"{path.name}: {damage}")
            damaged.append(path)
        if memory is not None:
            break
    return Restored(
        memory,
        settings,
        sequence if segments else 0,
        "; ".join(damages) or None,
        frozenset(damaged),
    )


def _replayed(frames: list[Frame]) -> tuple[Memory, dict[str, Any], int, str | None]:
    """Return memory, settings and last sequence number, and why a frame does not fit."""
    memory = Memory(account=allocate_record(ACCOUNT))
    records = [words_of(memory.account)]
    settings: dict[str, Any] = {}
    sequence = 0
    for frame in frames:
        for symbol in frame.text.get("symbols", ()):
            memory.positions[symbol] = allocate_record(POSITION)
            records.append(words_of(memory.positions[symbol]))
        place = 0
        for _ in range(frame.sections):
            slot = int(frame.words[place]) >> 32
            place = apply_step(frame.words, place, records[slot]) if slot < len(records) else -1
            if place < 0:
                return memory, settings, sequence, f"record {frame.sequence} does not fit"
        memory.remember_fills(frame.text.get("fills", ()))
        memory.cash_flows.extend(frame.text.get("cash_flows", ()))
        memory.events.extend(frame.text.get("events", ()))
        settings = frame.text.get("settings", settings)
        sequence = frame.sequence
    return memory, settings, sequence, None
