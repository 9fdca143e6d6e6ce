"""Requirements of safety through whole sessions: the real engine, its log, the real guard, and the commands on top."""

import itertools
import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bcikit.cli.app import app
from bcikit.safety import GuardClient
from bcikit.session import Engine, Listener
from bcikit.session.orders import checked_order
from bcikit.signal import BciError
from bcikit.signal.messages import Decided, Message, Sent, StateChanged


class Watch(Listener):
    """Keeps what is decided, sent, and the states, in order."""

    def __init__(self) -> None:
        self.all: list[Message] = []

    def take(self, message: Message) -> None:
        if isinstance(message, Decided | Sent | StateChanged):
            self.all.append(message)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Watch, dict[str, Any]]:
    from bcikit.session import shipped_config
    from tests.session.conftest import SHORT

    folder = tmp_path_factory.mktemp("whole") / "session"
    base = shipped_config("motor-imagery", seed=1, settings=SHORT)
    config = base.model_copy(update={"recording": base.recording.model_copy(update={"folder": str(folder)})})
    watch = Watch()
    values = Engine(config, listeners=[watch]).run().values
    return folder, watch, values


@pytest.mark.slow
@pytest.mark.requirement("SAF-062")
@pytest.mark.requirement("SAF-063")
@pytest.mark.requirement("SAF-083")
def test_every_command_has_its_verdict_its_evidence_and_its_number(ran) -> None:
    _, watch, values = ran
    last: Decided | None = None
    numbers, allowed, refused = [], 0, 0
    for message in watch.all:
        if isinstance(message, Decided):
            last = message
            allowed += message.verdict.allowed
            refused += not message.verdict.allowed
            if message.verdict.allowed:
                probabilities = sorted(message.decision.probabilities)
                assert message.decision.label is not None
                assert probabilities[-1] >= 0.7
                assert probabilities[-1] - probabilities[-2] >= 0.2
        elif isinstance(message, Sent):
            assert last is not None
            assert last.verdict.allowed
            numbers.append(message.command.sequence)
    assert numbers
    assert refused
    assert all(before < after for before, after in itertools.pairwise(numbers))
    assert values["gate"]["allowed"] == allowed


@pytest.mark.slow
@pytest.mark.requirement("SAF-082")
@pytest.mark.requirement("SAF-093")
@pytest.mark.requirement("SAF-094")
def test_states_stand_in_the_log_and_the_report_as_they_were(ran) -> None:
    folder, watch, values = ran
    states = [message.state for message in watch.all if isinstance(message, StateChanged)]
    lines = [json.loads(line) for line in (folder / "audit.jsonl").read_text(encoding="utf-8").splitlines()]
    logged = [line["to_state"] for line in lines if line.get("event") == "transition"]
    # The log goes on to the end of the session, after the last listener has gone.
    assert [state for state in logged if state in states][: len(states)] == states
    assert values["safety"]["state"] == logged[-1]
    assert sum(values["safety"]["time_in_state_s"].values()) > 60
    for alarm in values["alarms"]:
        assert {"rule", "level", "what", "do"} <= set(alarm)


@pytest.mark.slow
@pytest.mark.requirement("SAF-092")
@pytest.mark.requirement("SAF-120")
@pytest.mark.requirement("SAF-131")
def test_a_log_that_was_changed_cut_or_replaced_is_named_by_the_command(ran, tmp_path: Path) -> None:
    folder, _, _ = ran
    log = folder / "audit.jsonl"
    good = log.read_bytes()
    runner = CliRunner()
    assert runner.invoke(app, ["audit", "verify", str(folder)]).exit_code == 0
    lines = good.splitlines(keepends=True)
    try:
        for bad, words in (
            (good.replace(b'"actor"', b'"Actor"', 1), "record 0"),
            (b"".join(lines[:2] + lines[3:]), "record 2"),
            (b"".join(lines[:-1]), f"record {len(lines) - 1}"),
            (b"".join([lines[0], lines[2], lines[1], *lines[3:]]), "record 1"),
            (b"", "record 0"),
        ):
            log.write_bytes(bad)
            done = runner.invoke(app, ["audit", "verify", str(folder)])
            assert done.exit_code == 1, words
            assert words in done.output
    finally:
        log.write_bytes(good)
    assert runner.invoke(app, ["audit", "verify", str(folder)]).exit_code == 0


@pytest.mark.requirement("SAF-084")
def test_a_monitor_that_fails_is_fatal(short_config, monkeypatch: pytest.MonkeyPatch) -> None:
    from bcikit.safety.stream import StreamMonitor

    real, calls = StreamMonitor.update, []

    def failing(self: Any, *given: Any) -> Any:
        calls.append(1)
        if len(calls) > 100:
            raise ZeroDivisionError("boom")
        return real(self, *given)

    monkeypatch.setattr(StreamMonitor, "update", failing)
    watch = Watch()
    Engine(short_config(""), listeners=[watch], limit=30.0).run()
    states = [message.state for message in watch.all if isinstance(message, StateChanged)]
    assert states[-1] == "FATAL"
    last = max(index for index, message in enumerate(watch.all) if isinstance(message, StateChanged))
    assert not any(isinstance(message, Sent) for message in watch.all[last:])


@pytest.mark.requirement("SAF-052")
def test_a_run_that_lasted_long_enough_ends() -> None:
    config = {
        "source": {"address": "sim:rest?seed=1&chunk=50"},
        "paradigm": {"name": "neurofeedback-smr"},
        "gate": {"run_max_s": 60.0},
        "recording": {"enabled": False},
    }
    watch = Watch()
    values = Engine(config, listeners=[watch], limit=100.0).run().values
    assert "P-TIME" in {alarm["rule"] for alarm in values["alarms"]}
    states = [message.state for message in watch.all if isinstance(message, StateChanged)]
    assert "STANDBY" in states[states.index("ACTIVE") :]


@pytest.mark.requirement("SAF-070")
@pytest.mark.requirement("SAF-073")
@pytest.mark.parametrize(
    ("gate", "word"),
    [
        ('profile = "vehicle"', "profile"),
        ("age_max_s = 3.0", "age_max_s"),
        ('profile = "fes"\naction_max_s = 20.0', "action_max_s"),
        ('ttl_s = "1"', "ttl_s"),
        ("ttl_s = nan", "ttl_s"),
    ],
)
def test_a_session_outside_the_hard_limits_is_not_even_read(tmp_path: Path, gate: str, word: str) -> None:
    file = tmp_path / "session.toml"
    file.write_text(f'[source]\naddress = "sim:motor-imagery"\n[paradigm]\nname = "motor-imagery"\n[gate]\n{gate}\n')
    for command in (["check", "session", str(file)], ["run", str(file), "--headless"]):
        done = CliRunner().invoke(app, command)
        assert getattr(done.exception, "exit_code", 0) == 2
        assert word in str(done.exception)


@pytest.mark.requirement("SAF-068")
def test_the_hand_of_the_real_guard_moves_no_faster_than_its_limit() -> None:
    with GuardClient.launch("sim-hand") as guard:
        guard.arm()
        begun = time.monotonic()
        # A third of the way a second, as the driver says.
        opened = []
        while time.monotonic() < begun + (0.4 if opened and opened[-1][1] else 60.0):
            guard.send("close", 1.0, ttl=0.25)
            said = guard.state()
            state = said["driver"]
            if not said["armed"]:
                # This process had no turn, and its heart missed a beat.
                guard.arm()
            opened.append((time.monotonic() - begun, float(state["closure"])))
            time.sleep(0.02)
    assert opened[-1][1] > 0.0
    assert all(position <= seconds / 3 for seconds, position in opened)


@pytest.mark.slow
@pytest.mark.requirement("SAF-121")
def test_settings_do_not_change_while_a_session_runs(ran) -> None:
    folder, _, _ = ran
    lines = [json.loads(line) for line in (folder / "audit.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len({line["config_sha256"] for line in lines}) == 1
    for order in ({"do": "gate", "ttl_s": 9.0}, {"do": "difficulty", "value": 0.5, "who": "T", "ttl_s": 9.0}):
        with pytest.raises(BciError):
            checked_order(order)


@pytest.mark.requirement("SAF-043")
@pytest.mark.parametrize(
    ("screen", "frequency", "rule"), [("peak_cd_m2 = 300.0\n", 12.0, "ST-4"), ("", 17.0, "ST-4"), ("", 12.0, "")]
)
def test_bright_screens_and_the_provocative_band_are_named_by_the_command(
    tmp_path: Path, screen: str, frequency: float, rule: str
) -> None:
    file = tmp_path / "design.toml"
    file.write_text(
        f"clinical = true\n[screen]\nrefresh_hz = 60\nwidth_cm = 53\nheight_cm = 30\ndistance_cm = 60\n{screen}"
        f"[[target]]\nfrequency_hz = {frequency}\nsize_deg = [3, 3]\ndepth = 0.4\n"
    )
    done = CliRunner().invoke(app, ["check", "stimulus", str(file), "--json"])
    found = json.loads(done.stdout)
    assert found["result"] == "RESTRICTED"
    assert (rule in {finding["rule"] for finding in found["findings"]}) is bool(rule)


@pytest.mark.requirement("SAF-044")
def test_a_session_that_flickers_too_long_does_not_begin(tmp_path: Path) -> None:
    file = tmp_path / "session.toml"
    text = '[source]\naddress = "sim:ssvep"\n[paradigm]\nname = "ssvep-menu"\n[paradigm.settings]\nflicker = {}\n'
    file.write_text(text.format(9.0))
    done = CliRunner().invoke(app, ["run", str(file), "--headless"])
    assert getattr(done.exception, "exit_code", 0) == 2
    assert "flicker" in str(done.exception)
