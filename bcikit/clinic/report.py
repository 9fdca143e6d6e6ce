"""The report of a training: HTML in one file, and PDF, with the trend over sessions and outcome scores."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from PySide6.QtCore import QMarginsF
from PySide6.QtGui import QPageLayout, QPageSize, QPdfWriter, QTextDocument

from bcikit.clinic.trend import trend_picture
from bcikit.decoding import accuracy_interval, chance_level
from bcikit.signal import RecordingError
from bcikit.ui.rules import rule_text
from bcikit.ui.words import tr


@dataclass(frozen=True)
class ReportData:
    """What the report shows.

    Attributes
    ----------
    subject, operator, protocol, date : str
        Codes, the name of the protocol, and the day.
    parts : sequence of dict
        ``result.json`` of each part of the session.
    minutes : float
        Length of the signals.
    movements : int
        Trials in which the gate let something move.
    reopened : int
        How often the window came back to a session that ran without it.
    notes : sequence of str
        Of the therapist.
    trend : sequence of (str, float)
        Day and accuracy of each session so far.
    simulated : bool
        True marks the whole report as that of no person.
    outcomes : sequence of (str, str, float, str)
        Day, scale, value, unit.
    """

    subject: str
    operator: str
    protocol: str
    date: str
    parts: Sequence[dict[str, Any]]
    minutes: float
    movements: int
    notes: Sequence[str]
    trend: Sequence[tuple[str, float]]
    outcomes: Sequence[tuple[str, str, float, str]]
    reopened: int = 0
    simulated: bool = False

    def accuracy(self) -> tuple[int, int, int]:
        """Return trials right, trials, and classes, over all parts."""
        right = sum(int(part.get("n_correct") or 0) for part in self.parts)
        trials = sum(int(part.get("n_trials") or 0) for part in self.parts)
        classes = max((len(part.get("classes") or ()) for part in self.parts), default=2)
        return right, trials, max(2, classes)


def html(data: ReportData) -> str:
    """Return the report as one HTML file; it holds its pictures and no script."""
    rows = [
        (tr("Patient"), data.subject),
        (tr("Date"), data.date),
        (tr("Therapist"), data.operator),
        (tr("Protocol"), data.protocol),
        (tr("Result"), _result(data)),
        (
            tr("Dose"),
            tr("{minutes:.1f} minutes, {trials} trials, {movements} movements").format(
                minutes=data.minutes, trials=data.accuracy()[1], movements=data.movements
            ),
        ),
        (
            tr("Signal"),
            tr("{lost} samples lost").format(lost=sum(int(part.get("lost_samples") or 0) for part in data.parts)),
        ),
        (tr("Interruptions"), interruptions(data)),
    ]
    table = "".join(f"<tr><th align='left'>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in rows)
    notes = "".join(f"<li>{escape(note)}</li>" for note in data.notes) or f"<li>{escape(tr('none'))}</li>"
    outcomes = "".join(
        f"<tr><td>{escape(day)}</td><td>{escape(scale)}</td><td align='right'>{value:g} {escape(unit)}</td></tr>"
        for day, scale, value, unit in data.outcomes
    )
    scores = f"<h2>{escape(tr('Outcome scores'))}</h2><table cellpadding='4'>{outcomes}</table>" if outcomes else ""
    refusals = _refusals(data.parts)
    picture = trend_picture(data.trend)
    trend = ""
    if picture:
        words = escape(tr("Accuracy of each session"))
        trend = f"<h2>{escape(tr('Trend over sessions'))}</h2>"
        trend += f"<img src='data:image/png;base64,{picture}' width='430' alt='{words}'>"
    title = escape(tr("Report of the training"))
    mark = f"<p class='mark'>{escape(tr('SIMULATED PATIENT: not of a person'))}</p>" if data.simulated else ""
    language = "zh" if tr("language") == "语言" else "en"
    footer = tr(
        "Research software, not a medical device. The code stands for a person; keep this report as you keep patient "
        "records."
    )
    return (
        f"<!DOCTYPE html><html lang='{language}'><head><meta charset='utf-8'><title>{title}</title>"
        f"<style>{_STYLE}</style></head><body>"
        f"{mark}<h1>{title}</h1><table cellpadding='4'>{table}</table>{trend}{scores}"
        f"<h2>{escape(tr('Notes'))}</h2><ul>{notes}</ul>{refusals}"
        f"<p style='color:#5c6975'>{escape(footer)}</p></body></html>"
    )


def _result(data: ReportData) -> str:
    right, trials, classes = data.accuracy()
    details = [part.get("details") or {} for part in data.parts]
    rewards = sum(int(detail.get("rewards") or 0) for detail in details)
    if rewards:
        shares = [share for detail in details for share in detail.get("share_above") or () if share is not None]
        return tr("{rewards} rewards; {percent:.0f} % of the time above the threshold.").format(
            rewards=rewards, percent=100 * sum(shares) / max(1, len(shares))
        )
    if not trials:
        return tr("No trial was finished.")
    low, high = accuracy_interval(right, trials)
    chance = chance_level(trials, classes)
    verdict = tr("above guessing") if right / trials > chance else tr("not above guessing")
    return tr(
        "{percent:.0f} % of {n} trials right (95 % interval {low:.0f} to {high:.0f} %); "
        "guessing reaches {chance:.0f} %: {verdict}."
    ).format(
        percent=100 * right / trials, n=trials, low=100 * low, high=100 * high, chance=100 * chance, verdict=verdict
    )


def interruptions(data: ReportData) -> str:
    """Return what interrupted the training: stops with their reasons, parts, and a window that was gone."""
    stops = Counter(
        str(stop.get("rule", "")) for part in data.parts for stop in (part.get("safety") or {}).get("stops") or ()
    )
    found = [f"{count} × {rule_text(rule)[0]} ({rule})" for rule, count in stops.items()]
    if len(data.parts) > 1:
        found.append(tr("done in {count} parts").format(count=len(data.parts)))
    if data.reopened:
        found.append(tr("{count} × the window was closed while the session went on").format(count=data.reopened))
    return "; ".join(found) or tr("none")


_STYLE = (
    "body{font-family:'Noto Sans','Noto Sans CJK SC',sans-serif;max-width:760px;margin:24px auto;color:#16202a}"
    ".mark{color:#c43d00;font-size:26px;font-weight:800}"
    "th{padding-right:18px;vertical-align:top;color:#5c6975}td,th{padding:4px 12px 4px 0}"
)


def _refusals(parts: Sequence[dict[str, Any]]) -> str:
    counts: dict[str, int] = {}
    for part in parts:
        for rule, count in (part.get("gate", {}).get("reasons") or {}).items():
            counts[rule] = counts.get(rule, 0) + int(count)
    if not counts:
        return ""
    lines = "".join(
        f"<tr><td>{escape(rule)}</td><td>{escape(rule_text(rule)[0])}</td><td align='right'>{count}</td></tr>"
        for rule, count in sorted(counts.items(), key=lambda item: -item[1])
    )
    return f"<h2>{escape(tr('Why nothing moved'))}</h2><table cellpadding='4'>{lines}</table>"


def write_html(data: ReportData, path: Path) -> None:
    """Write the report as HTML; raises `RecordingError` where that is not possible."""
    try:
        path.write_text(html(data), encoding="utf-8")
    except OSError as error:
        raise RecordingError(f"{path} cannot be written: {error.strerror or error}") from None


def write_pdf(data: ReportData, path: Path) -> None:
    """Write the report as PDF, on A4; raises `RecordingError` where that is not possible."""
    try:
        path.touch()
    except OSError as error:
        raise RecordingError(f"{path} cannot be written: {error.strerror or error}") from None
    writer = QPdfWriter(str(path))
    writer.setResolution(96)
    writer.setTitle(tr("Report of the training"))
    layout = QPageLayout(
        QPageSize(QPageSize.PageSizeId.A4),
        QPageLayout.Orientation.Portrait,
        QMarginsF(18, 18, 18, 18),
        QPageLayout.Unit.Millimeter,
    )
    writer.setPageLayout(layout)
    document = QTextDocument()
    document.setHtml(html(data))
    document.setPageSize(layout.paintRectPixels(96).size().toSizeF())
    document.print_(writer)
