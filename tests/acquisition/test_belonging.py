"""Every file that decides what is read of a recording is known, so that a change of it is seen."""

import pytest

from bcikit.acquisition.belonging import files_of
from bcikit.decoding.evaluation.cache import hash_run
from bcikit.decoding.evaluation.task import Run


def write(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def test_events_parts_and_tables_belong_to_a_recording_and_neighbours_do_not(tmp_path):
    write(tmp_path, "run-1_raw.fif", "run-1-eve.fif", "run-1_raw-1.fif", "run-10_raw.fif", "run-1_raw.png")
    names = [file.name for file in files_of(tmp_path / "run-1_raw.fif")]
    assert names == ["run-1_raw.fif", "run-1-eve.fif", "run-1_raw-1.fif"]
    write(tmp_path, "a.set", "a.fdt", "ab.set")
    assert [file.name for file in files_of(tmp_path / "a.set")] == ["a.set", "a.fdt"]
    write(tmp_path, "b.vmrk", "other.eeg")
    (tmp_path / "b.vhdr").write_text("[Common Infos]\nDataFile=other.eeg\nMarkerFile=$b.vmrk\n")
    assert {file.name for file in files_of(tmp_path / "b.vhdr")} == {"b.vhdr", "b.vmrk", "other.eeg"}
    write(tmp_path, "c.mat", "map.toml")
    assert [file.name for file in files_of(tmp_path / "c.mat")] == ["c.mat", "map.toml"]


@pytest.mark.parametrize(
    "place", ["task-x_events.tsv", "sub-1/sub-1_task-x_channels.tsv", "sub-1/eeg/sub-1_task-x_eeg.json"]
)
def test_a_table_of_a_folder_above_makes_another_recording(tmp_path, place):
    write(tmp_path, "dataset_description.json", "sub-1/eeg/sub-1_task-x_eeg.edf", "sub-2/sub-2_task-x_events.tsv")
    run = Run(path=tmp_path / "sub-1" / "eeg" / "sub-1_task-x_eeg.edf")
    before = hash_run(run)
    write(tmp_path, place)
    assert tmp_path / place in files_of(run.path)
    assert hash_run(run) != before
