"""The folder of a run: signed, and every flipped byte is seen; recordings judged without the device."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from bcikit.cli.app import app
from bcikit.signal import signing
from bcikit.validation.takes import load_take
from bcikit.validation.verify import verify_report

pytest.importorskip("cryptography")


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signing, "key_file", lambda: root / "key")
        done = invoke("validate", "dut:channels=2", "--tests", "V-GAIN,V-SKEW", "--out", root / "out")
    assert done.exit_code == 0, done.output
    return root / "out"


def test_a_report_verifies(folder):
    done = invoke("verify", folder, "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.output)
    assert said["problems"] == []
    assert said["files"] >= 5
    assert said["key"]


def test_every_value_comes_out_again_from_the_raw_data(folder):
    said = json.loads(invoke("verify", folder, "--json").output)
    result = json.loads((folder / "result.json").read_text())
    assert said["values"] == sum(len(test["measurements"]) for test in result["tests"]) > 0
    assert json.loads(invoke("verify", folder, "--fast", "--json").output)["values"] == 0


def resigned(folder, tmp_path, change):
    """Return a copy whose result was changed and signed again, as somebody would who has a key of his own."""
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    values = json.loads((copy / "result.json").read_text())
    change(values)
    del values["signature"], values["public_key"]
    values = signing.sign(values, tmp_path / "other-key")
    (copy / "result.json").write_text(json.dumps(values, indent=1))
    return copy


def better(values):
    values["tests"][0]["measurements"][0]["value"] *= 1.0001


def surer(values):
    values["tests"][0]["measurements"][0]["uncertainty"] *= 0.9


def made_up(values):
    skipped = {**values["tests"][0], "test": "V-CMRR", "takes": [], "measurements": [], "judgement": "PASS"}
    values["tests"].append(skipped)


def whole(values):
    values["judgement"] = "FAIL"


@pytest.mark.parametrize("change", [better, surer, made_up, whole])
def test_a_result_that_the_raw_data_do_not_give_is_refused_whoever_signs_it(folder, tmp_path, change):
    copy = resigned(folder, tmp_path, change)
    done = invoke("verify", copy)
    assert done.exit_code == 1
    assert "computed again" in done.output or "no recording stands behind it" in done.output
    # Signature and hashes alone cannot know.
    assert invoke("verify", copy, "--fast").exit_code == 0


def test_a_result_that_says_the_same_in_other_bytes_was_changed(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    path = copy / "result.json"
    path.write_text(path.read_text().replace('"exit_code": 0', '"exit_code":  0'))
    done = invoke("verify", copy)
    assert done.exit_code == 1
    assert "was changed" in done.output


def test_a_result_that_nobody_can_read_is_a_device_report_still(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "result.json").write_bytes(b"\xff" + (copy / "result.json").read_bytes()[1:])
    done = invoke("verify", copy)
    assert done.exit_code == 1
    assert "cannot be read" in done.output


@pytest.mark.parametrize("name", ["result.json", "report.html", "junit.xml", "sbom.json", "raw"])
def test_a_flipped_byte_does_not(folder, tmp_path, name):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    path = next((copy / "raw").iterdir()) if name == "raw" else copy / name
    data = bytearray(path.read_bytes())
    at = data.index(b"PASS") if name == "result.json" else len(data) // 2
    data[at] ^= 1
    path.write_bytes(bytes(data))
    done = invoke("verify", copy)
    assert done.exit_code == 1
    assert path.name in done.output


def test_a_file_that_is_missing_or_added_is_named(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    gone = next((copy / "raw").iterdir())
    gone.rename(gone.with_name("other.npz"))
    done = invoke("verify", copy)
    assert done.exit_code == 1
    assert f"raw/{gone.name}: is missing" in done.output
    assert "raw/other.npz: does not belong" in done.output


def test_raw_data_hold_their_set_up(folder):
    take = load_take(next(path for path in sorted((folder / "raw").iterdir())))
    assert take.stimulus.kind == "sine"
    assert take.stimulus.amplitude_uv == 1000.0
    assert take.info.n_channels == take.data.shape[1] == 2
    assert take.info.capabilities.full_scale == 187_500.0


def test_a_recording_with_a_generator_is_judged_without_the_device(tmp_path):
    t = np.arange(5000) / 250
    rng = np.random.default_rng(0)
    lines = ["time,C3,C4"]
    for moment in t:
        sine = 1000 * np.sin(2 * np.pi * 10 * moment)
        lines.append(f"{moment:.6f},{sine + rng.normal(0, 0.2):.4f},{sine + rng.normal(0, 0.2):.4f}")
    path = tmp_path / "sine.csv"
    path.write_text("\n".join(lines) + "\n")
    arguments = ("validate", f"file:{path}?unit=uV", "--file", "sine:1000:10", "--out", tmp_path / "out", "--json")
    result = json.loads(invoke(*arguments).output)
    tests = {item["test"]: item for item in result["tests"]}
    assert tests["V-SKEW"]["judgement"] == "PASS"
    assert tests["V-LOSS"]["measurements"][1]["value"] == 0
    assert tests["V-RESID"]["judgement"] == "PASS"
    assert tests["V-NOISE"]["judgement"] == "NOT APPLICABLE"
    assert "was not recorded" in tests["V-NOISE"]["reason"]
    assert invoke("validate", path, "--file", "sine:ten", "--out", tmp_path / "no").exit_code != 0


def test_what_compares_several_set_ups_cannot_be_told_from_one_recording(tmp_path):
    bent = 500.0 * np.tanh(1.5 * np.sin(2 * np.pi * 10 * np.arange(5000) / 250))
    noise = np.random.default_rng(0).normal(0, 0.2, (5000, 2))
    both = bent[:, None] + noise
    rows = [f"{k / 250:.6f},{a:.4f},{b:.4f}" for k, (a, b) in enumerate(both)]
    path = tmp_path / "bent.csv"
    path.write_text("\n".join(["time,C3,C4", *rows]) + "\n")
    arguments = ("validate", f"file:{path}?unit=uV", "--file", "sine:1000:10", "--out", tmp_path / "out", "--json")
    result = json.loads(invoke(*arguments).output)
    tests = {item["test"]: item for item in result["tests"]}
    for name, count in (("V-LIN", 10), ("V-REP", 2)):
        assert tests[name]["judgement"] == "NOT APPLICABLE"
        assert tests[name]["reason"] == f"compares {count} recordings; there is one"
        assert tests[name]["measurements"] == []
    assert tests["V-SKEW"]["judgement"] == "PASS"


def test_quick_says_go(tmp_path):
    done = invoke("validate", "dut:channels=2", "--quick", "--out", tmp_path / "out", "--profile", "ifcn")
    assert done.exit_code == 0, done.output
    assert done.output.strip().endswith("GO")
    assert "NO-GO" not in done.output


def judged(values):
    values["tests"][0]["judgement"] = "FAIL"


def fewer(values):
    values["tests"][0]["measurements"].pop()


def answered(values):
    values["clauses"] = [{"clause": "201.12.1", "answer": "kept"}]


def elsewhere(values):
    values["tests"][0]["takes"] = ["999-sine"]


def strange(values):
    values["files"]["../key"] = "0" * 64


def unlisted(values):
    values["files"] = ["result.json"]


def older(values):
    del values["profile"]["clause"]


def unknown(values):
    values["profile"]["colour"] = "blue"


def no_run(values):
    del values["tests"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (judged, "V-GAIN: says FAIL; computed again it is PASS"),
        (fewer, "values; computed again"),
        (answered, "the answers to the clauses are not those of the values"),
        (elsewhere, "V-GAIN: its recording 999-sine is not there"),
        (strange, "'../key': is no file of this folder"),
        (unlisted, "its list of files is none"),
        (older, "does not hold its profile, so nothing can be computed again"),
        (unknown, "its profile cannot be read"),
        (no_run, "is not what a run writes: KeyError: 'tests'"),
    ],
)
def test_a_result_that_somebody_else_wrote_and_signed_is_told_what_is_wrong_with_it(folder, tmp_path, change, said):
    problems = verify_report(resigned(folder, tmp_path, change)).problems
    assert any(said in problem for problem in problems), problems


def test_a_difference_names_the_version_that_wrote_the_result(folder, tmp_path):
    def old(values):
        judged(values)
        values["about"]["bcikit"] = "0.0.1"

    assert "the result is of 0.0.1" in verify_report(resigned(folder, tmp_path, old)).problems[-1]


def test_raw_data_that_nobody_can_read_are_no_evidence(folder, tmp_path):
    def broken(values):
        name = next(name for name in values["files"] if name.endswith(".npz"))
        (tmp_path / "copy" / name).write_bytes(b"PK\x03\x04")
        values["files"][name] = hashlib.sha256(b"PK\x03\x04").hexdigest()

    (problem,) = verify_report(resigned(folder, tmp_path, broken)).problems
    assert ".npz: cannot be read" in problem


def test_who_must_have_signed_a_report_is_asked_for(folder, tmp_path):
    key = json.loads(invoke("verify", folder, "--json", "--fast").output)["key"]
    assert invoke("verify", folder, "--fast", "--key", key.upper()).exit_code == 0
    other = invoke("verify", folder, "--fast", "--key", "ab cd")
    assert other.exit_code == 1
    assert f"signed by the key {key}, not ab cd" in other.output
    assert invoke("verify", tmp_path / "none").exit_code != 0
