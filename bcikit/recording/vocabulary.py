"""Words that name no person: what may leave the house as text, and what HED says of it."""

import itertools
import re
import unicodedata

_EVENT_WORDS_TEXT = """
abort aborted adapt advice alarm alpha annotation anonymous answer arithmetic arm armed arrow artefact artifact asleep
assist attempt auditory automatic awake back backlog bad bar baseline beep begin beta blank blink blinks block board
both boundary brake break button calibration car channel chew choice classic classifier clinician clock close closed
code cold collection command comment complete condition connection correct count counter counting cross cruise cue
cursor cvep decision decoder delay delta departure deviation difficulty done down drift drive driving drop dropped
drowsy emg end epoch erp error event execute execution experiment external eye eyes face failed familiar fault feedback
feet fes finger fist fists fit fixation flash flat flicker foot foreign free frequency frozen gamma gap gate gaze go
gone grasp hand hands heart high hit hold house idle image imagery imagination imagine impedance incorrect index initial
input instruction instructions interpolated item iti jaw jump key keyboard label lane lapse lead left level lift light
lights line lost low marker markers math mental mi middle miss mode motor mouse move movement mu muscle music nan
navigation near neurofeedback new no nogo noise non none nontarget note number nurse object off offset on onset open
operator outlier output overflow override p300 pain paradigm participant patient pause pedal person phase ping planned
posture practice pre prediction preparation prepare presentation press probe question railed reach reaction ready
reconnected recording refused rehabilitation relax release repeated reset response rest resting result resume resumed
reward right robot rotation row rsvp rt run safe screen segment select selection sensory sequence session set shift show
side signal simulated simulation skip sleep smr sound space speech speed squeeze ssvep stage stalled stamps start
started starts state steering step stim stimulate stimulation stimulus stop stopped stream stroke subject swallow sync
tap target task test therapist theta threshold time timeout tired toilet tone tongue touch train training trial trigger
turn undo unity unknown up update user video view vigilance visual wait wake walk warm warning watch water window word
words wrist wrong yes zero
"""
EVENT_WORDS = frozenset(_EVENT_WORDS_TEXT.split())
"""Words of experiments. A text made of them, of short numbers and of short codes (T1, S12) names no person."""

_FEATURE_WORDS_TEXT = """
asymmetry band bits centre class confidence correlation csp distance drift encoder entropy erd ers evidence feature
features frequency hz index kss laterality log logit margin mean power powers probability raw ratio rho score scores sd
sum uv variance votes weight weights z
"""
FEATURE_WORDS = frozenset(_FEATURE_WORDS_TEXT.split())
"""Words under which decoders give numbers."""

_CHANNEL_WORDS_TEXT = """
a1 a2 acc accel aux average battery bio bip cb1 cb2 channel counter digital earlobe earlobes ecg eda eeg ekg emg eog
exg ext gnd gsr gyro heog horizontal i1 i2 impedance left lefteye linked m1 m2 marker mastoid mastoids misc nasion
nose package ppg pulse ref reference resp respiration right sample status sti stim sync temp temperature time tp10 tp9
trig trigger veog vertical x y z
"""
CHANNEL_WORDS = frozenset(_CHANNEL_WORDS_TEXT.split())
"""Words of channel names beside the electrodes of the 10-05 system."""

_OWN_TEXT = """
annotations bcikit binary brain brainvision channel channels code codes comment data dataset date description device
electrode electrodes event events export exported float format header identify machine marker model names participant
participants person position positions python recorded recording reference sample samples serial session sessions signal
signals software status subject system template texts units version vision
"""
OWN_WORDS = frozenset(_OWN_TEXT.split())
"""Words of the files themselves: they are in every export, so they tell nothing of a machine that is called so."""

_CODE = re.compile(r"[A-Za-z]{0,2}\d{1,3}|\d{1,5}|[A-Za-z]")
_DATE = re.compile(
    r"\d{1,4}\s*[-./:]\s*\d{1,2}\s*[-./:]\s*\d{1,4}"
    r"|(?<!\d)(19|20)\d{6}(?!\d)"
    # With blanks, a year must be seen, or three numbers of two digits.
    r"|(?<!\d)(19|20)\d\d[\s_,年]+\d{1,2}([\s_,月]+\d{1,2})?(?!\d)"
    r"|(?<!\d)\d{1,2}[\s_,]+\d{1,2}[\s_,]+(19|20)\d\d(?!\d)"
    r"|(?<!\d)\d\d[\s_]+\d\d[\s_]+\d\d(?!\d)"
    # Day and month without a year, both of two digits: bands such as 8-12 are none.
    r"|(?<![\d.])(0[1-9]|[12]\d|3[01])[-/.](0[1-9]|1[0-2])(?!\d)"
)
_YEAR = re.compile(r"(?<!\d)(19|20)\d\d(?!\d)")
_COORDINATES = re.compile(r"\d+[.,]\d+\D+\d+[.,]\d+")
_WHO = re.compile(
    r"(?<![a-z])(patient|subject|participant|person|therapist|clinician|operator|user|number|mrn|id)(?![a-z])", re.I
)
_LONG_FOR_SOMEBODY = re.compile(r"\d{3}|\d[\W_]+\d[\W_]+\d")
"""Of a number beside such a word, wherever in the text; alone it may be the code of a trigger."""

_GROUPS = re.compile(r"\d{4,}[\W_]+\d|\d[\W_]+\d{4,}|(?<![a-z])[a-z][\W_]*\d{4,}", re.I)
"""A long number with another one, or with a letter, and no word between: no trigger looks so."""

_SPELLED = re.compile(r"(?<![^\W_])[^\W\d_](?:[\W_]+[^\W\d_](?![^\W_])){3,}")
_MOST_DIGITS = 6
"""In a text that names nobody; more are a telephone, record or insurance number, in groups or not."""

_ELECTRODE = re.compile(
    r"(fpz?|afp|af|aff|f|ff|ft|ftt|fc|fcc|fft|t|tt|tp|ttp|tpp|c|cc|cp|ccp|cpp|p|pp|ppo|po|poo|o|oi|i|ep|n)"
    r"(z|\d{1,2})?h?[lr]?",
    re.IGNORECASE,
)


def words_of(text: str) -> list[str]:
    """Return the words of a text: runs of letters and digits."""
    return [word for word in re.split(r"[\W_]+", text) if word]


def holds_date(text: str) -> bool:
    """Return whether something in the text looks like a date, a time or an address of a machine."""
    return _DATE.search(_plain_digits(text)) is not None


def holds_number(text: str) -> bool:
    """Return whether the numbers in a text may belong to a person, a place or a year.

    More digits than an experiment needs, in one number or in groups; a number of three digits or more in a text with
    "patient" and its like; a year; coordinates.
    """
    text = _plain_digits(text)
    if sum(letter.isdigit() for letter in text) > _MOST_DIGITS or _YEAR.search(text) or _COORDINATES.search(text):
        return True
    if _GROUPS.search(text) or (_WHO.search(text) and _LONG_FOR_SOMEBODY.search(text)):
        return True
    # Groups of a longer number: two of three digits or more.
    return len(re.findall(r"(?<![\d.])\d{3,}", text)) >= 2


def spells_name(text: str) -> bool:
    """Return whether four single letters or more stand in a row, as a name is spelled; rows of the alphabet do not."""
    for found in _SPELLED.finditer(text):
        # A small letter may be two: an i with a dot of its own.
        letters = [ord(letter.lower()[0]) for letter in found.group() if letter.isalpha()]
        if any(after != before + 1 for before, after in itertools.pairwise(letters)):
            return True
    return False


def _plain_digits(text: str) -> str:
    """Return the text with digits of any script and width as those of ASCII."""
    folded = unicodedata.normalize("NFKC", text)
    return "".join(str(unicodedata.digit(letter)) if letter.isdigit() else letter for letter in folded)


def is_plain(text: str, allowed: frozenset[str] = EVENT_WORDS) -> bool:
    """Return whether a text is made of allowed words, short numbers and short codes only, and holds no date."""
    if holds_date(text) or holds_number(text) or spells_name(text):
        return False
    return all(word.lower() in allowed or _CODE.fullmatch(word) for word in words_of(text))


def is_channel(name: str) -> bool:
    """Return whether a channel name is an electrode of the 10-05 system (bipolar ones, too) or an ordinary word."""
    return (
        not holds_date(name)
        and not holds_number(name)
        and not spells_name(name)
        and all(_ELECTRODE.fullmatch(word) or _CODE.fullmatch(word) or _numbered(word) for word in words_of(name))
    )


def _numbered(word: str) -> bool:
    stem = word.rstrip("0123456789").lower()
    return len(word) - len(stem) <= 3 and stem in CHANNEL_WORDS


_HED = {
    "cue": "Sensory-event, Visual-presentation, Cue",
    "arrow": "Sensory-event, Visual-presentation, Cue",
    "beep": "Sensory-event, Auditory-presentation, Beep",
    "tone": "Sensory-event, Auditory-presentation, Tone",
    "feedback": "Sensory-event, Visual-presentation, Feedback",
    "fixation": "Sensory-event, Visual-presentation, Cross",
    "flash": "Sensory-event, Visual-presentation, Experimental-stimulus",
    "stimulus": "Sensory-event, Experimental-stimulus",
    "target": "Sensory-event, Experimental-stimulus, Target",
    "nontarget": "Sensory-event, Experimental-stimulus, Non-target",
    "trial": "Experiment-structure, Experimental-trial",
    "block": "Experiment-structure, Time-block",
    "break": "Experiment-procedure, Pause",
    "pause": "Experiment-procedure, Pause",
    "lost": "Data-feature, Nonbiological-artifact",
    "nan": "Data-feature, Nonbiological-artifact",
    "railed": "Data-feature, Nonbiological-artifact",
    "repeated": "Data-feature, Nonbiological-artifact",
    "filled": "Data-feature, Nonbiological-artifact",
    "flat": "Data-feature, Nonbiological-artifact",
    "artefact": "Data-feature, Biological-artifact",
}
HED_VERSION = "8.3.0"
"""Version of the HED standard schema that the tags belong to."""


def hed_of(name: str) -> str:
    """Return HED tags for an event name: what kind of event it is, and its name as a label."""
    words = [word.lower() for word in words_of(name)]
    tags = next((_HED[word] for word in words if word in _HED), "Experiment-structure")
    label = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "event"
    return f"({tags}, Label/{label})"
