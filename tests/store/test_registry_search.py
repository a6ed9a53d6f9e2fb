"""Finding instruments on both databases: words without accents, facets, products of either list."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.registry import ProductRef
from labshare.domain.registry_search import Search, choices, total
from labshare.store import registry as store
from labshare.store import registry_search
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.registry_files import read, real
from tests.store.test_registry import write


@pytest.fixture
def db(database: Database) -> Iterator[Connection]:
    """The real registry, in a transaction that the test may write to."""
    with database.write() as db:
        write(db, read(real()))
        yield db


def found(db: Connection, **wanted: object) -> list[str]:
    return [item.id for item in registry_search.find(db, Search(**wanted))]  # pyright: ignore[reportArgumentType]


def test_words_without_accents_find_words_with_them(db: Connection) -> None:
    # The three photolithography rows by name: the bay at IMS, the class-100 bay, the mask aligner; LITHO and its
    # capability name bring the packaging line of VSAP and the laser writer of UET; IMS N002 describes it too.
    with_accents, without = found(db, text="quang khắc"), found(db, text="quang khac")
    assert with_accents == without
    assert set(without) == {"N002", "N012", "N016", "N028", "N062"}


def test_every_word_must_be_found_wherever_it_stands(db: Connection) -> None:
    # "fe-sem" is in the instrument's name, "hoa lac" in the zone's: only VKIST's stands in Hoa Lac.
    assert found(db, text="FE-SEM hoa lac") == ["N053"]
    assert found(db, text="fe-sem nowhere") == []


def test_a_code_an_abbreviation_or_a_maker_is_found_too(db: Connection) -> None:
    assert found(db, text="N064") == ["N064"]
    assert found(db, text="S-4800") == ["N001"]
    assert "N001" in found(db, text="ims-vast")


def test_signs_that_mean_something_to_a_database_only_separate_words(db: Connection) -> None:
    assert found(db, text="s_4800%") == found(db, text="'S-4800'") == ["N001"]


def test_a_word_is_found_by_its_beginning_and_not_by_its_middle(db: Connection) -> None:
    # "huong" is in "thuong" too: a university of trade must not come up for "cong huong tu" (magnetic resonance).
    assert found(db, text="cong huong tu") == ["N006"]
    assert found(db, text="gammaspec") == []
    assert found(db, text="gamma spectrom") == ["N067"]


def test_facets_narrow_together(db: Connection) -> None:
    # Transmission microscopes: N009 at NIHE in Hanoi, N038 in SHTP and N089 at HCMUT, both in Ho Chi Minh City.
    assert set(found(db, capability_id="TEM")) == {"N009", "N038", "N089"}
    assert set(found(db, capability_id="TEM", city_vi="TP. Hồ Chí Minh")) == {"N038", "N089"}
    assert found(db, capability_id="TEM", zone_id="Z-SHTP") == ["N038"]
    assert found(db, capability_id="TEM", host_id="I-HCMUT") == ["N089"]
    assert found(db, capability_id="TEM", centre_id="C-VAX") == ["N009"]


def test_only_what_is_booked_by_time_when_that_is_asked(db: Connection) -> None:
    # C-REE has an extraction cascade booked by the run and three instruments bought by the sample.
    assert set(found(db, centre_id="C-REE")) == {"N070", "N071", "N072", "N073"}
    assert found(db, centre_id="C-REE", bookable_only=True) == ["N070"]


def test_a_product_finds_the_instruments_that_serve_it(db: Connection) -> None:
    # P28, Earth-observation satellites: the five rows of the satellite centre and no other.
    product = ProductRef("QD21-2026", "P28")
    assert set(found(db, product=product)) == {"N022", "N057", "N058", "N059", "N060"}


def test_several_products_find_each_instrument_once(db: Connection) -> None:
    old, new = ProductRef("QD1131-2025", "O33"), ProductRef("QD21-2026", "P28")
    items = registry_search.find(db, Search(product=old), (old, new))
    assert sorted(item.id for item in items) == ["N022", "N057", "N058", "N059", "N060"]


def test_a_retired_instrument_is_not_found_or_counted(db: Connection, now: datetime) -> None:
    store.retire(db, "instruments", ["N022"], now)
    assert "N022" not in found(db, centre_id="C-VNSC")
    assert registry_search.numbers_by_product(db)[ProductRef("QD21-2026", "P28")] == {57, 58, 59, 60}
    assert total(registry_search.tallies(db, Search()), Search(centre_id="C-VNSC")) == 4


def test_names_sort_by_the_language_that_is_read(db: Connection) -> None:
    vietnamese = registry_search.find(db, Search(capability_id="TEM"))
    english = registry_search.find(db, Search(capability_id="TEM"), by_english=True)
    # "... truyền qua", "... truyền qua 120 kV", "... truyền qua 200 kV" and the same in English.
    assert [item.id for item in vietnamese] == ["N009", "N089", "N038"]
    assert [item.id for item in english] == ["N009", "N089", "N038"]
    hydraulics = Search(centre_id="C-RIV")
    # Bể mô hình sông (N097) before Máng sóng (N096); River ... (N097) before Wave ... (N096).
    assert [item.id for item in registry_search.find(db, hydraulics)] == ["N097", "N096"]
    polymers = Search(centre_id="C-POLN")
    # Máy đùn ... (N087), Máy thử kéo ... (N088); Twin-screw ... (N087) before Universal ... (N088).
    assert [item.id for item in registry_search.find(db, polymers)] == ["N087", "N088"]
    cells = Search(centre_id="C-CELL")
    # Máy tách ... (N112) before Phòng sạch ... (N111); Cell ... (N112) before GMP ... (N111).
    assert [item.id for item in registry_search.find(db, cells, by_english=True)] == ["N112", "N111"]
    plants = Search(centre_id="C-PCN")
    # Buồng nuôi cấy ... (N078) before Súng bắn gen (N079); but Gene gun (N079) before Plant ... (N078).
    assert [item.id for item in registry_search.find(db, plants)] == ["N078", "N079"]
    assert [item.id for item in registry_search.find(db, plants, by_english=True)] == ["N079", "N078"]


def test_pages_follow_each_other_without_gap_or_repeat(db: Connection) -> None:
    whole = [item.id for item in registry_search.find(db, Search())]
    first = [item.id for item in registry_search.find(db, Search(), limit=60)]
    second = [item.id for item in registry_search.find(db, Search(), limit=60, offset=60)]
    assert first + second == whole
    assert len(whole) == 116


def test_a_program_reads_all_by_id_without_gap_or_repeat(db: Connection) -> None:
    search = Search(text="quang khac")
    # The five of the first test, in the order of their ids, two at a time.
    pages = [["N002", "N012"], ["N016", "N028"], ["N062"], []]
    last = ""
    for page in pages:
        ids = [item.id for item in registry_search.find_after(db, search, after=last, limit=2)]
        assert ids == page
        last = ids[-1] if ids else last


def test_tallies_add_up_to_what_is_found(db: Connection) -> None:
    tallies = registry_search.tallies(db, Search())
    assert total(tallies, Search()) == 116
    for city, count in choices(tallies, Search(), "city_vi").items():
        assert len(found(db, city_vi=city)) == count


def test_a_centre_without_a_zone_is_found_too(db: Connection) -> None:
    db.execute(sa.update(t.centres).where(t.centres.c.id == "C-VKIST").values(zone_id=None))
    assert "N053" in found(db, centre_id="C-VKIST")
