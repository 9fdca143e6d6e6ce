"""What a maker files beside the values: bench, software, other units; and that nothing of it can be changed."""

import json
import shutil
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from bcikit.signal import ConfigError, DataError
from bcikit.validation import Profile, validate
from bcikit.validation.bench_file import BenchFile
from bcikit.validation.fleet import BenchRun, compare, read_runs, write_comparison
from bcikit.validation.verify import verify_report

INSTRUMENT = {"name": "AFG-1", "certificate": "K-77", "calibrated": "2026-01-10", "due": "2999-01-10"}
WHOLE = BenchFile(values={"operator": "A. B.", "unit": "SN1", "firmware": "1.0"}, instruments=(INSTRUMENT,))
SHORT = replace(Profile.load("research"), durations={"noise": 20, "sine": 2})


def run(folder, address, *, bench_file=WHOLE, tests=("V-NOISE", "V-GAIN")):
    return validate(address, profile=SHORT, tests=tests, out=folder, bench_file=bench_file)


def test_a_bench_file_is_kept_asked_for_and_part_of_the_report(tmp_path):
    answers = {
        "Who measures": "C. D.",
        "Serial number of the device under test": "SN9",
        "Version of its firmware": "2.1",
        "Generator: model and serial number": "AFG-2",
        "Id of the generator's calibration certificate": "K-1",
        "Date of that calibration, YYYY-MM-DD": "2026-01-01",
        "Date until which it holds, YYYY-MM-DD": "2027-01-01",
    }
    bench = BenchFile().asked(lambda question: answers.get(question, ""))
    bench.save(tmp_path / "bench.toml")
    again = BenchFile.load(tmp_path / "bench.toml")
    assert again == bench
    # What is there is not asked for again.
    assert again.asked(lambda question: "" if "degrees" in question or "Humid" in question or "Where" in question
                       else pytest.fail(question)) == bench  # fmt: skip
    assert again.problems(date(2026, 6, 1)) == []
    assert "its calibration ended on 2027-01-01" in again.problems(date(2027, 6, 1))[0]
    report = run(tmp_path / "out", "dut:channels=2", bench_file=again)
    assert report.about["bench"]["firmware"] == "2.1"
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "K-1" in page
    assert "C. D." in page
    bill = json.loads((tmp_path / "out" / "sbom.json").read_text(encoding="utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    assert "numpy" in {item["name"].lower() for item in bill["components"]}


def test_a_calibration_that_has_ended_leaves_nothing_conclusive(tmp_path, command_line):
    (tmp_path / "bench.toml").write_text(
        'operator = "x"\nunit = "1"\nfirmware = "2"\n'
        '[[instrument]]\nname = "AFG"\ncertificate = "K"\ndue = "2020-01-01"\n'
    )
    done = command_line("validate", "dut:channels=2", "--tests", "V-GAIN", "--bench", tmp_path / "bench.toml", "--out",
                        tmp_path / "out", "--json")  # fmt: skip
    assert done.code == 1, done.err
    assert json.loads(done.out)["judgement"] == "INCONCLUSIVE"
    assert "2020-01-01" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_an_unknown_key_of_a_bench_file_is_named(tmp_path):
    (tmp_path / "bench.toml").write_text('operators = "x"\n[[instrument]]\nname = "a"\ndue = "tomorrow"\n')
    with pytest.raises(ConfigError, match=r"(?s)operators.*tomorrow"):
        BenchFile.load(tmp_path / "bench.toml")


@pytest.mark.slow
def test_a_unit_that_is_off_and_a_firmware_that_changes_the_gain_stand_out(tmp_path, command_line):
    for number in range(4):
        firmware = "1.0" if number < 2 else "1.1"
        bench = replace(WHOLE, values={**WHOLE.values, "unit": f"SN{number}", "firmware": firmware})
        gain, noise = (1.0 if number < 2 else 1.03), (0.12 if number < 3 else 0.4)
        run(tmp_path / f"r{number}", f"dut:channels=2&seed={number}&gain={gain}&noise_uv={noise}", bench_file=bench)
    done = command_line("validate", "fleet", "--runs", tmp_path, "--out", tmp_path / "fleet")
    assert done.code == 1, done.err
    assert "V-NOISE noise_rms: SN3" in done.out
    rows = {row["value"]: row for row in json.loads((tmp_path / "fleet" / "fleet.json").read_text())["values"]}
    assert "1.0 to 1.1: +0.0" in rows["V-GAIN gain"]["versions"][0]
    assert "Control chart" in (tmp_path / "fleet" / "fleet.html").read_text(encoding="utf-8")


def test_runs_that_are_alike_do_not_stand_out_and_one_run_is_no_fleet(tmp_path):
    for number in range(3):
        # The same bench and unit again: only the noise is another one.
        run(tmp_path / f"r{number}", f"dut:channels=2&seed=1&noise_uv=0.{12 + number // 2}")
    assert write_comparison(read_runs([tmp_path]), tmp_path / "fleet")[1] in (0, 1)
    rows = {row["value"]: row for row in compare(read_runs([tmp_path]))}
    assert rows["V-GAIN gain"]["out"] == []
    with pytest.raises(DataError, match="needs two"):
        read_runs([tmp_path / "r0"])


def test_a_drift_over_runs_is_a_trend(filed, tmp_path):
    for number in range(2):
        shutil.copytree(filed, tmp_path / f"r{number}")
    first = read_runs([tmp_path])[0]
    series = [replace(first, values={"V-GAIN gain": (1 + 0.002 * k, 0.001, "1")}) for k in range(9)]
    (row,) = compare(series)
    assert row["trend"] == pytest.approx(0.002)


@pytest.fixture(scope="module")
def filed(tmp_path_factory):
    """Return the folder of a run, which stays as it is."""
    folder = tmp_path_factory.mktemp("filed") / "r0"
    run(folder, "dut:channels=2")
    assert verify_report(folder).problems == ()
    return folder


@pytest.mark.parametrize("name", ["result.json", "report.html", "sbom.json", "junit.xml", "raw/001-short.npz"])
def test_a_byte_that_is_another_one_is_refused(filed, tmp_path, name):
    shutil.copytree(filed, tmp_path / "r0")
    path = tmp_path / "r0" / name
    data = bytearray(path.read_bytes())
    # In the middle of a number or a text: the file is still one of its kind.
    place = data.index(b"value") + 9 if name == "result.json" else len(data) // 2
    data[place] ^= 1
    path.write_bytes(bytes(data))
    assert any(problem.startswith(name) for problem in verify_report(tmp_path / "r0").problems)


def _runs(tmp_path, gains, firmware, u=0.001):
    """Return runs of which each is a unit of its own."""
    return [
        BenchRun(folder=str(tmp_path / f"r{k}"), when=f"2026-01-{k + 1:02d}", unit=f"SN{k}", firmware=version,
                 judgement="PASS", values={"V-GAIN gain": (gain, u, "1")}, problems=())
        for k, (gain, version) in enumerate(zip(gains, firmware, strict=True))
    ]  # fmt: skip


def test_firmware_that_changes_a_value_is_named_and_one_that_does_not_is_not(tmp_path):
    (row,) = compare(_runs(tmp_path, [1.0, 1.0002, 1.03, 1.0302], ["1.0", "1.0", "1.1", "1.1"]))
    assert row["versions"] == ["1.0 to 1.1: +0.03"]
    # Of one run each only what is more than both uncertainties is sure.
    (row,) = compare(_runs(tmp_path, [1.0, 1.03], ["1.0", "1.1"]))
    assert row["versions"] == ["1.0 to 1.1: +0.03"]
    (row,) = compare(_runs(tmp_path, [1.0, 1.0015], ["1.0", "1.1"]))
    assert row["versions"] == []
    (row,) = compare(_runs(tmp_path, [1.0, 1.0002, 1.0001, 1.0003], ["1.0", "1.0", "1.1", "1.1"]))
    assert row["versions"] == []


@pytest.mark.parametrize("u", [0.0, 0.5])
def test_a_value_without_uncertainty_stands_out_by_the_spread_of_the_others(tmp_path, u):
    (row,) = compare(_runs(tmp_path, [100.1, 100.2, 100.0, 99.9, 100.1, 20.0], ["1.0"] * 6, u=u))
    assert row["out"] == ["SN5 2026-01-06"]
    # Values of one kind do not, though two of them happen to be close together; nor beside others that are the same.
    rng = np.random.default_rng(0)
    for n in (4, 5, 7):
        rows = [compare(_runs(tmp_path, 100 + rng.normal(size=n), ["1.0"] * n, u=0.0))[0] for _ in range(100)]
        assert sum(bool(row["out"]) for row in rows) <= 1
    (row,) = compare(_runs(tmp_path, [0.0, 0.0, 0.0, 0.0, 5.0], ["1.0"] * 5, u=0.0))
    assert row["out"] == []


def test_what_the_oldest_run_did_not_measure_is_compared_all_the_same(tmp_path, command_line):
    runs = tmp_path / "runs"
    # The oldest is of noise alone; of the two others one has 30 % too much gain.
    for name, address, tests in (
        ("a", "dut:channels=2", ("V-NOISE",)),
        ("b", "dut:channels=2", ("V-GAIN",)),
        ("c", "dut:channels=2&gain=1.3", ("V-GAIN",)),
    ):
        run(runs / name, address, tests=tests)
    done = command_line("validate", "fleet", "--runs", runs, "--out", tmp_path / "fleet")
    assert done.code == 1, done.err
    assert "V-GAIN gain: SN1" in done.out
    shutil.rmtree(runs / "c")
    done = command_line("validate", "fleet", "--runs", runs, "--out", tmp_path / "none")
    assert done.code == 2
    assert "No value was measured by two of these 2 runs" in done.err


def test_the_command_names_units_drifts_and_firmware(tmp_path, monkeypatch, command_line):
    from bcikit.validation import fleet

    gains = [1.0 + 0.001 * k + (0.01 if k > 3 else 0.0) for k in range(8)]
    runs = _runs(tmp_path, gains, ["1.0"] * 4 + ["1.1"] * 4)
    runs[0] = replace(runs[0], problems=("result.json: was changed",))
    monkeypatch.setattr(fleet, "read_runs", lambda folders: runs)
    done = command_line("validate", "fleet", "--runs", tmp_path, "--out", tmp_path / "fleet")
    assert done.code == 1, done.err
    assert "8 runs of 8 units, 1 values" in done.out
    assert "r0: result.json: was changed" in done.out
    assert "V-GAIN gain: SN7 2026-01-08 is out (mean" in done.out
    assert "V-GAIN gain: drifts by +0.0029 1 a run" in done.out
    assert "V-GAIN gain: firmware 1.0 to 1.1: +0.014 1" in done.out
    done = command_line("validate", "fleet", "--runs", tmp_path, "--out", tmp_path / "fleet", "--json")
    assert json.loads(done.out)["values"][0]["n"] == 8


def test_folders_without_runs_are_no_fleet(tmp_path, command_line):
    done = command_line("validate", "fleet", "--runs", tmp_path)
    assert done.code == 2
    assert "0 runs of 'bcikit validate'; a comparison needs two and more" in done.err


def test_what_a_bench_lacks_is_said(tmp_path):
    def said(**changes):
        return " / ".join(replace(WHOLE, instruments=({**INSTRUMENT, **changes},)).problems(date(2026, 6, 1)))

    assert said() == ""
    assert "AFG-1: no calibration certificate" in said(certificate="")
    assert "AFG-1: until when its calibration holds is not stated" in said(due="")
    assert "of 2027-01-01, which has not come yet" in said(calibrated="2027-01-01")
    (no_instrument,) = replace(WHOLE, instruments=()).problems(date(2026, 6, 1))
    assert "uncertainties of the profile are only claimed" in no_instrument
    assert BenchFile.load(tmp_path / "none.toml") == BenchFile()
    (tmp_path / "bad.toml").write_text("operator = ", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"bad\.toml"):
        BenchFile.load(tmp_path / "bad.toml")
    (tmp_path / "more.toml").write_text('[[instrument]]\nserial = "7"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"instrument 1\.serial: unknown key"):
        BenchFile.load(tmp_path / "more.toml")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'[instrument]\nname = "DS360"\n', r"instrument: must be tables; .*\[\[instrument\]\]"),
        (b'instrument = ["DS360"]\n', "instrument: must be tables"),
        (b'operator = "M\xfcller"\n', "not UTF-8 .*; save it as UTF-8"),
    ],
)
def test_a_bench_file_of_another_shape_is_told_what_is_wrong(tmp_path, content, said):
    (tmp_path / "bench.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        BenchFile.load(tmp_path / "bench.toml")
