"""The menus of the viewer: every action has a place and most have a key."""

import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QSettings
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QMenu, QVBoxLayout, QWidget

from bcikit.signal import BciError
from bcikit.signal.places import user_home
from bcikit.ui.theme import THEMES
from bcikit.ui.words import LANGUAGES, tr
from bcikit.viewer.annotations import to_mne, write_tsv
from bcikit.viewer.choose import StartPage
from bcikit.viewer.code import code_of
from bcikit.viewer.dialogs import KeysDialog, SaveDialog
from bcikit.viewer.session_file import carry_channels

if TYPE_CHECKING:
    from bcikit.viewer.window import ViewerWindow


def build_menus(window: "ViewerWindow") -> None:
    """Fill the menu bar."""
    bar = window.menuBar()
    bar.setAccessibleName(tr("Menu"))
    _file_menu(window, bar.addMenu(tr("&File")))
    _view_menu(window, bar.addMenu(tr("&View")))
    _traces_menu(window, bar.addMenu(tr("&Traces")))
    _session_menu(window, bar.addMenu(tr("&Session")))
    _help_menu(window, bar.addMenu(tr("&Help")))


def _add(menu: QMenu, text: str, key: str, does: Callable[[], object], *, enabled: bool = True) -> QAction:
    action = menu.addAction(text)
    if key:
        action.setShortcut(key)
    action.setEnabled(enabled)
    action.triggered.connect(lambda _checked=False: does())
    return action


def _file_menu(window: "ViewerWindow", menu: QMenu) -> None:
    _add(menu, tr("Open ..."), "Ctrl+O", window.choose_wanted.emit)
    _add(menu, tr("Add a stream or a file beside it ..."), "Ctrl+Shift+O", lambda: beside_dialog(window).open())
    _add(menu, tr("Record, or end the recording"), "Ctrl+R", window.recording.toggle)
    menu.addSeparator()
    _add(menu, tr("Save a view (picture or table) ..."), "Ctrl+S", lambda: save_dialog(window).open())
    _add(menu, tr("Save the annotations ..."), "", lambda: save_annotations(window))
    _add(menu, tr("Copy the code of this picture"), "Ctrl+Shift+C", lambda: copy_code(window))
    menu.addSeparator()
    _add(menu, tr("Close"), "Ctrl+Q", window.close)


def beside_dialog(window: "ViewerWindow") -> QDialog:
    """Return the start page as a dialog: what is chosen is shown beside what is there."""
    dialog = QDialog(window)
    dialog.setWindowTitle(tr("Add a stream or a file beside it ..."))
    page = StartPage(window.theme, QSettings("bcikit", "viewer"), parent=dialog)

    def take(address: str) -> None:
        window.add_beside(address)
        dialog.accept()

    page.chosen.connect(take)
    dialog.finished.connect(dialog.deleteLater)
    layout = QVBoxLayout(dialog)
    layout.addWidget(page)
    dialog.resize(820, 520)
    return dialog


def save_annotations(window: "ViewerWindow", path: str = "") -> None:
    """Save the annotations as MNE reads them (-annot.fif, .csv, .txt) or as a table of BIDS (.tsv); asks where."""
    if not path:
        kinds = "MNE (*-annot.fif *.csv *.txt);;BIDS (*.tsv)"
        path, _ = QFileDialog.getSaveFileName(window, tr("Save the annotations ..."), "notes-annot.fif", kinds)
    if not path:
        return
    items, start = window.marking.items, window.marking.zero
    try:
        if path.endswith(".tsv"):
            write_tsv(items, Path(path), start=start)
        else:
            to_mne(items, start=start).save(path, overwrite=True, verbose="ERROR")
    except (BciError, OSError, ValueError) as error:
        window.statusBar().showMessage(str(error))
        return
    window.statusBar().showMessage(tr("Saved: {path}").format(path=path))


def copy_code(window: "ViewerWindow") -> None:
    """Put Python that makes the picture in front into the clipboard."""
    panel = window.current_traces()
    if panel is None:
        window.statusBar().showMessage(tr("There are no traces yet"))
        return
    QApplication.clipboard().setText(code_of(panel, window.source))
    window.statusBar().showMessage(tr("The code is in the clipboard"))


def save_dialog(window: "ViewerWindow") -> SaveDialog:
    """Return the dialog that saves a view of the window."""
    views: dict[str, QWidget] = {tr("whole window"): window}
    current = window.current_traces()
    if current is not None:
        views[tr("Traces")] = current
    for key, panel in window.panels.items():
        if panel.isVisible():
            views[window.docks[key].windowTitle()] = panel
    dialog = SaveDialog(views, user_home(), window)
    dialog.finished.connect(dialog.deleteLater)
    dialog.accepted.connect(lambda: window.statusBar().showMessage(tr("Saved: {path}").format(path=dialog.saved)))
    return dialog


def _view_menu(window: "ViewerWindow", menu: QMenu) -> None:
    presets = {"clinic": tr("Clinic"), "research": tr("Research"), "device": tr("Device")}
    for key, (name, text) in zip(("F5", "F6", "F7"), presets.items(), strict=True):
        _add(menu, tr("Arrange for: {who}").format(who=text), key, partial(window.arrange, name))
    menu.addSeparator()
    _add(menu, tr("Save this arrangement"), "Ctrl+Shift+S", window.save_layout)
    _add(menu, tr("Back to the saved arrangement"), "Ctrl+Shift+R", window.restore_layout)
    menu.addSeparator()
    panels = menu.addMenu(tr("Panels"))
    for number, dock in enumerate(window.docks.values(), start=1):
        action = dock.toggleViewAction()
        if number < 19:
            action.setShortcut(f"Ctrl+{number}" if number < 10 else f"Ctrl+Alt+{number - 9}")
        panels.addAction(action)
    themes = menu.addMenu(tr("Colours"))
    words = {"dark": tr("dark"), "light": tr("light")}
    for name in THEMES:
        _add(themes, words[name], "", partial(window.look_wanted.emit, name, ""))
    other = "light" if window.theme.name == "dark" else "dark"
    _add(menu, tr("Change between dark and light"), "Ctrl+T", lambda: window.look_wanted.emit(other, ""))
    languages = menu.addMenu(tr("Language"))
    for code, name in LANGUAGES.items():
        _add(languages, name, "", partial(window.look_wanted.emit, "", code))


def _traces_menu(window: "ViewerWindow", menu: QMenu) -> None:
    def on_traces(name: str, *arguments: object) -> Callable[[], object]:
        def act() -> object:
            panel = window.current_traces()
            return None if panel is None else getattr(panel, name)(*arguments)

        return act

    for text, key, name, argument in (
        (tr("Larger traces"), "+", "step_scale", -1),
        (tr("Smaller traces"), "-", "step_scale", 1),
        (tr("Longer window"), "]", "step_window", 1),
        (tr("Shorter window"), "[", "step_window", -1),
        (tr("Freeze, or go on live"), "F", "toggle", "freeze"),
        (tr("Look back"), "PgUp", "look_back", -0.5),
        (tr("Look forth"), "PgDown", "look_back", 0.5),
        (tr("Next marker"), ".", "jump", 1),
        (tr("Last marker"), ",", "jump", -1),
        (tr("Cursors"), "C", "toggle", "cursors"),
        (tr("Annotate by click"), "A", "toggle", "annotate"),
        (tr("Sweep instead of scroll"), "W", "toggle", "sweep"),
    ):
        _add(menu, text, key, on_traces(name, argument))
    for text, key, what, by in (
        (tr("Next alarm"), "Ctrl+.", "alarm", 1),
        (tr("Last alarm"), "Ctrl+,", "alarm", -1),
        (tr("Next change of the decision"), "Alt+.", "decision", 1),
        (tr("Last change of the decision"), "Alt+,", "decision", -1),
    ):
        _add(menu, text, key, partial(window.jump, what, by))
    _add(menu, tr("Annotate now"), "N", on_traces("annotate_now"))
    _add(menu, tr("Annotations"), "Ctrl+L", lambda: window.show_panel("annotations"))
    _add(menu, tr("Copy the bad channels as a setting"), "", lambda: copy_bad(window))
    _add(menu, tr("Take the bad channels out of a session file ..."), "", lambda: carry_bad(window))
    _add(menu, tr("Next stream"), "Ctrl+Tab", window.next_stream)


def copy_bad(window: "ViewerWindow") -> None:
    """Put the channels that are bad by hand into the clipboard, as a session file takes them out."""
    panel = window.current_traces()
    if panel is not None:
        kept = [name for name in panel.info.ch_names if name not in panel.bad]
        QApplication.clipboard().setText(f"[source]\nchannels = {json.dumps(kept, ensure_ascii=False)}\n")
        window.statusBar().showMessage(tr("The setting without the bad channels is in the clipboard"))


def carry_bad(window: "ViewerWindow", path: str = "") -> None:
    """Have a session file use the channels that are not bad by hand; asks which file."""
    panel = window.current_traces()
    if panel is None:
        window.statusBar().showMessage(tr("There are no traces yet"))
        return
    if not path:
        words = tr("Take the bad channels out of a session file ...")
        path, _ = QFileDialog.getOpenFileName(window, words, "", "TOML (*.toml)")
    if not path:
        return
    kept = [name for name in panel.info.ch_names if name not in panel.bad]
    try:
        carry_channels(Path(path), kept)
    except BciError as error:
        window.statusBar().showMessage(str(error))
        return
    words = tr("{path} now uses {count} channels, without {names}")
    names = ", ".join(sorted(panel.bad)) or "–"
    window.statusBar().showMessage(words.format(path=path, count=len(kept), names=names))


def _session_menu(window: "ViewerWindow", menu: QMenu) -> None:
    possible = window.orders.possible
    # The key of STOP is taken by the filter that sees keys before any control does.
    _add(menu, tr("STOP (space bar)"), "", window.stop, enabled=possible)
    orders = window.orders
    _add(menu, tr("Pause"), "P", lambda: orders.send("pause"), enabled=possible)
    _add(menu, tr("Resume"), "R", lambda: orders.send("resume"), enabled=possible)
    _add(
        menu,
        tr("Acknowledge the alarms"),
        "Ctrl+K",
        lambda: orders.send("acknowledge", who="operator", reason="seen in the viewer"),
        enabled=possible,
    )
    _add(menu, tr("Finish the session"), "", lambda: orders.send("finish"), enabled=possible)


def _help_menu(window: "ViewerWindow", menu: QMenu) -> None:
    _add(menu, tr("Keys"), "F1", lambda: keys_dialog(window).open())
    _add(menu, tr("Glossary"), "F2", lambda: window.show_panel("glossary"))


def keys_dialog(window: "ViewerWindow") -> KeysDialog:
    """Return the list of keys."""
    more = [
        (tr("Space"), tr("STOP")),
        ("F12", tr("STOP, also while you write; so does Ctrl+Shift+Space")),
        ("Tab", tr("Next control; Return presses it")),
        ("← →", tr("On the traces: look back and forth, or move cursor A")),
        ("Shift+← →", tr("On the traces: move cursor B")),
        ("Alt", tr("Menu")),
    ]
    dialog = KeysDialog(list(_in_order(window.menuBar().actions())), more, window)
    dialog.finished.connect(dialog.deleteLater)
    return dialog


def _in_order(actions: Iterable[QAction]) -> Iterator[QAction]:
    """Yield what menus, and menus in them, offer, from top to bottom."""
    for action in actions:
        # Not action.menu(): up to PySide6 6.11.0 what it returns takes the menu away with it.
        menu = cast("QMenu | None", QMenu.menuInAction(action))
        if menu is not None:
            yield from _in_order(menu.actions())
        else:
            yield action
