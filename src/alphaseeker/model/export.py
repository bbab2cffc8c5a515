"""A model for programs in other languages: C source with its library, or LightGBM's text."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alphaseeker.errors import ModelError
from alphaseeker.model.artifact import CLASS_ORDER, ModelArtifact, load_artifact
from alphaseeker.model.compiler import Progress, library_suffix
from alphaseeker.model.isotonic import knot_arrays
from alphaseeker.model.treelite_predictor import build_library
from alphaseeker.model.treelite_source import HEADER, generate_source

__all__ = ["FORMATS", "export_model"]

FORMATS = ("c", "lightgbm")
"""What a model can be exported to."""

# What a caller must know stands where a caller looks: in the header.
_INTRODUCTION = """\
/*
 * A model of alphaseeker: {n_features} features in, three raw scores out ({classes}).
 *
 * model_scores(features, scores) is all that is needed: features are float, in the order of
 * model_feature_names, NAN where one is missing; scores are what LightGBM gives, to the last bit.
 * model_probabilities(scores, probabilities) calibrates them:
 * {formula}
 * BUY and SELL below model_min_confidence mean HOLD. What a session's calibration learns on the way
 * (ADAPTIVE_CALIBRATION) is no part of it.
 * All of it may be called from several threads at once.
 *
 *     cc {example} -L. -lmodel -lm -Wl,-rpath,. -o example && ./example
 *
 * or, without the library, with the units compiled in:
 *
 *     cc -O1 -ffp-contract=off {example} {units} -lm -o example
 *
 * Never with -ffast-math: it takes NAN for a number.
 *
 * Below it is predict(data, pred_margin, result), which Treelite and TL2cgen wrote. It ADDS to
 * result, pred_margin must be 1, and a value no farther from zero than 1e-35f must be given as 0.
 */
#ifndef ALPHASEEKER_MODEL_H
#define ALPHASEEKER_MODEL_H
#ifdef __FAST_MATH__
#error "compile without -ffast-math: it takes NAN for a number"
#endif
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __cplusplus
extern "C" {{
#endif
"""

_FUNCTIONS = """\

#define MODEL_FEATURES {n_features}

static const char *const model_feature_names[MODEL_FEATURES] = {{
{names}
}};
static const char *const model_class_names[3] = {{{class_names}}};
static const double model_temperature = {temperature};
static const double model_bias[3] = {{{bias}}};
static const double model_min_confidence = {min_confidence};
{knots}
/* features: MODEL_FEATURES values, NAN where missing; scores: receives three raw scores. */
static inline void model_scores(const float *features, double *scores) {{
  union Entry data[MODEL_FEATURES];
  for (int i = 0; i < MODEL_FEATURES; ++i) {{
    double value = features[i];
    data[i].fvalue = fabs(value) <= (double)1e-35f ? 0.0 : value;
  }}
  scores[0] = scores[1] = scores[2] = 0.0;
  predict(data, 1, scores);
}}

/* scores: three finite raw scores; probabilities: receives three that sum to 1. */
static inline void model_probabilities(const double *scores, double *probabilities) {{
  double largest = fmax(scores[0], fmax(scores[1], scores[2])), total = 0.0;
  for (int i = 0; i < 3; ++i) {{
    probabilities[i] = (scores[i] - largest) / model_temperature + model_bias[i];
  }}
  largest = fmax(probabilities[0], fmax(probabilities[1], probabilities[2]));
  for (int i = 0; i < 3; ++i) {{
    total += probabilities[i] = exp(probabilities[i] - largest);
  }}
  for (int i = 0; i < 3; ++i) {{
    probabilities[i] /= total;
  }}
{follow}}}

#ifdef __cplusplus
}}
#endif
#endif
"""

# Only in the header of a model that was calibrated so.
_KNOTS = """\
/* Class k has the knots model_knot_offsets[k] to [k + 1]: linear between them, level beyond. */
static const int model_knot_offsets[4] = {{{offsets}}};
static const double model_knot_positions[{count}] = {{
{positions}
}};
static const double model_knot_values[{count}] = {{
{values}
}};

static inline void model_isotonic(double *probabilities) {{
  double total = 0.0;
  for (int i = 0; i < 3; ++i) {{
    const int first = model_knot_offsets[i], end = model_knot_offsets[i + 1];
    const double *x = model_knot_positions, *y = model_knot_values;
    const double p = probabilities[i];
    int right = first;
    while (right < end && x[right] <= p) ++right;
    if (right == first) {{
      probabilities[i] = y[first];
    }} else if (right == end) {{
      probabilities[i] = y[end - 1];
    }} else {{
      const double share = (p - x[right - 1]) / (x[right] - x[right - 1]);
      probabilities[i] = fmin(y[right - 1] + share * (y[right] - y[right - 1]), y[right]);
    }}
    total += probabilities[i];
  }}
  for (int i = 0; i < 3; ++i) {{
    probabilities[i] /= total;
  }}
}}
"""

_EXAMPLE = """\
/* Reads MODEL_FEATURES numbers a row from the input ("nan" where missing), prints scores and
 * probabilities of SELL, HOLD and BUY. How to compile it stands in model.h. */
#include "model.h"

int main(void) {
  float row[MODEL_FEATURES];
  double scores[3], probabilities[3];
  for (int i = 0; scanf("%f", &row[i]) == 1;) {
    if (++i < MODEL_FEATURES) continue;
    i = 0;
    model_scores(row, scores);
    model_probabilities(scores, probabilities);
    printf("%.17g %.17g %.17g ", scores[0], scores[1], scores[2]);
    printf("%.17g %.17g %.17g\\n", probabilities[0], probabilities[1], probabilities[2]);
  }
  return 0;
}
"""


def _quoted(text: str) -> str:
    """Return a string literal in C."""
    plain = (
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '\\"?' else f"\\{byte:03o}"
        for byte in text.encode()
    )
    return '"' + "".join(plain) + '"'


def _isotonic_text(isotonic: Mapping[str, Any] | None) -> dict[str, str]:
    """Return what the header says of the isotonic knots, and where it uses them."""
    tempered = "softmax(scores / temperature + bias)"
    if isotonic is None:
        return {"formula": f"{tempered}.", "knots": "", "follow": ""}
    offsets, positions, values = knot_arrays(isotonic)
    return {
        "formula": f"{tempered}, and each class by its isotonic knots.",
        "knots": _KNOTS.format(
            offsets=", ".join(map(str, offsets.tolist())),
            count=len(positions),
            positions=",\n".join(f"    {value!r}" for value in positions.tolist()),
            values=",\n".join(f"    {value!r}" for value in values.tolist()),
        ),
        "follow": "  model_isotonic(probabilities);\n",
    }


def _model_header(artifact: ModelArtifact, units: list[str]) -> str:
    """Return ``model.h``: what a caller needs, with the declarations that the units share."""
    calibration = artifact.calibration
    values = {
        "n_features": len(artifact.feature_names),
        "classes": ", ".join(CLASS_ORDER),
        "class_names": ", ".join(map(_quoted, CLASS_ORDER)),
        "names": ",\n".join(f"    {_quoted(name)}" for name in artifact.feature_names),
        "temperature": repr(float(calibration["temperature"])),
        "bias": ", ".join(repr(float(value)) for value in calibration["bias"]),
        "min_confidence": repr(float(calibration["min_confidence"])),
        **_isotonic_text(calibration.get("isotonic")),
        "example": "example.c",
        "units": "main.c tu*.c" if len(units) > 1 else "main.c",
    }
    top, bottom = _INTRODUCTION.format(**values), _FUNCTIONS.format(**values)
    return f'{top}\n#include "{HEADER}"\n{bottom}'


def _files_of_c(artifact: ModelArtifact, on_progress: Progress | None) -> dict[str, bytes]:
    library = build_library(artifact.model_text, on_progress=on_progress)
    sources = generate_source(artifact.model_text, n_features=len(artifact.feature_names))
    units = [name for name in sources if name != HEADER]
    return {
        **sources,
        "model.h": _model_header(artifact, units).encode(),
        "example.c": _EXAMPLE.encode(),
        f"libmodel{library_suffix()}": library.read_bytes(),
    }


def _write_all(target: Path, files: dict[str, bytes]) -> None:
    """Write all files, or none: those written before a failure are removed."""
    written: list[Path] = []
    try:
        for name, content in files.items():
            # A file that appeared meanwhile is not overwritten either.
            with (target / name).open("xb") as file:
                written.append(target / name)
                file.write(content)
    except BaseException:
        for path in written:
            with contextlib.suppress(OSError):
                path.unlink()
        raise


def export_model(
    model: ModelArtifact | str | Path,
    to: str,
    folder: str | Path,
    *,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a model in a form that other programs can use.

    Parameters
    ----------
    model
        The model, or the path of its file.
    to
        ``"c"``: the C source (``header.h``, ``main.c`` and further units), ``model.h`` with all a
        caller needs and how to use it, the shared library ``libmodel.so``, and ``example.c``.
        ``"lightgbm"``: LightGBM's text model, ``model.txt``.
    folder
        Where to; made if it is not there. Files of these names must not be there.
    on_progress
        Called as ``on_progress(stage, done, total)`` while the library is built.

    Returns
    -------
    dict
        ``to``, ``folder`` and ``files``, the names written, as plain text.

    Raises
    ------
    ModelError
        The format is unknown, the model cannot be written or compiled, or a file is there already
        or cannot be written: then none of the files is left.
    """
    if to not in FORMATS:
        raise ModelError(f"a model cannot be exported to {to!r}; it must be {' or '.join(FORMATS)}")
    artifact = model if isinstance(model, ModelArtifact) else load_artifact(model)
    if to == "c":
        files = _files_of_c(artifact, on_progress)
    else:
        files = {"model.txt": artifact.model_text.encode()}
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        there = [name for name in files if (target / name).exists()]
        if there:
            raise ModelError(
                f"{target} holds {', '.join(there)} already; remove them or name another folder"
            )
        _write_all(target, files)
    except OSError as error:
        raise ModelError(
            f"the model cannot be exported to {target}: {error.strerror or error}"
        ) from error
    return {"to": to, "folder": str(target), "files": sorted(files)}
