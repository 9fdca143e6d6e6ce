"""What a decoder says of itself is said in words, in every window and both languages."""

import pytest

from bcikit.ui.happenings import said_of
from bcikit.ui.words import install

EVENTS = {
    "decoder/drift": {"strange": 0.6, "windows": 10},
    "decoder/familiar": {"strange": 0.1, "windows": 10},
    "decoder/frozen": {"reason": "worse than the original by 0.40 nats over 20 windows"},
    "feedback/undo": {"trial": 3},
}


@pytest.mark.parametrize("name", EVENTS)
def test_every_happening_of_a_decoder_has_words_in_both_languages(qapp, name):
    english = said_of(name, EVENTS[name])
    assert english is not None
    assert "/" not in english.short + english.text
    install(qapp, "zh")
    try:
        chinese = said_of(name, EVENTS[name])
    finally:
        install(qapp, "en")
    assert chinese is not None
    for text in (chinese.short, chinese.text):
        assert any("\u4e00" <= letter <= "\u9fff" for letter in text)
    assert chinese.level == english.level


def test_a_share_is_said_and_other_events_are_left_alone(qapp):
    drift = said_of("decoder/drift", {"strange": 0.6})
    assert drift is not None
    assert "60%" in drift.text
    assert drift.level == "WARN"
    assert said_of("cue/left_hand", {}) is None
