"""Encryption at rest: opens with the passphrase only, and every change is found."""

from pathlib import Path

import pytest

from bcikit.recording import SessionWriter, is_sealed, read_session, seal, unseal
from bcikit.recording import seal as package_seal
from bcikit.recording.seal import BLOCK
from bcikit.signal import ArgumentError, RecordingError, StreamInfo

PASSPHRASE = "correct horse battery"
CHEAP = 10


@pytest.fixture
def sealed(session_dir: Path, tmp_path: Path) -> Path:
    """Return a sealed session of several blocks."""
    (session_dir / "extra.bin").write_bytes(bytes(range(256)) * (3 * BLOCK // 256))
    seal(session_dir, tmp_path / "s.sealed", passphrase=PASSPHRASE, cost=CHEAP)
    return tmp_path / "s.sealed"


def test_a_session_comes_back_byte_for_byte(session_dir: Path, sealed: Path, tmp_path: Path) -> None:
    assert package_seal is seal
    assert is_sealed(sealed)
    assert not is_sealed(session_dir / "signals.xdf")
    unseal(sealed, tmp_path / "opened", passphrase=PASSPHRASE)
    before = {path.name: path.read_bytes() for path in session_dir.iterdir()}
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "opened").iterdir()}


def test_nothing_can_be_read_without_the_key(sealed: Path) -> None:
    raw = sealed.read_bytes()
    # None so short that three million random bytes hold it by chance.
    for text in (b"cue/left", b"session.json", b"signals", b"<?xml ", b"<label>C3"):
        assert text not in raw


def test_a_wrong_passphrase_is_refused(sealed: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="wrong passphrase"):
        unseal(sealed, tmp_path / "opened", passphrase="wrong horse battery")
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize("where", [0.0001, 0.1, 0.3, 0.6, 0.9, 0.99999])
def test_a_changed_byte_is_found_anywhere(sealed: Path, tmp_path: Path, where: float) -> None:
    raw = bytearray(sealed.read_bytes())
    raw[8 + int(where * (len(raw) - 9))] ^= 1
    sealed.write_bytes(raw)
    with pytest.raises(RecordingError):
        unseal(sealed, tmp_path / "opened", passphrase=PASSPHRASE)
    assert not (tmp_path / "opened").exists()


def test_blocks_cut_off_exchanged_or_added_are_found(sealed: Path, tmp_path: Path) -> None:
    raw = sealed.read_bytes()
    head = 12 + int.from_bytes(raw[8:12], "big")
    size = BLOCK + 16
    first, second, rest = raw[head : head + size], raw[head + size : head + 2 * size], raw[head + 2 * size :]
    forged = (raw[: head + size], raw[: head + 2 * size], raw[:head] + second + first + rest, raw + first, raw[:-1])
    for number, changed in enumerate(forged):
        sealed.write_bytes(changed)
        with pytest.raises(RecordingError, match="not authentic"):
            unseal(sealed, tmp_path / f"opened{number}", passphrase=PASSPHRASE)


def test_two_seals_of_the_same_session_have_nothing_in_common(session_dir: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        seal(session_dir, tmp_path / name, passphrase=PASSPHRASE, cost=CHEAP)
    a, b = (tmp_path / "a").read_bytes(), (tmp_path / "b").read_bytes()
    head = 12 + int.from_bytes(a[8:12], "big")
    assert a[head : head + 64] != b[head : head + 64]


def test_bad_input_is_refused(session_dir: Path, sealed: Path, tmp_path: Path, info: StreamInfo) -> None:
    with pytest.raises(ArgumentError, match="8 characters"):
        seal(session_dir, tmp_path / "x", passphrase="short")
    with pytest.raises(RecordingError, match="exists already"):
        seal(session_dir, sealed, passphrase=PASSPHRASE, cost=CHEAP)
    with pytest.raises(RecordingError, match="exists already"):
        unseal(sealed, session_dir, passphrase=PASSPHRASE)
    (tmp_path / "no").write_bytes(b"something else")
    with pytest.raises(RecordingError, match="no sealed session"):
        unseal(tmp_path / "no", tmp_path / "y", passphrase=PASSPHRASE)
    with SessionWriter(tmp_path / "open", info=info), pytest.raises(RecordingError, match="not closed"):
        seal(tmp_path / "open", tmp_path / "z", passphrase=PASSPHRASE)
    assert read_session(session_dir).status == "complete"


def test_what_is_beside_it_stays(session_dir: Path, sealed: Path, tmp_path: Path) -> None:
    for name in ("opened.part", "again.part"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.txt").write_text("mine")
    (tmp_path / "other.sealed.part").write_text("mine")
    unseal(sealed, tmp_path / "opened", passphrase=PASSPHRASE)
    with pytest.raises(RecordingError, match="wrong passphrase"):
        unseal(sealed, tmp_path / "again", passphrase="wrong passphrase")
    seal(session_dir, tmp_path / "other.sealed", passphrase=PASSPHRASE, cost=CHEAP)
    for name in ("opened.part/mine.txt", "again.part/mine.txt", "other.sealed.part"):
        assert (tmp_path / name).read_text() == "mine"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_folder_is_not_sealed_into_itself(session_dir: Path) -> None:
    with pytest.raises(ArgumentError, match="beside it"):
        seal(session_dir, session_dir / "s.sealed", passphrase=PASSPHRASE, cost=CHEAP)
    assert not (session_dir / "s.sealed").exists()


@pytest.mark.parametrize("target", ["/etc/hostname", "signals.xdf", "nowhere"])
def test_a_session_with_a_link_is_not_sealed(session_dir: Path, tmp_path: Path, target: str) -> None:
    (session_dir / "link").symlink_to(target)
    with pytest.raises(RecordingError, match="is a link"):
        seal(session_dir, tmp_path / "x.sealed", passphrase=PASSPHRASE, cost=CHEAP)
    assert not (tmp_path / "x.sealed").exists()


def test_a_passphrase_in_another_unicode_form_opens_it(session_dir: Path, tmp_path: Path) -> None:
    composed, apart = "Schl\u00fcssel-\u00e9t\u00e9", "Schlu\u0308ssel-e\u0301te\u0301"
    for number, (first, second) in enumerate(((composed, apart), (apart, composed))):
        seal(session_dir, tmp_path / f"{number}.sealed", passphrase=first, cost=CHEAP)
        assert unseal(tmp_path / f"{number}.sealed", tmp_path / f"opened{number}", passphrase=second).is_dir()


def test_a_header_that_asks_for_gigabytes_is_refused(sealed: Path, tmp_path: Path, session_dir: Path) -> None:
    raw = sealed.read_bytes()
    sealed.write_bytes(raw.replace(b'"log2_n": 10', b'"log2_n": 22'))
    with pytest.raises(RecordingError, match=r"2\*\*22 rounds"):
        unseal(sealed, tmp_path / "opened", passphrase=PASSPHRASE)
    with pytest.raises(ArgumentError, match="cost"):
        seal(session_dir, tmp_path / "y.sealed", passphrase=PASSPHRASE, cost=22)


@pytest.mark.parametrize("cut", [10, 40])
def test_a_header_that_is_cut_off_is_damage_not_a_wrong_passphrase(sealed: Path, tmp_path: Path, cut: int) -> None:
    sealed.write_bytes(sealed.read_bytes()[:cut])
    with pytest.raises(RecordingError, match="is damaged: its header cannot be read"):
        unseal(sealed, tmp_path / "opened", passphrase=PASSPHRASE)


def test_a_place_that_cannot_be_written_is_one_clear_error(sealed: Path, session_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="cannot be written"):
        seal(session_dir, tmp_path / "file" / "x.sealed", passphrase=PASSPHRASE, cost=CHEAP)
    with pytest.raises(RecordingError, match="cannot be opened"):
        unseal(sealed, tmp_path / "file" / "opened", passphrase=PASSPHRASE)
