"""Every rule in words: what a broken one means and what the operator should do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule in words for the operator.

    Attributes
    ----------
    what : str
        What it means when the rule is broken.
    do : str
        What to do about it.
    """

    what: str
    do: str


RULES: dict[str, Rule] = {
    "Q-RAIL": Rule("channel near the end of the amplifier's range", "Press the electrode on, check gel and reference."),
    "Q-FLAT": Rule("channel does not change", "Check the lead and the electrode."),
    "Q-NAN": Rule("channel delivers no numbers", "Check the device and its link."),
    "Q-AMP": Rule("channel far louder or quieter than the others", "Re-seat the electrode."),
    "Q-HF": Rule("channel far noisier at high frequencies than the others", "Re-seat the electrode, relax the jaw."),
    "Q-COR": Rule("channel unlike all others", "Re-seat the electrode; check that it touches the scalp."),
    "Q-LINE": Rule("mains hum", "Move chargers and cables away; check ground and reference."),
    "Q-IMP": Rule("electrode impedance too high", "Add gel or saline and press the electrode on."),
    "Q-P2P": Rule("large swings in the EEG band", "Ask the participant to sit still; check the cable."),
    "Q-EOG": Rule("many blinks", "Offer a rest."),
    "Q-EMG": Rule("muscle activity", "Ask the participant to relax jaw, neck and forehead."),
    "Q-BRIDGE": Rule("two electrodes are joined by gel", "Dry the skin between them and gel again."),
    "Q-DRIFT": Rule("slow drift", "Wait until the electrode has settled; check for sweat."),
    "Q-MONT": Rule("too few of the needed channels are usable", "Mend the channels shown in red."),
    "H-STALL": Rule("no new samples", "Check the device, its battery and its link."),
    "H-LOSS": Rule("samples are being lost", "Bring the device nearer; close other programs that use the radio."),
    "H-RATE": Rule("sampling rate is not as stated", "Restart the device; check its settings."),
    "H-JIT": Rule("sample times are irregular", "Close other programs; use a cable instead of radio."),
    "H-MONO": Rule("sample times went backwards or repeat", "Restart the stream."),
    "H-DRIFT": Rule("the clock of the device drifts or jumped", "Restart the stream; check time synchronisation."),
    "H-OVR": Rule("the acquisition buffer overflowed", "Close other programs; start the session again."),
    "H-LAT": Rule(
        "the newest sample is too old to act on, or its time lies ahead", "Close other programs; check link and clocks."
    ),
    "H-CPU": Rule("the computer cannot keep up", "Close other programs; take fewer channels or a simpler decoder."),
    "H-BAT": Rule("battery of the device is low", "Charge or change the battery before going on."),
    "H-DISK": Rule("recording is at risk", "Free disk space before going on."),
    "H-BEAT": Rule("the actuator or its guard does not answer", "Restart the session; check the actuator."),
    "A-CONF": Rule("the decoder is not sure enough", "Nothing; the output stays at rest."),
    "A-KOFN": Rule("too few decisions in a row agree", "Nothing; the output stays at rest."),
    "A-IDLE": Rule(
        "false activations at rest were not measured or are too many", "Run the idle test; calibrate again."
    ),
    "A-QUAL": Rule("a needed channel is not good enough to act on", "Mend the channels shown."),
    "A-DM": Rule("the dead-man switch is not held", "Hold the switch to allow movement."),
    "A-RATE": Rule("a command asks for a faster movement than allowed", "Nothing; the movement is limited."),
    "A-RFR": Rule("too soon after the action before", "Nothing; wait."),
    "A-DOSE": Rule("the limit for stimulation time or sessions is reached", "Pause, or end the session."),
    "A-STOP": Rule("stopped on request", "Acknowledge with a reason when it is safe to go on."),
    "A-STATE": Rule("the session is not active", "See the state shown."),
    "A-NONE": Rule("the decoder decided for nothing", "Nothing; the output stays at rest."),
    "A-DEC": Rule("the decoder failed or gave impossible numbers", "End the session; train the decoder again."),
    "A-ARM": Rule("not everything needed before arming is there", "See the list of what is missing."),
    "A-CFG": Rule("settings cannot change now", "Stop, acknowledge, and change them in STANDBY."),
    "A-ESTOP": Rule("emergency stop", "Release it on the device, then run the self-test."),
    "A-AUDIT": Rule("the audit log cannot be written", "Free disk space, check the folder, and start again."),
    "A-FES": Rule("a stimulation command is outside its limits", "Check amplitude, pulse width and electrode area."),
    "ST-TIMING": Rule(
        "the display does not keep the frames of the stimulus", "Close other programs; check the refresh."
    ),
    "ST-DESIGN": Rule("the stimulus design is not allowed", "See the report of 'bcikit check stimulus'."),
    "ST-EYES": Rule("the stop key was pressed during a flickering stimulus", "Ask how the participant feels."),
    "P-RHYTHM": Rule("unusual rhythmic activity", "Check the participant."),
    "P-FATIGUE": Rule("signs of fatigue", "Offer a rest."),
    "P-DROWSY": Rule("signs of drowsiness", "Offer a rest; end the run if it goes on."),
    "P-TIME": Rule("the run or session has lasted long enough", "Pause, or end the session."),
    "G-LINK": Rule(
        "the guard was flooded, or sent what it must not believe", "Look for a program that does so; acknowledge."
    ),
}
"""By id: A is the gate, H the stream, P the person, Q signal quality, ST stimuli, G the guard."""
