"""Names behind the ids that a page shows."""

from __future__ import annotations

from labshare.store.engine import Database
from labshare.store.names import Name, names
from tests.furniture import furnish


def test_names_of_three_kinds_come_in_one_answer(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        found = names(db, {"I-IMS"}, {"C-ONE"}, {"N001", "N999"})
    assert found == {
        "I-IMS": Name(id="I-IMS", name_vi="Viện Khoa học vật liệu", name_en="Institute of Materials Science"),
        "C-ONE": Name(id="C-ONE", name_vi="Trung tâm Một", name_en="Centre One"),
        "N001": Name(id="N001", name_vi="Máy FESEM", name_en="FESEM instrument"),
    }


def test_without_ids_nothing_is_asked(database: Database) -> None:
    with database.read() as db:
        assert names(db, ()) == {}
