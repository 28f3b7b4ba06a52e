"""The table of every field of results, a row each.

A column is the path of a field of the result, such as `evaluation.overall_rating`. Lists of texts are joined
by `; `; what has no fixed shape (segments, quotes, provenance) is JSON. In front stands who the student is.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from types import UnionType
from typing import Any, get_args

from pydantic import BaseModel

from daemon.core.classes.cells import cell
from daemon.core.content.document import CRITERIA, Result, Scored
from daemon.core.exports.members import ClassMember, Exported, not_leaving

_STUDENT = ("student", "name", "group", "email", "late")
_SCORES = "scores"


def every_field(members: Iterable[ClassMember]) -> Exported:
    """The table of the results that are released, as UTF-8 with a byte order mark, which Excel asks for."""
    listed = list(members)
    leaving = [member for member in listed if member.released]
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_MINIMAL)
    writer.writerow(columns())
    writer.writerows([cell(value) for value in _values(member)] for member in leaving)
    entered = tuple(member.student for member in leaving)
    return Exported(out.getvalue().encode("utf-8-sig"), entered, tuple(not_leaving(listed, leaving)))


def columns() -> tuple[str, ...]:
    """The titles of the table."""
    return (*_STUDENT, *(path for path in _paths(Result) if path != "student_id"))


def _values(member: ClassMember) -> Iterator[object]:
    assert member.result is not None
    entry = member.standing.entry
    yield from (member.student, member.name, entry.group if entry else "", entry.email if entry else "")
    yield member.standing.late
    whole = member.result.model_dump(mode="json")
    for path in columns()[len(_STUDENT) :]:
        yield _flat(_at(whole, path.split(".")))


def _at(value: Any, path: list[str]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _flat(value: Any) -> object:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return "; ".join(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _paths(model: type[BaseModel]) -> Iterator[str]:
    """The path of each field; a part of the document is opened, and so are the scores of each criterion."""
    for name, field in model.model_fields.items():
        part = _part(field.annotation)
        if name == _SCORES:
            yield from (f"{name}.{key}.{path}" for key in CRITERIA for path in _paths(Scored))
        elif part is not None:
            yield from (f"{name}.{path}" for path in _paths(part))
        else:
            yield name


def _part(annotation: Any) -> type[BaseModel] | None:
    """The part of the document that a field has, always or but for null."""
    either = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return next((one for one in either if isinstance(one, type) and issubclass(one, BaseModel)), None)
