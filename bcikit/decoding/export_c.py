"""A model as one file of C99."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bcikit.decoding.export import Chain, chain_of
from bcikit.decoding.model import Model

Array = NDArray[np.float64]


def to_c(model: Model, path: str | Path) -> Path:
    """Write a model as one C99 file without allocation, recursion or state; return its path.

    ``int bcikit_decide(const double window[CHANNELS][TIMES], double probabilities[CLASSES])`` returns 0, or 1 with all
    probabilities zero where nothing can be decided: a sample is not finite, or a channel is flat. The comment at its
    head says channels, rate, filters before it, the memory it takes, and the operations of the worst case.

    Raises
    ------
    ArgumentError
        If the decoder has no such form.
    """
    chain = chain_of(model)
    target = Path(path)
    target.write_text(_program(model, chain), encoding="utf-8")
    return target


@dataclass(frozen=True, slots=True)
class _Cost:
    """Operations: additions, multiplications and divisions; calls of exp, log and sqrt; bytes on the stack."""

    arithmetic: int
    calls: int
    stack: int


def sweeps_of(n_rows: int) -> int:
    """Return how often each pair of rows is rotated: Jacobi's method doubles its digits with each sweep in the end."""
    return 6 + int(np.ceil(np.log2(max(n_rows, 2))))


def cost_of(chain: Chain, n_times: int) -> _Cost:
    """Return what one decision costs at most; without eigenvalues it costs that always."""
    rows, inputs = chain.before.shape
    classes, features = len(chain.offsets), chain.weights.shape[1]
    slopes = len(chain.slopes)
    n = n_times - (chain.order - 1) * chain.lag
    arithmetic = 2 * classes * features + slopes * classes * 6
    calls, doubles = slopes * classes, features + 2 * classes + rows
    if chain.kind == "means":
        used = features // rows * chain.length
        return _Cost(arithmetic + rows * used * (2 * inputs + 2), calls, 8 * doubles)
    arithmetic += inputs * (n + 1) + 2 * rows * inputs
    arithmetic += n * rows * (2 * inputs + 1)
    if chain.kind == "powers":
        return _Cost(arithmetic + n * rows * 2 + rows, calls + rows, 8 * (doubles + rows))
    arithmetic += n * rows * (rows + 1) + rows * (rows + 1) // 2
    if chain.covariance in ("oas", "lwf"):
        arithmetic += rows * (2 + 2 * rows) + rows * (rows + 1) // 2 + 2 * rows + n * (2 * rows + 2) + 30
    references = len(chain.whiteners)
    turns = 18 * rows if chain.kind == "tangent" else 12 * rows
    sweep = rows * (rows - 1) // 2 * (turns + 12)
    arithmetic += references * (4 * rows**3 + sweeps_of(rows) * sweep)
    calls += references * (rows + sweeps_of(rows) * rows * (rows - 1))
    arithmetic += rows * (rows + 1) // 2 * rows * 3 if chain.kind == "tangent" else references * rows * 2
    matrices = 4 if chain.kind == "tangent" else 3
    return _Cost(arithmetic, calls, 8 * (doubles + rows + matrices * rows * rows))


def _program(model: Model, chain: Chain) -> str:
    sheet = model.sheet
    cost = cost_of(chain, sheet.n_times)
    told = f"below {sheet.reject:g} nothing is decided" if sheet.reject else "the highest is decided"
    told += f"; {sheet.idle} means that nothing is wanted" if sheet.idle else ""
    about = [
        f"{sheet.decoder}: {', '.join(sheet.classes)} ({told}); made by bcikit from data {sheet.data or 'unknown'}.",
        f"Channels, in this order, in {sheet.unit}: {', '.join(sheet.ch_names)}.",
        f"{sheet.sfreq:g} Hz, {sheet.n_times} samples, behind the causal filters: {[dict(s) for s in sheet.filters]}.",
        f"Worst case: {cost.arithmetic} additions, multiplications and divisions, {cost.calls} calls of exp, log or "
        f"sqrt, {cost.stack} bytes of arrays on the stack.",
        "Returns 0; 1 with all probabilities zero where nothing can be decided (a sample not finite, a flat channel).",
        "C99, no allocation, no recursion, no state. Not with -ffast-math.",
    ]
    rows, inputs = chain.before.shape
    numbers = {
        "CHANNELS": len(sheet.ch_names),
        "TIMES": sheet.n_times,
        "ROWS": rows,
        "INPUTS": inputs,
        "FEATURES": chain.weights.shape[1],
        "CLASSES": len(chain.offsets),
        "SLOPES": len(chain.slopes),
        "LAG": chain.lag,
        "USED": sheet.n_times - (chain.order - 1) * chain.lag,
        "LENGTH": chain.length,
        "SWEEPS": sweeps_of(rows),
        "REFERENCES": len(chain.whiteners),
    }
    tables = [_table("BEFORE", chain.before, "[ROWS][INPUTS]")]
    if chain.whiteners.size:
        tables.append(_table("WHITENER", chain.whiteners, "[REFERENCES][ROWS][ROWS]"))
    if chain.weights.size:
        tables += [
            _table("WEIGHTS", chain.weights, "[CLASSES][FEATURES]"),
            _table("OFFSETS", chain.offsets, "[CLASSES]"),
        ]
    tables += [_table("SLOPE", chain.slopes, "[SLOPES]"), _table("SHARE", chain.shares, "[SLOPES]")]
    return "\n".join(
        [
            "/* " + "\n * ".join(_comment(line) for line in about) + " */",
            "#include <math.h>",
            *[f"#define {name} {value}" for name, value in numbers.items()],
            *tables,
            *_functions(chain),
            "int bcikit_decide(const double window[CHANNELS][TIMES], double probabilities[CLASSES]) {",
            *_body(chain),
            "}",
            "",
        ]
    )


def _comment(text: str) -> str:
    """Return text that neither ends a comment nor draws a compiler's warning in it."""
    line = " ".join(text.split())
    for mark in ("*/", "/*", "??", "\\"):
        line = line.replace(mark, " ".join(mark) if len(mark) > 1 else "/")
    return line


def _table(name: str, values: Array, shape: str) -> str:
    def braces(part: Array) -> str:
        inner = [braces(row) for row in part] if part.ndim > 1 else [f"{value:.17g}" for value in part]
        return "{" + ", ".join(inner) + "}"

    return f"static const double {name}{shape} = {braces(np.asarray(values, dtype=np.float64))};"


def _functions(chain: Chain) -> list[str]:
    """Return what is called: the eigenvalues of a symmetric matrix."""
    if chain.kind not in ("tangent", "distances"):
        return []
    turn = "      for (k = 0; k < ROWS; k++) { x = {A}; y = {B}; {A} = c * x - s * y; {B} = s * x + c * y; }"

    def turned(a: str, b: str) -> str:
        return turn.replace("{A}", a).replace("{B}", b)

    vectors = chain.kind == "tangent"
    return [
        "/* Eigenvalues on the diagonal by Jacobi's rotations, a fixed number of sweeps. */",
        f"static void eigen(double a[ROWS][ROWS]{', double v[ROWS][ROWS]' if vectors else ''}) {{",
        "  int p, q, k, sweep;",
        "  for (sweep = 0; sweep < SWEEPS; sweep++)",
        "    for (p = 0; p < ROWS; p++) for (q = p + 1; q < ROWS; q++) {",
        "      double angle, t, c, s, x, y;",
        "      if (a[p][q] == 0.0) continue;",
        "      angle = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);",
        "      t = 1.0 / (fabs(angle) + sqrt(angle * angle + 1.0));",
        "      if (angle < 0.0) t = -t;",
        "      c = 1.0 / sqrt(t * t + 1.0);",
        "      s = t * c;",
        turned("a[k][p]", "a[k][q]"),
        turned("a[p][k]", "a[q][k]"),
        *([turned("v[k][p]", "v[k][q]")] if vectors else []),
        "    }",
        "}",
    ]


def _body(chain: Chain) -> list[str]:
    matrix = chain.kind in ("tangent", "distances")
    arrays = ["row[ROWS]", "scores[CLASSES]", "part[CLASSES]"]
    arrays += ["features[FEATURES]"] if chain.weights.size else []
    arrays += ["mean[ROWS]"] if chain.kind != "means" else []
    arrays += ["covariance[ROWS][ROWS]", "half[ROWS][ROWS]", "a[ROWS][ROWS]"] if matrix else []
    arrays += ["v[ROWS][ROWS]"] if chain.kind == "tangent" else []
    return [
        f"  double {', '.join(arrays)};",
        f"  int r, c, t, k, s{', j' if matrix else ''};",
        "  for (k = 0; k < CLASSES; k++) probabilities[k] = 0.0;",
        "  for (c = 0; c < CHANNELS; c++) for (t = 0; t < TIMES; t++) if (!isfinite(window[c][t])) return 1;",
        "  for (c = 0; c < CHANNELS; c++) {",
        "    for (t = 1; t < TIMES && window[c][t] == window[c][0]; t++) { }",
        "    if (t >= TIMES) return 1;",
        "  }",
        *{"means": _means, "powers": _powers, "tangent": _tangent, "distances": _distances}[chain.kind](chain),
        *(_LINEAR if chain.weights.size else []),
        *_TAIL,
    ]


def _row(chain: Chain, indent: str) -> list[str]:
    """Return what filters one sample: ``row``."""
    source = "window[c][t]" if chain.order == 1 else _delayed(chain)
    return [
        f"{indent}for (r = 0; r < ROWS; r++) {{",
        f"{indent}  row[r] = 0.0;",
        f"{indent}  for (c = 0; c < INPUTS; c++) row[r] += BEFORE[r][c] * {source};",
        f"{indent}}}",
    ]


def _delayed(chain: Chain) -> str:
    return f"window[c % CHANNELS][t + ({chain.order - 1} - c / CHANNELS) * LAG]"


def _centre(chain: Chain) -> list[str]:
    """Return what computes the mean of each row."""
    if chain.covariance == "scm":
        return ["  for (r = 0; r < ROWS; r++) mean[r] = 0.0;"]
    source = "window[c][t]" if chain.order == 1 else _delayed(chain)
    return [
        "  for (r = 0; r < ROWS; r++) mean[r] = 0.0;",
        "  for (c = 0; c < INPUTS; c++) {",
        "    double sum = 0.0;",
        f"    for (t = 0; t < USED; t++) sum += {source};",
        "    sum /= USED;",
        "    for (r = 0; r < ROWS; r++) mean[r] += BEFORE[r][c] * sum;",
        "  }",
    ]


def _means(chain: Chain) -> list[str]:
    return [
        "  for (k = 0; k < FEATURES; k++) features[k] = 0.0;",
        "  for (t = 0; t < (FEATURES / ROWS) * LENGTH; t++) {",
        *_row(chain, "    "),
        "    for (r = 0; r < ROWS; r++) features[(t / LENGTH) * ROWS + r] += row[r] / LENGTH;",
        "  }",
    ]


def _powers(chain: Chain) -> list[str]:
    return [
        *_centre(chain),
        "  for (r = 0; r < ROWS; r++) features[r] = 0.0;",
        "  for (t = 0; t < USED; t++) {",
        *_row(chain, "    "),
        "    for (r = 0; r < ROWS; r++) { double x = row[r] - mean[r]; features[r] += x * x; }",
        "  }",
        "  for (r = 0; r < ROWS; r++) features[r] = log(features[r] / (USED - 1));",
    ]


def _covariance(chain: Chain) -> list[str]:
    """Return what computes the covariance, shrunk as its estimator has it."""
    shrunk = chain.covariance in ("oas", "lwf")
    lines = [
        *_centre(chain),
        *(["  double fourth = 0.0;"] if chain.covariance == "lwf" else []),
        "  for (r = 0; r < ROWS; r++) for (k = 0; k < ROWS; k++) covariance[r][k] = 0.0;",
        "  for (t = 0; t < USED; t++) {",
        *(["    double square = 0.0;"] if chain.covariance == "lwf" else []),
        *_row(chain, "    "),
        "    for (r = 0; r < ROWS; r++) row[r] -= mean[r];",
        "    for (r = 0; r < ROWS; r++) for (k = r; k < ROWS; k++) covariance[r][k] += row[r] * row[k];",
    ]
    if chain.covariance == "lwf":
        lines += ["    for (r = 0; r < ROWS; r++) square += row[r] * row[r];", "    fourth += square * square;"]
    lines += [
        "  }",
        "  for (r = 0; r < ROWS; r++) for (k = r; k < ROWS; k++) {",
        f"    covariance[r][k] /= {'(USED - 1)' if chain.covariance == 'cov' else 'USED'};",
        "    covariance[k][r] = covariance[r][k];",
        "  }",
    ]
    if not shrunk:
        return lines
    lines += [
        "  double level = 0.0, all = 0.0, share;",
        "  for (r = 0; r < ROWS; r++) level += covariance[r][r];",
        "  level /= ROWS;",
        "  for (r = 0; r < ROWS; r++) for (k = 0; k < ROWS; k++) all += covariance[r][k] * covariance[r][k];",
    ]
    if chain.covariance == "oas":
        lines += [
            "  all /= (double)ROWS * ROWS;",
            "  share = (USED + 1.0) * (all - level * level / ROWS);",
            "  share = share == 0.0 ? 1.0 : (all + level * level) / share;",
            "  if (share > 1.0) share = 1.0;",
        ]
    else:
        lines += [
            "  {",
            "    double beta = (fourth / USED - all) / ((double)ROWS * USED);",
            "    double delta = (all - ROWS * level * level) / ROWS;",
            "    share = beta == 0.0 ? 0.0 : (beta < delta ? beta : delta) / delta;",
            "  }",
        ]
    return [
        *lines,
        "  for (r = 0; r < ROWS; r++) for (k = 0; k < ROWS; k++) covariance[r][k] *= 1.0 - share;",
        "  for (r = 0; r < ROWS; r++) covariance[r][r] += share * level;",
    ]


_WHITEN = [
    "    for (r = 0; r < ROWS; r++) for (k = 0; k < ROWS; k++) {",
    "      half[r][k] = 0.0;",
    "      for (c = 0; c < ROWS; c++) half[r][k] += WHITENER[j][r][c] * covariance[c][k];",
    "    }",
    "    for (r = 0; r < ROWS; r++) for (k = 0; k < ROWS; k++) {",
    "      a[r][k] = 0.0;",
    "      for (c = 0; c < ROWS; c++) a[r][k] += half[r][c] * WHITENER[j][c][k];",
    "    }",
]
_SMALLEST = f"{float(np.finfo(float).tiny):.17g}"


def _tangent(chain: Chain) -> list[str]:
    return [
        *_covariance(chain),
        "  for (j = 0; j < REFERENCES; j++) {",
        *_WHITEN,
        "    for (r = 0; r < ROWS; r++) for (k = 0; k < ROWS; k++) v[r][k] = r == k ? 1.0 : 0.0;",
        "    eigen(a, v);",
        f"    for (r = 0; r < ROWS; r++) row[r] = log(a[r][r] > {_SMALLEST} ? a[r][r] : {_SMALLEST});",
        "    t = 0;",
        "    for (r = 0; r < ROWS; r++) for (k = r; k < ROWS; k++) {",
        "      features[t] = 0.0;",
        "      for (c = 0; c < ROWS; c++) features[t] += v[r][c] * row[c] * v[k][c];",
        "      t++;",
        "    }",
        "  }",
    ]


def _distances(chain: Chain) -> list[str]:
    return [
        *_covariance(chain),
        "  for (j = 0; j < REFERENCES; j++) {",
        *_WHITEN,
        "    eigen(a);",
        "    scores[j] = 0.0;",
        "    for (r = 0; r < ROWS; r++) {",
        f"      double x = log(a[r][r] > {_SMALLEST} ? a[r][r] : {_SMALLEST});",
        "      scores[j] -= x * x;",
        "    }",
        "  }",
    ]


_LINEAR = [
    "  for (k = 0; k < CLASSES; k++) {",
    "    scores[k] = OFFSETS[k];",
    "    for (t = 0; t < FEATURES; t++) scores[k] += WEIGHTS[k][t] * features[t];",
    "  }",
]
_TAIL = [
    "  for (k = 0; k < CLASSES; k++) if (!isfinite(scores[k])) return 1;",
    "  for (s = 0; s < SLOPES; s++) {",
    "    double highest = scores[0], total = 0.0;",
    "    for (k = 1; k < CLASSES; k++) if (scores[k] > highest) highest = scores[k];",
    "    for (k = 0; k < CLASSES; k++) {",
    "      part[k] = exp(SLOPE[s] * (scores[k] - highest));",
    "      total += part[k];",
    "    }",
    "    for (k = 0; k < CLASSES; k++) probabilities[k] += SHARE[s] * part[k] / total;",
    "  }",
    "  return 0;",
]
