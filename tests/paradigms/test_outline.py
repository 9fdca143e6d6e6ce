"""What a paradigm says of itself: minutes, trials, dose and limits, from its own timeline."""

import pytest

from bcikit.paradigms import make_paradigm, paradigm_names
from bcikit.paradigms.outline import outline_of, setting
from bcikit.paradigms.settings import as_recorded
from bcikit.signal import ConfigError


@pytest.mark.parametrize("name", paradigm_names())
def test_every_paradigm_has_an_outline_and_its_own_values_are_within_its_limits(name: str) -> None:
    paradigm = make_paradigm(name)
    found = paradigm.outline()
    assert found.seconds is None or 0 < found.seconds < 4 * 3600
    for one in paradigm.adjustable:
        value = setting(paradigm.settings, one.key)
        if one.key.startswith("gate."):
            continue
        assert value is not None, one.key
        if not (one.key.startswith("assist.") and paradigm.settings.assist.command != "stimulate"):
            assert one.low <= value <= one.high or name == "calibration", (name, one.key, value)
    # A copy was run: the paradigm itself is as it was.
    assert paradigm.info is None


def test_the_outline_is_that_of_the_timeline() -> None:
    # Motor imagery of 8 s and a pause of 2 to 3 s a trial; 30 s between runs.
    quick = {"calibration_runs": 0, "feedback_runs": 2, "trials_per_run": 10, "eyes_open": 0.0, "eyes_closed": 0.0}
    quick["instructions"] = 0.0
    found = outline_of("motor-imagery", quick)
    assert found.trials == 20
    assert found.calibration_trials == 0
    assert found.seconds is not None
    assert 20 * 10.0 + 30 <= found.seconds <= 20 * 11.0 + 31
    twice = outline_of("motor-imagery", {**quick, "feedback_runs": 4})
    assert twice.trials == 40
    assert twice.seconds is not None
    assert 1.9 < twice.seconds / found.seconds < 2.3


def test_the_dose_is_the_help_of_every_movement() -> None:
    settings = {"calibration_runs": 0, "runs": 1, "trials_per_run": 10, "idle_share": 0.2}
    found = outline_of("motor-imagery-fes", settings)
    assert found.trials == 10
    assert found.dose_seconds == pytest.approx(8 * 3.0)
    assert found.calibration_seconds == 0.0
    assert outline_of("motor-imagery-fes", {}).calibration_trials == 40


def test_an_orthosis_has_no_share_of_a_minute_and_what_was_recorded_is_replayed() -> None:
    dense = {"rest": 6.0, "assist": {"seconds": 5.0}}
    make_paradigm({"base": "action-observation", **dense})
    with as_recorded():
        make_paradigm({"base": "motor-imagery-fes", **dense})
        make_paradigm({"base": "motor-imagery-fes", "video": "hand-open"})


def test_a_code_on_a_fast_screen_has_an_outline() -> None:
    slow, fast = (make_paradigm({"base": "code-menu", "refresh": refresh}) for refresh in (60.0, 144.0))
    assert fast.outline().trials == slow.outline().trials > 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"base": "code-menu", "first": 2.0}, "first changes nothing: the windows of a code menu are whole cycles"),
        ({"base": "code-menu", "stimulation": "frame-period"}, "stimulation changes nothing: a code menu shows bits"),
        ({"base": "code-menu", "baseline": 20.0}, "baseline changes nothing"),
        ({"base": "ssvep-menu", "decoder": "", "baseline": 0.0, "harmonics": 5}, "harmonics changes nothing"),
        ({"base": "ssvep-menu", "calibration_rounds": 2}, "calibration_rounds changes nothing.*fbcca"),
        ({"base": "p300-speller", "affected_side": "left"}, "affected_side changes nothing: the screen shows no hands"),
        ({"base": "p300-single", "predictions": 2}, "predictions changes nothing.*language = true"),
        ({"base": "motor-imagery-fes", "ttl": 0.2}, "ttl changes nothing.*assist.seconds"),
        ({"base": "motor-imagery-fes", "yoked_delays": [1.0]}, 'yoked_delays changes nothing: it is for arm = "yoked"'),
        ({"base": "resting-state", "ttl": 0.2}, "ttl changes nothing"),
        ({"base": "error-potential", "ttl": 0.2}, "ttl changes nothing"),
        ({"base": "vr-imagery", "actions": {"left_hand": "open"}}, 'actions changes nothing: steering sends "move"'),
        ({"base": "vr-imagery", "affected_side": "left"}, "affected_side changes nothing"),
        ({"base": "emergency-braking", "pedal_event": "foot"}, "pedal_event changes nothing"),
        ({"base": "emergency-braking", "driver": "source", "reaction": [0.5, 1.2]}, "reaction changes nothing"),
        (
            {"base": "neurofeedback-smr", "inhibit": [], "inhibit_percentile": 90.0},
            "inhibit_percentile changes nothing",
        ),
        ({"kind": "p300-oddball", "gap": 0.5}, "gap changes nothing: the flashes are the source's own"),
        ({"base": "motor-imagery", "external": {"T1": "left_hand"}}, 'external is for cues = "external"'),
        ({"base": "ssvep-menu", "cues": "external", "external": {"1": "up"}, "cue": 0.5}, "cue changes nothing"),
        ({"base": "ssvep-menu", "external_trials": 3}, 'external_trials is for cues = "external"'),
    ],
)
def test_a_setting_that_changes_nothing_is_refused(changed: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make_paradigm(changed)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        # One window in a flicker, and k = 3 of the shipped menu.
        ({"base": "ssvep-menu", "flicker": 1.2}, "k = 3: a flicker has 1 window .flicker, latency, first, every."),
        ({"base": "code-menu", "k": 4, "n": 4}, "k = 4: a flicker has 3 windows .flicker, latency, cycles, bit_frames"),
        ({"base": "ssvep-menu", "threshold": 1.0}, "threshold"),
        # No gate lets a command live longer.
        ({"base": "ssvep-menu", "ttl": 5.0}, "ttl is 5.0"),
        ({"base": "ssvep-menu", "baseline": 0.5}, "baseline must be at least first"),
        ({"base": "ssvep-menu", "rounds": 0}, "both 0"),
        ({"base": "p300-speller", "epoch": [0.0, 0.01]}, "epoch must be .start, end., 0.2 s or more"),
        ({"base": "p300-speller", "calibration": [], "max_selections": 0}, "nothing would flash"),
        ({"base": "neurofeedback-smr", "window": 50.0, "block": 40.0}, "window must be at most baseline and block"),
        ({"base": "neurofeedback-smr", "hold": 300.0}, "never a reward"),
        ({"base": "neurofeedback-smr", "rate": 0.01, "block": 60.0}, "never a reward"),
        ({"base": "neurofeedback-smr", "window": 0.1}, "too narrow for a window of 0.1 s, which tells 10 Hz apart"),
        ({"base": "motor-imagery-fes", "video": "hand-open"}, "video = 'hand-open' needs watch: the seconds before"),
        ({"base": "motor-imagery-fes", "rate": 0.5}, "an attempt has 3 decisions"),
        ({"base": "motor-imagery-fes", "smoothing": 0.99}, "would never be reached"),
        ({"base": "motor-imagery-fes", "arm": "yoked", "yoked_delays": [9.0]}, "no assistance would"),
        (
            {"base": "motor-imagery-fes", "rest": 6.0, "assist": {"seconds": 5.0}},
            r"one every 17\.1 s, the stimulator would refuse train 4: with 5\.0 s more, on for 20\.0 s of 60 s",
        ),
        (
            {"base": "motor-imagery-fes", "assist": {"seconds": 3.5}},
            r"every 12\.6 s, .* would refuse train 6: with 3\.6 s more, on for 21\.1 s of 63 s; at most 30%",
        ),
        (
            {"base": "motor-imagery-fes", "rest": 20.0, "runs": 20, "assist": {"seconds": 5.0}, "trials_per_run": 40},
            "would refuse train 361: 1800 s of stimulation in this session",
        ),
        ({"base": "driving-vigilance", "drive": 1.0}, "drive must be at least window"),
        ({"base": "driving-vigilance", "kss_alert": 5.0, "advise_at": 5.0}, "kss_alert must be below advise_at"),
        (
            {"kind": "blocks", "phases": [{"phase": "rest", "seconds": 5.0, "text": t} for t in ("A", "B")]},
            "rest has two texts",
        ),
    ],
)
def test_settings_of_which_nothing_could_come_are_refused(changed: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make_paradigm(changed)


def test_a_menu_that_learns_has_no_baseline_and_a_decoder_that_learns_needs_its_own_table() -> None:
    from bcikit.signal import ArgumentError, StreamInfo

    info = StreamInfo(name="s", sfreq=250.0, ch_names=("O1", "Oz"))
    learns = make_paradigm({"base": "ssvep-menu", "decoder": "", "calibration_rounds": 5})
    learns.configure(info, seed=0)
    assert [part.name for part in learns.sections()] == ["calibration", "menu"]
    for name in ("trca", "fbcca-lda", "csp-lda", "none-such"):
        wrong = make_paradigm({"base": "ssvep-menu", "decoder": name})
        wrong.configure(info, seed=0)
        with pytest.raises(ArgumentError, match="needs training, or is none; without training decide cca, fbcca"):
            wrong.decider()
