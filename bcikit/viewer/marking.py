"""Annotations of a window: asked for, shown, kept where they belong."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bcikit.signal import BciError, Chunk, Event
from bcikit.ui.tap import Tap
from bcikit.ui.words import tr
from bcikit.viewer.annotation_panel import AnnotationDialog, AnnotationPanel
from bcikit.viewer.annotations import Annotation, Annotations, beside, read_tsv, write_tsv

if TYPE_CHECKING:
    from bcikit.viewer.window import ViewerWindow


class Marking:
    """Keeps the annotations of what a window shows.

    Those of a running session go to the session, those of a stream that is recorded into the recording as far as they
    lie in its time, those of a file beside it; what is only looked at keeps them while the window is open, and says so.

    Parameters
    ----------
    window : ViewerWindow
        The window.
    """

    def __init__(self, window: "ViewerWindow") -> None:
        self._window = window
        self.items = Annotations(self._changed)
        self.panel = AnnotationPanel()
        self.panel.wanted.connect(self._go)
        self.panel.edit_wanted.connect(self._edit)
        self.dialog: AnnotationDialog | None = None
        self.start = 0.0
        """Time of the first sample of what is shown."""
        self._begun = False
        self.file: Path | None = None
        self._recorded: set[str] | None = None
        """Keys of what the recording that runs holds; None while its first sample, and with it its time, is awaited."""

    # -- asked for -------------------------------------------------------------------------------------------------

    def ask(self, time: float, duration: float, channel: str) -> None:
        """Ask what to say of a span, without holding up the picture."""
        self._open(Annotation(time=time, duration=duration, channel=channel), new=True)

    def _edit(self, key: str) -> None:
        item = self.items.get(key)
        if item is not None:
            self._open(item, new=False)

    def _open(self, item: Annotation, *, new: bool) -> None:
        info = self._window.view.info
        dialog = self.dialog = AnnotationDialog(item, () if info is None else info.ch_names, self._window)
        # Each keeps what was typed into itself: a second may open before the first is closed.
        dialog.accepted.connect(lambda: self._keep(dialog.item(), new=new))
        dialog.finished.connect(lambda: self._forget(dialog))
        dialog.open()

    def _keep(self, item: Annotation, *, new: bool) -> None:
        if new:
            self.items.add(item)
        else:
            self.items.edit(item)

    def _forget(self, dialog: AnnotationDialog) -> None:
        if self.dialog is dialog:
            self.dialog = None
        dialog.deleteLater()

    def _go(self, time: float) -> None:
        for panel in self._window.traces.values():
            panel.look_at(time)

    # -- shown and kept --------------------------------------------------------------------------------------------

    @property
    def zero(self) -> float:
        """Time from which seconds are counted: of the first sample of the recording that runs, else of the stream."""
        tap = self._window.recording.tap
        return self.start if tap is None or tap.begins is None else tap.begins

    def begin_stream(self, chunk: Chunk, rate: float) -> None:
        """Count from the first sample of a stream, of which this is the first chunk that came here."""
        if self._begun or self.file is not None or not chunk.n_times:
            return
        self._begun = True
        # A session may have gone on for a while when the window was opened: its recording begins with sample 0.
        self.start = float(chunk.times[0]) - (chunk.first_sample / rate if rate else 0.0)
        self.show()

    def show(self) -> None:
        """Show all of them on every stream and in the list."""
        for panel in self._window.traces.values():
            panel.show_annotations(self.items)
        self.panel.show_items(self.items, start=self.zero, state=self._where())

    def _where(self) -> str:
        window = self._window
        if window.orders.possible:
            return tr("Kept in the recording of the session")
        if window.recording.tap is not None:
            kept = tr("Kept in {path}").format(path=window.recording.tap.folder)
            before = 0 if self._recorded is None else sum(item.key not in self._recorded for item in self.items)
            return kept if not before else f"{kept}; {tr('in this window only: {n} from before').format(n=before)}"
        if self.file is not None:
            return tr("Kept in {path}").format(path=beside(self.file))
        return tr("Kept in this window only: Record keeps those to come") if len(self.items) else ""

    def open_file(self, path: Path, *, start: float, noted: Sequence[Annotation] = ()) -> None:
        """Take the annotations that are kept beside a file, else those that were recorded; keep those to come there."""
        self.file, self.start = path, start
        kept = read_tsv(beside(path), start=start) if beside(path).is_file() else noted
        for item in kept:
            self.items.add(item, tell=False)
        self.show()

    def begin(self) -> None:
        """Put what was said into a recording that begins, once it is known from when on it has samples."""
        self._recorded = None
        self.show()

    def catch_up(self, tap: Tap) -> None:
        """Put what was said before into a recording whose first sample has come."""
        if self._recorded is not None or tap.begins is None:
            return
        self._recorded = set()
        for item in self.items:
            self._record(tap, "added", item)
        self.show()

    def _record(self, tap: Tap, what: str, item: Annotation) -> None:
        """Tell a recording of a change as far as it is about the time that the recording has."""
        if self._recorded is None or tap.begins is None:
            return
        stop = item.time + item.duration
        if what != "deleted" and stop >= tap.begins:
            if item.time < tap.begins:
                # What reaches into it begins with it; all else stays as it was said, to the last digit.
                item = replace(item, time=tap.begins, duration=stop - tap.begins)
            self._recorded.add(item.key)
            tap.events([_version(item, what)])
        elif item.key in self._recorded:
            self._recorded.discard(item.key)
            tap.events([_version(item, "deleted")])

    def _changed(self, what: str, item: Annotation) -> None:
        window = self._window
        tap = window.recording.tap
        if window.orders.possible:
            more = {"channel": item.channel} if item.channel else {}
            said = {"text": item.text or item.kind, "time": item.time, "duration": item.duration, "kind": item.kind}
            window.orders.send("note", key=item.key, change=what, **said, **more)
        elif tap is not None:
            self.catch_up(tap)
            self._record(tap, what, item)
        elif self.file is not None:
            try:
                write_tsv(self.items, beside(self.file), start=self.start)
            except BciError as error:
                window.statusBar().showMessage(str(error))
        self.show()

    def take_over(self, old: "Marking") -> None:
        """Go on where another window stops."""
        self.start, self.file, self._recorded = old.start, old.file, old._recorded
        self._begun = old._begun
        for item in old.items:
            self.items.add(item, tell=False)
        self.show()


def _version(item: Annotation, what: str) -> Event:
    """Return what a recording keeps of a change; of each key, the last one counts."""
    event = item.event()
    return replace(event, data={**event.data, "change": what})
