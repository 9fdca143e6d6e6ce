"""Designs, frames and doses of flickering stimuli."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from bcikit.safety.dose import StimulusDose
from bcikit.safety.stimulus import StimulusDesign, analyse_design, load_design
from bcikit.safety.stimulus.analyse import solid_angle
from bcikit.safety.stimulus.colour import chromaticity, linear, relative_luminance, saturated_red
from bcikit.safety.stimulus.frames import FrameAnalyser, analyse_frames, load_frames
from bcikit.safety.stimulus.timing import FrameTiming
from bcikit.signal import ConfigError, DataError
from bcikit.signal.settings import check_settings

SCREEN = {"width_cm": 53.0, "height_cm": 30.0, "distance_cm": 60.0, "refresh_hz": 60.0}
SHIPPED = Path(__file__).parents[2] / "docs" / "safety" / "stimuli"


def parse_design(values: dict) -> StimulusDesign:
    return check_settings(StimulusDesign, values, where="design")


def design(*targets: dict, **more: object) -> StimulusDesign:
    return parse_design({"screen": SCREEN, "target": list(targets), **more})


def target(**values: object) -> dict:
    if "low" not in values:
        values.setdefault("depth", 0.4)
    if "full_screen" not in values:
        values.setdefault("size_deg", [3.0, 3.0])
    return {"frequency_hz": 10.0, **values}


@pytest.mark.requirement("SAF-118")
@pytest.mark.requirement("SAF-042")
def test_a_red_full_screen_flicker_is_refused_with_its_numbers():
    report = analyse_design(load_design(SHIPPED / "red_full_screen.toml"))
    assert report.result == "REFUSED"
    red = next(finding for finding in report.findings if "red" in finding.what)
    assert (red.rule, red.result, red.value, red.limit) == ("ST-3", "REFUSED", 20.0, 3.0)
    assert report.targets[0]["red_distance"] == pytest.approx(0.2588, abs=1e-3)
    assert report.screen_share == 1.0


@pytest.mark.requirement("SAF-041")
def test_a_grey_target_of_forty_percent_is_restricted():
    report = analyse_design(load_design(SHIPPED / "grey_target.toml"))
    assert report.result == "RESTRICTED"
    assert report.targets[0]["swing"] == pytest.approx(0.4)
    assert report.targets[0]["solid_angle_sr"] == pytest.approx(0.00274, abs=1e-5)


@pytest.mark.requirement("SAF-040")
def test_a_slow_fade_passes():
    report = analyse_design(load_design(SHIPPED / "slow_fade.toml"))
    assert (report.result, report.findings) == ("PASS", ())


@pytest.mark.requirement("SAF-042")
@pytest.mark.parametrize(
    ("changes", "more", "result"),
    [
        ({"full_screen": True}, {}, "REFUSED"),
        ({"full_screen": True}, {"clinical": True}, "RESTRICTED"),
        ({"frequency_hz": 20.0, "depth": 0.6}, {}, "REFUSED"),
        ({"frequency_hz": 20.0, "depth": 0.6}, {"override_by": "Dr X", "override_reason": "protocol 7"}, "RESTRICTED"),
        ({"frequency_hz": 20.0, "depth": 0.4}, {}, "RESTRICTED"),
        ({"frequency_hz": 31.0}, {}, "REFUSED"),
        ({"depth": 0.09}, {}, "PASS"),
        ({"frequency_hz": 2.9}, {}, "PASS"),
        ({"frequency_hz": 2.5}, {"schedule": {"trial_s": 5.0}}, "RESTRICTED"),
        ({"pattern": "checkerboard", "cell_deg": 0.05}, {}, "PASS"),
        ({}, {"schedule": {"trial_s": 6.5}}, "REFUSED"),
        ({}, {"schedule": {"session_s": 1500.0}}, "REFUSED"),
        ({}, {"schedule": {"rest_s": 60.0}}, "REFUSED"),
    ],
)
def test_the_policy(changes, more, result):
    assert analyse_design(design(target(**changes), **more)).result == result


@pytest.mark.requirement("SAF-040")
def test_reference_numbers_of_area_and_colour():
    # The largest single square of 0.006 sr, at four distances.
    for distance, side in ((50, 3.88), (60, 4.65), (70, 5.43), (80, 6.20)):
        assert solid_angle(side, side, distance) == pytest.approx(0.006, rel=0.005)
    for low, high, swing in ((0.0, 1.0, 1.0), (0.3, 0.7, 0.375), (0.4, 0.6, 0.186), (0.45, 0.55, 0.093)):
        values = relative_luminance(linear([[low] * 3, [high] * 3]))
        assert values[1] - values[0] == pytest.approx(swing, abs=1e-3)
    for other in ((0, 0, 0), (0.5, 0.5, 0.5), (0, 1, 0), (0, 0, 1)):
        light = linear([(1, 0, 0), other])
        assert saturated_red(light).any()
        assert np.hypot(*np.diff(chromaticity(light), axis=0)[0]) > 0.2
    light = linear([(1, 0.3, 0.3), (0, 0, 0)])
    assert saturated_red(light).any()
    assert round(float(np.hypot(*np.diff(chromaticity(light), axis=0)[0])), 2) == 0.18


@pytest.mark.requirement("SAF-040")
def test_targets_that_flash_together_add_up_in_a_field_of_ten_degrees():
    near = [target(name=str(i), position_deg=[x, 0.0]) for i, x in enumerate((-3.3, 0.0, 3.3))]
    far = [target(name=str(i), position_deg=[x, 0.0]) for i, x in enumerate((-15.0, 0.0, 15.0))]
    together, apart = analyse_design(design(*near)), analyse_design(design(*far))
    assert together.field_sr > 0.006 > apart.field_sr
    assert together.field_sr == pytest.approx(3 * 0.00274, rel=0.12)
    assert any("10 degrees" in finding.what for finding in together.findings)
    assert not any("10 degrees" in finding.what for finding in apart.findings)


@pytest.mark.requirement("SAF-096")
@settings(max_examples=80, deadline=None)
@given(text=st.one_of(st.text(max_size=200), st.just("[screen]\nwidth_cm = nan"), st.just("target = " + "[" * 500)))
def test_any_text_as_a_design_is_read_or_refused_in_words(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("fuzz") / "design.toml"
    path.write_text(text, "utf-8", errors="surrogatepass")
    with pytest.raises(ConfigError):
        load_design(path)


def test_every_problem_of_a_design_is_listed():
    with pytest.raises(ConfigError) as error:
        parse_design({"screen": {**SCREEN, "width_cm": -1}, "target": [{"frequency_hz": 10}], "x": 1})
    text = str(error.value)
    assert all(word in text for word in ("screen.width_cm is -1", "either depth", "x is unknown; allowed: clinical"))


@pytest.mark.requirement("SAF-042")
@pytest.mark.parametrize("position", [[60.0, 0.0], [-89.0, 89.0], [0.0, 45.0]])
def test_what_is_put_beside_the_screen_is_judged_as_on_it(position):
    report = analyse_design(design(target(full_screen=True, position_deg=position)))
    assert (report.result, report.screen_share) == ("REFUSED", 1.0)
    middle = analyse_design(design(target(size_deg=[5.0, 5.0])))
    edge = analyse_design(design(target(size_deg=[5.0, 5.0], position_deg=position)))
    assert edge.screen_share == pytest.approx(middle.screen_share, rel=0.1)


@pytest.mark.requirement("SAF-040")
@pytest.mark.parametrize(
    ("table", "changes"),
    [
        ("target", {"position_deg": [float("nan"), 0.0]}),
        ("target", {"position_deg": [float("inf"), 0.0]}),
        ("target", {"position_deg": [90.0, 0.0]}),
        ("target", {"low": [1.0, 0.0, 0.0], "depth": 0.4}),
        ("target", {"frequency_hz": float("nan")}),
        ("screen", {"distance_cm": 1e300}),
        ("screen", {"width_cm": 1e-9}),
        ("screen", {"height_cm": float("inf")}),
        ("schedule", {"gap_s": float("inf")}),
    ],
)
def test_a_design_that_cannot_be_judged_cannot_be_loaded(table, changes):
    values = {"screen": SCREEN, "schedule": {}, "target": [target()]}
    values[table] = [{**target(), **changes}] if table == "target" else {**values[table], **changes}
    with pytest.raises(ConfigError, match=table):
        parse_design(values)


def test_a_design_of_a_broken_target_is_not_called_an_empty_list():
    with pytest.raises(ConfigError) as said:
        parse_design({"screen": SCREEN, "target": [target(frequency_hz="abc")]})
    assert "target.0.frequency_hz" in str(said.value)
    assert "at least 1 item" not in str(said.value)
    with pytest.raises(ConfigError, match="at least 1 item"):
        parse_design({"screen": SCREEN, "target": []})


@pytest.mark.requirement("SAF-040")
def test_a_screen_of_any_shape_is_judged_in_bounded_memory():
    for width, height, distance in ((0.1, 1e4, 0.1), (1e4, 0.1, 1e4), (0.1, 0.1, 1e4)):
        screen = {**SCREEN, "width_cm": width, "height_cm": height, "distance_cm": distance}
        assert (
            analyse_design(parse_design({"screen": screen, "target": [target(full_screen=True)]})).screen_share == 1.0
        )


def frames(n, value, *, fps=60, size=(60, 80), part=1.0):
    columns = round(size[1] * part)
    for index in range(n):
        frame = np.zeros((*size, 3), np.uint8) + np.uint8(90)
        frame[:, :columns] = value(index / fps)
        yield frame


def square(rate, low, high):
    return lambda t: low if (t * rate) % 1.0 < 0.5 else high


@pytest.mark.requirement("SAF-047")
@pytest.mark.parametrize(
    ("value", "part", "result"),
    [
        (square(5, (40, 40, 40), (220, 220, 220)), 0.15, "RESTRICTED"),
        (square(5, (40, 40, 40), (220, 220, 220)), 1.0, "REFUSED"),
        (square(5, (0, 0, 0), (255, 0, 0)), 0.15, "REFUSED"),
        (square(2, (40, 40, 40), (220, 220, 220)), 1.0, "RESTRICTED"),
        (square(5, (120, 120, 120), (140, 140, 140)), 1.0, "PASS"),
        (lambda t: (int(25 * t),) * 3, 1.0, "PASS"),
        (square(5, (40, 40, 40), (220, 220, 220)), 0.02, "PASS"),
    ],
)
def test_captured_frames(value, part, result):
    report = analyse_frames(frames(400, value, part=part), fps=60)
    assert report.result == result, report


@pytest.mark.requirement("SAF-047")
@pytest.mark.parametrize(
    "frame",
    [
        np.full((60, 80, 3), np.nan),
        np.full((60, 80, 3), 200.0),
        np.full((60, 80, 3), -0.5),
        np.full((60, 80, 3), 60000, np.uint16),
        np.full((60, 80, 3), 1 + 0j),
    ],
)
def test_values_that_are_no_picture_do_not_pass_for_a_quiet_one(frame):
    with pytest.raises(DataError, match="A frame"):
        FrameAnalyser(60.0).add(frame)


@pytest.mark.requirement("SAF-047")
def test_pictures_of_a_folder_and_an_animation_are_judged_alike(tmp_path):
    from PIL import Image

    pictures = [Image.fromarray(frame) for frame in frames(90, square(5, (0, 0, 0), (255, 255, 255)))]
    for index, picture in enumerate(pictures):
        picture.save(tmp_path / f"{index:03}.png")
    pictures[0].save(tmp_path / "scene.gif", save_all=True, append_images=pictures[1:], duration=20)
    reports = [analyse_frames(load_frames(place), fps=60) for place in (tmp_path, tmp_path / "scene.gif")]
    assert [report.result for report in reports] == ["REFUSED", "REFUSED"]
    assert reports[0].n_frames == 90
    # The file holds a picture for each change only; with the times it states, 90 of 20 ms are 108 of a sixtieth.
    assert reports[1].n_frames == pytest.approx(108, abs=1)
    assert reports[1].flashes == pytest.approx(5.0 * 50 / 60, abs=0.5)
    deep = Image.fromarray(np.full((60, 80), 40000, np.uint16))
    (tmp_path / "deep").mkdir()
    deep.save(tmp_path / "deep" / "0.png")
    with pytest.raises(DataError, match="8 bits"):
        list(load_frames(tmp_path / "deep"))


@pytest.mark.requirement("SAF-047")
def test_the_rate_of_flashes_is_counted_right():
    report = analyse_frames(frames(300, square(10, (20, 20, 20), (230, 230, 230))), fps=60)
    assert report.flashes == pytest.approx(10.0, abs=0.5)
    with pytest.raises(DataError):
        FrameAnalyser(60.0).add(np.zeros((4, 4)))


@pytest.mark.requirement("SAF-046")
@pytest.mark.requirement("SAF-117")
@pytest.mark.parametrize(
    ("intervals", "ok"),
    [
        ([1 / 60] * 120, True),
        ([1 / 60] * 60 + [2 / 60] + [1 / 60] * 60, True),
        ([1 / 60] * 50 + [2 / 60] * 3 + [1 / 60] * 50, False),
        ([1 / 30] * 60, False),
        ([1 / 59] * 120, False),
        ([0.0] * 60, False),
    ],
)
def test_frame_timing(intervals, ok, active):
    timing = FrameTiming(60.0)
    report = timing.flip(0.0)
    for now in np.cumsum(intervals):
        report = timing.flip(float(now))
    assert report.ok is ok, report
    if not ok:
        from bcikit.safety import Severity, State

        one = active()
        one.system.report("ST-TIMING", Severity.FAULT, one.now, value=report.reason, limit="1 %")
        assert one.system.state is State.DEGRADED
        assert "ST-TIMING" in one.decide().reasons


@pytest.mark.requirement("SAF-044")
def test_the_dose_of_flicker_is_limited():
    dose = StimulusDose()
    now = 0.0
    trials = 0
    while dose.may_start(now) is None:
        dose.start(now)
        assert dose.check(now + 5.0) is None
        now += 5.0
        dose.stop(now)
        trials += 1
        now += 1.0
    assert trials == 60
    assert dose.may_start(now).value == 300.0
    assert dose.may_start(now + 119.5) is None
    dose.start(now + 120.0)
    assert dose.check(now + 126.5).limit == 6.0
    dose.stop(now + 126.5)
    assert dose.may_start(now + 127.0).value == 0.5
    dose.session_s = 1200.0
    assert dose.may_start(now + 999.0).limit == 1200.0


@pytest.mark.requirement("SAF-044")
@pytest.mark.requirement("SAF-045")
def test_the_running_system_limits_flicker_and_blanks_it_at_a_stop(active):
    from bcikit.safety import Severity, State

    one = active()
    shown = [one.system.stimulus(one.run(0.5).now, on=True) for _ in range(11)]
    assert shown == [True] * 11
    one.run(2.0)
    assert one.system.state is State.STANDBY, "more than six seconds in one piece end the run"
    assert one.system.stimulus(one.now, on=True) is False
    other = active()
    assert other.system.stimulus(other.now, on=True)
    blanked = []
    other.system.listen(lambda step: blanked.append(other.system.stimulus_allowed))
    other.system.report("ST-EYES", Severity.FAULT, other.now, value="eyes closed")
    assert blanked == [False]
    assert other.system.state is State.SAFE_STOP


@pytest.mark.requirement("SAF-043")
def test_defaults_keep_away_from_bright_screens_and_the_provocative_band():
    bright = parse_design({"screen": {**SCREEN, "peak_cd_m2": 300.0}, "target": [target()]})
    assert any(finding.rule == "ST-4" and finding.value == 300.0 for finding in analyse_design(bright).findings)
    band = analyse_design(design(target(frequency_hz=17.0)))
    assert any(finding.rule == "ST-4" for finding in band.findings)
    assert not any(finding.rule == "ST-4" for finding in analyse_design(design(target(frequency_hz=10.0))).findings)


def test_the_command(tmp_path):
    from bcikit.cli.app import app

    runner = CliRunner()
    results = {}
    for name in ("red_full_screen", "grey_target", "slow_fade"):
        done = runner.invoke(app, ["check", "stimulus", str(SHIPPED / f"{name}.toml"), "--json"])
        results[name] = (done.exit_code, json.loads(done.stdout)["result"])
    assert results == {
        "red_full_screen": (1, "REFUSED"),
        "grey_target": (0, "RESTRICTED"),
        "slow_fade": (0, "PASS"),
    }
    np.save(tmp_path / "scene.npy", np.stack(list(frames(90, square(5, (0, 0, 0), (255, 0, 0))))))
    done = runner.invoke(app, ["check", "stimulus", str(tmp_path / "scene.npy")])
    assert done.exit_code == 1
    assert "REFUSED" in done.stdout
