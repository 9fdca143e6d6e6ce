"""Shared by all tests: loopback only, no display, one BLAS thread, real recordings where they are."""

import atexit
import faulthandler
import gc
import os
import runpy
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis
import pytest

from tests.stalls import Stalls

HERE = Path(__file__).parent

# An example may be slow on a busy machine; every test has its timeout. The same examples in every run, so that a red
# check is the change's; HYPOTHESIS_PROFILE=search looks for new ones (nightly).
hypothesis.settings.register_profile("bcikit", deadline=None, derandomize=True)
hypothesis.settings.register_profile("search", deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "bcikit"))

# Images of containers forbid byte code: each worker and each child process would compile the whole package again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Before anything loads liblsl, Qt or a BLAS.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("LSLAPICFG", str(HERE / "lsl_api.cfg"))
os.environ.setdefault("MPLBACKEND", "Agg")


def _remove(folder: str, owner: int) -> None:
    """Take a folder away at the end of the process that made it, and of no fork of it."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


# What logs came to is kept outside their folders; of tests, not in the folder of whoever runs them.
for name in ("BCIKIT_RUNNING", "BCIKIT_ANCHORS"):
    if name not in os.environ:
        os.environ[name] = tempfile.mkdtemp(prefix=f"{name.lower()}-")
        atexit.register(_remove, os.environ[name], os.getpid())
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")


REAL_TIME = (
    "acquisition/test_boards.py",
    "acquisition/test_brainflow.py",
    "acquisition/test_commands.py",
    "acquisition/test_conformance.py",
    "acquisition/test_fault_matrix.py",
    "acquisition/test_lsl.py",
    "acquisition/test_markers.py",
    "acquisition/test_mne_lsl.py",
    "acquisition/test_wire.py",
    "clinic/test_clinic_real.py",
    "clinic/test_stop_and_silence.py",
    "integration/test_demo.py",
    "integration/test_screens.py",
    "paradigms/test_outputs.py",
    "paradigms/test_websocket.py",
    "presentation/test_page.py",
    "presentation/test_timing.py",
    "safety/test_fault_matrix.py",
    "safety/test_guard.py",
    "session/test_channel.py",
    "session/test_drive.py",
    "session/test_fes.py",
    "session/test_loopback.py",
    "session/test_stop.py",
    "session/test_stop_at_once.py",
    "session/test_stop_box.py",
    "testing/test_source_mutants.py",
    "ui/test_session_link.py",
    "validation/test_stimulus_timing.py",
    "validation/test_wire.py",
    "viewer/test_choose_lsl.py",
    "viewer/test_processes.py",
    "viewer/test_ward.py",
)
"""Tests that wait for drivers, sockets and other processes: one after the other, in two lanes of their own."""

OF_SOURCES = ("acquisition", "testing", "validation")
"""Rooms whose real time is that of drivers and streams; of the others, it is that of sessions, windows and pages."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Spread the whole suite over four processes; what is named on the command line runs in this one.

    Two of them begin with the tests in real time, which mostly wait: the other two keep two processors busy meanwhile.
    """
    chosen = config.option.keyword or config.option.usepdb or getattr(config.option, "lf", False)
    return 0 if chosen or (config.invocation_params.args[:1] and config.args != config.getini("testpaths")) else 4


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # First: xdist reads the groups in its own hook of this name.
    for item in items:
        if item.path.as_posix().endswith(REAL_TIME) or item.get_closest_marker("realtime"):
            lane = "sources" if item.path.parent.name in OF_SOURCES else "sessions"
            item.add_marker(pytest.mark.xdist_group(f"realtime-{lane}"))
        elif not item.get_closest_marker("xdist_group"):
            # What a module makes once for its tests is made by one process.
            item.add_marker(pytest.mark.xdist_group(item.path.relative_to(HERE).as_posix()))


def pytest_collection_finish() -> None:
    # What imports and collection made stays as long as the run: garbage is not looked for in it again and again.
    gc.collect()
    gc.freeze()
    # One test seldom leaves much behind: a search at every 700 new objects is a twentieth of the run.
    gc.set_threshold(10_000, 20, 20)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    # As in the program (`bcikit.presentation.qt.collecting`): windows of one test must not be deleted within a call of
    # Qt in the next one, where that can wait for a lock for ever, nor by another thread.
    if not {"qtbot", "qapp"}.intersection(getattr(item, "fixturenames", ())):
        return (yield)
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        over = nextitem is None or nextitem.path != item.path
        gc.collect(2 if over else 0)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    # Under coverage: a worker that takes long to end is ended by force, and what it had measured would be lost.
    coverage = sys.modules.get("coverage")
    measuring = coverage.Coverage.current() if coverage is not None else None
    if measuring is not None:
        measuring.save()


def _qt_problem() -> str:
    """Return why Qt cannot be used here, or an empty text: its libraries come with the system, not with the wheel."""
    try:
        import PySide6.QtWidgets  # noqa: F401
    except ImportError as error:
        return str(error)
    return ""


QT_PROBLEM = _qt_problem()
collect_ignore = ["viewer"] if QT_PROBLEM else []


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    if QT_PROBLEM:
        # It would end the whole run where only the windows cannot be tested.
        pluginmanager.unregister(pluginmanager.get_plugin("pytest-qt"))


def pytest_report_header() -> str | None:
    if QT_PROBLEM:
        return f"tests of the windows are left out: {QT_PROBLEM}; 'bcikit doctor' says how to mend it"
    return None


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of real recordings, or skip the test where there is none."""
    candidates = [os.environ.get("BCIKIT_DATA", ""), str(Path(__file__).parents[2] / "shared" / "data")]
    for candidate in candidates:
        if candidate and Path(candidate).is_dir():
            return Path(candidate)
    pytest.skip("no real recordings: set BCIKIT_DATA or put them into ../shared/data")


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files that the examples read: imagery of a simulated user, cut at T1 and T2."""
    import edfio
    import numpy as np

    from bcikit import open_source
    from bcikit.signal import Event, Recording

    folder = tmp_path_factory.mktemp("recordings")
    for seed, name in enumerate(("S001R06", "S001R10", "recording")):
        chunks = []
        marks = []
        with open_source(f"sim:motor-imagery?seed={seed}&chunk=50") as source:
            for second in range(100):
                if second % 8 == 4:
                    label = ("both_hands", "feet")[second // 8 % 2]
                    time = float(chunks[-1].times[-1])
                    source.on_event(Event(name=f"cue/{label}", time=time, data={"class": label}, duration=4.0))
                    marks.append(edfio.EdfAnnotation(second, 4.1, {"both_hands": "T1", "feet": "T2"}[label]))
                taken = 0
                while taken < source.info.sfreq:
                    chunk = source.pull()
                    chunks.append(chunk)
                    taken += chunk.n_times
        data = np.clip(Recording.from_chunks(source.info, chunks).data, -3000, 3000)
        signals = [
            edfio.EdfSignal(
                data[:, k], source.info.sfreq, label=label, physical_dimension="uV", physical_range=(-3200, 3200)
            )
            for k, label in enumerate(source.info.ch_names)
        ]
        edfio.Edf(signals, annotations=marks).write(folder / f"{name}.edf")
    return folder


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the figures of a session's report be made, but not painted: that costs as much as the session itself."""
    monkeypatch.setattr("bcikit.session.plots.data_url", lambda _: "data:image/png;base64,")


class Ended(NamedTuple):
    """How a command line ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Return a function that runs `bcikit` in this process, as its script does: a process of its own costs a second."""
    from bcikit.cli.app import main

    def run(*words: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["bcikit", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        code = ended.value.code
        return Ended(code if isinstance(code, int) else int(code is not None), said.out, said.err)

    return run


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return a function that runs a Python file in this process, in a folder of its own, and gives what it printed."""

    def run(path: Path, *words: object) -> str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, words)])
        capsys.readouterr()
        runpy.run_path(str(path), run_name="__main__")
        return capsys.readouterr().out

    return run


@pytest.fixture
def stalls() -> Callable[[], Stalls]:
    """Return a function that begins to count how long the machine keeps this process, and its children, waiting."""
    return Stalls


@pytest.fixture
def dark(qapp: Any) -> Any:
    """The application in dark colours and English; what a test makes of it goes with it (`pytest_runtest_teardown`)."""
    from bcikit.ui.application import dress

    return dress(qapp, "dark", "en")


@pytest.fixture
def controls() -> Callable[[Any], list[Any]]:
    """Return what a person can use of a window: visible, enabled, and no inner part of a larger control."""
    from PySide6 import QtWidgets as w

    kinds = (
        w.QAbstractButton,
        w.QComboBox,
        w.QLineEdit,
        w.QAbstractSpinBox,
        w.QAbstractSlider,
        w.QAbstractItemView,
        w.QTabBar,
        w.QPlainTextEdit,
        w.QTextEdit,
    )

    def find(window: Any) -> list[Any]:
        found = []
        for widget in window.findChildren(w.QWidget):
            if not isinstance(widget, kinds) or not widget.isVisibleTo(window) or not widget.isEnabled():
                continue
            if isinstance(widget, w.QHeaderView | w.QMenu) or widget.window() is not window:
                continue
            # Visible, but in a dock that lies behind another one.
            if not widget.visibleRegion().boundingRect().isValid():
                continue
            parent = widget.parentWidget()
            inner = isinstance(parent, w.QComboBox | w.QAbstractSpinBox | w.QTabBar | w.QLineEdit)
            scrolled = isinstance(widget, w.QScrollBar) and not widget.accessibleName()
            # The Tab key reaches the first answer of a question, the arrow keys the others.
            group = widget.group() if isinstance(widget, w.QRadioButton) else None
            other = group is not None and group.buttons()[0] is not widget
            if inner or scrolled or other or widget.objectName() == "qt_menubar_ext_button":
                continue
            found.append(widget)
        return found

    return find


@pytest.fixture
def tab_order() -> Callable[[Any], set[Any]]:
    """Return every widget that the Tab key reaches in a window."""
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest
    from PySide6.QtWidgets import QApplication

    def walk(window: Any) -> set[Any]:
        reached: list[Any] = []
        for _ in range(400):
            focus = QApplication.focusWidget() or window
            QTest.keyClick(focus, Qt.Key.Key_Tab)
            now = QApplication.focusWidget()
            if now is None:
                continue
            if len(reached) > 3 and now is reached[0]:
                break
            reached.append(now)
        return set(reached)

    return walk


def _draw_anew(module: Any) -> None:
    """Set the generator that a module of tests shares to its seed: no value hangs on which test ran before."""
    generator = getattr(getattr(module, "RNG", None), "bit_generator", None)
    if generator is not None:
        generator.state = type(generator)(generator.seed_seq).state


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(request: pytest.FixtureRequest) -> None:
    _draw_anew(getattr(request, "module", None) if request.scope in ("function", "class", "module") else None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    _draw_anew(getattr(item, "module", None))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """Take the windows away that a test closed, and the colours and the language that it chose.

    Without a loop that runs, Qt would keep them, a thousand widgets each, and every later event asks all of them.
    """
    yield
    widgets = sys.modules.get("PySide6.QtWidgets")
    application = widgets.QApplication.instance() if widgets is not None else None
    if application is not None:
        from PySide6.QtCore import QEvent

        from bcikit.ui.application import dress

        application.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        if (application.property("bcikit-theme"), application.property("bcikit-language")) != ("dark", "en"):
            dress(application, "dark", "en")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let no dump of all threads fall into a test that is meant to take minutes.

    It is written while they run, which now and then ends the interpreter; such a test has a timeout of its own.
    """
    if item.get_closest_marker("soak") or item.get_closest_marker("slow"):
        faulthandler.cancel_dump_traceback_later()
