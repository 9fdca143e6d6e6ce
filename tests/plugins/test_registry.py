"""The one registry: what is shipped loads, a stranger's entry point is found, an unknown name says what is near."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bcikit import plugins
from bcikit.acquisition.formats import known_formats
from bcikit.cli import checkup
from bcikit.cli.app import app
from bcikit.decoding import Epochs, Model, decoder_names, make_decoder
from bcikit.outputs import open_output
from bcikit.plugins import table
from bcikit.processing import Pipeline
from bcikit.signal import ArgumentError, ConfigError, DoubtWarning, PluginError


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_everything_shipped_can_be_loaded(kind: str) -> None:
    for plugin in plugins.plugins(kind):
        assert plugin.load() is not None
        assert plugin.shipped


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Return a function that installs a package of a stranger: its module and its entry points."""

    def install(entry_points: str, module: str, *, name: str = "stranger") -> None:
        site = tmp_path / name
        info = site / f"{name}-1.2.dist-info"
        info.mkdir(parents=True)
        (site / f"{name}_module.py").write_text(module)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(entry_points)
        monkeypatch.syspath_prepend(str(site))
        table.candidates.cache_clear()

    yield install
    for module in [name for name in sys.modules if name.endswith("_module")]:
        del sys.modules[module]
    table.candidates.cache_clear()


STEP = '''
from bcikit.processing import Step

class Double(Step):
    """Twice as large."""

    name = "double"

    def configure(self, info):
        return info

    def process(self, chunk):
        from dataclasses import replace
        return replace(chunk, data=2.0 * chunk.data)
'''


def test_a_strangers_step_is_named_like_ours(stranger: Callable[..., None]) -> None:
    stranger("[bcikit.steps]\ndouble = stranger_module:Double\n", STEP)
    assert "double" in plugins.names("steps")
    assert plugins.find("steps", "double").package == "stranger"
    pipeline = Pipeline.from_config([{"step": "double"}])
    assert type(pipeline.steps[0]).__name__ == "Double"
    result = CliRunner().invoke(app, ["plugins", "--kind", "steps", "--json"])
    assert result.exit_code == 0
    row = next(row for row in json.loads(result.stdout) if row["name"] == "double")
    assert (row["package"], row["version"], row["what"]) == ("stranger", "1.2", "Twice as large.")


def test_a_plugin_that_does_not_load_names_its_package(stranger: Callable[..., None]) -> None:
    stranger("[bcikit.steps]\nbroken = stranger_module:Nothing\n", "")
    with pytest.raises(PluginError, match=r"'broken' of the package stranger \(stranger_module:Nothing\) cannot be"):
        plugins.load("steps", "broken")
    with pytest.raises(ConfigError, match="package stranger"):
        Pipeline.from_config([{"step": "broken"}])
    result = CliRunner().invoke(app, ["plugins", "--kind", "steps"])
    assert result.exit_code == 1


def test_what_is_no_step_is_refused(stranger: Callable[..., None]) -> None:
    stranger("[bcikit.steps]\nwrong = stranger_module:Wrong\n", "class Wrong: pass")
    with pytest.raises(ConfigError, match="no class of Step"):
        Pipeline.from_config([{"step": "wrong"}])


def test_a_name_that_two_packages_claim_is_refused(stranger: Callable[..., None]) -> None:
    stranger("[bcikit.outputs]\nhand = stranger_module:Hand\n", "class Hand: pass")
    with pytest.raises(ArgumentError, match="'hand' comes from openbcikit and stranger"):
        open_output("hand:")


def test_an_unknown_name_says_what_is_near() -> None:
    with pytest.raises(ArgumentError, match="Did you mean 'csp-lda'"):
        plugins.load("decoders", "csp_lda")
    with pytest.raises(ArgumentError, match="Did you mean 'outputs'"):
        plugins.names("output")
    with pytest.raises(ArgumentError, match="Did you mean 'serial'"):
        open_output("serail:/dev/ttyUSB0")


SOURCE = """
from bcikit.acquisition import Device

def open_lab(address):
    raise NotImplementedError

def discover(wait):
    return [Device(address="lab:7", what="amplifier", detail="number 7")]

open_lab.discover = discover

def open_torn(address):
    raise NotImplementedError

def torn(wait):
    raise RuntimeError("no licence")

open_torn.discover = torn
"""


def test_devices_of_a_stranger_are_listed_and_one_that_fails_says_why(stranger: Callable[[str, str], None]) -> None:
    stranger("[bcikit.sources]\nlab = stranger_module:open_lab\ntorn = stranger_module:open_torn\n", SOURCE)
    shown = CliRunner().invoke(app, ["devices", "--wait", "0.1", "--json"])
    assert shown.exit_code == 0
    rows = {row["address"]: row for row in json.loads(shown.stdout)}
    assert rows["lab:7"]["what"] == "amplifier"
    assert rows["torn:"]["what"] == "cannot be asked"
    assert "no licence" in rows["torn:"]["detail"]


QUITS = "import sys; print('hello'); sys.exit('no licence')"


def test_a_plugin_that_ends_the_program_while_it_is_imported_takes_no_command_down(
    stranger: Callable[..., None],
) -> None:
    stranger("[bcikit.sources]\nquits = stranger_module:Source\n", QUITS)
    with pytest.raises(PluginError, match=r"package stranger .* cannot be loaded: SystemExit: no licence"):
        plugins.load("sources", "quits")
    result = CliRunner().invoke(app, ["plugins", "--json"])
    rows = {row["name"]: row["problem"] for row in json.loads(result.stdout) if row["problem"]}
    assert result.exit_code == 1
    assert list(rows) == ["quits"]
    finding = checkup.CHECKS["plug-ins"]("plug-ins")
    assert finding.state == checkup.ADVICE
    assert "no licence" in finding.found
    assert finding.fix.endswith("pip uninstall stranger")


@pytest.mark.parametrize(
    ("entry", "module", "said"),
    [
        ("quits = stranger_module:Format", QUITS, "'quits' of the package stranger .* SystemExit"),
        ("raises = stranger_module:Format", "raise RuntimeError('boom')", "'raises' .* RuntimeError: boom"),
        ("number = stranger_module:Format", "Format = 3", "'number' is a int, no bcikit.acquisition.Format"),
        ("edf = stranger_module:Format", "Format = 3", "'edf' comes from openbcikit and stranger"),
    ],
)
def test_files_of_all_other_formats_are_read_beside_one_that_does_not_load(
    entry: str, module: str, said: str, stranger: Callable[..., None]
) -> None:
    known = [one.name for one in known_formats()]
    stranger(f"[bcikit.formats]\n{entry}\n", module)
    known_formats.cache_clear()
    try:
        with pytest.warns(DoubtWarning, match=said):
            assert sorted(one.name for one in known_formats()) == sorted(known)
    finally:
        known_formats.cache_clear()


def imagery_with_muscle() -> Epochs:
    """Return 40 trials of noise in which each class has a loud channel of EEG and one of EMG."""
    data = np.random.default_rng(1).standard_normal((40, 4, 100))
    sides = np.arange(40) % 2
    data[np.arange(40), sides] *= 3
    data[np.arange(40), 2 + sides] *= 3
    return Epochs(
        X=data,
        y=np.array(["left", "right"])[sides],
        groups=np.repeat([0, 1], 20),
        runs=np.repeat([0, 1], 20),
        samples=np.arange(40) * 300,
        sfreq=100.0,
        tmin=0.0,
        tmax=1.0,
        ch_names=("C3", "C4", "left arm", "right arm"),
    )


@pytest.mark.parametrize(
    ("entry", "module", "said"),
    [
        ("fancy = stranger_module:Fancy", "raise RuntimeError('boom')", "'fancy' .* RuntimeError: boom"),
        ("fancy = stranger_module:Fancy", "class Fancy: pass", "'fancy' of stranger is no class of Decoder"),
    ],
)
def test_all_other_decoders_are_named_and_trained_beside_one_that_does_not_load(
    entry: str, module: str, said: str, stranger: Callable[..., None]
) -> None:
    known = decoder_names("motor-imagery")
    stranger(f"[bcikit.decoders]\n{entry}\n", module)
    trials = imagery_with_muscle()
    assert Model.fit("csp-lda", trials).sheet.decoder == "csp-lda"
    muscle = {"left arm": "emg", "right arm": "emg", "C3": "eeg", "C4": "eeg"}
    assert Model.fit("hybrid", trials, params={"channels": muscle}).sheet.decoder == "hybrid"
    flicker = make_decoder(
        "ssvep-auto", sfreq=100.0, frequencies={"left": 8.0, "right": 11.0}, candidates=("fb-tangent",)
    )
    assert flicker.fit(trials.X, trials.y).chosen_ == "fb-tangent"
    assert "fancy" in decoder_names()
    with pytest.warns(DoubtWarning, match=said):
        assert decoder_names("motor-imagery") == known
    with pytest.raises(PluginError, match=said):
        make_decoder("fancy", sfreq=100.0)
