"""What is heard, by players that stand in for those of a system: which is taken, what it is given, and what it says."""

import os
import stat
import subprocess
import sys
import time
import types
import wave
from pathlib import Path

import numpy as np
import pytest

from bcikit.presentation import sound
from bcikit.presentation.sound import RATE, Sounds, tone

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the players that stand in are scripts of a shell")


class Room:
    """A folder of programs that is all of the PATH, and what they were given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.log.touch()

    def put(self, name: str, does: str = "") -> None:
        path = self.folder / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.log}\n{does}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def given(self, count: int) -> list[str]:
        end = time.monotonic() + 60
        while len(lines := self.log.read_text().splitlines()) < count:
            assert time.monotonic() < end, lines
            time.sleep(0.002)
        return lines


def test_a_process_leaves_no_tone_behind(tmp_path):
    code = (
        "from bcikit.presentation.sound import tone\n"
        "paths = {tone(440.0, 0.05), tone(440.0, 0.1), tone(441.0, 0.05), tone(440.0, 0.05)}\n"
        "assert all(path.is_file() for path in paths)\n"
        "print(len(paths))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert ended.stdout == "3\n"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def room(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for found in (sound.player, sound.speaker):
        found.cache_clear()
    yield Room(tmp_path)
    for found in (sound.player, sound.speaker):
        found.cache_clear()


def until(true):
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_a_tone_has_its_pitch_and_swells_and_fades():
    with wave.open(str(tone(1000.0, 0.1))) as file:
        assert file.getframerate() == RATE
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    assert samples.size == round(0.1 * RATE)
    assert abs(int(samples[0])) < 300
    assert abs(int(samples[-1])) < 300
    assert np.abs(samples).max() == pytest.approx(20_000, rel=0.02)
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.fft.rfftfreq(samples.size, 1 / RATE)[spectrum.argmax()] == pytest.approx(1000.0, abs=10.0)


def test_the_player_and_the_speaker_that_are_there_are_taken(room):
    room.put("aplay")
    room.put("espeak-ng")
    sounds = Sounds()
    assert room.given(1) == [f"aplay -q {tone(0.0, 0.02)}"], "it is tried once, without a tone"
    assert sounds.play(1000.0, 0.07)
    assert room.given(2)[1] == f"aplay -q {tone(1000.0, 0.07)}"
    assert sounds.speak("-左手", "zh")
    assert room.given(3)[2] == "espeak-ng -v cmn -- -左手", "no text is an option"
    assert not sounds.speak("", "en")
    assert sounds.why == ""


def test_a_newer_word_ends_an_older_one_and_that_is_no_fault(room):
    room.put("paplay")
    room.put("say", "exec /bin/sleep 30")
    sounds = Sounds()
    assert sounds.speak("left", "en")
    room.given(2)
    first = sounds._speaking
    assert sounds.speak("right", "en")
    until(lambda: first.poll() is not None)
    assert room.given(3)[2] == "say -- right"
    assert first.returncode < 0
    assert sounds.why == ""
    sounds._speaking.terminate()
    sounds._speaking.wait(30)


def test_where_nothing_plays_that_is_said_and_the_fallback_sounds(room):
    beeps = []
    sounds = Sounds(lambda: beeps.append("beep"))
    assert sounds.why == "none of pw-play, paplay, aplay, afplay is installed"
    assert not sounds.play(1000.0, 0.07)
    assert beeps == ["beep"]
    room.put("say")
    assert not sounds.speak("left", "en"), "nobody hears what has no way out"
    assert room.given(0) == []
    assert not Sounds().play(1000.0, 0.07)


def test_a_player_that_fails_tells_why_from_then_on(room):
    room.put("pw-play", "echo 'no server of sound' >&2; exit 1")
    sounds = Sounds()
    until(lambda: sounds.why)
    assert sounds.why == "pw-play: no server of sound"
    assert not sounds.play(1000.0, 0.07)
    assert len(room.given(1)) == 1
    room.put("pw-play", "exit 3")
    silent = Sounds()
    until(lambda: silent.why)
    assert silent.why == "pw-play: 3"


def test_a_player_that_cannot_be_started_or_hangs_is_no_end(room, monkeypatch):
    room.put("afplay")
    sounds = Sounds()
    room.given(1)
    (room.folder / "afplay").unlink()
    assert not sounds.play(1000.0, 0.07)
    assert sounds.why.startswith("afplay cannot be started: No such file")
    room.put("afplay", "exec /bin/sleep 30")
    monkeypatch.setattr(sound, "LONGEST", 0.05)
    ended = []
    reap = Sounds._reap

    def note(self, process, name):
        reap(self, process, name)
        ended.append(process.returncode)

    monkeypatch.setattr(Sounds, "_reap", note)
    hanging = Sounds()
    until(lambda: ended)
    assert ended[0] < 0
    assert hanging.why == "", "whether it sounded before is not known"


def test_windows_plays_by_its_own_means(monkeypatch):
    played = []
    system = types.ModuleType("winsound")
    system.SND_FILENAME, system.SND_ASYNC = 0x20000, 0x1
    system.PlaySound = lambda path, flags: played.append((path, flags))
    monkeypatch.setattr(sound.platform, "system", lambda: "Windows")
    sounds = Sounds()
    monkeypatch.setitem(sys.modules, "winsound", None)
    assert not sounds.play(440.0, 0.05)
    monkeypatch.setitem(sys.modules, "winsound", system)
    assert sounds.play(440.0, 0.05)
    assert played == [(str(tone(440.0, 0.05)), 0x20001)]
