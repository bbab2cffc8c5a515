"""Purged training sets from their definitions, with sets of row numbers and whole seconds."""


def label_ends(times, span, sessions=None):
    """When the label of each row ends: after ``span``, and before the next boundary."""
    ends = []
    for time in times:
        later = [b for b in boundaries(times, sessions) if b > time]
        ends.append(min([time + span, *(b - 1 for b in later)]))
    return ends


def boundaries(times, sessions):
    """Instants before which every session is over, or at which it has yet to begin."""
    if sessions is None:
        return []
    rows = {s: [t for t, o in zip(times, sessions, strict=True) if o == s] for s in set(sessions)}
    return [
        instant
        for instant in sorted(set(times))[1:]
        if all(max(r) < instant or instant <= min(r) for r in rows.values())
    ]


def walk_forward(times, ends, tested, embargo, reach=None):
    """Rows before those tested whose label ended more than an embargo earlier.

    ``reach`` is how long before the first row tested a rolling training part begins.
    """
    opening = min(times[i] for i in tested)
    return {
        i
        for i in range(len(times))
        if times[i] < opening
        and opening - ends[i] > embargo
        and (reach is None or opening - times[i] <= reach)
    }


def combinatorial(times, ends, tested, embargo):
    """Rows whose label is over before a block opens, or begins an embargo after its labels."""
    free = set(range(len(times))) - tested
    for block in blocks(times, tested):
        opening = min(times[i] for i in block)
        closing = max(ends[i] for i in block)
        free = {i for i in free if ends[i] < opening or times[i] - closing > embargo}
    return free


def blocks(times, tested):
    """Tested rows, in runs that no other row lies between."""
    runs, last = [], None
    for i in sorted(range(len(times)), key=lambda i: times[i]):
        if i in tested and last in tested:
            runs[-1].add(i)
        elif i in tested:
            runs.append({i})
        last = i
    return runs


def touch(times, ends, one, other):
    """Whether a label of one set of rows and a label of the other look at the same instant."""
    return any(times[i] <= ends[j] and times[j] <= ends[i] for i in one for j in other)
