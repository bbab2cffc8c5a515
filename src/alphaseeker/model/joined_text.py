"""Two LightGBM models as one: the trees of the second stand behind those of the first.

A model that was fitted to go on from another one's scores (``init_score``) holds nothing but what
it adds to them. The sum of both is a model whose trees are theirs.
"""

from __future__ import annotations

import re
from itertools import chain

from alphaseeker.errors import ModelError
from alphaseeker.model.lightgbm_text import validate_model_text

__all__ = ["join_models"]

RANGE = re.compile(r"\[(.+):(.+)\]")


def join_models(first: str, second: str) -> str:
    """Return the text of a model whose raw scores are the sum of those of two.

    Parameters
    ----------
    first, second
        LightGBM's texts, of the same features in the same order and of one objective.

    Raises
    ------
    ModelError
        A text is damaged, or the two have other features or another objective.
    """
    import lightgbm

    shapes = [validate_model_text(text) for text in (first, second)]
    for name in ("feature_names", "objective", "n_classes"):
        one, other = (getattr(shape, name) for shape in shapes)
        if one != other:
            raise ModelError(
                f"two models cannot be joined: their {name} differ ({one!r} and {other!r}); fit "
                "the second on the columns and with the objective of the first"
            )
    heads, trees = zip(_parts(first), _parts(second), strict=True)
    blocks = [
        block.replace(block.partition("\n")[0], f"Tree={number}", 1)
        for number, block in enumerate(chain(*trees))
    ]
    lines = []
    for one, other in zip(*heads, strict=True):
        key = one.partition("=")[0]
        if key == "feature_infos":
            other = f"{key}={_wider(one.partition('=')[2], other.partition('=')[2])}"
        elif key == "tree_sizes":
            other = f"{key}={' '.join(str(len(block)) for block in blocks)}"
        lines.append(other)
    tail = second[second.index("end of trees\n") :]
    joined = "\n".join(lines) + "\n\n" + "".join(blocks) + tail
    # LightGBM counts the splits of every feature anew when it writes the text.
    return str(lightgbm.Booster(model_str=joined).model_to_string())


def _parts(text: str) -> tuple[list[str], list[str]]:
    """Return the lines of the header and the trees of a text that is valid."""
    head, gap, _ = text.partition("\n\n")
    lines = head.split("\n")
    sizes = next(line for line in lines if line.startswith("tree_sizes=")).partition("=")[2]
    position = len(head) + len(gap)
    blocks = []
    for size in map(int, sizes.split(" ")):
        blocks.append(text[position : position + size])
        position += size
    return lines, blocks


def _wider(first: str, second: str) -> str:
    """Return the ranges of features that cover both models' training rows."""
    return " ".join(
        _cover(one, other) for one, other in zip(first.split(" "), second.split(" "), strict=True)
    )


def _cover(one: str, other: str) -> str:
    found = [RANGE.fullmatch(text) for text in (one, other)]
    low, high = found
    if low is None or high is None:
        return other if low is None else one
    least = min(low[1], high[1], key=float)
    most = max(low[2], high[2], key=float)
    return f"[{least}:{most}]"
