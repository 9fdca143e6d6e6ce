"""Every situation in which time could lie, and the tests that show what is made of it: over wires, from processes.

`SITUATIONS` is the list; a name that no test has is an error. What had no test elsewhere is tested here.
"""

import ast
import socket
import time
from pathlib import Path

import mne
import numpy as np
import pytest
from typer.testing import CliRunner

from bcikit import open_source
from bcikit.cli.app import app
from bcikit.signal import SourceError
from bcikit.testing import EmulatorProcess
from tests.acquisition.wire import pull
from tests.formats.writers import Xdf

HERE = Path(__file__).parent

SITUATIONS = {
    "a session over links that lie": (
        "test_run_links.py::test_a_link_whose_counter_says_all_is_no_doubt",
        "test_run_links.py::test_stamps_of_other_clocks",
        "test_run_links.py::test_a_senders_clock_that_is_set_is_a_doubt",
        "test_run_links.py::test_a_rate_that_is_not_the_stated_one_ends_the_session",
        "test_run_links.py::test_a_board_that_delivers_nothing_or_no_more_ends_the_session",
        "test_run_links.py::test_a_sender_that_dies_ends_the_session",
        "test_run_links.py::test_a_second_device_that_lies_is_a_doubt_too",
        "test_run_links.py::test_markers_of_another_clock_are_placed_or_told",
        "test_run_links.py::test_what_cannot_be_opened_is_said_at_the_beginning",
        "test_run_links.py::test_two_streams_of_one_name_are_not_guessed",
        "test_run_links.py::test_a_port_in_use_and_a_file_that_ends",
    ),
    "what is stated of a time": (
        "test_clock_model.py::test_what_is_stated_holds_from_the_first_sample_whatever_the_rate_really_is",
        "test_clock_model.py::test_uncertainty_covers_the_truth_about_as_often_as_it_says",
        "test_foreign.py::test_an_estimated_loss_and_a_rate_that_seems_wrong_are_doubts",
        "test_foreign.py::test_a_sender_that_is_seconds_behind_is_a_doubt",
    ),
    "a link stalls and delivers everything": (
        "test_wire.py::test_a_stall_that_loses_nothing_moves_no_time",
        "test_clocks.py::test_a_sender_that_stalls_and_catches_up_loses_nothing_and_moves_no_time",
        "test_catch_up.py::test_a_link_that_pauses_in_catching_up_moves_no_time",
    ),
    "a device hangs and is had back": (
        "test_wire.py::test_a_device_that_hangs_is_had_back_and_its_loss_is_exact",
        "test_losses.py::test_a_busy_machine_is_late_and_the_counter_is_right",
    ),
    "bursts": (
        "test_wire.py::test_bursts_do_not_bias_the_time",
        "test_clocks.py::test_bursts_stamped_when_they_are_sent_do_not_bias_the_time",
    ),
    "another rate than is stated, or set by config=": (
        "test_boards.py::test_a_rate_that_is_not_the_stated_one_is_an_error_that_names_both",
        "test_boards.py::test_the_rate_can_be_said",
        "test_clocks.py::test_a_rate_that_is_not_the_stated_one_ends_the_recording",
        "test_losses.py::test_stalls_do_not_hide_a_rate_that_is_wrong",
        "test_catch_up.py::test_a_rate_that_is_off_but_tolerated_moves_no_time",
        "test_situations.py::test_a_rate_that_config_sets_is_that_of_the_stream",
    ),
    "a gain that config= sets": (
        "test_boards.py::test_a_gain_that_is_configured_moves_the_full_scale_of_its_channel",
        "test_boards.py::test_data_beyond_the_rail_of_the_old_gain_are_not_marked_and_those_of_the_new_one_are",
    ),
    "boards of every kind": (
        "test_boards.py::test_every_board_has_a_profile_that_says_what_is_unknown",
        "test_boards.py::test_profiles_say_what_the_drivers_compute",
        "test_boards.py::test_a_counter_is_learned_and_then_followed",
    ),
    "a board that opens and never delivers, a sender that is gone": (
        "test_boards.py::test_a_board_that_opens_and_never_delivers_is_given_up",
        "test_fault_matrix.py::test_row_2_streaming_board_without_a_sender",
        "test_clocks.py::test_the_duration_is_wall_time_where_nothing_comes",
    ),
    "stamps of other clocks, of samples and of markers": (
        "test_clocks.py::test_stamps_of_other_clocks_are_mapped_and_that_is_said",
        "test_clocks.py::test_markers_of_other_clocks_lie_on_their_samples",
        "test_foreign.py::test_stamps_that_tell_no_time_are_those_of_arrival_and_a_doubt",
        "test_foreign.py::test_a_marker_is_known_as_well_as_its_stamp_can_be_believed",
        "test_clocks.py::test_a_stream_beside_the_first_that_lies_is_a_doubt_too",
    ),
    "a clock that is set in the middle": (
        "test_clocks.py::test_a_senders_clock_that_is_set_moves_no_time_and_is_a_doubt",
        "test_foreign.py::test_a_clock_that_is_set_moves_no_time_and_is_a_doubt",
        "test_foreign.py::test_a_loss_on_a_busy_machine_is_no_clock_that_was_set",
        "test_assembler.py::test_wall_clock_that_is_set_loses_nothing",
    ),
    "bursts with equal stamps and other rates in XDF": (
        "../formats/test_xdf.py::test_losses_are_the_planted_ones_whatever_bursts_and_jitter",
        "../formats/test_xdf.py::test_markers_lie_where_they_happened_whatever_the_rate_really_was",
        "../formats/test_xdf.py::test_times_equal_pyxdf_where_nothing_is_lost",
    ),
    "whole laps lost, garbage first, exports": (
        "test_wire.py::test_losses_are_exact_whole_laps_of_the_counter_too",
        "test_clocks.py::test_stamps_of_other_clocks_are_mapped_and_that_is_said",
        "test_situations.py::test_an_export_is_as_long_as_what_was_recorded",
    ),
    "markers at a restart, a new id each run, streams of one id or name": (
        "test_clocks.py::test_markers_whose_sender_was_gone_are_told",
        "test_clocks.py::test_a_sender_with_a_new_id_each_run_is_found_again_by_its_name",
        "test_clocks.py::test_streams_of_one_id_are_told_apart_by_what_differs",
        "test_lsl.py::test_two_streams_of_one_name_are_not_guessed",
    ),
    "another master_board, a port in use, a number that is none, a file that ended": (
        "test_boards.py::test_a_playback_file_of_another_board_is_refused",
        "test_situations.py::test_samples_of_another_master_board_are_refused",
        "test_openbci.py::test_a_board_that_says_it_has_a_daisy_is_not_opened_as_one_without",
        "test_openbci.py::test_electrodes_in_the_wrong_columns_are_a_doubt",
        "test_boards.py::test_a_port_that_is_in_use_is_refused_and_the_first_reader_keeps_its_data",
        "test_boards.py::test_numbers_that_are_none_name_their_option",
        "test_boards.py::test_a_file_that_is_played_to_its_end_has_ended",
    ),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_situation_has_its_tests(situation):
    for name in SITUATIONS[situation]:
        file, _, function = name.partition("::")
        tree = ast.parse((HERE / file).read_text(encoding="utf-8"))
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name


@pytest.mark.slow
def test_a_rate_that_config_sets_is_that_of_the_stream():
    with EmulatorProcess("cyton") as device, open_source(f"{device.address}&config=~5") as source:
        chunks, _ = pull(source, 3.5)
        assert source.info.sfreq == 500.0
        assert source.status().seeming_rate is None
    times = np.concatenate([chunk.times for chunk in chunks])
    assert (times.size - 1) / (times[-1] - times[0]) == pytest.approx(500.0, rel=0.005)


@pytest.mark.slow
def test_samples_of_another_master_board_are_refused():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        port = probe.getsockname()[1]
    sender = open_source(f"brainflow:synthetic?streamer=streaming_board://225.1.1.1:{port}")
    wrong = f"brainflow:streaming?master_board=cyton&ip_address=225.1.1.1&ip_port={port}&reconnect=5"

    def both(source):
        end = time.monotonic() + 60.0
        while time.monotonic() < end:
            source.pull(0.1)
            sender.pull(0.0)

    with sender, open_source(wrong) as source, pytest.raises(SourceError, match=r"not those of|is gone"):
        both(source)


def test_an_export_is_as_long_as_what_was_recorded(tmp_path):
    stamps = 100.0 + np.arange(6250) / 250.0
    data = np.random.default_rng(0).normal(0, 20, (stamps.size, 2)).astype("f4")
    path, out = tmp_path / "a.xdf", tmp_path / "a.edf"
    Xdf().stream("EEG", "EEG", 500, stamps, data, labels=("C3", "C4"), units=("uV", "uV")).write(path)
    result = CliRunner().invoke(app, ["export", f"{path}?sfreq=250", "--edf", str(out)])
    assert result.exit_code == 0, result.output
    raw = mne.io.read_raw_edf(out, verbose="ERROR")
    assert raw.n_times / raw.info["sfreq"] == pytest.approx(25.0, abs=1.0)
