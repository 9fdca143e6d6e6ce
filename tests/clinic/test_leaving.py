"""A whole visit in which names, numbers and places are typed wherever a person can type, and what then leaves."""

import base64
import html
import io
import json
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from bcikit.clinic import page_device
from bcikit.clinic.headsets import DeviceTest
from bcikit.recording import (
    BidsLabels,
    export_bids,
    export_decisions,
    export_edf,
    export_features,
    export_fif,
    read_session,
)
from bcikit.signal import Chunk, Event
from tests.adversary.identifiers import IDENTIFIERS

pytestmark = [pytest.mark.requirement("SAF-135"), pytest.mark.filterwarnings("ignore")]

CODE = "Mustermann-4711"
YEAR = "1961"
OPERATOR = "Dr. Müller-Lüdenscheidt"
CLINICIAN = "欧阳娜娜 030 1234 567"
OVERRIDE = "Erika Mustermann, 住院号 123456, Hauptstraße 12"
STOPPED = "王小明 left the chair, 138 0013 8000"
WHY = "张伟 typed it for J. Smith, MRN-00815"
DEVICE = DeviceTest(
    name="headset of Zhang Wei", serial="SN-99887766", channels=("Fp1", "Fp2"), nominal=250.0, rate=250.0, lost=0
)
NOTED = (*IDENTIFIERS[::3], "patient 12345")
TYPED = (CODE, OPERATOR, CLINICIAN, OVERRIDE, STOPPED, WHY, DEVICE.name, DEVICE.serial, *NOTED)


@pytest.fixture
def scripted_runner(scripted_runner: Callable[..., Any]) -> Callable[..., Any]:
    """A session that holds signals, and what a person writes where the engine writes it."""

    class Measuring(scripted_runner):  # type: ignore[misc, valid-type]
        def send(self, what: str, **details: Any) -> int:
            if what in ("note", "acknowledge", "stop"):
                event = Event(
                    name=f"operator/{what}",
                    time=self._run.second,
                    source="operator",
                    value=details.get("text"),
                    data=dict(details),
                )
                self._run.writer.event(event)
            return int(super().send(what, **details))

        def poll(self) -> list[dict[str, Any]]:
            run = self._run
            start = round(run.second * 250)
            count = round(self.step * 250)
            times = (start + np.arange(count)) / 250.0
            data = run.rng.normal(size=(count, 12)) * 20.0
            run.writer.chunk(Chunk(data, times, start), float(times[-1]))
            return list(super().poll())

    return Measuring


def texts(file: Path) -> list[str]:
    """Return what a file says, decoded as programs read it, and its bytes under the encodings of East and West."""
    raw = file.read_bytes()
    said = [raw.decode(code, "ignore") for code in ("utf-8", "utf-16-le", "latin-1", "gb18030")]
    if file.suffix == ".pdf":
        said += [pdf_text(raw)]
    elif file.suffix == ".json":
        values = json.loads(raw)
        said.append(json.dumps(values, ensure_ascii=False))
        for form in find_all(values, "presentedForm"):
            said += [pdf_text(base64.b64decode(one["data"])) for one in form]
    elif file.suffix == ".dcm":
        import pydicom

        item = pydicom.dcmread(file)
        said += [str(item), str(item.file_meta)]
    elif file.suffix == ".parquet":
        import pyarrow.parquet as parquet

        table = parquet.read_table(file)
        said.append(json.dumps([table.column_names, table.to_pylist()], ensure_ascii=False, default=str))
    elif zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as packed:
            said += [packed.read(name).decode("utf-8", "ignore") for name in packed.namelist()]
    elif raw.startswith(b"SQLite format 3"):
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
            said += list(database.iterdump())
    return said


def pdf_text(raw: bytes) -> str:
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(raw))
    return "\n".join([*(page.extract_text() for page in reader.pages), str(reader.metadata)])


def bare(text: str) -> str:
    """Return a text without spaces and line ends, which a page sets as it likes."""
    return "".join(text.split())


def find_all(values: Any, key: str) -> list[Any]:
    if isinstance(values, dict):
        return [v for k, item in values.items() for v in ([item] if k == key else find_all(item, key))]
    return [found for item in values for found in find_all(item, key)] if isinstance(values, list) else []


def holding(folder: Path, wanted: tuple[str, ...]) -> dict[str, set[str]]:
    """Return which of the wanted texts stand in which file below a folder, its name included."""
    found: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*")):
        where = path.relative_to(folder).as_posix()
        said = [where, *(texts(path) if path.is_file() and not path.is_symlink() else [])]
        low = [text.lower() for text in said]
        for one in wanted:
            # Fewer bytes turn up in signals by chance.
            if len(one.encode()) > 5 and any(one.lower() in text for text in low):
                found.setdefault(where, set()).add(one)
    return found


@pytest.fixture
def treated(clinic: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Path]:
    """A visit up to its report, with everything typed that can be; and the home it was done in."""
    pytest.importorskip("pydicom")
    pytest.importorskip("fhir.resources")
    monkeypatch.setenv("BCIKIT_ANCHORS", str(tmp_path / "anchors"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(page_device, "try_device", lambda address: DEVICE)
    person = clinic()
    person.page.operator.setText(OPERATOR)
    person.add(CODE, YEAR)
    person.choose(CODE)
    person.confirm(YEAR)
    page = person.page
    page.clinician.setText(CLINICIAN)
    page.reason.setText(OVERRIDE)
    person.agree(no=("share",), sick=("epilepsy",))
    person.headset()
    person.electrodes()
    person.protocol()
    person.calibrate()
    page = person.page
    person.click(page.start)
    for text in NOTED:
        page.note.setText(f"note {text}")
        QTest.keyClick(page.note, Qt.Key.Key_Return)
    for _ in range(3):
        person.window.tick()
    person.window.stop()
    person.run(lambda: page.status.state == "SAFE_STOP")
    person.click(page.acknowledge)
    page.reason.text.setText(STOPPED)
    QTest.keyClick(page.reason.text, Qt.Key.Key_Return)
    person.run(lambda: page.status.state == "STANDBY")
    person.click(page.start)
    person.run(lambda: not person.runner.running)
    person.on()
    page = person.page
    page.value.set_value(31.0)
    person.click(page.add)
    person.row(page.scores, 0)
    page.value.set_value(32.0)
    page.why.setText(WHY)
    person.click(page.correct)
    return person, tmp_path


@pytest.mark.slow
def test_what_was_typed_in_a_visit_leaves_nowhere_and_is_gone_with_the_consent(
    treated: tuple[Any, Path],
) -> None:
    person, home = treated
    page = person.page
    for made in (page.html_button, page.pdf_button, page.fhir_button, page.dicom_button):
        person.click(made)
    report_html, report_pdf, fhir, dicom = page.saved
    folder = page.folder()
    # The report is the clinic's own, and says what was written.
    said = bare(html.unescape(report_html.read_text(encoding="utf-8")))
    assert [text for text in (CODE, OPERATOR, *NOTED) if bare(text) not in said] == []
    said = bare(pdf_text(report_pdf.read_bytes()))
    assert [text for text in (CODE, "Erika Mustermann", "patient 12345") if bare(text) not in said] == []
    out = home / "left"
    (out / "hospital").mkdir(parents=True)
    for path in (fhir, dicom):
        (out / "hospital" / path.name).write_bytes(path.read_bytes())
    session = read_session(folder)
    for number, form in enumerate(("brainvision", "edf", "bdf")):
        export_bids(session, out / "bids", labels=BidsLabels(subject=f"0{number}"), format=form, lossy=True)
    export_edf(session, out / "x.edf", lossy=True)
    export_fif(session, out / "x_eeg.fif", lossy=True)
    for suffix in ("csv", "parquet"):
        export_decisions(session, out / f"d.{suffix}")
        export_features(session, out / f"f.{suffix}")
    assert holding(out, TYPED) == {}
    known = holding(folder, TYPED)
    assert set().union(*known.values()) >= {CODE, OPERATOR, *NOTED}, "the search finds what is there"

    person.window.show_step("patient")
    QApplication.processEvents()
    person.choose(CODE)
    corrections = person.page.corrections
    person.click(corrections.withdraw)
    person.type(corrections.text, CODE)
    person.click(corrections.apply)
    assert "is erased" in person.page.message.text()
    assert not folder.exists()
    assert holding(home, TYPED) == {}
