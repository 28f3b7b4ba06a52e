"""The language that the configuration expects, by its code or its English name."""

import re
from typing import Annotated

from pydantic import AfterValidator

from daemon.core.content.languages import language_code


def _known(told: str) -> str:
    """The code of a language, which may be told with a region, as in `en-US`. Raises ValueError."""
    code = language_code(re.split("[-_]", told, maxsplit=1)[0])
    if code is None:
        raise ValueError(f"{told!r} is no language that Whisper knows; write its code or name: en or English")
    return code


Language = Annotated[str, AfterValidator(_known)]
"""A language, by its code."""
