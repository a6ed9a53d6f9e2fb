"""What changes make of a problem, and which of them are refused, each with its argument named."""

from __future__ import annotations

import msgspec
import pytest

from labshare.scheduler.changes import Changes, changed, cut, parse_down
from labshare.scheduler.problem import Group, Link, Request
from labshare.scheduler.reading import Malformed, parse_requests
from tests.scheduler.making import Raw, ask, raw, read, session

WEEK: Raw = raw(
    20,
    *(ask(name, 2, 30, (0, 18)) for name in "abcd"),
    groups=[{"requests": ["a", "b", "c"], "min": 2}],
    linked=[{"requests": ["a", "b", "c", "d"], "max_gap": 9}],
)


def request(**parts: object) -> Request:
    return msgspec.convert(ask("n", 2, 50, (0, 18)) | parts, Request)


def test_the_plan_becomes_the_plan_in_force_and_time_has_passed() -> None:
    after = changed(read(WEEK), [session("a", 0, 2), session("b", 4, 6)], Changes(now=3, down=(("i0", 5, 9),)))
    assert [(row.request, row.instrument, row.start) for row in after.current] == [("a", "i0", 0), ("b", "i0", 4)]
    assert (after.frozen_until, after.down) == (3, (("i0", 5, 9),))


def test_a_cancelled_request_leaves_the_problem_and_whatever_names_it() -> None:
    after = changed(read(WEEK), [session("a", 0, 2), session("b", 4, 6)], Changes(now=0, cancel=("b",)))
    assert [row.id for row in after.requests] == ["a", "c", "d"]
    assert [row.request for row in after.current] == ["a"]
    # Two of three were asked for; one of the three is gone by its own wish, so one of the two left will do.
    assert after.groups == (Group(requests=("a", "c"), min=1),)
    # What came before the step is one request, which needs no link; after it come two.
    assert after.linked == (Link(requests=("c", "d"), max_gap=9),)


def test_a_group_that_is_cancelled_whole_is_gone() -> None:
    assert changed(read(WEEK), [], Changes(now=0, cancel=("a", "b", "c"))).groups == ()


@pytest.mark.parametrize(
    ("gone", "parts"),
    [("a", ["bcd"]), ("d", ["abc"]), ("b", ["cd"]), ("ac", []), ("abcd", []), ("z", ["abcd"])],
)
def test_a_campaign_is_cut_where_steps_are_missing(gone: str, parts: list[str]) -> None:
    assert ["".join(part.requests) for part in cut(Link(requests=tuple("abcd")), set(gone))] == parts


def test_changes_cost_a_tenth_of_a_session_where_the_problem_says_nothing() -> None:
    # Two sessions of 30: a tenth of their average is 3.
    plan = [session("a", 0, 2), session("b", 4, 6)]
    assert changed(read(WEEK), plan, Changes(now=0)).change_penalty == 3
    assert changed(read(WEEK | {"change_penalty": 8}), plan, Changes(now=0)).change_penalty == 8
    assert changed(read(WEEK), [], Changes(now=0)).change_penalty == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (Changes(now=0, down=(("ix", 1, 2),)), "--down ix:1-2: no instrument 'ix'"),
        (Changes(now=0, down=(("i0", 4, 4),)), "--down i0:4-4: ends at 4, not after its start 4"),
        (Changes(now=0, down=(("i0", 4, 21),)), "--down i0:4-21: ends at 21, outside the horizon of 20 slots"),
        (Changes(now=0, cancel=("z",)), "--cancel z: no request 'z'"),
        (Changes(now=0, cancel=("a", "a")), "--cancel a: is given twice"),
        (Changes(now=21), "--now 21: is outside the horizon of 20 slots"),
        (Changes(now=0, add=(request(id="a"),)), "--add $.requests[0].id: 'a' is a request of the problem already"),
        (Changes(now=0, add=(request(), request())), "--add $.requests[1].id: 'n' is used twice"),
        (
            Changes(now=0, add=(request(options=[{"instrument": "ix"}]),)),
            "--add $.requests[0].options[0].instrument: no instrument 'ix'",
        ),
    ],
)
def test_changes_that_make_no_sense_are_refused(changes: Changes, says: str) -> None:
    with pytest.raises(Malformed) as refused:
        changed(read(WEEK), [], changes)
    assert [str(fault) for fault in refused.value.faults] == [says]


def test_values_beyond_64_bits_are_refused() -> None:
    huge = tuple(request(id=f"n{k}", options=[{"instrument": "i0", "value": 10**15}]) for k in range(3000))
    with pytest.raises(Malformed, match=r"--add \$: the values, penalties and rewards add up to more than 64 bits"):
        changed(read(WEEK), [], Changes(now=0, add=huge))


def test_an_outage_is_written_as_instrument_and_span() -> None:
    assert parse_down("i0:3-8") == ("i0", 3, 8)
    assert parse_down("x-ray:2:3-8") == ("x-ray:2", 3, 8)


@pytest.mark.parametrize("text", ["", "i0", "i0:3", "i0:3-", ":3-8", "i0:a-8", "i0:-3-8", "i0:3-8 "])
def test_other_spellings_of_an_outage_are_refused(text: str) -> None:
    with pytest.raises(Malformed, match="is not of the form INSTRUMENT:START-END"):
        parse_down(text)


def test_new_requests_come_as_a_list_or_by_name() -> None:
    row = ask("n", 2, 50, (0, 18))
    assert parse_requests(msgspec.json.encode([row])) == parse_requests(msgspec.json.encode({"requests": [row]}))


def test_a_file_of_new_requests_is_read_strictly() -> None:
    with pytest.raises(Malformed, match=r"\$\.requests\[0\]\.slots: is missing"):
        parse_requests(b'[{"id": "n"}]')
    with pytest.raises(Malformed, match="not JSON"):
        parse_requests(b"[")
    with pytest.raises(Malformed):
        parse_requests(b"7")
