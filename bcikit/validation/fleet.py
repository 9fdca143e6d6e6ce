"""Runs side by side: units of a fleet, versions of a firmware, one device over time."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import DataError
from bcikit.signal.documents import read_json
from bcikit.validation.verify import RESULT, is_report, verify_report

ALARM = 0.001
"""Probability of chance at which a trend, a difference between versions or an odd value is shown: there are many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchRun:
    """One run of the bench, as its folder tells it.

    Attributes
    ----------
    folder : str
        Where it lies.
    when, unit, firmware, judgement : str
        When it began, on which unit, with which firmware, what came of it.
    values : mapping
        Value and expanded uncertainty by "TEST quantity", and the unit of the value.
    problems : tuple of str
        What `bcikit verify` says of it.
    """

    folder: str
    when: str
    unit: str
    firmware: str
    judgement: str
    values: dict[str, tuple[float, float, str]]
    problems: tuple[str, ...]


def read_runs(folders: Sequence[Path]) -> list[BenchRun]:
    """Return the runs in some folders, and in the folders directly in them, oldest first.

    Raises
    ------
    DataError
        If there are fewer than two.
    """
    places = [path for folder in folders for path in (folder, *sorted(folder.glob("*/"))) if is_report(path)]
    runs = [_read(path) for path in dict.fromkeys(places)]
    if len(runs) < 2:
        said = ", ".join(map(str, folders)) or "no folder"
        raise DataError(f"{said}: {len(runs)} runs of 'bcikit validate'; a comparison needs two and more.")
    return sorted(runs, key=lambda run: run.when)


def _read(path: Path) -> BenchRun:
    try:
        return _run_of(path, read_json(path / RESULT))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise DataError(
            f"{path / RESULT} is no result of 'bcikit validate': {type(error).__name__}: {error}."
        ) from None


def _run_of(path: Path, values: Any) -> BenchRun:
    bench = values.get("about", {}).get("bench", {})
    found: dict[str, tuple[float, float, str]] = {}
    for test in values["tests"]:
        for item in test["measurements"]:
            name = f"{test['test']} {item['quantity']}"
            if item["value"] is not None and name not in found:
                found[name] = (float(item["value"]), float(item["uncertainty"] or 0.0), str(item["unit"]))
    return BenchRun(
        folder=str(path),
        when=str(values.get("about", {}).get("begin", "")),
        unit=str(bench.get("unit") or values["device"].get("source_id") or values["source"]),
        firmware=str(bench.get("firmware", "")),
        judgement=str(values["judgement"]),
        values=found,
        problems=verify_report(path).problems,
    )


def compare(runs: Sequence[BenchRun]) -> list[dict[str, Any]]:
    """Return a row for each value of two runs or more: mean, spread, control limits, what is out, trend, and versions.

    Control limits are those of an individuals chart, ``mean ± 2.66 mean(|x[k] - x[k-1]|)`` (ISO 7870-2). With fewer
    than eight runs these are not known: a run is out when it differs from the median of the others by more than both
    expanded uncertainties and, from four runs on, by more than five robust deviations, since units do differ; a value
    that has no uncertainty is out, from four runs on, by the t test of one against the others.
    The trend is the slope over time (t test), the difference of versions Welch's t test.
    """
    # Whatever any two runs measured: the oldest may be a quick one, or one test alone.
    every = dict.fromkeys(name for run in runs for name in run.values)
    names = [name for name in every if sum(name in run.values for run in runs) > 1]
    return [_row(name, [run for run in runs if name in run.values]) for name in names]


def _row(name: str, runs: list[BenchRun]) -> dict[str, Any]:
    x = np.array([run.values[name][0] for run in runs])
    u = np.array([run.values[name][1] for run in runs])
    n = len(x)
    reach = 2.66 * float(np.mean(np.abs(np.diff(x))))
    low, high = float(x.mean()) - reach, float(x.mean()) + reach
    if n >= 8:
        out = (x < low) | (x > high)
    else:
        rest = np.array([np.median(np.delete(x, k)) for k in range(n)])
        others = np.array([np.median(np.delete(u, k)) for k in range(n)])
        left = [np.delete(x, k) for k in range(n)]
        usual = np.array([1.4826 * np.median(np.abs(part - np.median(part))) if n > 3 else 0.0 for part in left])
        # Of two that differ nobody can say which is out: both are.
        out = (np.abs(x - rest) > np.maximum(u + others, 5 * usual) + 1e-12 * np.abs(x)) & (u > 0)
        if n > 3:
            out |= (u == 0) & _odd(np.array(left), x)
        low = high = float("nan")
    slope, chance = _trend(x)
    versions = {run.firmware for run in runs if run.firmware}
    return {
        "value": name,
        "unit": runs[0].values[name][2],
        "n": n,
        "mean": float(x.mean()),
        "sd": float(x.std(ddof=1)),
        "uncertainty": float(np.median(u)),
        "low": low if np.isfinite(low) else None,
        "high": high if np.isfinite(high) else None,
        "out": [f"{runs[k].unit} {runs[k].when}".strip() for k in np.flatnonzero(out)],
        "trend": slope if chance < ALARM else None,
        "versions": _versions(name, runs) if len(versions) > 1 else [],
        "series": [float(value) for value in x],
        "series_u": [float(value) for value in u],
    }


def _odd(left: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which values are none of the others' kind, by their spread alone; nobody where the others are all alike.

    The robust deviation of three to six values is far too often next to nothing to judge by.

    Parameters
    ----------
    left : ndarray, shape (n, n - 1)
        The others of each.
    x : ndarray, shape (n,)
        Values.
    """
    from scipy.stats import t

    n = len(x)
    spread = left.std(axis=1, ddof=1)
    limit = float(t.ppf(1 - ALARM / (2 * n), n - 2)) * np.sqrt(1 + 1 / (n - 1))
    odd: NDArray[np.bool_] = (np.abs(x - left.mean(axis=1)) > limit * spread) & (spread > 1e-12 * np.abs(x))
    return odd


def _trend(x: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, float]:
    """Return the slope a run and the probability that it is chance; 1 where there are fewer than five."""
    if len(x) < 5 or np.ptp(x) == 0:
        return 0.0, 1.0
    from scipy.stats import linregress

    fitted = linregress(np.arange(len(x)), x)
    return float(fitted.slope), float(fitted.pvalue)


def _versions(name: str, runs: list[BenchRun]) -> list[str]:
    """Return how each version of the firmware differs from the one before."""
    from scipy.stats import ttest_ind

    order = list(dict.fromkeys(run.firmware for run in runs if run.firmware))
    said = []
    for before, after in pairwise(order):
        a, b = ([run.values[name] for run in runs if run.firmware == version] for version in (before, after))
        first, last = np.array([v for v, _, _ in a]), np.array([v for v, _, _ in b])
        change = float(last.mean() - first.mean())
        if len(first) > 1 and len(last) > 1:
            with np.errstate(invalid="ignore", divide="ignore"):
                sure = bool(ttest_ind(first, last, equal_var=False).pvalue < ALARM)
        else:
            sure = abs(change) > float(np.mean([u for _, u, _ in a]) + np.mean([u for _, u, _ in b]))
        if sure:
            said.append(f"{before} to {after}: {change:+.4g}")
    return said


def write_comparison(runs: Sequence[BenchRun], out: Path) -> tuple[list[dict[str, Any]], int]:
    """Write ``fleet.json`` and ``fleet.html``; return the rows and the exit code.

    0 if nothing stands out, 1 if a value is out of its limits, drifts, changed with the firmware, or a folder is not
    as it was written.

    Raises
    ------
    DataError
        If no two runs measured the same.
    """
    from bcikit.reporting import data_url, figure, key_table, page, picture, section, table

    rows = compare(runs)
    if not rows:
        raise DataError(f"No value was measured by two of these {len(runs)} runs; repeat a test that one of them did.")
    problems = [f"{run.folder}: {problem}" for run in runs for problem in run.problems]
    loud = [row for row in rows if row["out"] or row["trend"] is not None or row["versions"]]
    out.mkdir(parents=True, exist_ok=True)
    listed = [
        {"folder": r.folder, "when": r.when, "unit": r.unit, "firmware": r.firmware, "judgement": r.judgement}
        for r in runs
    ]
    result = {"kind": "bcikit fleet", "runs": listed, "values": rows, "problems": problems}
    (out / "fleet.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    charts = []
    for row in loud[:24]:
        made, (axes,) = figure(7.0, 2.4)
        axes.errorbar(range(row["n"]), row["series"], yerr=row["series_u"], fmt="o-", ms=4, capsize=3)
        for level in (row["mean"], row["low"], row["high"]):
            if level is not None:
                axes.axhline(level, linewidth=0.8, linestyle="--", color="#5c6975")
        axes.set_xlabel("run")
        axes.set_ylabel(f"{row['value']} ({row['unit']})", fontsize=8)
        charts.append(picture(data_url(made), f"Control chart of {row['value']}", width=640))
    body = [
        key_table([("Runs", str(len(runs))), ("Units", ", ".join(dict.fromkeys(r.unit for r in runs))),
                   ("Firmware", ", ".join(dict.fromkeys(r.firmware for r in runs if r.firmware)) or "not stated"),
                   ("Not as written", "\n".join(problems) or "none")]),
        section("What stands out", table(("Value", "Out of limits", "Trend a run", "Versions"), [
            (row["value"], ", ".join(row["out"]) or "-", "-" if row["trend"] is None else f"{row['trend']:+.3g}",
             "; ".join(row["versions"]) or "-") for row in loud]) if loud else "", *charts),
        section("All values", table(("Value", "n", "Mean", "SD", "U of one", "Unit"), [
            (row["value"], str(row["n"]), f"{row['mean']:.5g}", f"{row['sd']:.2g}", f"{row['uncertainty']:.2g}",
             row["unit"]) for row in rows])),
        section("Runs", table(("When", "Unit", "Firmware", "Result", "Folder"), [
            (r.when, r.unit, r.firmware or "-", r.judgement, r.folder) for r in runs])),
    ]  # fmt: skip
    (out / "fleet.html").write_text(page("Runs of the device bench compared", *body), encoding="utf-8")
    return rows, int(bool(loud or problems))
