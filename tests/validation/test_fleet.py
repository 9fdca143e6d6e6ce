"""What a maker files beside the values: bench, software, other units; and that nothing of it can be changed."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date

import pytest

from bcikit.signal import ConfigError, DataError
from bcikit.validation import Profile, validate
from bcikit.validation.bench_file import BenchFile
from bcikit.validation.fleet import compare, read_runs, write_comparison
from bcikit.validation.verify import verify_report

INSTRUMENT = {"name": "AFG-1", "certificate": "K-77", "calibrated": "2026-01-10", "due": "2999-01-10"}
WHOLE = BenchFile(values={"operator": "A. B.", "unit": "SN1", "firmware": "1.0"}, instruments=(INSTRUMENT,))
SHORT = replace(Profile.load("research"), durations={"noise": 20, "sine": 2})


def run(folder, address, *, bench_file=WHOLE, tests=("V-NOISE", "V-GAIN")):
    return validate(address, profile=SHORT, tests=tests, out=folder, bench_file=bench_file)


def bcikit(*words, text=None):
    command = [sys.executable, "-m", "bcikit", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, check=False, input=text)


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


def test_a_calibration_that_has_ended_leaves_nothing_conclusive(tmp_path):
    (tmp_path / "bench.toml").write_text(
        'operator = "x"\nunit = "1"\nfirmware = "2"\n'
        '[[instrument]]\nname = "AFG"\ncertificate = "K"\ndue = "2020-01-01"\n'
    )
    done = bcikit("validate", "dut:channels=2", "--tests", "V-GAIN", "--bench", tmp_path / "bench.toml", "--out",
                  tmp_path / "out", "--json")  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["judgement"] == "INCONCLUSIVE"
    assert "2020-01-01" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_an_unknown_key_of_a_bench_file_is_named(tmp_path):
    (tmp_path / "bench.toml").write_text('operators = "x"\n[[instrument]]\nname = "a"\ndue = "tomorrow"\n')
    with pytest.raises(ConfigError, match=r"(?s)operators.*tomorrow"):
        BenchFile.load(tmp_path / "bench.toml")


@pytest.mark.slow
def test_a_unit_that_is_off_and_a_firmware_that_changes_the_gain_stand_out(tmp_path):
    for number in range(4):
        firmware = "1.0" if number < 2 else "1.1"
        bench = replace(WHOLE, values={**WHOLE.values, "unit": f"SN{number}", "firmware": firmware})
        gain, noise = (1.0 if number < 2 else 1.03), (0.12 if number < 3 else 0.4)
        run(tmp_path / f"r{number}", f"dut:channels=2&seed={number}&gain={gain}&noise_uv={noise}", bench_file=bench)
    done = bcikit("validate", "fleet", "--runs", tmp_path, "--out", tmp_path / "fleet")
    assert done.returncode == 1, done.stderr
    assert "V-NOISE noise_rms: SN3" in done.stdout
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


def test_a_drift_over_runs_is_a_trend(tmp_path):
    run(tmp_path / "r0", "dut:channels=2")
    shutil.copytree(tmp_path / "r0", tmp_path / "r1")
    first = read_runs([tmp_path])[0]
    series = [replace(first, values={"V-GAIN gain": (1 + 0.002 * k, 0.001, "1")}) for k in range(9)]
    (row,) = compare(series)
    assert row["trend"] == pytest.approx(0.002)


@pytest.mark.parametrize("name", ["result.json", "report.html", "sbom.json", "junit.xml", "raw/001-short.npz"])
def test_a_byte_that_is_another_one_is_refused(tmp_path, name):
    run(tmp_path, "dut:channels=2")
    assert verify_report(tmp_path).problems == ()
    path = tmp_path / name
    data = bytearray(path.read_bytes())
    # In the middle of a number or a text: the file is still one of its kind.
    place = data.index(b"value") + 9 if name == "result.json" else len(data) // 2
    data[place] ^= 1
    path.write_bytes(bytes(data))
    assert any(problem.startswith(name) for problem in verify_report(tmp_path).problems)
