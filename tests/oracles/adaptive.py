"""The mixture of forecasters, from its formula: lists, logarithms, and labels looked up afterwards.

Rows are dictionaries: ``timestamp`` (ns), ``segment``, ``price``, and ``given``, the model's three
probabilities, or None where it was not asked. It knows nothing of rings, grids of due times or
ticks that settle: each row looks back at all predictions noted so far.
"""

import math

POWERS = (0.0, 0.25, 0.5, 1.0, 2.0)
SELL, HOLD, BUY = 0, 1, 2


def label_of(rows, place, target, *, coarse=False):
    """Return (class, moment at which it is known) of a row's label; None where it never is."""
    row = rows[place]
    end = row["timestamp"] + target["horizon"]
    later = [one for one in rows[place + 1 :] if one["segment"] == row["segment"]]
    within = [one for one in later if one["timestamp"] <= end]
    if target["kind"] == "triple_barrier":
        for one in within:
            if one["price"] >= row["price"] * (1.0 + target["take_profit"]):
                return BUY, one["timestamp"]
            if one["price"] <= row["price"] * (1.0 - target["stop_loss"]):
                return SELL, one["timestamp"]
    if not any(one["timestamp"] >= end for one in later) or (coarse and not within):
        return None
    if target["kind"] == "triple_barrier":
        return HOLD, end
    last = within[-1] if within else row
    change = math.log(last["price"] / row["price"])
    if change > target["threshold"]:
        return BUY, end
    return (SELL if change < -target["threshold"] else HOLD), end


def forecasts(given, prior, shares):
    """Return the ten forecasters' probabilities: five powers on the prior, five on the shares."""
    made = []
    for base in (prior, shares):
        for power in POWERS:
            odds = [b * (p / q) ** power for b, p, q in zip(base, given, prior, strict=True)]
            made.append([value / sum(odds) for value in odds])
    return made


def shares_of(prior, held, moved, labels):
    """Return the class shares: HOLD as counted beside ``labels`` of the prior, sides as before."""
    hold = (held + labels * prior[HOLD]) / (held + moved + labels)
    sides = prior[SELL] + prior[BUY]
    return [(1.0 - hold) * prior[SELL] / sides, hold, (1.0 - hold) * prior[BUY] / sides]


def mixture(rows, prior, target, settings, *, coarse=False):
    """Return what is answered at every row: three probabilities, None where not asked."""
    begun = [settings["stay"] if k == 3 else (1.0 - settings["stay"]) / 9 for k in range(10)]
    weights = list(begun)
    held = moved = 0.0
    learnt = False
    waiting = []
    noted = None
    answers = []
    for place, row in enumerate(rows):
        if place and rows[place - 1]["segment"] != row["segment"]:
            over = [one for one in waiting if one["label"] is not None]
            waiting = []
            noted = None
        else:
            over = []
            while waiting:
                label = waiting[0]["label"]
                known = label[1] if label is not None else waiting[0]["end"]
                if known >= row["timestamp"]:
                    break
                one = waiting.pop(0)
                if label is not None:
                    over.append(one)
        for one in over:
            label, worth = one["label"][0], one["worth"]
            losses = [-worth * math.log(p[label]) for p in one["forecasts"]]
            least = min(losses)
            raw = [w * math.exp(least - loss) for w, loss in zip(weights, losses, strict=True)]
            flow = settings["share"] * worth
            weights = [
                (1.0 - flow) * w / sum(raw) + flow * b for w, b in zip(raw, begun, strict=True)
            ]
            fading = 0.5 ** (worth / settings["half_life"])
            held = held * fading + (worth if label == HOLD else 0.0)
            moved = moved * fading + (worth if label != HOLD else 0.0)
            learnt = True
        if row["given"] is None:
            answers.append(None)
            continue
        made = forecasts(
            row["given"], prior, shares_of(prior, held, moved, settings["prior_labels"])
        )
        if learnt:
            answers.append(
                [sum(w * p[j] for w, p in zip(weights, made, strict=True)) for j in range(3)]
            )
        else:
            answers.append(list(row["given"]))
        step = -(-target["horizon"] // 8)
        if noted is None or row["timestamp"] >= noted + step:
            worth = (
                1.0 if noted is None else min(1.0, (row["timestamp"] - noted) / target["horizon"])
            )
            noted = row["timestamp"]
            waiting.append(
                {
                    "end": row["timestamp"] + target["horizon"],
                    "label": label_of(rows, place, target, coarse=coarse),
                    "worth": worth,
                    "forecasts": made,
                }
            )
    return answers
