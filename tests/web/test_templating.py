"""The words and parts that every template may use: each macro as a reader meets it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jinja2
import msgspec
import pytest

from labshare.errors import Refusal
from labshare.i18n import speaking
from labshare.web.templating import icon, named, options, static_version, templates


class Thing(msgspec.Struct):
    name_vi: str
    name_en: str


@pytest.fixture
def ui() -> Any:
    return templates().environment.globals["ui"]


def test_a_name_is_given_in_the_readers_language_or_in_the_one_there_is() -> None:
    both, only_vietnamese = Thing("Kính hiển vi", "Microscope"), Thing("Kính hiển vi", "")
    with speaking("vi"):
        assert named(both) == "Kính hiển vi"
    with speaking("en"):
        assert named(both) == "Microscope"
        assert named(only_vietnamese) == "Kính hiển vi"


def test_an_icon_is_silent_and_takes_the_colour_of_its_text() -> None:
    drawn = icon("clock")
    assert drawn.startswith("<svg")
    assert drawn.count("<svg") == 1
    assert 'aria-hidden="true"' in drawn
    assert 'stroke="currentColor"' in drawn


def test_an_icon_that_was_not_fetched_fails_loudly() -> None:
    with pytest.raises(FileNotFoundError):
        icon("no-such-sign")


def test_a_template_that_names_what_is_not_there_fails_loudly() -> None:
    page = templates().environment.from_string("{{ nothing_like_this }}")
    with pytest.raises(jinja2.UndefinedError):
        page.render()


def test_what_people_typed_is_escaped(ui: Any) -> None:
    said = ui.field("title", "Title", '"><script>')
    assert "<script>" not in said
    assert "&#34;&gt;&lt;script&gt;" in said


def test_a_field_tells_its_hint_and_its_error_to_screen_readers(ui: Any) -> None:
    said = ui.field("title", "Title", hint="A short one", error="Too long")
    assert 'aria-describedby="hint-title error-title"' in said
    assert 'aria-invalid="true"' in said
    assert 'for="field-title"' in said


def test_a_choice_keeps_what_was_chosen(ui: Any) -> None:
    with speaking("en"):
        said = ui.choice("activity", "Activity", options(["economic", "non_economic"], "activity"), "non_economic")
    assert '<option value="non_economic" selected>Non-economic</option>' in said
    assert '<option value="economic">Economic</option>' in said


@pytest.mark.parametrize(
    ("used", "committed", "limit", "look"),
    [
        # A rule warns at 80 % of its limit and is over beyond it: 79, 80, 100 and 101 of 100.
        (50, 29, 100, ""), (50, 30, 100, "near"), (70, 30, 100, "near"), (80, 21, 100, "over"),
    ],
)  # fmt: skip
def test_a_bar_says_when_a_limit_is_near_or_broken(ui: Any, used: int, committed: int, limit: int, look: str) -> None:
    with speaking("en"):
        said = ui.bar(used, committed, limit, f"{used} h", f"{committed} h", f"{limit} h")
    assert f'class="bar {look}"' in said
    assert ("Near the limit" in said) == (look == "near")
    assert ("Over the limit" in said) == (look == "over")


def test_a_floor_is_something_to_reach_not_to_stay_under(ui: Any) -> None:
    with speaking("en"):
        said = ui.bar(80, 40, 100, "80 h", "40 h", "100 h", floor=True)
    assert "at least" in said
    assert "limit<" not in said


def test_a_bar_of_nothing_does_not_divide_by_zero(ui: Any) -> None:
    assert 'width="0.0"' in ui.bar(0, 0, 0, "0 h", "0 h", "0 h")


def test_every_refusal_is_in_the_list_and_no_list_is_shown_for_none(ui: Any) -> None:
    refusals = [Refusal(code="evidence_missing"), Refusal(code="expiry_passed")]
    assert ui.refusal_list(refusals).count("<li data-code=") == 2
    assert ui.refusal_list([]).strip() == ""


def test_long_work_asks_for_itself_until_it_is_done(ui: Any) -> None:
    running = ui.progress("plan", "Solving", share=0.5, poll="/plans/1/progress")
    assert 'hx-get="/plans/1/progress"' in running
    assert "<progress" in running
    done = ui.progress("plan", "Done")
    assert "hx-get" not in done
    assert "<progress" not in done


def test_a_pager_hides_what_leads_nowhere(ui: Any) -> None:
    said = ui.pager("23-29 Nov", later="/next")
    assert 'href="/next"' in said
    assert 'rel="prev"' not in said


def test_a_state_has_its_word_and_a_sign(ui: Any) -> None:
    with speaking("en"):
        said = ui.state("project_state", "verified")
    assert "Verified" in said
    assert "<svg" in said


def test_static_files_change_their_address_with_their_content(tmp_path: Path) -> None:
    (tmp_path / "labshare.css").write_text("a { color: red }")
    first = static_version(tmp_path)
    assert static_version(tmp_path) == first
    (tmp_path / "labshare.css").write_text("a { color: blue }")
    second = static_version(tmp_path)
    (tmp_path / "labshare.css").rename(tmp_path / "other.css")
    assert len({first, second, static_version(tmp_path)}) == 3


def test_a_static_address_carries_the_version() -> None:
    address = templates().static("labshare.css")
    assert re.fullmatch(r"/static/[0-9a-f]{12}/labshare\.css", address)
