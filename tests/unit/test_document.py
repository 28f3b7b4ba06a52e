"""The result document as it is published."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

import daemon.core
from daemon.core.content.document import VERSION_1, Result, result_schema

PUBLISHED = Path(daemon.core.__file__).with_name("result.v2.schema.json")


def test_the_published_schema_is_that_of_the_models() -> None:
    assert json.loads(PUBLISHED.read_text()) == result_schema(), "say: introeval schema > " + PUBLISHED.name


def test_the_schema_is_a_valid_one_and_forbids_what_it_does_not_name() -> None:
    schema = result_schema()
    Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(Result.model_fields)


def keys(schema: dict[str, Any]) -> set[str]:
    """The names of all keys that a document may have, as in `Scored.quote`."""
    parts = {"Result": schema, **schema["$defs"]}
    return {f"{part}.{key}" for part, each in parts.items() for key in each.get("properties", ())}


def test_the_page_on_version_2_names_each_key_that_is_new_and_none_of_version_1_is_gone() -> None:
    old, new = keys(json.loads(VERSION_1.read_text())), keys(result_schema())
    page = (Path(__file__).parents[2] / "docs" / "result-2.md").read_text(encoding="utf-8")
    assert old <= new
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`\n]+)`", page))))
    assert {key for key in new - old if key.partition(".")[2] not in named} == set()


def test_the_schema_of_version_1_stays_byte_for_byte_since_old_results_are_read_with_it() -> None:
    assert hashlib.sha256(VERSION_1.read_bytes()).hexdigest() == (
        "b27c206c1297862b375be1b66c52280cc34150c6445366cac980a4804845bda1"
    )
