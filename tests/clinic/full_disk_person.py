"""A person at the window of a clinic whose disk is full: ``python full_disk_person.py DATA``."""

import resource
import signal
import sys
from pathlib import Path

from clinic_person import Person, on_message, tell
from PySide6.QtCore import qInstallMessageHandler

from bcikit.ui.application import prepare


def main() -> None:
    prepare()
    qInstallMessageHandler(on_message)
    person = Person(Path(sys.argv[1]))
    person.clinic.tell_trouble()
    page = person.page
    person.type(page.operator, "T-01")
    person.type(page.code, "P-1")
    person.type(page.year, "1961")
    # No file may grow from now on: what a full disk says of every write.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    person.click(page.add)
    tell("add", text=page.message.text(), known=page.people.rowCount(), step=person.window.visit.step)
    person.click(page.simulated)
    tell("simulated", text=person.page.message.text(), step=person.window.visit.step)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    if person.window.visit.step != "patient":
        person.window.show_step("patient")
    page = person.page
    person.type(page.code, "P-2")
    person.type(page.year, "1962")
    person.click(page.add)
    tell("room again", text=page.message.text(), known=[s.code for s in person.window.desk.catalogue.subjects()])
    person.window.close()
    tell("done")


if __name__ == "__main__":
    main()
