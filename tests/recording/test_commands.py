"""The commands recover, export and import, as a user types them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bcikit.cli import export, importing, inspect, recover, verify
from bcikit.recording import SessionWriter, read_session
from bcikit.signal import BciError, Chunk, Event, StreamInfo

Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    app = typer.Typer()
    for module in (recover, export, importing, inspect, verify):
        module.register(app)

    def call(*arguments: object) -> Result:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if isinstance(result.exception, BciError):
            raise result.exception
        return result

    return call


def test_recover_says_what_it_did(run: Run, session_dir: Path) -> None:
    assert "nothing to do" in run("recover", session_dir).output
    with (session_dir / "signals.xdf").open("ab") as file:
        file.write(b"half a chunk")
    assert "signals.xdf: 12 bytes were not whole" in run("recover", session_dir).output
    found = json.loads(run("recover", session_dir, "--json").output)
    assert found["needed"] is False
    assert (session_dir / "signals.xdf.original").read_bytes().endswith(b"half a chunk")
    assert found["n_samples"] == read_session(session_dir).recording.n_times


def test_export_makes_everything_asked_for(run: Run, session_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run(
        "export", session_dir, "--bids", out / "bids", "--subject", "P7", "--task", "mi", "--run", "2",
        "--edf", out / "x.bdf", "--fif", out / "x_eeg.fif", "--decisions", out / "d.csv", "--json",
    )  # fmt: skip
    assert result.exit_code == 0
    made = json.loads(result.stdout)["made"]
    assert set(made) == {"bids", "edf", "fif", "decisions"}
    assert all(Path(path).is_file() for path in made.values())
    assert made["bids"].endswith("sub-P7_task-mi_run-2_eeg.vhdr")


def test_export_takes_a_file_of_another_program(run: Run, session_dir: Path, tmp_path: Path) -> None:
    run("export", session_dir, "--fif", tmp_path / "x_eeg.fif")
    assert run("export", tmp_path / "x_eeg.fif", "--edf", tmp_path / "x.bdf").exit_code == 0
    result = run("import", tmp_path / "x.bdf", "--out", tmp_path / "s")
    assert "3 channels" in result.output
    assert read_session(tmp_path / "s").info.ch_names == ("C3", "Cz", "C4")


def test_options_may_stand_behind_the_file(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "我的 table.csv"
    table.write_text("time,C3,C4\n" + "\n".join(f"{i / 100},{i},{-i}" for i in range(200)) + "\n", encoding="utf-8")
    with pytest.raises(BciError, match="states no unit"):
        run("import", table, "--out", tmp_path / "s")
    run("import", f"{table}?unit=mV&sfreq=100", "--out", tmp_path / "会话 1")
    assert read_session(tmp_path / "会话 1").recording.data[3].tolist() == [3000.0, -3000.0]
    assert run("export", f"{table}?unit=mV", "--fif", tmp_path / "x_eeg.fif").exit_code == 0
    with pytest.raises(BciError, match="is 'speed'; allowed"):
        run("import", f"{table}?speed=2", "--out", tmp_path / "t")
    with pytest.raises(BciError, match="no file"):
        run("import", "gone.csv?unit=uV", "--out", tmp_path / "t")


def test_a_sealed_session_comes_back(
    run: Run, session_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BCIKIT_PASSPHRASE", "a long passphrase")
    run("export", session_dir, "--sealed", tmp_path / "s.sealed")
    run("import", tmp_path / "s.sealed", "--out", tmp_path / "opened")
    assert len(read_session(tmp_path / "opened").events) == 4
    for command in ("inspect", "verify"):
        with pytest.raises(BciError, match=r"sealed session.*bcikit import"):
            run(command, tmp_path / "s.sealed")
    monkeypatch.delenv("BCIKIT_PASSPHRASE")
    with pytest.raises(BciError, match="no terminal to ask for the passphrase; set BCIKIT_PASSPHRASE"):
        run("import", tmp_path / "s.sealed", "--out", tmp_path / "again")


def test_a_sealed_folder_is_not_said_to_be_without_names(
    run: Run, info: StreamInfo, chunks: list[Chunk], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BCIKIT_PASSPHRASE", "a long passphrase")
    with SessionWriter(tmp_path / "s", info=info, config={}) as writer:
        writer.chunk(chunks[0], float(chunks[0].times[-1]) + 0.1)
        writer.event(Event(name="Jane Doe coughs", time=float(chunks[0].times[3]), sample=chunks[0].first_sample + 3))
    alone = run("export", tmp_path / "s", "--sealed", tmp_path / "1.sealed")
    assert "holds everything as it was recorded" in alone.output
    assert "replaced" not in alone.output
    told = json.loads(run("export", tmp_path / "s", "--sealed", tmp_path / "2.sealed", "--json").stdout)
    assert (told["replaced_texts"], told["values_left_out"]) == (0, 0)
    both = run("export", tmp_path / "s", "--sealed", tmp_path / "3.sealed", "--fif", tmp_path / "x_eeg.fif").output
    assert "1 names of events or channels could identify and were replaced" in both
    assert "holds everything as it was recorded" in both


def test_a_session_without_its_audit_log_is_not_as_it_was_written(run: Run, session_dir: Path) -> None:
    # What is recorded without a gate has no log, and misses none.
    assert run("verify", session_dir).exit_code == 0
    header = json.loads((session_dir / "session.json").read_text(encoding="utf-8"))
    header["config"]["gate"] = {"profile": "fes"}
    (session_dir / "session.json").write_text(json.dumps(header), encoding="utf-8")
    result = run("verify", session_dir, "--json")
    assert result.exit_code == 1
    (problem,) = json.loads(result.stdout)["problems"]
    assert problem.startswith("audit.jsonl is gone: every session writes one")
    # One that is there and cannot be read is no smaller doubt.
    (session_dir / "audit.jsonl").mkdir()
    result = run("verify", session_dir, "--json")
    assert result.exit_code == 1
    assert "audit.jsonl cannot be read" in json.loads(result.stdout)["problems"][0]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["recover", "nowhere"], r"no session\.json"),
        (["export", "nowhere", "--fif", "x.fif"], "nowhere"),
        (["export", "SESSION"], "Say what to make"),
        (["export", "SESSION", "--fif", "x.fif", "--keep", "everything"], "allowed: all, channels, device, texts"),
        (["export", "SESSION", "--bids", "b", "--format", "gdf"], "allowed: bdf, brainvision, edf"),
        (["export", "SESSION", "--bids", "b", "--subject", "Jane Doe"], "subject is 'Jane Doe'"),
        (["import", "nowhere.edf", "--out", "x"], "nowhere"),
    ],
)
def test_bad_input_is_one_clear_error(
    run: Run, session_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BciError, match=text):
        run(*[str(session_dir) if argument == "SESSION" else argument for argument in arguments])
