"""Questions to the payload log in SQL, answered by DuckDB inside this process.

Decides what a query sees, the tables `requests` and `truth` of one model, no other file and no network, and
what it may take. Must not know what is asked.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sardonyx.monitor.needs import need
from sardonyx.monitor.payload import REQUESTS, TRUTH
from sardonyx.monitor.store import Store

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_log = logging.getLogger("sardonyx.payload")
LONGEST_S, MOST_MEMORY = 60.0, "2GB"
"""What one question may take."""
_EMPTY = {
    REQUESTS: "SELECT NULL::TIMESTAMPTZ AS time, NULL::VARCHAR AS id, NULL::INTEGER AS row, NULL::VARCHAR AS "
    "version, NULL::VARCHAR AS deployment, NULL::VARCHAR AS status, NULL::FLOAT AS total_ms WHERE false",
    TRUTH: "SELECT NULL::VARCHAR AS id, NULL::INTEGER AS row WHERE false",
}


@contextmanager
def tables(
    store: Store, model: str, since_s: float = 0, until_s: float = 4e9
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection whose tables are the model's requests within the span and all its ground truth."""
    need("duckdb", "queries of the payload log")
    import duckdb

    with (
        store.reading(REQUESTS, model, since_s, until_s) as requests,
        store.reading(TRUTH, model) as truth,
        duckdb.connect(":memory:") as connection,
    ):
        connection.execute("SET threads = 2")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"SET memory_limit = '{MOST_MEMORY}'")
        connection.execute("SET temp_directory = ''")
        span = f"time >= to_timestamp({since_s!r}) AND time < to_timestamp({until_s!r})"
        _view(connection, REQUESTS, requests, span)
        _view(connection, TRUTH, truth, "true")
        connection.execute(f"SET allowed_paths = {_list([*requests, *truth])}")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection


def answer(
    store: Store, model: str, sql: str, *, since_s: float = 0, until_s: float = 4e9, limit: int = 10_000
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The column names and rows of one SELECT, DESCRIBE or SUMMARIZE.

    Raises ValueError, with DuckDB's words, for another or a wrong one, and for one that takes too long.
    """
    import duckdb

    with tables(store, model, since_s, until_s) as connection:
        clock = threading.Timer(LONGEST_S, connection.interrupt)
        clock.start()
        try:
            _must_ask(connection, sql)
            found = connection.sql(sql)
            return list(found.columns), found.limit(limit).fetchall()
        except duckdb.InterruptException:
            raise ValueError(f"the query was stopped after {LONGEST_S:g} s; ask for less") from None
        except duckdb.Error as error:
            raise ValueError(str(error)) from error
        finally:
            clock.cancel()
            clock.join()


def _must_ask(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Refuses what is not one statement that only reads."""
    import duckdb

    kinds = [statement.type for statement in connection.extract_statements(sql)]
    if not kinds:
        raise ValueError("the query holds no statement")
    if kinds != [duckdb.StatementType.SELECT]:
        names = ", ".join(kind.name for kind in kinds)
        raise ValueError(f"a query is one SELECT, DESCRIBE or SUMMARIZE, not {names}")


def _view(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    files: Sequence[Path],
    where: str,
) -> None:
    parts = " UNION ALL BY NAME ".join(
        f"SELECT {columns} FROM read_parquet({_list(group)}, union_by_name = true)"
        for columns, group in _agreeing(files)
    )
    if not parts:
        connection.execute(f"CREATE VIEW {name} AS {_EMPTY[name]}")
        return
    connection.execute(f"CREATE VIEW {name} AS SELECT * FROM ({parts}) WHERE {where}")


def _agreeing(files: Sequence[Path]) -> Iterator[tuple[str, list[Path]]]:
    """Files of equal types, and what to select of them so that all agree: lists where some have lists."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    groups: dict[frozenset[tuple[str, str]], tuple[pa.Schema, list[Path]]] = {}
    for file in files:
        try:
            schema = pq.read_schema(file)
        except (pa.ArrowInvalid, OSError) as error:
            _log.warning("the rows of %s are left out: %s", file, error)
            continue
        groups.setdefault(frozenset((f.name, str(f.type)) for f in schema), (schema, []))[1].append(file)
    fields = [field for schema, _ in groups.values() for field in schema]
    lists = {f.name for f in fields if pa.types.is_list(f.type)}
    texts = {f.name for f in fields if pa.types.is_string(_element(f.type))}
    for schema, group in groups.values():
        changed = []
        for field in schema:
            column, is_list = '"' + field.name.replace('"', '""') + '"', pa.types.is_list(field.type)
            wanted = f"[{column}]" if field.name in lists and not is_list else column
            if field.name in texts and not pa.types.is_string(_element(field.type)):
                wanted += "::VARCHAR[]" if field.name in lists else "::VARCHAR"
            if wanted != column:
                changed.append(f"{wanted} AS {column}")
        yield "*" + (f" REPLACE ({', '.join(changed)})" if changed else ""), group


def _element(kind: pa.DataType) -> pa.DataType:
    return getattr(kind, "value_type", kind)


def _list(files: Sequence[Path]) -> str:
    return "[" + ", ".join("'" + str(f).replace("'", "''") + "'" for f in files) + "]"
