"""Orders are typed: what is not as it must be is refused with a reason and reaches no engine; a stop always does."""

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit.safety.words import says_something
from bcikit.session.channel import ChannelServer
from bcikit.session.orders import ORDERS, checked_order
from bcikit.signal import ArgumentError

DEEP = json.loads("[" * 900 + "]" * 900)


@pytest.mark.requirement("SAF-098")
@pytest.mark.parametrize(
    ("order", "word"),
    [
        ({"do": "difficulty", "value": None}, "finite number"),
        ({"do": "difficulty", "value": "hard"}, "finite number"),
        ({"do": "difficulty", "value": [0.7]}, "a list"),
        ({"do": "difficulty", "value": float("nan")}, "finite number"),
        ({"do": "difficulty", "value": float("inf")}, "finite number"),
        ({"do": "difficulty", "value": True}, "finite number"),
        ({"do": "difficulty", "value": int("9" * 4200)}, "many digits"),
        ({"do": "difficulty"}, "value is missing"),
        ({"do": "difficulty", "value": 0.5, "sample": 3}, "'sample' is no key"),
        ({"do": "difficulty", "value": 0.5, "action": "skip"}, "'action' is no key"),
        ({"do": "difficulty", "value": 0.5, "time": 1.0}, "'time' is no key"),
        ({"do": "difficulty", "value": DEEP}, "a list"),
        ({"do": "override", "assist": "false"}, "true or false"),
        ({"do": "override", "assist": 0}, "true or false"),
        ({"do": "deadman", "held": "yes"}, "true or false"),
        ({"do": "deadman"}, "held is missing"),
        ({"do": "arm", "who": {"name": "Li"}}, "must be a text"),
        ({"do": "arm", "who": "\u200b"}, "must say something"),
        ({"do": "arm", "who": "\ud800"}, "half a character"),
        ({"do": "acknowledge", "who": "Li", "reason": "\x00"}, "must say something"),
        ({"do": "acknowledge", "who": "Li"}, "reason is missing"),
        ({"do": "note", "text": "x" * 5000}, "at most 2000"),
        ({"do": "note", "text": {"deep": DEEP}}, "an object"),
        ({"do": None}, "do is None"),
        ({"do": ["stop"]}, "do is a list"),
        ({"do": "move"}, "allowed"),
        (None, "do"),
        ([1], "a list"),
        ("stop", "'stop'"),
    ],
)
def test_what_is_not_an_order_is_refused_with_a_reason(order, word) -> None:
    with pytest.raises(ArgumentError) as caught:
        checked_order(order)
    assert word in str(caught.value)
    str(caught.value).encode()
    assert len(str(caught.value)) < 500
    server = ChannelServer()
    try:
        with pytest.raises(ArgumentError):
            server.put(order)
        assert server.poll() == []
    finally:
        server.close()


@pytest.mark.parametrize(
    "more",
    [
        {"who": {"x": 1}},
        {"reason": None},
        {"reason": DEEP},
        {"extra": 1, "who": "Li"},
        {"reason": "\ud800"},
        {"time": 0},
    ],
)
def test_a_stop_is_never_refused(more) -> None:
    order = checked_order({"do": "stop", **more})
    assert order["do"] == "stop"
    assert "left out" in order["reason"]
    assert set(order) <= {"do", "who", "reason"}
    if more.get("who") == "Li":
        assert order["who"] == "Li"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=300 if os.environ.get("HYPOTHESIS_PROFILE") == "search" else 60, deadline=None)
@given(
    do=st.sampled_from(ORDERS) | values, more=st.dictionaries(st.sampled_from(["who", "reason", "value", "x"]), values)
)
def test_any_order_is_taken_or_refused(do, more) -> None:
    try:
        order = checked_order({**more, "do": do})
    except ArgumentError:
        assert do != "stop"
        return
    assert order["do"] == do
    json.dumps(order, allow_nan=False).encode()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Li", True), ("李", True), ("7", True), ("É", True), ("ﬁ", True),
        ("", False), (" ", False), ("\u200b", False), ("\x00", False), ("\u3164", False), ("\u2800", False),
        ("\u00ad\u200d\u2060", False), ("...", False), ("\ud800", False), (None, False), (3, False),
    ],
)  # fmt: skip
def test_a_name_that_nobody_can_see_is_none(text, says) -> None:
    assert says_something(text) is says
