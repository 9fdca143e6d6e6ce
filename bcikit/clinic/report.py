"""The report that a clinician signs: one page first, technical pages after, as HTML and as PDF."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

from PySide6.QtCore import QIODevice, QMarginsF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QPageLayout, QPageSize, QPainter, QPdfWriter, QTextDocument
from PySide6.QtWidgets import QFileDialog, QWidget

from bcikit.clinic.arms import is_blind
from bcikit.clinic.counts import Total
from bcikit.clinic.limits import field_name
from bcikit.clinic.protocols import kind_of, protocol_names, protocol_title
from bcikit.clinic.record import TrainingRecord
from bcikit.clinic.times import local
from bcikit.clinic.trend import trend_picture
from bcikit.clinic.wording import class_name, scale_title, unit_name
from bcikit.decoding.chance import accuracy_interval, guesser_bound
from bcikit.paradigms.outcomes import SCALES
from bcikit.recording.result import SessionResult
from bcikit.reporting import key_table, page, picture, section, table
from bcikit.reporting.pdf_text import plain_letters
from bcikit.ui.rules import rule_text
from bcikit.ui.whole import drawn, save_whole
from bcikit.ui.words import tr


@dataclass(frozen=True)
class OutcomeScore:
    """An outcome score as the report shows it."""

    day: str
    scale: str
    value: float
    unit: str


@dataclass(frozen=True)
class ReportData:
    """What the report shows.

    Attributes
    ----------
    record : TrainingRecord
        Who, what, with which device.
    results : sequence of dict
        ``result.json`` of each part.
    total : Total
        What was done, over all parts.
    trend : sequence of (str, float)
        Day and per cent of decoded trials of each session of this protocol so far.
    reactions : mapping of str to sequence of (str, float)
        Day and value of "erd" (per cent) and "laterality" of the same sessions, where they have them.
    scores : sequence of OutcomeScore
        Outcome scores, in order of days.
    plan : str
        Dose against plan, in words.
    warnings : sequence of str
        What breaks more often than in the sessions before.
    alpha : str
        What closing the eyes did, where that was tried.
    """

    record: TrainingRecord
    results: Sequence[SessionResult]
    total: Total
    trend: Sequence[tuple[str, float]] = ()
    reactions: Mapping[str, Sequence[tuple[str, float]]] = field(default_factory=dict)
    scores: Sequence[OutcomeScore] = ()
    plan: str = ""
    warnings: Sequence[str] = ()
    alpha: str = ""


def simulation_mark() -> str:
    """Return what stands over everything that is of no person."""
    return tr("SIMULATED PATIENT: not of a person")


def html(data: ReportData) -> str:
    """Return the report as one HTML file; it holds its pictures and no script."""
    record = data.record
    foot = tr(
        "Research software, not a medical device. The code stands for a person; keep this report as you keep patient "
        "records."
    )
    return page(
        tr("Report of the training"),
        key_table(_first_rows(data)),
        section(tr("Trend over sessions of this protocol"), _trend(data)),
        section(tr("Outcome scores"), _scores(data.scores)),
        section(tr("Notes"), _notes(record.notes)),
        key_table([(tr("Signature"), "______________________________"), (tr("Name and date"), "____________________")]),
        *_technical(data),
        language="zh" if tr("language") == "语言" else "en",
        mark=simulation_mark() if record.simulated else "",
        foot=f"{record.software}. {foot}",
    )


def _first_rows(data: ReportData) -> list[tuple[str, str]]:
    record = data.record
    sides = {"left": tr("left"), "right": tr("right"), "both": tr("both")}
    born = f", {tr('born {year}').format(year=record.birth_year)}" if record.birth_year else ""
    born += f", {tr('recorded as {code}').format(code=record.recorded_as)}" if record.recorded_as else ""
    side = sides.get(record.affected_side, "–")
    hands = ", ".join(class_name(name.strip()) for name in record.hand.split(",") if name.strip()) or "–"
    rows = [
        (tr("Patient"), tr("SIMULATED PATIENT") if record.simulated else f"{record.subject}{born}"),
        (tr("Affected side"), side),
        (tr("Trained"), hands),
        (tr("Date"), local(record.started) or "–"),
        (tr("Therapist"), record.operator or "–"),
        (tr("Protocol"), protocol_title(record.protocol)),
        (tr("Device"), ", ".join(part for part in dict.fromkeys((record.device, record.serial)) if part) or "–"),
        (tr("Electrodes"), _electrodes(record)),
        (tr("Dose"), dose_words(data)),
        (tr("What moved"), moved_words(data)),
        (tr("Decoding"), decoding_words(data)),
        (tr("Safety"), interruptions(data)),
        (tr("To the first movement"), _first_movement(record)),
        (tr("Plan"), data.plan or tr("No plan yet.")),
    ]
    if record.current:
        rows.insert(
            9,
            (
                tr("Comfortable current"),
                tr("{ma:g} mA, found by {who}").format(
                    ma=record.current.get("amplitude_ma", 0), who=record.current.get("by", "–")
                ),
            ),
        )
    if record.trial:
        words = tr("{trial}, number {number}, arm sealed") if is_blind(record.trial) else tr("{trial}, number {number}")
        rows.insert(7, (tr("Trial"), words.format(trial=record.trial["trial"], number=record.trial["number"])))
    if data.alpha:
        rows.insert(11, (tr("Eyes closed"), data.alpha))
    if data.warnings:
        rows.append((tr("Early warning"), "\n".join(data.warnings)))
    return rows


def _electrodes(record: TrainingRecord) -> str:
    levels = Counter(record.electrodes.values())
    if not levels:
        return "–"
    bad = [name for name, level in record.electrodes.items() if level == "BAD"]
    said = tr("{good} good, {warn} doubtful, {bad} bad").format(
        good=levels["GOOD"], warn=levels["WARN"], bad=levels["BAD"]
    )
    return f"{said} ({', '.join(bad)})" if bad else said


def dose_words(data: ReportData) -> str:
    """Return what was done: minutes of training, not how long the window stood open."""
    total = data.total
    if kind_of_record(data) == "blocks":
        phases = [(part.get("details") or {}).get("seconds") or {} for part in data.results]
        seconds = sum(float(value) for part in phases for value in part.values())
        return tr("{minutes:.1f} minutes recorded").format(minutes=seconds / 60)
    if is_blind(data.record.trial):
        return tr("{minutes:.1f} minutes, {trials} trials").format(minutes=total.seconds / 60, trials=total.trials)
    said = tr("{minutes:.1f} minutes, {trials} trials, {movements} movements").format(
        minutes=total.seconds / 60, trials=total.trials, movements=total.moved
    )
    assist = sum(float((part.get("details") or {}).get("assist_seconds") or 0.0) for part in data.results)
    return f"{said}, {tr('{seconds:.0f} s of help').format(seconds=assist)}" if assist else said


def moved_words(data: ReportData) -> str:
    """Return what moved and whether it was right."""
    total = data.total
    if kind_of_record(data) == "neurofeedback":
        return tr("{count} rewards").format(count=total.rewards)
    if kind_of_record(data) == "blocks":
        return tr("Nothing is decided in this recording, and nothing moves.")
    if kind_of_record(data) == "vigilance":
        warned = sum(int((part.get("details") or {}).get("n_warnings") or 0) for part in data.results)
        return tr("{count} warnings of drowsiness; nothing is steered.").format(count=warned)
    if not total.trials:
        return tr("No trial was finished.")
    if is_blind(data.record.trial):
        return tr("Sealed: the trial is blinded.")
    if not total.moved:
        return tr("Nothing moved in {trials} trials.").format(trials=total.trials)
    return tr("In {moved} of {trials} trials something moved; in {right} of these it was the right movement.").format(
        moved=total.moved, trials=total.trials, right=total.moved_right
    )


def kind_of_record(data: ReportData) -> str:
    """Return the kind of the paradigm; "" for one that is not offered any more."""
    name = data.record.protocol
    return kind_of(name) if name in protocol_names() else ""


def decoding_words(data: ReportData) -> str:
    """Return how often the decoder was right, whether something moved or not, and what guessing reaches."""
    if is_blind(data.record.trial):
        return tr("Sealed: the trial is blinded.")
    if data.record.trial and kind_of_record(data) == "rehabilitation":
        return tr("Not judged in a controlled trial: in some arms a plan decided when help came.")
    right, trials = data.total.correct, data.total.answered
    if not trials:
        return "–"
    classes = max((len(part.get("classes") or ()) for part in data.results), default=2)
    low, high = accuracy_interval(right, trials)
    shares = [(part.get("chance_level") or 0.0, part.get("n_trials") or 0) for part in data.results]
    counted = sum(n for _, n in shares)
    # Where one movement was asked for more often than the others, always saying that one is the better guess.
    commonest = sum(share * n for share, n in shares) / counted if counted else 0.0
    chance = guesser_bound(trials, max(commonest, 1.0 / max(2, classes)))
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
        str(stop.get("rule", "")) for part in data.results for stop in (part.get("safety") or {}).get("stops") or ()
    )
    found = [f"{count} × {rule_text(rule)[0]}" for rule, count in stops.items()]
    if len(data.record.parts) > 1:
        found.append(tr("done in {count} parts").format(count=len(data.record.parts)))
    if data.record.reopened:
        words = tr("{count} × the window was closed while the session went on")
        found.append(words.format(count=data.record.reopened))
    idle = data.record.idle
    if idle:
        found.append(
            tr("idle test: {count} false activations in {minutes:.0f} minutes").format(
                count=idle["activations"], minutes=idle["seconds"] / 60
            )
        )
    if data.record.stop_tested:
        found.append(tr("stop key tested"))
    return "; ".join(found) or tr("no stops")


def _first_movement(record: TrainingRecord) -> str:
    from datetime import datetime

    if not record.first_movement or not record.started:
        return "–"
    span = datetime.fromisoformat(record.first_movement) - datetime.fromisoformat(record.started)
    if span.total_seconds() < 0:
        return tr("not known: the clock of this computer was set back meanwhile")
    return tr("{minutes:.0f} minutes after the visit began").format(minutes=span.total_seconds() / 60)


def _trend(data: ReportData) -> str:
    if data.record.simulated or is_blind(data.record.trial):
        return ""
    right = tr("Decoded rightly in each session; half of two classes is guessing")
    erd = tr("ERD: mu rhythm opposite to the hand; below zero: desynchronisation")
    side = tr("Laterality: above zero the side opposite to the hand answers more")
    found = (
        (trend_picture(data.trend, words=right), tr("Accuracy of each session")),
        (_reaction(data, "erd", erd, unit=" %"), tr("ERD of each session")),
        (_reaction(data, "laterality", side), tr("Laterality of each session")),
    )
    return "".join(picture(url, name) for url, name in found if url)


def _reaction(data: ReportData, name: str, words: str, *, unit: str = "") -> str:
    points = data.reactions.get(name, ())
    most = max((abs(value) for _, value in points), default=0.0)
    # Zero in the middle: on which side of it a value lies is what is read.
    size = 100.0 * max(1.0, ceil(most / 100.0)) if name == "erd" else 1.0
    return trend_picture(points, words=words, low=-size, high=size, unit=unit)


def _scores(scores: Sequence[OutcomeScore]) -> str:
    if not scores:
        return ""
    rows = [[one.day, one.scale, f"{one.value:g} {unit_name(one.unit)}", scale_words(one.scale)] for one in scores]
    parts = [table([tr("Day"), tr("Outcome scale"), tr("Score"), tr("In full")], rows)]
    for name in dict.fromkeys(one.scale for one in scores):
        if name in SCALES:
            scale = SCALES[name]
            points = [(one.day, one.value) for one in scores if one.scale == name]
            url = trend_picture(points, words=name, low=scale.low, high=scale.high, unit="")
            parts.append(picture(url, name) if url else "")
    return "".join(parts)


def scale_words(name: str) -> str:
    """Return a scale in full, with its range and which way is better."""
    scale = SCALES.get(name)
    if scale is None:
        return name
    better = tr("more is better") if scale.better > 0 else tr("less is better")
    return f"{scale_title(name)}, {scale.low:g}–{scale.high:g} {unit_name(scale.unit)}, {better}"


def _notes(notes: Sequence[str]) -> str:
    from html import escape

    return (
        "<ul>" + ("".join(f"<li>{escape(note)}</li>" for note in notes) or f"<li>{escape(tr('none'))}</li>") + "</ul>"
    )


def _settings(chosen: Mapping[str, Any]) -> str:
    """Return the settings as the page of the protocols calls them."""
    named = {
        **{key: f"{value:g}" if isinstance(value, float) else str(value) for key, value in chosen.items()},
        **{key: " / ".join(class_name(str(name)) for name in chosen[key]) for key in ("classes",) if key in chosen},
        **{key: class_name(str(chosen[key])) for key in ("movement",) if key in chosen},
    }
    return ", ".join(f"{field_name(key)}: {value}" for key, value in named.items())


def _technical(data: ReportData) -> list[str]:
    """Return the pages after the first: for those who look into it."""
    record = data.record
    counts: Counter[str] = Counter()
    for part in () if is_blind(record.trial) else data.results:
        counts.update(part["gate"]["reasons"] if "gate" in part else {})
    refusals = [[rule, rule_text(rule)[0], str(count)] for rule, count in counts.most_common()]
    lost = sum(int(part.get("lost_samples") or 0) for part in data.results)
    learned = record.calibrations or data.total.learned
    rows = [
        (tr("Signal"), tr("{lost} samples lost").format(lost=lost)),
        (tr("Model"), record.model or (tr("calibrated in this visit") if learned else tr("none is calibrated"))),
        (tr("Settings"), _settings(record.settings) or "–"),
        (tr("Software"), record.software or "–"),
        (tr("Folders"), "\n".join(Path(folder).name for folder in (*record.calibrations, *record.parts)) or "–"),
    ]
    shown = key_table(rows)
    if refusals:
        shown += table([tr("Rule"), tr("Why nothing moved"), tr("Times")], refusals)
    return [section(tr("Technical"), shown, new_page=True)]


def ask_report_path(parent: QWidget, start: str) -> str:
    """Ask where a report is to be saved; a name without an ending gets that of the kind that is chosen."""
    dialog = QFileDialog(parent, tr("Save as ..."), start, "PDF (*.pdf);;HTML (*.html)")
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.selectFile(start)
    dialog.setDefaultSuffix("pdf")
    dialog.filterSelected.connect(lambda kind: dialog.setDefaultSuffix("html" if "html" in kind else "pdf"))
    return dialog.selectedFiles()[0] if dialog.exec() else ""


def write_html(data: ReportData, path: Path) -> None:
    """Write the report as HTML; raises `RecordingError` where that is not possible."""
    save_whole(path, html(data).encode())


def write_pdf(data: ReportData, path: Path) -> None:
    """Write the report as PDF, on A4; raises `RecordingError` where that is not possible."""
    save_whole(path, plain_letters(drawn(lambda device: _draw_pdf(data, device))))


def _draw_pdf(data: ReportData, device: QIODevice) -> None:
    writer = QPdfWriter(device)
    writer.setResolution(96)
    writer.setTitle(tr("Report of the training"))
    layout = QPageLayout(
        QPageSize(QPageSize.PageSizeId.A4),
        QPageLayout.Orientation.Portrait,
        QMarginsF(18, 18, 18, 18),
        QPageLayout.Unit.Millimeter,
    )
    writer.setPageLayout(layout)
    size = layout.paintRectPixels(96).size().toSizeF()
    painter = QPainter(writer)
    paint_pages(painter, html(data), size, writer.newPage, mark=simulation_mark() if data.record.simulated else "")
    painter.end()


def paint_pages(painter: QPainter, text: str, size: QSizeF, new_page: Any, *, mark: str = "") -> int:
    """Draw the report page by page, with the watermark across each; return how many pages there are.

    Parameters
    ----------
    painter : QPainter
        On a PDF or a printer.
    text : str
        HTML.
    size : QSizeF
        Of a page, in the painter's units.
    new_page : callable
        Begins another page.
    mark : str
        Watermark.
    """
    document = QTextDocument()
    # Digits from a font with a table of their meaning: they must be found in the text of the PDF, in Chinese, too.
    font = QFont()
    font.setFamilies(["DejaVu Sans", "Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC"])
    document.setDefaultFont(font)
    document.setHtml(text)
    document.setPageSize(size)
    count = document.pageCount()
    for number in range(count):
        if number:
            new_page()
        painter.save()
        painter.translate(0, -number * size.height())
        document.drawContents(painter, QRectF(0, number * size.height(), size.width(), size.height()))
        painter.restore()
        if mark:
            painter.save()
            painter.translate(size.width() / 2, size.height() / 2)
            painter.rotate(-50)
            large = QFont(font)
            large.setPixelSize(44)
            painter.setFont(large)
            painter.setPen(QColor(196, 61, 0, 70))
            painter.drawText(QRectF(-500, -60, 1000, 120), Qt.AlignmentFlag.AlignCenter, mark)
            painter.restore()
    return count
