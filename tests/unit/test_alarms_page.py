"""docs/alarms.md lists the alarms from A to Z, from the table that raises them.

`INTROEVAL_WRITE_DOCS=1 pytest tests/unit/test_alarms_page.py` writes it anew.
"""

import os
from pathlib import Path

from daemon.core.alarms import KINDS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "alarms.md"
HEAD = """# The alarms from A to Z

Written by `INTROEVAL_WRITE_DOCS=1 pytest tests/unit/test_alarms_page.py`. Do not edit it.

`introeval status` shows the alarms of now, each with its cause; `introeval attention` sorts all that wants a
person. An alarm clears by itself once its cause is gone. Here is who is affected by each, and what to do.
"…" is what the alarm is about: after `_` a stage or a group, after a space a file or a folder.

| alarm | affects | what to do |
| --- | --- | --- |
"""


def test_the_page_has_every_alarm_with_its_fix() -> None:
    page = HEAD + "".join(row(code) for code in sorted(KINDS))
    if os.environ.get("INTROEVAL_WRITE_DOCS"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page, "write it anew with INTROEVAL_WRITE_DOCS=1"


def row(code: str) -> str:
    kind = KINDS[code]
    affects, fix = (text.replace("{of}", "…").replace("<", "&lt;") for text in (kind.affects, kind.fix))
    return f"| `{code}` | {affects} | {fix} |\n"
