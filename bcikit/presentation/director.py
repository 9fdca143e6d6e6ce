"""The director: turns the events of a paradigm into what renderers are told."""

from bcikit.paradigms import Paradigm
from bcikit.paradigms.scene import BLANK, Scene, Text
from bcikit.paradigms.stage import say
from bcikit.signal import Event

SEEN = ("stimulus/", "cue/", "phase/", "feedback/", "sound/", "advice/", "select/", "paradigm/", "assist/")
"""Events that a renderer is told of, whether or not the scene changes."""


class Director:
    """Follows a paradigm and keeps its scene.

    Parameters
    ----------
    paradigm : Paradigm
        What describes the scenes.

    Attributes
    ----------
    scene : Scene
        The newest one.
    """

    def __init__(self, paradigm: Paradigm) -> None:
        self._paradigm = paradigm
        self.scene: Scene = BLANK
        self._stopped = False
        # Made now: a stop must not need a handle or a file.
        self._stop_scene = Scene(name="stopped", elements=(Text(words=say("stopped")),))

    def on_event(self, event: Event) -> tuple[Scene | None, bool]:
        """Return the new scene, None if it stays, and whether renderers are told of the event at all."""
        before, self.scene = self.scene, self._paradigm.scene(event, self.scene)
        if self._stopped:
            # Nothing comes between a person and the word that everything has stopped.
            return None, False
        changed = self.scene != before
        return (self.scene if changed else None), changed or event.name.startswith(SEEN)

    def on_stop(self, *, stopped: bool) -> Scene | None:
        """Return the scene of a stop when one begins, and the paradigm's own when it is over; None in between."""
        if stopped == self._stopped:
            return None
        self._stopped = stopped
        return self._stop_scene if stopped else self.scene
