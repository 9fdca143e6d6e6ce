"""The audit log names the record that was touched."""

import contextlib
import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from bcikit.safety import AuditLog, Level, verify_audit
from bcikit.signal import RecordingError, SafetyError


def write(folder, n=8, **options):
    log = AuditLog(folder, session_id="s1", subject="p07", software="1.0", **options)
    for index in range(n):
        log.write(
            "transition",
            now=float(index),
            actor="operator Li",
            level=Level.WARNING if index % 3 == 0 else Level.INFO,
            from_state="ARMED",
            to_state="ACTIVE",
            rule_id="H-STALL",
            value=index * 0.1,
            limit="µV",
            reason="because",
        )
    log.close()
    return log


def write_open(folder):
    log = AuditLog(folder)
    log.write("x", now=1.0, actor="system")
    return log


@pytest.mark.requirement("SAF-092")
def test_an_untouched_log_is_intact_and_can_be_continued(audit_dir):
    write(audit_dir)
    log = write(audit_dir, n=4)
    result = verify_audit(audit_dir)
    assert (result.intact, result.n_records, result.head) == (True, 12, log.head)
    record = json.loads((audit_dir / "audit.jsonl").read_text().splitlines()[-1])
    assert {"seq", "t_utc", "t_mono", "session_id", "subject", "actor", "event", "from_state", "to_state", "rule_id",
            "value", "limit", "action", "software", "config_sha256", "prev_hash", "hash"} <= set(record)  # fmt: skip


@pytest.mark.requirement("SAF-092")
@pytest.mark.requirement("SAF-120")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_bit_names_its_record(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("audit")
    write(folder)
    path = folder / "audit.jsonl"
    content = bytearray(path.read_bytes())
    where = data.draw(st.integers(0, len(content) - 1))
    content[where] ^= 1 << data.draw(st.integers(0, 7))
    record = bytes(content[:where]).count(b"\n")
    path.write_bytes(content)
    result = verify_audit(folder)
    assert not result.intact
    assert result.record == record
    assert f"record {record}" in result.problem


@pytest.mark.requirement("SAF-092")
@pytest.mark.requirement("SAF-120")
@pytest.mark.parametrize("removed", range(8))
def test_a_removed_line_names_the_missing_record(audit_dir, removed):
    write(audit_dir)
    path = audit_dir / "audit.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:removed] + lines[removed + 1 :]))
    result = verify_audit(audit_dir)
    assert (result.intact, result.record) == (False, removed)
    assert f"record {removed} is missing" in result.problem
    done = CliRunner().invoke(_app(), ["audit", "verify", str(audit_dir)])
    assert done.exit_code == 1
    assert f"record {removed}" in done.stdout


@pytest.mark.requirement("SAF-092")
def test_swapped_added_and_rewritten_lines_are_found(audit_dir):
    write(audit_dir)
    path = audit_dir / "audit.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], lines[4], lines[3], *lines[5:]]))
    assert verify_audit(audit_dir).record == 3
    path.write_bytes(b"".join([*lines[:5], lines[4], *lines[5:]]))
    assert verify_audit(audit_dir).record == 5
    (audit_dir / "audit.head").unlink()
    path.write_bytes(b"".join(lines))
    assert "audit.head" in verify_audit(audit_dir).problem


@pytest.mark.requirement("SAF-092")
def test_with_a_key_a_log_rewritten_without_it_does_not_verify(audit_dir, tmp_path):
    write(audit_dir, key=b"k" * 32)
    assert verify_audit(audit_dir, key=b"k" * 32).intact
    assert "or written with a key" in verify_audit(audit_dir).problem
    assert "or the key is another one" in verify_audit(audit_dir, key=b"k" * 32 + b"\n").problem
    assert verify_audit(audit_dir).record == 0
    write(tmp_path / "forged")
    assert verify_audit(tmp_path / "forged", key=b"k" * 32).record == 0


@pytest.mark.requirement("SAF-092")
def test_a_crash_between_line_and_head_is_no_tampering(audit_dir):
    write(audit_dir, n=5)
    head = (audit_dir / "audit.head").read_bytes()
    log = AuditLog(audit_dir, session_id="s1")
    log.write("x", now=9.0, actor="system")
    log.close()
    (audit_dir / "audit.head").write_bytes(head)
    assert verify_audit(audit_dir).intact


def test_a_broken_log_is_not_continued(audit_dir):
    write(audit_dir)
    path = audit_dir / "audit.jsonl"
    path.write_bytes(path.read_bytes().replace(b"because", b"becausE", 1))
    with pytest.raises(SafetyError, match="record 0"):
        AuditLog(audit_dir)


@pytest.mark.requirement("SAF-082")
@pytest.mark.parametrize("damage", ["removed", "replaced", "cut", "continued by another"])
def test_a_log_that_is_lost_while_it_is_written_cannot_be_written(audit_dir, damage):
    log = write_open(audit_dir)
    path = audit_dir / "audit.jsonl"
    if damage == "removed":
        path.unlink()
    elif damage == "replaced":
        content = path.read_bytes()
        path.rename(audit_dir / "old")
        path.write_bytes(content)
    elif damage == "cut":
        os.truncate(path, path.stat().st_size - 20)
    else:
        path.write_bytes(path.read_bytes() + b"{}\n")
    with pytest.raises(SafetyError, match="cannot be written"):
        log.write("x", now=2.0, actor="system")
    log.close()


@pytest.mark.requirement("SAF-082")
def test_without_its_log_a_running_session_ends_where_nothing_moves(active, audit_dir):
    from bcikit.safety import State

    one = active(audit=AuditLog(audit_dir))
    assert one.decide().allowed
    (audit_dir / "audit.jsonl").unlink()
    assert not one.decide().allowed
    assert one.system.state is State.FATAL
    one.system.ledger.audit.close()


@pytest.mark.requirement("SAF-092")
def test_whatever_is_said_is_written_as_json_and_verifies(audit_dir):
    log = AuditLog(audit_dir)
    log.write("x", now=1.0, actor="caf\udce9", value=float("nan"), limit=float("inf"), reason="a\nb\u2028\x00")
    log.close()
    assert verify_audit(audit_dir).intact

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    record = json.loads((audit_dir / "audit.jsonl").read_bytes(), parse_constant=refuse)
    assert (record["value"], record["limit"], record["actor"]) == ("NaN", "Infinity", "caf\udce9")


@pytest.mark.requirement("SAF-096")
@settings(max_examples=80, deadline=None)
@given(content=st.one_of(st.binary(max_size=300), st.just(b"[" * 5000 + b"\n"), st.just(b'{"hash":1,"seq":true}\n')))
def test_any_bytes_are_verified_without_a_crash(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("audit")
    (folder / "audit.jsonl").write_bytes(content)
    assert not verify_audit(folder).intact


def test_no_log_is_an_error_not_a_verdict(tmp_path):
    with pytest.raises(RecordingError, match=r"audit\.jsonl"):
        verify_audit(tmp_path)


def _app():
    from bcikit.cli.app import app

    return app


def forged(folder, reason):
    """Write a log that is intact by itself, by somebody whose anchors are elsewhere."""
    import shutil

    shutil.rmtree(folder)
    before = os.environ["BCIKIT_ANCHORS"]
    os.environ["BCIKIT_ANCHORS"] = str(folder.parent / "elsewhere")
    try:
        with contextlib.closing(AuditLog(folder)) as log:
            for number in range(5):
                log.write("transition", now=float(number), actor="nobody", reason=reason)
    finally:
        os.environ["BCIKIT_ANCHORS"] = before


@pytest.mark.requirement("SAF-131")
def test_a_log_that_was_replaced_as_a_whole_cut_with_its_head_or_removed_shows(tmp_path, monkeypatch):
    monkeypatch.setenv("BCIKIT_ANCHORS", str(tmp_path / "anchors"))
    folder = tmp_path / "session"
    with contextlib.closing(AuditLog(folder)) as log:
        for number in range(5):
            log.write("transition", now=float(number), actor="Li", reason="real")
    assert verify_audit(folder).anchored
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}

    forged(folder, "never happened")
    found = verify_audit(folder)
    assert not found.intact
    assert "replaced as a whole" in found.problem
    with pytest.raises(SafetyError, match="not intact"):
        AuditLog(folder)

    lines = whole["audit.jsonl"].splitlines(keepends=True)
    (folder / "audit.jsonl").write_bytes(b"".join(lines[:3]))
    (folder / "audit.head").write_text(f"{2:012d} {json.loads(lines[2])['hash']}\n")
    assert "the log had 5 records" in verify_audit(folder).problem

    (folder / "audit.jsonl").unlink()
    assert "was removed" in verify_audit(folder).problem

    for name, content in whole.items():
        (folder / name).write_bytes(content)
    moved = folder.rename(tmp_path / "moved")
    assert verify_audit(moved).anchored, "by its first record"
    assert b"session" not in b"".join(path.read_bytes() for path in (tmp_path / "anchors").glob("*.json"))
    for path in (tmp_path / "anchors").glob("*.json"):
        path.write_text(path.read_text().replace('"count": 5', '"count": 1'))
    assert not verify_audit(moved).anchored, "an anchor that was changed is none"
