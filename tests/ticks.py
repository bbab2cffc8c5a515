"""Ticks by hand and from the simulated market, in every form in which the package takes them."""

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
