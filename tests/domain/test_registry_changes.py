"""What a load would do: added, changed, gone, and nothing at all for the same files again."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from labshare.domain.registry import Registry, key
from labshare.domain.registry_changes import changes, in_use
from tests.registry_files import files, read

RETIRED_AT = datetime(2026, 11, 23, tzinfo=UTC)


def outcome(standing: Registry, wanted: Registry) -> dict[str, tuple[list[str], list[str], list[str], int]]:
    """Added, changed, gone and unchanged of each noun where anything happens."""
    return {
        of.noun: ([key(row) for row in of.added], [key(row) for row in of.changed], list(of.gone), of.unchanged)
        for of in changes(standing, wanted)
        if of.count
    }


def test_the_same_registry_changes_nothing() -> None:
    found = changes(read(files()), read(files()))
    assert sum(of_noun.count for of_noun in found) == 0
    # One row of each of the first five nouns; then 2 lists, 2 groups, 3 products and 2 lines between them.
    assert sum(of_noun.unchanged for of_noun in found) == 5 + 2 + 2 + 3 + 2


def test_into_nothing_everything_is_added() -> None:
    found = changes(Registry(), read(files()))
    assert [len(of_noun.added) for of_noun in found] == [1, 1, 1, 1, 1, 2, 2, 3, 2]


def test_each_row_is_added_changed_or_gone() -> None:
    content = files(zones=("1600", "1700"))
    content["capabilities.csv"] = b"id,name_vi,name_en\nSEM,a,b\nTEM,a,b\n"
    content["instruments.csv"] = content["instruments.csv"].splitlines(keepends=True)[0]
    assert outcome(read(files()), read(content)) == {
        "zones": ([], ["Z-A"], [], 0),
        "capabilities": (["TEM"], ["SEM"], [], 0),
        "instruments": ([], [], ["N1"], 0),
    }


def with_retired_instrument() -> Registry:
    registry = read(files())
    [instrument] = registry.instruments
    retired = msgspec.structs.replace(instrument, retired_at=RETIRED_AT)
    return msgspec.structs.replace(registry, instruments=(retired,))


def test_a_retired_row_that_is_named_again_is_changed_back() -> None:
    assert outcome(with_retired_instrument(), read(files())) == {"instruments": ([], ["N1"], [], 0)}


def test_a_row_is_retired_only_once() -> None:
    content = files()
    content["instruments.csv"] = content["instruments.csv"].splitlines(keepends=True)[0]
    assert outcome(with_retired_instrument(), read(content)) == {}


def test_a_retired_row_is_not_exported() -> None:
    assert in_use(with_retired_instrument()) == msgspec.structs.replace(read(files()), instruments=())
