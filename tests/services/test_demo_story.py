"""Reading the demo's story: every word is known, and a fault is told with its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from labshare.errors import Malformed
from labshare.services.demo_story import read, read_story

STORY = Path(__file__).parents[2] / "fixtures" / "demo" / "story.toml"


def test_the_shipped_story_can_be_read() -> None:
    told = read_story(STORY)
    assert [each.state for each in told.rounds] == ["published", "queued", "open", "draft"]
    instruments = {each.id for each in told.instruments}
    assert {outage.instrument for outage in told.outages} <= instruments
    assert {name for each in told.rounds for name in each.instruments} <= instruments


def test_a_misspelt_word_is_a_fault_and_named(tmp_path: Path) -> None:
    path = tmp_path / "story.toml"
    path.write_text(STORY.read_text(encoding="utf-8").replace("past_days", "passed_days"), encoding="utf-8")
    with pytest.raises(Malformed) as caught:
        read_story(path)
    (fault,) = caught.value.refusals
    assert fault.code == "demo_unreadable"
    assert fault.params["file"] == str(path)
    assert "passed_days" in str(fault.params["reason"]) or "past_days" in str(fault.params["reason"])


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["absent", "not_text"])
def test_a_file_that_is_absent_or_no_text_is_a_fault(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "story.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Malformed) as caught:
        read(path)
    assert caught.value.refusals[0].code == "demo_unreadable"
