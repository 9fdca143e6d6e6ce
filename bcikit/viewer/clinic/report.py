"""The report of a training: HTML in one file, and PDF, with the trend over sessions and outcome scores."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from PySide6.QtCore import QMarginsF
from PySide6.QtGui import QPageLayout, QPageSize, QPdfWriter, QTextDocument

from bcikit.decoding import accuracy_interval, chance_level
from bcikit.signal import RecordingError
from bcikit.viewer.words import tr


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
        Times the gate let something move.
    notes : sequence of str
        Of the therapist.
    trend : sequence of (str, float)
        Day and accuracy of each session so far.
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

    def accuracy(self) -> tuple[int, int, int]:
        """Return trials right, trials, and classes, over all parts."""
        right = sum(int(part.get("n_correct") or 0) for part in self.parts)
        trials = sum(int(part.get("n_trials") or 0) for part in self.parts)
        classes = max((len(part.get("classes") or ()) for part in self.parts), default=2)
        return right, trials, max(2, classes)


def html(data: ReportData) -> str:
    """Return the report as one HTML file; it holds its pictures and no script."""
    right, trials, classes = data.accuracy()
    if trials:
        low, high = accuracy_interval(right, trials)
        chance = chance_level(trials, classes)
        verdict = tr("above guessing") if right / trials > chance else tr("not above guessing")
        result = tr(
            "{percent:.0f} % of {n} trials right (95 % interval {low:.0f} to {high:.0f} %); "
            "guessing reaches {chance:.0f} %: {verdict}."
        ).format(
            percent=100 * right / trials, n=trials, low=100 * low, high=100 * high, chance=100 * chance, verdict=verdict
        )
    else:
        result = tr("No trial was finished.")
    rows = [
        (tr("Patient"), data.subject),
        (tr("Date"), data.date),
        (tr("Therapist"), data.operator),
        (tr("Protocol"), data.protocol),
        (tr("Result"), result),
        (
            tr("Dose"),
            tr("{minutes:.1f} minutes, {trials} trials, {movements} movements").format(
                minutes=data.minutes, trials=trials, movements=data.movements
            ),
        ),
        (
            tr("Signal"),
            tr("{lost} samples lost").format(lost=sum(int(part.get("lost_samples") or 0) for part in data.parts)),
        ),
        (tr("Interruptions"), str(max(0, len(data.parts) - 1))),
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
    language = "zh" if tr("language") == "语言" else "en"
    footer = tr(
        "Research software, not a medical device. The code stands for a person; keep this report as you keep patient "
        "records."
    )
    return (
        f"<!DOCTYPE html><html lang='{language}'><head><meta charset='utf-8'><title>{title}</title>"
        f"<style>{_STYLE}</style></head><body>"
        f"<h1>{title}</h1><table cellpadding='4'>{table}</table>{trend}{scores}"
        f"<h2>{escape(tr('Notes'))}</h2><ul>{notes}</ul>{refusals}"
        f"<p style='color:#5c6975'>{escape(footer)}</p></body></html>"
    )


_STYLE = (
    "body{font-family:'Noto Sans','Noto Sans CJK SC',sans-serif;max-width:760px;margin:24px auto;color:#16202a}"
    "th{padding-right:18px;vertical-align:top;color:#5c6975}td,th{padding:4px 12px 4px 0}"
)


def _refusals(parts: Sequence[dict[str, Any]]) -> str:
    counts: dict[str, int] = {}
    for part in parts:
        for rule, count in (part.get("gate", {}).get("reasons") or {}).items():
            counts[rule] = counts.get(rule, 0) + int(count)
    if not counts:
        return ""
    from bcikit.viewer.rules import rule_text

    lines = "".join(
        f"<tr><td>{escape(rule)}</td><td>{escape(rule_text(rule)[0])}</td><td align='right'>{count}</td></tr>"
        for rule, count in sorted(counts.items(), key=lambda item: -item[1])
    )
    return f"<h2>{escape(tr('Why nothing moved'))}</h2><table cellpadding='4'>{lines}</table>"


def trend_picture(trend: Sequence[tuple[str, float]]) -> str:
    """Return the accuracy over sessions as a PNG in base64; "" for fewer than two sessions."""
    if len(trend) < 2:
        return ""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 2.6), dpi=110)
    axes = figure.subplots()
    axes.plot(range(1, len(trend) + 1), [100 * value for _, value in trend], "o-", color="#0072b2")
    axes.axhline(50, color="#5c6975", linewidth=1, linestyle="--")
    axes.set_ylim(0, 100)
    axes.set_xticks(range(1, len(trend) + 1))
    axes.set_xlabel("session")
    axes.set_ylabel("%")
    figure.tight_layout()
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return base64.b64encode(stream.getvalue()).decode()


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
