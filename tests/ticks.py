"""Ticks by hand and from the simulated market, in every form in which the package takes them."""

from alphaseeker.market.depth import DEPTH_COLUMNS

NOON_NS = 1_600_000_000_000_000_000
SECOND_NS = 1_000_000_000
FIELDS = ("bid_price", "ask_price", "bid_volume", "ask_volume", "close", "volume")


def quote(second, **fields):
    """Return the arguments of ``Session.update`` for a quote some seconds after noon."""
    row = tick(second, **fields)
    return (row["timestamp"], *(row[name] for name in FIELDS))


def tick(second, **fields):
    """Return a market data dictionary; ``fields`` replace single values."""
    return {
        "timestamp": NOON_NS + round(second * SECOND_NS),
        "bid_price": 100.0,
        "ask_price": 100.01,
        "bid_volume": 5.0,
        "ask_volume": 4.0,
        "close": 100.0,
        "volume": 1.0,
        **fields,
    }


def quotes(frame):
    """Yield the arguments of ``Session.update`` for the rows of a frame."""
    columns = [frame["timestamp"].astype("int64"), *(frame[name] for name in FIELDS)]
    yield from zip(*(column.tolist() for column in columns), strict=True)


def deep_ticks(frame):
    """Yield the rows of a frame with depth as market data dictionaries, columns as a bot has them.

    The levels stand under ``depth``, an array of (levels, 4).
    """
    levels = sum(name.startswith("bid_price_") for name in frame)
    names = [f"{name}_{level + 1}" for level in range(levels) for name in DEPTH_COLUMNS]
    depth = frame[names].to_numpy().reshape(len(frame), levels, len(DEPTH_COLUMNS))
    for row, snapshot in zip(frame.drop(columns=names).to_dict("records"), depth, strict=True):
        yield {**row, "depth": snapshot.copy()}
