"""The command line: every command helps with an example, says what went wrong in a line, and changes nothing then."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copy, copytree

import pytest
import rich_click as click
import sqlalchemy as sa
from click.testing import CliRunner, Result

import labshare.scheduler
from labshare.cli import main
from labshare.services import passwords, people, tokens
from labshare.store import tables as t
from labshare.store.engine import Database, open_database
from labshare.store.process import claim
from tests.furniture import furnish

FIXTURES = Path(__file__).parent.parent / "fixtures"
REGISTRY = FIXTURES / "registry"
PROBLEMS = FIXTURES / "problems"
SECRET = "a secret that only these tests use"

Run = Callable[..., Result]


@pytest.fixture
def path(tmp_path: Path, sqlite_template: Path) -> Path:
    """A migrated, empty database."""
    return Path(copy(sqlite_template, tmp_path / "cli.sqlite3"))


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{path}")
    yield opened
    opened.dispose()


@pytest.fixture
def furnished(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


@pytest.fixture
def run(path: Path) -> Run:
    """Run a command on that database, in a terminal that speaks English unless said otherwise."""

    def run(*words: str | Path, **environment: str) -> Result:
        given = {"LANG": "C", "LABSHARE_DATABASE_URL": f"sqlite:///{path}", **environment}
        return CliRunner().invoke(main, [str(word) for word in words], env=given)

    return run


def count(database: Database, table: sa.Table) -> int:
    with database.read() as db:
        return db.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


# ---------------------------------------------------------------- help


def commands(group: click.Group, *above: str) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *above, name)
        else:
            yield (*above, name)


COMMANDS = sorted(commands(main))


def test_the_commands_are_those_that_the_documentation_names() -> None:
    assert {" ".join(words) for words in COMMANDS} == {
        "demo", "serve", "migrate", "recount", "load registry", "load people", "load agreements", "export registry",
        "agreement check", "create-admin", "token create", "token list", "token revoke", "solve", "check", "explain",
        "repair", "schema", "replay",
    }  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_helps_with_an_example_of_itself(run: Run, words: tuple[str, ...]) -> None:
    helped = run(*words, "--help")
    assert helped.exit_code == 0
    _, _, example = helped.output.partition("Example:")
    assert f"labshare {' '.join(words)}" in example


def test_help_loads_nothing_heavy() -> None:
    """Asking for help must be quick, so no command imports what it needs before it runs."""
    heavy = {"alembic", "babel", "granian", "litestar", "msgspec", "numpy", "ortools", "sqlalchemy", "structlog"}
    question = f"import sys, labshare.cli; print(sorted({heavy!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_command_is_a_mistake_in_use(run: Run) -> None:
    assert run("sevre").exit_code == 2


# ---------------------------------------------------------------- starting


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("LABSHARE_PROT", "1", "LABSHARE_PROT is not a setting of LabShare; deploy/README.md lists them."),
        ("LABSHARE_PORT", "0", "LABSHARE_PORT must be a whole number from 1 to 65535, not “0”."),
        ("LABSHARE_SECRET", "short", "LABSHARE_SECRET must be random text of at least 32 characters."),
    ],
)
def test_a_wrong_setting_stops_every_command_with_one_line(run: Run, variable: str, value: str, line: str) -> None:
    for words in (("serve",), ("migrate",), ("token", "list"), ("demo",)):
        stopped = run(*words, **{variable: value})
        assert (stopped.exit_code, stopped.stdout, stopped.stderr) == (2, "", f"labshare: {line}\n")


def test_serving_needs_a_secret(run: Run) -> None:
    stopped = run("serve")
    assert (stopped.exit_code, stopped.stderr) == (
        2,
        "labshare: LABSHARE_SECRET must be set; deploy/README.md says how to make one.\n",
    )


def test_more_than_one_process_is_refused(run: Run) -> None:
    stopped = run("serve", "--workers", "2", LABSHARE_SECRET=SECRET)
    assert stopped.exit_code == 1
    assert stopped.stderr == ("labshare: 2 processes were asked for; this version serves with one (--workers 1).\n")


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("mysql://localhost/x", "names a mysql database; LabShare knows sqlite and postgresql."),
        ("not an address", "is not the address of a database."),
        ("sqlite://", "must name a file: sqlite:///path."),
    ],
)
def test_an_address_of_no_database_is_refused(run: Run, url: str, line: str) -> None:
    stopped = run("migrate", LABSHARE_DATABASE_URL=url)
    assert (stopped.exit_code, stopped.stderr) == (1, f"labshare: LABSHARE_DATABASE_URL {line}\n")


def test_a_database_that_cannot_be_opened_is_said_without_its_password(run: Run) -> None:
    stopped = run("migrate", LABSHARE_DATABASE_URL="postgresql://nobody:hidden@127.0.0.1:1/none")
    assert stopped.exit_code == 1
    assert stopped.stderr.startswith("labshare: The database cannot be opened: ")
    assert stopped.stderr.count("\n") == 1
    assert "hidden" not in stopped.stderr


def test_a_file_that_is_no_database_is_left_alone(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("these are notes, and not a database at all\n" * 50)
    stopped = run("migrate", LABSHARE_DATABASE_URL=f"sqlite:///{file}")
    assert (stopped.exit_code, stopped.stderr.count("\n")) == (1, 1)
    assert file.read_text().startswith("these are notes")


def test_a_database_without_tables_is_not_served(run: Run, tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    for words in (("serve",), ("token", "list")):
        stopped = run(*words, LABSHARE_DATABASE_URL=address, LABSHARE_SECRET=SECRET)
        assert (stopped.exit_code, stopped.stderr) == (
            1,
            "labshare: The tables of this database are not this version's; run `labshare migrate`.\n",
        )


def test_a_database_without_its_guard_is_not_served_until_it_is_migrated(run: Run, database: Database) -> None:
    with database.write() as db:
        db.exec_driver_sql("DROP TRIGGER bookings_no_double_booking_insert")
    stopped = run("serve", LABSHARE_SECRET=SECRET)
    assert (stopped.exit_code, stopped.stderr) == (
        1,
        "labshare: This database lacks the guard against double booking; run `labshare migrate`.\n",
    )
    assert run("migrate").output == "The database was brought up to date.\n"
    assert run("migrate").output == "The database is up to date.\n"
    assert run("token", "list").exit_code == 0


def test_balances_are_counted_again_when_asked_and_when_tables_are_new(run: Run, furnished: Database) -> None:
    assert run("recount").output == "Every balance is right.\n"


def test_a_database_that_is_served_is_neither_served_again_nor_migrated(run: Run, database: Database) -> None:
    with claim(database):
        for words in (("serve",), ("migrate",)):
            stopped = run(*words, LABSHARE_SECRET=SECRET)
            assert (stopped.exit_code, stopped.stderr) == (
                1,
                "labshare: Another LabShare process serves this database; stop it first.\n",
            )


def test_the_terminal_decides_the_language(run: Run) -> None:
    assert "Cần đặt LABSHARE_SECRET" in run("serve", LANG="vi_VN.UTF-8").stderr
    assert "LABSHARE_SECRET must be set" in run("serve", LANG="de_DE.UTF-8").stderr
    assert "LABSHARE_SECRET must be set" in run("serve", LANG="vi_VN.UTF-8", LC_ALL="C").stderr


# ---------------------------------------------------------------- loading


def test_the_registry_is_loaded_once_and_comes_out_as_it_went_in(run: Run, database: Database, tmp_path: Path) -> None:
    first = run("load", "registry", REGISTRY)
    assert first.exit_code == 0, first.output
    # The files have 116 instruments, 39 organisations and 34 centres (a line each, less the header).
    assert "instruments: 116 added, 0 changed, 0 retired, 0 unchanged" in first.output
    assert count(database, t.instruments) == 116
    assert run("export", "registry", tmp_path / "out").exit_code == 0
    for file in REGISTRY.glob("*.csv"):
        assert (tmp_path / "out" / file.name).read_bytes() == file.read_bytes()
    again = run("load", "registry", tmp_path / "out")
    assert "instruments: 0 added, 0 changed, 0 retired, 116 unchanged" in again.output


def test_every_bad_row_of_the_registry_is_named_and_nothing_is_loaded(
    run: Run, database: Database, tmp_path: Path
) -> None:
    folder = Path(copytree(REGISTRY, tmp_path / "registry"))
    zones, centres = folder / "zones.csv", folder / "centres.csv"
    zones.write_text(zones.read_text().replace(",approximate,", ",roughly,", 1))
    lines = centres.read_text().splitlines(keepends=True)
    centres.write_text("".join([*lines, "C-BROKEN,only,three\n"]))
    refused = run("load", "registry", folder)
    assert refused.exit_code == 2
    assert refused.stdout == ""
    found = refused.stderr.splitlines()
    # A broken centre is one line after those that are there; which line of zones was first is in the file.
    assert any(line.startswith(f"labshare: {centres}:{len(lines) + 1}: The row has 3 cells") for line in found)
    assert any(line.startswith(f"labshare: {zones}:") and "coordinates" in line for line in found)
    assert count(database, t.zones) == 0


def test_files_that_are_missing_are_named(run: Run, tmp_path: Path) -> None:
    refused = run("load", "registry", tmp_path)
    assert refused.exit_code == 2
    assert f"labshare: {tmp_path / 'instruments.csv'}: This file is missing." in refused.stderr.splitlines()


def test_a_folder_that_cannot_be_written_is_named(run: Run, furnished: Database, tmp_path: Path) -> None:
    file = tmp_path / "a file"
    file.touch()
    refused = run("export", "registry", file / "below")
    assert (refused.exit_code, refused.stderr) == (1, f"labshare: {file / 'below'}: Not a directory\n")


def test_a_database_that_fails_is_said_in_its_own_words(run: Run, furnished: Database, tmp_path: Path) -> None:
    with furnished.write() as db:
        # As a disk that is full, or a file that may not be written.
        db.exec_driver_sql("CREATE TRIGGER full BEFORE INSERT ON tokens BEGIN SELECT no_such_function(); END")
    refused = run("token", "create", "--person", "researcher")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == "labshare: The database failed: no such function: no_such_function\n"


PEOPLE = """
[[person]]
login = "researcher.two"
name = "Researcher of Centre Two"
organisation = "I-IMS"
roles = [{ role = "researcher" }]
"""


def test_people_are_loaded_from_a_file(run: Run, furnished: Database, tmp_path: Path) -> None:
    file = tmp_path / "people.toml"
    file.write_text(PEOPLE)
    assert run("load", "people", file).output == "organisations 0, persons 1, projects 0\n"
    assert run("load", "people", file).output == "organisations 0, persons 0, projects 0\n"
    with furnished.read() as db:
        found = [
            holder.actor.organisation_id for holder in people.holders(db) if holder.actor.login == "researcher.two"
        ]
    assert found == ["I-IMS"]


@pytest.mark.parametrize(
    "text",
    [
        "[[person",
        '[[person]]\nlogin = "x"\n',
        PEOPLE.replace("I-IMS", "I-NOWHERE"),
        PEOPLE + "password = 'x'\n",
        PEOPLE.replace('"researcher" }', '"king" }'),
        PEOPLE + PEOPLE,
    ],
)
def test_people_that_cannot_be_loaded_change_nothing(run: Run, furnished: Database, tmp_path: Path, text: str) -> None:
    file, before = tmp_path / "people.toml", count(furnished, t.persons)
    file.write_text(text)
    refused = run("load", "people", file)
    assert refused.exit_code == 2
    assert all(line.startswith(f"labshare: {file}: ") for line in refused.stderr.splitlines())
    assert refused.stderr.count("\n") >= 1
    assert count(furnished, t.persons) == before


def test_a_file_that_is_not_utf8_is_said_so(run: Run, furnished: Database, tmp_path: Path) -> None:
    file = tmp_path / "people.toml"
    file.write_bytes(b"name = '\xff'")
    refused = run("load", "people", file)
    assert (refused.exit_code, refused.stderr) == (2, f"labshare: {file}: The file is not UTF-8 text.\n")


AGREEMENT = """
format = "labshare-agreement/1"
id = "PPP-TEST"
title_vi = "Thỏa thuận thử"
title_en = "Test agreement"
partner_id = "O-CO"
parties = ["I-IMS", "O-CO"]
effective_from = 2026-01-01
timezone = "Asia/Ho_Chi_Minh"
legal = "made up for this test"

[[rules]]
id = "economic-cap"
kind = "cap"
share = "20 %"
window = "quarter"
legal = "Clause 1"
sentence_vi = "Nhiều nhất 20 % thời gian cho hoạt động kinh tế."
sentence_en = "At most 20 % of the time for economic use."

[rules.who]
activity = ["economic"]

[rules.where]
centres = ["C-ONE"]
"""


def test_an_agreement_is_checked_without_being_brought_into_force(
    run: Run, furnished: Database, tmp_path: Path
) -> None:
    file = tmp_path / "test.toml"
    file.write_text(AGREEMENT)
    checked = run("agreement", "check", file)
    assert (checked.exit_code, checked.stdout) == (0, f"{file}: PPP-TEST version 1, new\n"), checked.output
    assert count(furnished, t.agreements) == 0
    assert run("load", "agreements", file).stdout == f"{file}: PPP-TEST version 1, new\n"
    assert run("load", "agreements", file).stdout == f"{file}: PPP-TEST version 1, same\n"
    assert count(furnished, t.agreement_versions) == 1


@pytest.mark.parametrize(
    ("old", "new"), [("C-ONE", "C-NONE"), ('"20 %"', "0.2"), ('"cap"', '"lid"'), ("[[rules]]", "[[rules")]
)
def test_an_agreement_with_a_fault_is_refused_and_not_loaded(
    run: Run, furnished: Database, tmp_path: Path, old: str, new: str
) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text(AGREEMENT)
    bad.write_text(AGREEMENT.replace("PPP-TEST", "PPP-BAD").replace(old, new))
    for words in (("agreement", "check"), ("load", "agreements")):
        refused = run(*words, good, bad)
        assert refused.exit_code == 2
        assert refused.stderr.startswith(f"labshare: {bad}: ")
    assert count(furnished, t.agreements) == 0


# ---------------------------------------------------------------- people and tokens


def test_an_administrator_is_made_who_can_sign_in(run: Run, furnished: Database) -> None:
    made = run(
        "create-admin", "--login", "admin.ims", "--name", "Quản trị", "--organisation", "I-IMS",
        "--password", "đủ dài và dễ nhớ",
    )  # fmt: skip
    assert made.output == "admin.ims is an administrator and can sign in.\n"
    with furnished.read() as db:
        row = db.execute(sa.select(t.persons).where(t.persons.c.login == "admin.ims")).one()
    assert passwords.matches("đủ dài và dễ nhớ", row.password_hash)


@pytest.mark.parametrize(
    ("login", "organisation", "password", "code"),
    [
        ("admin.ims", "I-IMS", "short", 1),
        ("admin.ims", "I-NOWHERE", "long enough to pass", 1),
        ("Not a login", "I-IMS", "long enough to pass", 2),
    ],
)
def test_an_administrator_who_cannot_be_made_is_refused(
    run: Run, furnished: Database, login: str, organisation: str, password: str, code: int
) -> None:
    before = count(furnished, t.persons)
    refused = run(
        "create-admin", "--login", login, "--name", "X", "--organisation", organisation, "--password", password
    )
    assert (refused.exit_code, refused.stderr.count("\n")) == (code, 1)
    assert count(furnished, t.persons) == before


def test_a_token_is_made_listed_and_revoked(run: Run, furnished: Database) -> None:
    made = run("token", "create", "--person", "researcher", "--days", "30", "--label", "plotter")
    assert made.exit_code == 0
    # The secret alone is on stdout, for scripts; who and until when is on stderr, for people.
    secret = made.stdout.strip()
    assert secret.startswith("labshare_")
    assert "researcher" in made.stderr
    (line,) = run("token", "list").stdout.splitlines()
    token_id, login, state, rest = line.split(maxsplit=3)
    assert (login, state) == ("researcher", "active")
    assert rest.endswith("plotter")
    assert secret not in line
    assert run("token", "list", "--person", "colleague").stdout == ""

    assert run("token", "revoke", token_id).exit_code == 0
    assert "revoked" in run("token", "list").stdout
    again = run("token", "revoke", token_id)
    assert (again.exit_code, again.stderr.count("\n")) == (1, 1)
    with furnished.read() as db:
        assert [line.token.label for line in tokens.listing(db)] == ["plotter"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("create", "--person", "nobody"), 1),
        (("create", "--person", "researcher", "--days", "0"), 2),
        (("create", "--person", "researcher", "--days", "367"), 2),
        (("create", "--person", "researcher", "--days", "many"), 2),
        (("create",), 2),
        (("list", "--person", "nobody"), 1),
        (("revoke", "not-an-id"), 2),
        (("revoke", "00000000-0000-0000-0000-000000000001"), 1),
    ],
)
def test_a_token_that_cannot_be_made_or_found_is_refused(
    run: Run, furnished: Database, words: tuple[str, ...], code: int
) -> None:
    refused = run("token", *words)
    assert (refused.exit_code, refused.stdout) == (code, "")
    assert count(furnished, t.tokens) == 0


# ---------------------------------------------------------------- solving


def test_a_problem_is_solved_checked_and_explained(run: Run, tmp_path: Path) -> None:
    problem, plan = PROBLEMS / "open-segments.problem.json", tmp_path / "plan.json"
    solved = run("solve", problem, "-o", plan, "--seconds", "20")
    assert solved.exit_code == 0, solved.output
    assert run("check", problem, plan).exit_code == 0
    text = plan.read_text()
    plan.write_text(text.replace('"objective": ', '"objective": 9', 1))
    judged = run("check", problem, plan)
    assert judged.exit_code == 1
    assert judged.stdout.count("\n") >= 1
    assert run("explain", problem, plan, "no-such-request").exit_code == 2


def test_a_plan_is_mended(run: Run, tmp_path: Path) -> None:
    """The fixture's plan has r1 on i1 from 4 to 8. When i1 fails from 4 to 6, r1 comes later there; all else stays."""
    problem, plan, plan2 = PROBLEMS / "repair.problem.json", tmp_path / "plan.json", tmp_path / "plan2.json"
    assert run("solve", problem, "-o", plan, "--steps", "100").exit_code == 0
    files = ["-o", plan2, "--problem-out", tmp_path / "p2.json"]
    assert run("repair", problem, plan, "--now", "3", "--down", "i1:4-6", *files).exit_code == 0
    assert run("check", tmp_path / "p2.json", plan2).exit_code == 0
    before, after = (
        {row["request"]: (row["instrument"], row["start"]) for row in json.loads(path.read_text())["sessions"]}
        for path in (plan, plan2)
    )
    assert before["r1"] == ("i1", 4)
    assert after["r1"] in {("i1", 6), ("i1", 7), ("i1", 8)}
    assert before | {"r1": after["r1"]} == after
    assert run("repair", problem, plan, "--now", "3", "--down", "nowhere", *files).exit_code == 2


@pytest.mark.parametrize("kind", ["problem", "plan"])
def test_the_schema_that_is_printed_is_the_published_one(run: Run, kind: str) -> None:
    printed = run("schema", kind)
    published = Path(labshare.scheduler.__file__).parent / "schemas" / f"{kind}.schema.json"
    assert (printed.exit_code, printed.stdout) == (0, published.read_text())


def test_an_infeasible_problem_says_so_with_its_exit_code(run: Run, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    solved = run("solve", PROBLEMS / "infeasible.problem.json", "-o", plan)
    assert solved.exit_code == 3
    assert plan.is_file()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "labshare-problem/1"}', '{"format": "other/1"}'])
def test_a_problem_that_cannot_be_read_is_malformed(run: Run, tmp_path: Path, text: str) -> None:
    problem, plan = tmp_path / "bad.problem.json", tmp_path / "plan.json"
    problem.write_text(text)
    refused = run("solve", problem, "-o", plan)
    assert refused.exit_code == 2
    assert refused.stderr
    assert not plan.exists()


@pytest.mark.parametrize(
    "words",
    [
        ("--seconds", "0"),
        ("--seconds", "nan"),
        ("--seconds", "inf"),
        ("--steps", "0"),
        ("--workers", "0"),
        ("--seed", "-1"),
        ("--seconds", "1", "--steps", "1"),
    ],
)
def test_a_budget_that_means_nothing_is_a_mistake_in_use(run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    plan = tmp_path / "plan.json"
    refused = run("solve", PROBLEMS / "open-segments.problem.json", "-o", plan, *words)
    assert refused.exit_code == 2
    assert not plan.exists()
