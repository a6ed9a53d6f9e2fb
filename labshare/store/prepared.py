"""Statements of the busiest paths: compiled once, then handed to the driver as they are.

SQLAlchemy looks each statement up, prepares its parameters and wraps its result anew each time, which costs more than
most of our queries do. A `Prepared` does that work once; types, errors and who listens before a statement are those of
SQLAlchemy still.

What must not live here: statements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.sql import visitors

_CURSOR = "labshare_cursor"
# So many rows are taken from the driver at a time where they are gone through one by one.
_AT_ONCE = 32
Processor = Callable[[Any], Any]


class Prepared:
    """A statement with the names of its parameters; `columns` are those that an INSERT fills. No two columns of its
    rows have one name: `ValueError` says which.

    A list grows into the text of its statement. That there are few of these, its last entry fills it up to a power of
    two. A list of several columns goes SQLAlchemy's own way.
    """

    def __init__(self, statement: sa.Executable, columns: Sequence[str] | None = None) -> None:
        self._statement, self._columns = statement, columns
        lists: dict[str, Any] = {}
        for part in cast("Iterator[Any]", visitors.iterate(cast("Any", statement))):
            if _is_list(part):
                lists[part.key] = part.type
        self._grows = any(isinstance(each, sa.types.TupleType) for each in lists.values())
        self._lists = tuple(lists)
        # By the form of parameters, which tells databases apart: a process may have both open.
        self._compiled: dict[object, _Compiled] = {}

    def rows(self, db: Connection, params: Mapping[str, Any]) -> sa.Result[Any]:
        """The rows of the statement. Raises what `db.execute` raises, and `KeyError` for a value that is not given."""
        if self._grows:
            return db.execute(self._statement, params)
        compiled, given = self._for(db.dialect, params)
        try:
            found: list[Any] = _run(db, _cursor(db), compiled, compiled.values(given)).fetchall()
        except compiled.errors as error:
            fail(db, compiled.text, error)
        return IteratorResult(SimpleResultMetaData(compiled.keys), map(compiled.row, found))

    def each(self, db: Connection, params: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
        """The rows without the names of their columns, read as they are gone through, while the connection is open. So
        hundreds of them need no more memory than a few. Raises as `rows` does.
        """
        if self._grows:
            yield from map(tuple, db.execute(self._statement, params))
            return
        compiled, given = self._for(db.dialect, params)
        # The one that stays may run another statement meanwhile.
        cursor = db.connection.cursor()
        try:
            _run(db, cursor, compiled, compiled.values(given))
            while found := cursor.fetchmany(_AT_ONCE):
                yield from map(compiled.row, found) if compiled.results else found
        except compiled.errors as error:
            fail(db, compiled.text, error)
        finally:
            cursor.close()

    def write(self, db: Connection, *params: Mapping[str, Any]) -> int:
        """Run the statement with each of these parameters; how many rows were written. Raises as `rows` does.

        What is only one goes by itself, for which drivers have a shorter way.
        """
        if self._grows:
            return db.execute(self._statement, params).rowcount
        if self._lists and len(params) != 1:
            return sum(self.write(db, each) for each in params)
        if not params:
            return 0
        compiled, given = self._for(db.dialect, params[0])
        values, more = compiled.values(given), [compiled.values(each) for each in params[1:]]
        try:
            written = _run(db, _cursor(db), compiled, [values, *more] if more else values, many=bool(more))
            return cast("int", written.rowcount)
        except compiled.errors as error:
            fail(db, compiled.text, error)

    def _for(self, dialect: Dialect, params: Mapping[str, Any]) -> tuple[_Compiled, Mapping[str, Any]]:
        """The statement for a database and lists like these, and its parameters, each entry of a list as one."""
        if not self._lists:
            key, lengths, given = dialect.paramstyle, {}, params
        else:
            filled = {name: _filled(params[name]) for name in self._lists}
            lengths = {name: len(each) for name, each in filled.items()}
            key = (dialect.paramstyle, *lengths.values())
            entries = {_entry(name, place): value for name in filled for place, value in enumerate(filled[name])}
            given = {**params, **entries}
        found = self._compiled.get(key)
        if found is None:
            found = self._compiled[key] = _compile(self._statement, self._columns, dialect, lengths)
        return found, given


class _Compiled(NamedTuple):
    """A statement for one database, as people read it and as it is sent. `binds` stand in the order of its parameters:
    the name of a value and what makes it fit for the driver, or (without a name) a value that is always the same.
    `keys` and `results` are those of its rows.
    """

    text: str
    sent: str | bytes
    binds: tuple[tuple[str | None, Any], ...]
    keys: tuple[str, ...]
    results: tuple[tuple[int, Processor], ...]
    errors: type[Exception]

    def values(self, params: Mapping[str, Any]) -> list[Any]:
        return [
            made if name is None else params[name] if made is None else made(params[name]) for name, made in self.binds
        ]

    def row(self, found: Sequence[Any]) -> tuple[Any, ...]:
        if not self.results:
            return tuple(found)
        values = list(found)
        for place, made in self.results:
            values[place] = made(values[place])
        return tuple(values)


def _cursor(db: Connection) -> Any:
    """That which stays with a connection: a new one would learn anew how each kind of value is written and read."""
    lent = db.connection
    cursor: Any = lent.info.get(_CURSOR)
    if cursor is None:
        cursor = lent.info[_CURSOR] = lent.cursor()
    return cursor


def _run(db: Connection, cursor: Any, compiled: _Compiled, values: Sequence[Any], *, many: bool = False) -> Any:
    # As SQLAlchemy does: whatever is read belongs to a transaction.
    if not db.in_transaction():
        db.begin()
    for listener in db.dispatch.before_cursor_execute:  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType, reportAttributeAccessIssue]  SQLAlchemy adds it when it runs
        listener(db, cursor, compiled.text, values, None, many)
    (cursor.executemany if many else cursor.execute)(compiled.sent, values)
    return cursor


def _compile(statement: Any, columns: Sequence[str] | None, dialect: Dialect, lengths: Mapping[str, int]) -> _Compiled:
    def constant(element: Any, **_: Any) -> Any:
        if _is_list(element):
            return _listed(element, lengths[element.key])
        return _spelled_out(element, dialect)

    spelled = cast("Any", visitors.replacement_traverse(statement, {}, constant))
    compiled: Any = spelled.compile(dialect=dialect, column_keys=columns)
    by_name = {name: bind for bind, name in compiled.bind_names.items()}
    rows = statement.exported_columns
    names = [name for column in rows if (name := getattr(column, "name", None))]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        # The library would call one of them otherwise, and whoever reads it by its name would read the other one.
        raise ValueError(f"two columns have one name: {twice}")
    results = ((place, _impl(column, dialect).result_processor(dialect, None)) for place, column in enumerate(rows))
    text = str(compiled)
    return _Compiled(
        text=text,
        # psycopg would encode it each time, and look its plan up by a text that was never hashed before.
        sent=text.encode() if dialect.driver == "psycopg" else text,
        binds=tuple(_bind(name, by_name[name], dialect) for name in compiled.positiontup),
        keys=tuple(rows.keys()),
        results=tuple((place, made) for place, made in results if made),
        errors=dialect.loaded_dbapi.Error,
    )


def _is_list(element: Any) -> bool:
    return isinstance(element, sa.BindParameter) and element.expanding


def _filled(entries: Sequence[Any]) -> Sequence[Any]:
    if not entries:
        return entries
    return [*entries, *[entries[-1]] * ((1 << (len(entries) - 1).bit_length()) - len(entries))]


def _entry(name: str, place: int) -> str:
    return f"{name}__{place}"


def _listed(element: sa.BindParameter[Any], length: int) -> sa.ColumnElement[Any]:
    """A list as so many parameters; of none, nothing that anything could be among."""
    if not length:
        return sa.select(sa.cast(sa.null(), element.type)).where(sa.false()).scalar_subquery()
    return sa.tuple_(*(sa.bindparam(_entry(element.key, place), type_=element.type) for place in range(length)))


def _impl(element: Any, dialect: Dialect) -> Any:
    return element.type.dialect_impl(dialect)


def _spelled_out(element: Any, dialect: Dialect) -> sa.ColumnElement[Any] | None:
    """A word or number that is always the same, as a part of the text: what is not sent costs nothing."""
    bind: Any = element
    if not isinstance(element, sa.BindParameter) or not bind.unique:
        return None
    # A minus could follow another, which begins a comment.
    if not isinstance(bind.value, str | int) or (isinstance(bind.value, int) and bind.value < 0):
        return None
    literal: Callable[[Any], str] | None = _impl(bind, dialect).literal_processor(dialect)
    return sa.literal_column(literal(bind.value), bind.type) if literal else None


def _bind(name: str, bind: sa.BindParameter[Any], dialect: Dialect) -> tuple[str | None, Any]:
    made: Processor | None = _impl(bind, dialect).bind_processor(dialect)
    # A literal has no name that anybody gave it.
    if not bind.unique:
        return name, made
    return None, made(bind.value) if made else bind.value


def fail(db: Connection, text: str, error: Exception) -> NoReturn:
    """Raise an error of the driver as SQLAlchemy does, which also drops the connections that went with a lost one."""
    db._handle_dbapi_exception(error, text, None, None, None)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  no public one
