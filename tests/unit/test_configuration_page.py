"""docs/configuration.md says what the configuration takes, from the classes that take it.

`INTROEVAL_WRITE_DOCS=1 pytest tests/unit/test_configuration_page.py` writes it anew.
"""

import json
import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from sphinx.pycode import ModuleAnalyzer

from daemon.config.load import SYSTEM_PATHS, Config
from daemon.config.sections import Settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"
HEAD = """# The configuration

Written by `INTROEVAL_WRITE_DOCS=1 pytest tests/unit/test_configuration_page.py`. Do not edit it.

One TOML file: `--config`, `$INTROEVAL_CONFIG`, `./introeval.toml` or `/etc/introeval/introeval.toml`, the
first that exists. It is checked as a whole before anything starts; an unknown key is an error that suggests
the nearest known one. Every key has a default. Environment variables override the file:
`INTROEVAL_BATCH__SIZE=5` is `size` in `[batch]`. An unknown variable that begins with `INTROEVAL_` is an
error, too.
"""
NONE = "none"
TEXTS = {
    key: " ".join(" ".join(lines).split())
    for module in ("cluster", "load", "records", "sections")
    for key, lines in ModuleAnalyzer.for_module(f"daemon.config.{module}").find_attr_docs().items()
}
"""The text below each key, by its class and name."""


def test_the_page_names_every_key_with_its_default_and_meaning() -> None:
    page = rendered()
    if os.environ.get("INTROEVAL_WRITE_DOCS"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page, "write it anew with INTROEVAL_WRITE_DOCS=1"


def test_every_key_and_table_is_explained() -> None:
    inherited = {"url", "model", "temperature"}  # of [rate], explained in [extract]
    for name, table in Config.model_fields.items():
        section = table.annotation
        if name == "runtime":
            assert text_of(Config, name)
        else:
            assert isinstance(section, type)
            assert section.__doc__
            keys = section.model_fields if issubclass(section, Settings) else {}
            unsaid = {key for key in keys if not text_of(section, key)}
            assert unsaid == (inherited if name == "rate" else set())


def test_the_defaults_of_the_page_are_valid_toml() -> None:
    for line in rendered().splitlines():
        if line.startswith("| `"):
            key, default = line.split(" | ")[:2]
            if default.strip("`") == NONE:
                continue
            tomllib.loads(f"{key.strip('| `')} = {default.strip('`')}")


def rendered() -> str:
    lines = [HEAD]
    runtime = Config.model_fields["runtime"]
    lines += ["| key | default | meaning |", "| --- | --- | --- |", row(Config, "runtime", runtime), ""]
    for name, table in Config.model_fields.items():
        section = table.annotation
        if not isinstance(section, type) or not issubclass(section, Settings):
            continue
        lines += [f"## `[{name}]`", "", " ".join((section.__doc__ or "").split()), ""]
        lines += ["| key | default | meaning |", "| --- | --- | --- |"]
        lines += [row(section, key, field) for key, field in section.model_fields.items()]
        lines.append("")
    system = ", ".join(f"`{key}` `{path}`" for key, path in SYSTEM_PATHS.items())
    lines.append(f"Where the file was found below `/etc`, the defaults of `[paths]` are: {system}.")
    return "\n".join(lines) + "\n"


def row(section: type, key: str, field: FieldInfo) -> str:
    return f"| `{key}` | `{shown(field.default)}` | {text_of(section, key)} |"


def text_of(section: type, key: str) -> str:
    """The text below a key, in the class that declares it last."""
    declares = next(each for each in section.__mro__ if key in vars(each).get("__annotations__", {}))
    return TEXTS.get((declares.__name__, key), "")


def shown(default: Any) -> str:
    """The default as TOML has it."""
    if default is None:
        return NONE
    return json.dumps(list(default) if isinstance(default, tuple) else default, default=str)
