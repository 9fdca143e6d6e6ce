"""What an older version did otherwise: a session that it recorded is replayed as it was decided then."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from bcikit.paradigms.rehabilitation import LEFT_OUT, ON_TIME, Rehabilitation
from bcikit.paradigms.speller import TAKEN, Speller
from bcikit.paradigms.speller_settings import DELETE
from bcikit.paradigms.trials import ONCE, TrialParadigm
from bcikit.safety import SafetySystem
from bcikit.signal import Event

OWN = ("", "paradigm", "operator", "decoder")
"""Sources of the events that a session says itself; others may have the same names."""

AS_IN_RUN = "as_in_run"
"""In the data of ``idle-test/start``: windows of the rest are interpreted by the paradigm, as in a run."""

GOOD_ONLY = "good_only"
"""In the data of ``idle-test/start``: rest in which the decoder could say nothing counts for none."""

FOLLOWS = "session/adapt"
"""Event of a session whose model learns: practice teaches it nothing, and nothing for which the clock stood still."""

TAKES_BACK = "session/undo"
"""Event of a session, before its first look for an error potential: what takes a choice back is no action."""

DROPPED = "session/dropped"
"""Event of a session: a cue of the source came while the protocol stood still, and begins no trial."""


STILL_AT = "clock_stood_still"
"""In the data of ``therapist/skip``: whether it did; then a trial or page ends where the clock stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What was done otherwise.

    Attributes
    ----------
    single_windows : bool
        The idle test judged what the decoder said of each window, and not what the paradigm makes of them together.
    late_cues : bool
        Cues that came while the protocol stood still were followed once it went on.
    skips_ahead : bool
        What was skipped while the clock stood still ended at a time to which the clock had not come, and again later.
    blind_rest : bool
        Rest in which the decoder could say nothing counted for the idle test.
    learns_all : bool
        A model that follows learned practice, and windows that a stop or a pause had cut off.
    errors_act : bool
        What an error potential said had to pass the gate as an action of its own.
    all_grade : bool
        What the therapist helped, held or skipped moved the threshold of a rehabilitation.
    late_help : bool
        The help that an arm had planned came late by the votes of the gate, or not at all; that of a sham arm often
        with the end of a film. The therapist held none of it back.
    back_by_letter : bool
        The item of a speller that takes back took one letter off a word.
    flickers_on : bool
        A stop ended no flicker, nor its dose, and of any other trial, each stop had it done again.
    """

    single_windows: bool = False
    late_cues: bool = False
    skips_ahead: bool = False
    blind_rest: bool = False
    learns_all: bool = False
    errors_act: bool = False
    all_grade: bool = False
    late_help: bool = False
    back_by_letter: bool = False
    flickers_on: bool = False

    def prepare(self, paradigm: object, safety: SafetySystem | None = None) -> None:
        """Tell a paradigm and the safety system what they did otherwise."""
        if self.flickers_on and safety is not None:
            safety.keep_flickers_on()
        if isinstance(paradigm, TrialParadigm):
            paradigm.flickers_on = self.flickers_on
        if isinstance(paradigm, Rehabilitation):
            paradigm.all_grade = self.all_grade
            paradigm.late_help = self.late_help
        if isinstance(paradigm, Speller):
            paradigm.back_by_letter = self.back_by_letter

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        """Return what was done otherwise in a session, as its events tell."""
        events = [event for event in events if event.source in OWN]
        rests = [event for event in events if event.name == "idle-test/start"]
        taken_back = [event for event in events if event.name == f"select/{DELETE}"]
        begun = [event for event in events if event.name == "paradigm/start"]
        feedback = [event for event in events if event.name == "feedback/start"]
        therapist = [event for event in events if event.name in ("therapist/override", "therapist/skip")]
        return cls(
            single_windows=any(not event.data.get(AS_IN_RUN) for event in rests),
            # Where none came, it is the same.
            late_cues=all(event.name != DROPPED for event in events),
            skips_ahead=any(e.name == "therapist/skip" and STILL_AT not in e.data for e in events),
            blind_rest=any(not event.data.get(GOOD_ONLY) for event in rests),
            learns_all=all(event.name != FOLLOWS for event in events),
            errors_act=all(event.name != TAKES_BACK for event in events),
            all_grade=any(not event.data.get(LEFT_OUT) for event in therapist),
            late_help=any(ON_TIME not in event.data for event in feedback),
            back_by_letter=any(TAKEN not in event.data for event in taken_back),
            flickers_on=any(ONCE not in event.data for event in begun),
        )
