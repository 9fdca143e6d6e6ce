"""A protocol of one's own on a simulated person: calibration, a trained decoder, the gate, a report of every trial."""

import bcikit
from bcikit.paradigms import Calibration, ParadigmSettings, Section, TrialParadigm
from bcikit.processing import Bandpass


class Fists(TrialParadigm):
    kind, Settings, classes = "fists", ParadigmSettings, ("left_hand", "right_hand")
    calibration = Calibration(events={f"cue/{name}": name for name in ("left_hand", "right_hand")}, tmin=0.5, tmax=2.5)

    def sections(self):
        return [Section(kind=kind, name=kind, labels=self.classes * 10) for kind in ("calibration", "feedback")]

    def plan_trial(self, trial):
        self.plan(trial, trial.onset, f"cue/{trial.label}", seconds=3.0, data={"class": trial.label})
        return self.decide(trial) + self.schedule.samples(1.5)


print(bcikit.run(source="sim:motor-imagery?seed=1", paradigm=Fists(), decoder="csp-lda", pipeline=[Bandpass(8, 30)]))
