"""The students that the database knows, by the spelling that was seen first."""

from collections.abc import Collection

from daemon.store.database import Database, reads

_AT_ONCE = 150  # names in a statement: each gives up to four spellings, and SQLite allows 999 variables
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


@reads
def known(db: Database, students: Collection[str]) -> dict[str, str]:
    """The known ones of these students, each with the spelling that the database has of them."""
    return spellings(db, students)


def spellings(db: Database, students: Collection[str]) -> dict[str, str]:
    """The same within a transaction. Case makes no other student; an exact match goes first."""
    found: dict[str, str] = {}
    listed = sorted(students)
    for first in range(0, len(listed), _AT_ONCE):
        some = listed[first : first + _AT_ONCE]
        marks = ", ".join("?" * len(some))
        for (name,) in db.execute_sql(f"SELECT username FROM users WHERE username IN ({marks})", some):
            found[name] = name
        folds = {name: _folds(name) for name in some if name not in found}
        asked = sorted({fold for each in folds.values() for fold in each})
        marks = ", ".join("?" * len(asked))
        query = f"SELECT username FROM users WHERE lower(username) IN ({marks}) ORDER BY created_at DESC"
        by_fold = {_lower(name): name for (name,) in db.execute_sql(query, asked)} if asked else {}
        for name, each in folds.items():
            if spelling := next((by_fold[fold] for fold in each if fold in by_fold), None):
                found[name] = spelling
    return found


def _folds(name: str) -> list[str]:
    """How SQLite's `lower`, which changes ASCII alone, may give a name that differs in case only."""
    return sorted({_lower(each) for each in (name, name.lower(), name.upper(), name.title())})


def _lower(name: str) -> str:
    return name.translate(_LOWER)
