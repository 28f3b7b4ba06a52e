"""Writes with cached statements: peewee takes longer to build one than SQLite takes to run it."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from peewee import Model

from daemon.store.database import Database


def insert(db: Database, model: type[Model], **columns: Any) -> int:
    """Insert a row, with the model's defaults for the other columns. Returns its row id."""
    return _insert(db, model, "INSERT", columns)


def replace(db: Database, model: type[Model], **columns: Any) -> None:
    """Insert a row in the place of the one with its key. Other columns have the defaults of the model."""
    _insert(db, model, "INSERT OR REPLACE", columns)


def update(db: Database, model: type[Model], columns: Mapping[str, Any], **where: Any) -> int:
    """Write columns of the rows whose other columns are as in `where`. Returns how many these are."""
    values = [*_values(model, columns), *_values(model, where)]
    return int(db.execute_sql(_update_statement(model, tuple(columns), tuple(where)), values).rowcount)


def _insert(db: Database, model: type[Model], verb: str, columns: dict[str, Any]) -> int:
    columns = model._meta.get_default_dict() | columns
    statement = _insert_statement(model, verb, tuple(columns))
    return int(db.execute_sql(statement, _values(model, columns)).lastrowid)


def _values(model: type[Model], columns: Mapping[str, Any]) -> list[Any]:
    return [model._meta.fields[name].db_value(value) for name, value in columns.items()]


@cache
def _insert_statement(model: type[Model], verb: str, columns: tuple[str, ...]) -> str:
    names = ", ".join(model._meta.fields[name].column_name for name in columns)
    marks = ", ".join("?" * len(columns))
    return f"{verb} INTO {model._meta.table_name} ({names}) VALUES ({marks})"


@cache
def _update_statement(model: type[Model], columns: tuple[str, ...], where: tuple[str, ...]) -> str:
    changed, equal = (
        [f"{model._meta.fields[name].column_name} = ?" for name in names] for names in (columns, where)
    )
    return f"UPDATE {model._meta.table_name} SET {', '.join(changed)} WHERE {' AND '.join(equal)}"
