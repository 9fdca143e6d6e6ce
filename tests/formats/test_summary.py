"""`bcikit inspect` where not everything is known: what is missing is said, and what can be known is shown."""

import json

import numpy as np

from tests.formats.writers import edf, table


def inspected(command_line, *words):
    ended = command_line("inspect", *words, "--json")
    return ended.code, json.loads(ended.out)


def test_a_table_without_a_unit_is_described_with_the_question(command_line, tmp_path):
    file = table(tmp_path / "a.csv", "time,C3,Cz", [f"{i / 250:.3f},{i % 7},1" for i in range(1000)])
    code, found = inspected(command_line, file)
    assert code == 1
    assert found["unit"] is None
    assert (found["sfreq"], found["n_times"]) == (250.0, 1000)
    (doubt,) = [note for note in found["notes"] if note["doubt"]]
    assert "unit" in doubt["text"]


def test_times_that_nothing_explains_are_the_question_alone(command_line, tmp_path):
    file = table(tmp_path / "a.csv", "time,C3,Cz", [f"{i},{i % 7},1" for i in range(1000)])
    code, found = inspected(command_line, file, "--unit=uV")
    assert code == 1
    assert "n_times" not in found
    assert "samples or milliseconds" in found["notes"][0]["text"]


def test_streams_are_listed_though_none_can_be_read(command_line, tmp_path):
    from tests.acquisition.test_files import foreign_xdf

    file = foreign_xdf(tmp_path / "a.xdf", np.full(500, 10.0), rate=0.0)
    code, found = inspected(command_line, file)
    assert code == 1
    assert len(found["streams"]) >= 1
    assert "n_times" not in found


def test_a_mask_of_triggers_is_a_whole_number(command_line, tmp_path):
    file = edf(tmp_path / "a.edf", [("C3", "uV", np.arange(1000) % 200)])
    ended = command_line("inspect", f"{file}?trigger_mask=many")
    assert ended.code == 2
    assert "trigger_mask is 'many'; it must be a whole number: 255 or 0xFF" in ended.err
