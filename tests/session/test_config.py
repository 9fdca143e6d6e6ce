from pathlib import Path

import pytest
import tomli_w

from bcikit.paradigms import make_paradigm
from bcikit.session import plan, shipped_config
from bcikit.session.config import config_from, load_config
from bcikit.session.from_config import as_recorded_with, paradigm_of
from bcikit.signal import BciError, ConfigError


def test_the_least_is_an_address() -> None:
    config = config_from({"source": {"address": "sim:motor-imagery"}})
    assert config.session.subject == "anonymous"
    assert config_from(config.to_dict()) == config


def test_every_problem_is_listed_with_key_value_and_allowed() -> None:
    with pytest.raises(ConfigError) as caught:
        config_from(
            {
                "session": {"subject": "Jane Doe", "sed": 3},
                "decoder": {"tmin": 3, "tmax": 1, "reject": 2},
                "calibration": {"trials_per_class": 20},
            },
            where="my.toml",
        )
    text = str(caught.value)
    assert text.startswith("my.toml: 5 problems")
    assert "session.subject is 'Jane Doe'" in text
    assert "session.sed is unknown; allowed: name, notes, operator, seed, subject" in text
    assert "Did you mean 'seed'?" in text
    assert "source is missing" in text
    assert "decoder.reject is 2" in text
    # The paradigm's own settings count its trials.
    assert "calibration.trials_per_class is unknown; allowed: events, files" in text


def test_a_wrong_file_lists_what_is_wrong_in_gate_pipeline_and_paradigm_too(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text(
        '[source]\naddres = "sim:motor-imagery"\n[gate]\nttl_s = 99\n[pipeline]\nsteps = [{ step = "bandpas" }]\n'
        '[paradigm]\nname = "motor-imagery"\n[paradigm.settings]\ntrials_per_run = 7.5\nbogus = 1\n',
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    found = caught.value.problems
    keys = (
        "source.address",
        "source.addres",
        "gate.ttl_s",
        "pipeline.steps",
        "paradigm.trials_per_run",
        "paradigm.bog",
    )
    assert all(any(problem.startswith(key) for problem in found) for key in keys)
    assert len(found) == len(keys)


def test_a_byte_order_mark_is_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text('[source]\naddress = "sim:rest"\n', encoding="utf-8-sig")
    assert load_config(file).source.address == "sim:rest"


def test_window_must_have_a_length() -> None:
    with pytest.raises(ConfigError, match="tmax is 1; it must be above tmin, 3"):
        config_from({"source": {"address": "x:y"}, "decoder": {"tmin": 3, "tmax": 1}})


def test_paths_count_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text(
        '[source]\naddress = "file:run.edf?speed=1"\n[calibration]\nfiles = ["a.edf", "/b.edf"]\n'
        '[recording]\nfolder = "out"\n[paradigm]\nname = "mine.toml"\n',
        encoding="utf-8",
    )
    config = load_config(file)
    assert config.source.address == f"file:{tmp_path / 'run.edf'}?speed=1"
    assert config.calibration.files == [str(tmp_path / "a.edf"), "/b.edf"]
    assert config.recording.folder == str(tmp_path / "out")
    assert config.paradigm.name == str(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("brainflow:cyton?serial_port=COM3&profile=p.toml", "brainflow:cyton?serial_port=COM3&profile={}/p.toml"),
        ("brainflow:playback?file=r.csv&master_board=cyton", "brainflow:playback?file={}/r.csv&master_board=cyton"),
        ("brainflow:cyton?profile=/p.toml", "brainflow:cyton?profile=/p.toml"),
        ("lsl:name=EEG&profile=p.toml", "lsl:name=EEG&profile={}/p.toml"),
        ("sim:rest?join=file:b.edf", "sim:rest?join=file:{}/b.edf"),
        ("sim:rest?join=lsl:name=B%26profile=p.toml", "sim:rest?join=lsl:name=B%26profile={}/p.toml"),
        ("dut:faults?do=nan@3~1&source=file:b.edf", "dut:faults?do=nan@3~1&source=file:{}/b.edf"),
        ("sim:rest?seed=%31", "sim:rest?seed=%31"),
        ("none:a.edf", "none:a.edf"),
        ("guard:sim-hand?log=guard.jsonl&dead_man=1", "guard:sim-hand?log={}/guard.jsonl&dead_man=1"),
        ("ws:?authority=ca&port=0", "ws:authority={}/ca&port=0"),
        ("guard:sim-hand?log=", "guard:sim-hand?log="),
    ],
)  # fmt: skip
def test_paths_in_addresses_count_from_the_file(tmp_path: Path, said: str, kept: str) -> None:
    """Where another file of that name lies in the current folder, that one was taken: a profile has units and gains."""
    file = tmp_path / "s.toml"
    moves = said.startswith(("guard", "ws"))
    source, output = ("sim:rest", said) if moves else (said, "hand:")
    file.write_text(f'[source]\naddress = "{source}"\n[[outputs]]\naddress = "{output}"\n', encoding="utf-8")
    config = load_config(file)
    assert (config.outputs[0].address if moves else config.source.address) == kept.format(tmp_path)


def test_what_a_paradigms_file_names_counts_from_that_file(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "mine.toml").write_text('base = "../common/theirs.toml"\nruns = 2\n', encoding="utf-8")
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "theirs.toml").write_text(
        'base = "action-observation"\nvideo = "lift.gif"\n', encoding="utf-8"
    )
    made = make_paradigm(tmp_path / "lab" / "mine.toml")
    assert made.settings.runs == 2
    assert Path(made.settings.video).resolve() == tmp_path / "common" / "lift.gif"
    file = tmp_path / "s.toml"
    file.write_text(
        '[source]\naddress = "sim:rest"\n[paradigm]\nname = "action-observation"\n'
        '[paradigm.settings]\nvideo = "lift.gif"\n'
        '[decoder]\nname = "onnx"\nmodels = "sqlite:///c.sqlite"\n[decoder.parameters]\npath = "net.onnx"\n',
        encoding="utf-8",
    )
    config = load_config(file)
    assert config.paradigm.settings == {"video": str(tmp_path / "lift.gif")}
    assert config.decoder.parameters == {"path": str(tmp_path / "net.onnx")}
    assert config.decoder.models == f"sqlite:///{tmp_path / 'c.sqlite'}"
    file.write_text(file.read_text().replace('"lift.gif"', '"reach-cup"').replace("c.sqlite", "/c.sqlite"))
    config = load_config(file)
    assert config.paradigm.settings == {"video": "reach-cup"}
    assert config.decoder.models == "sqlite:////c.sqlite"


@pytest.mark.parametrize(
    ("content", "match"),
    [(None, "there is no such file"), ("a = = 1", "is no TOML"), ("\xff", "source is missing|no TOML")],
)
def test_unreadable_files(tmp_path: Path, content: str | None, match: str) -> None:
    file = tmp_path / "s.toml"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=match):
        load_config(file)


@pytest.mark.parametrize("deep", [0, 1, 2])
@pytest.mark.parametrize(
    ("paradigm", "decoder", "low", "idle"),
    [
        ("code-menu", "code-template", 2.0, "none"),
        ("p300-auditory", "erp-lda", 0.5, None),
        ("brain-switch", "tangent-lr", 7.0, "rest"),
    ],
)
def test_what_a_file_leaves_out_is_as_its_paradigm_proposes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paradigm, decoder, low, idle, deep
) -> None:
    """By the filters and the decoder of imagery a code or a flash would be decided at chance."""
    file = tmp_path / "short.toml"
    monkeypatch.chdir(tmp_path)
    menu = paradigm == "code-menu"
    for step in range(deep):
        # Files of one's own that build on it, as deep as they may.
        Path(f"mine{step}.toml").write_text(f'base = "{paradigm}"\ntitle = "{step}"\n', encoding="utf-8")
        paradigm = f"mine{step}.toml"
    file.write_text(f'[source]\naddress = "sim:rest"\n[paradigm]\nname = "{paradigm}"\n[gate]\nconfidence = 0.8\n')
    config = load_config(file)
    assert config.decoder.name == decoder
    assert bool(config.decoder.parameters) == menu
    assert config.pipeline.steps[0]["l_freq"] == low
    assert config.gate == {"confidence": 0.8, **({"idle_label": idle} if idle else {})}
    # What is said holds.
    file.write_text(file.read_text() + 'profile = "vr"\n[decoder]\nname = "csp-lda"\n[pipeline]\nsteps = []\n')
    config = load_config(file)
    assert (config.decoder.name, config.decoder.parameters, config.pipeline.steps) == ("csp-lda", {}, [])


def test_the_numbers_of_a_proposed_gate_are_for_its_own_profile(tmp_path: Path) -> None:
    file = tmp_path / "cursor.toml"
    file.write_text('[source]\naddress = "sim:rest"\n[paradigm]\nname = "cursor"\n')
    assert load_config(file).gate == {"idle_label": "still", "refractory_s": 0.0, "run_max_s": 600.0}
    file.write_text(file.read_text() + '[gate]\nprofile = "robot"\n')
    assert load_config(file).gate == {"idle_label": "still", "profile": "robot"}


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ('[source]\naddress = "file:C:\\Users\\me.edf"\n', "a path with backslashes stands in 'single quotes'"),
        ('[source]\naddress = "file:C:\\data\\x.edf"\n', "a path with backslashes stands in 'single quotes'"),
        ('[source]\naddress = "file:C:\\temp\\new.edf"\n', "a path with backslashes stands in 'single quotes'"),
        ('[source]\naddress = "sim:rest"\n[paradigm]\nsettings = 1\n', "paradigm.settings is 1; it must be a table"),
        ('[source]\naddress = "sim:rest"\n[paradigm]\nsettings = "kind"\n', "paradigm.settings is 'kind'"),
        ('[source]\naddress = "sim:rest"\n[paradigm]\nsettings = ["kind"]\n', "paradigm.settings is "),
        ('source = "sim:rest"\n', r"source is 'sim:rest'; it must be a table, \[source\] in TOML"),
        ('[source]\naddress = "sim:rest"\n[outputs]\naddress = "hand:"\n',
         r"outputs is one table; it must be a list of tables, \[\[outputs\]\] in TOML"),
    ],
)  # fmt: skip
def test_what_is_often_written_so_is_refused_with_how_to_write_it(tmp_path: Path, content: str, match: str) -> None:
    path = tmp_path / "session.toml"
    path.write_text(content)
    with pytest.raises(BciError, match=match):
        plan(load_config(path))


@pytest.mark.parametrize(
    ("own", "said", "found"),
    [
        ("", {}, (10.0, 0.16)),
        ("instructions = 30.0\ndisplay_delay = 0.3\n", {}, (30.0, 0.3)),
        ("instructions = 0.0\n", {}, (0.0, 0.16)),
        ("instructions = 30.0\n", {"instructions": 5.0}, (5.0, 0.16)),
    ],
)
def test_what_a_paradigms_own_file_says_counts_before_a_screen(tmp_path: Path, own, said, found) -> None:
    (tmp_path / "base.toml").write_text(f'base = "motor-imagery"\n{own}')
    (tmp_path / "mine.toml").write_text(f'base = "{(tmp_path / "base.toml").as_posix()}"\n')
    values = {"source": {"address": "sim:rest"}, "paradigm": {"name": "mine.toml", "settings": said}}
    file = tmp_path / "session.toml"
    file.write_text(tomli_w.dumps({**values, "outputs": [{"address": "frames:"}]}))
    paradigm = paradigm_of(load_config(file))
    assert (paradigm.settings.instructions, paradigm.settings.display_delay) == found
    kept = as_recorded_with(load_config(file), paradigm)
    assert paradigm_of(kept, recorded=True).settings == paradigm.settings
    # A session that was recorded with the file's name alone ran with what screens need.
    (tmp_path / "mine.toml").write_text(f'base = "motor-imagery"\n{own}')
    then = paradigm_of(load_config(file), recorded=True).settings
    assert (then.instructions, then.display_delay) == (said.get("instructions", 10.0), 0.16)


def test_what_a_session_says_of_the_help_leaves_the_rest_of_it(tmp_path: Path) -> None:
    """Where it was replaced whole, a film was followed by a current of 15 mA, the default."""
    (tmp_path / "lab.toml").write_text('base = "motor-imagery-fes"\n[assist]\namplitude_ma = 8.0\n')
    (tmp_path / "mine.toml").write_text('base = "lab.toml"\n')
    file = tmp_path / "session.toml"
    for name, found in (("action-observation", ("move", 15.0)), ("mine.toml", ("stimulate", 8.0))):
        about = {"name": name, "settings": {"assist": {"seconds": 2.0}}}
        file.write_text(tomli_w.dumps({"source": {"address": "sim:rest"}, "paradigm": about}))
        config = load_config(file)
        paradigm = paradigm_of(config)
        assist = paradigm.settings.assist
        assert (assist.command, assist.amplitude_ma, assist.seconds) == (*found, 2.0)
        kept = as_recorded_with(config, paradigm)
        assert paradigm_of(kept, recorded=True).settings == paradigm.settings
    # Recorded before, it ran with what it said alone.
    file.write_text(
        file.read_text().replace(str(tmp_path / "mine.toml"), "x").replace("mine.toml", "action-observation")
    )
    assert paradigm_of(load_config(file), recorded=True).settings.assist.command == "stimulate"


def test_a_table_is_replaced_whole_in_a_file_that_builds_on_another_too(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('base = "cursor"\n')
    goals = {"left_hand": [-0.5, 0.0], "right_hand": [0.5, 0.0]}
    config = config_from(
        {
            "source": {"address": "sim:rest"},
            "paradigm": {"name": str(tmp_path / "mine.toml"), "settings": {"goals": goals}},
        }
    )
    assert set(paradigm_of(config).settings.goals) == set(goals)


def test_what_a_session_names_is_the_same_file_in_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.toml").write_text('base = "motor-imagery"\nfeedback_runs = 1\n', encoding="utf-8")
    (tmp_path / "session.toml").write_text(
        '[source]\naddress = "file:rec.edf"\n[paradigm]\nname = "mine.toml"\n[decoder]\nmodel = "m.skops"\n',
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    for config in (load_config("session.toml"), shipped_config("mine.toml")):
        assert config.paradigm.name == str(tmp_path / "mine.toml")
    config = load_config("session.toml")
    assert config.source.address == f"file:{tmp_path / 'rec.edf'}"
    assert config.decoder.model == str(tmp_path / "m.skops")
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.chdir(other)
    assert make_paradigm(config_from(config.to_dict()).paradigm.name).settings.feedback_runs == 1
