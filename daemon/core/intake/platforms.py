"""The file names that learning platforms give to what students hand in there."""

import re
from dataclasses import dataclass

UNDERSCORED = (
    r"[A-Z]{0,2}\d{2,4}_[A-Za-z]{2,5}_\d{2,5}|[A-Z]{2,4}(?:_\d{2,4})?_\d{2,5}|\d\d[A-Z]{2,4}_\d{3,5}"
    r"|[A-Za-z]_\d{2,8}|(?:[Ss]t|[Ss]tud|[Ss]tudent|[Rr]oll|[Ii][Dd]|[Rr]eg|[Cc]andidate|[Pp]articipant)"
    r"[_-]?\d{2,9}"
)
"""Ids that contain underscores: `21_CS_049`, `21BCE_1234`, `s_060`, `student_12`."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """The pattern of a learning platform, searched in the whole path. `student` says what its group is.

    Its group `name` is the person's, and so is `word`; where that is of nobody (`video_12_345_`), there is no
    match.
    """

    platform: str
    example: str
    student: str
    pattern: re.Pattern[str]


SHIPPED = (
    Shipped(
        "Moodle",
        "Anna Smith_12345_assignsubmission_file_/intro.mp4",
        "12345, the number before `_assignsubmission`; also in one name, without the folder",
        re.compile(r"(?:^|/)(?:(?P<name>[^/]*)_)?(?P<student>\d+)_assignsubmission_[a-z]+"),
    ),
    Shipped(
        "Blackboard",
        "Introduction_asmith_attempt_2026-11-26-10-22-01_intro.mp4",
        "asmith, the user before `_attempt`",
        re.compile(
            r"(?:^|/)(?P<before>[^/]+?)_(?P<student>" + UNDERSCORED + r"|[^/_]+)"
            r"_attempt_\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d"
        ),
    ),
    Shipped(
        "Canvas",
        "smithanna_LATE_20001_812345_intro.mp4",
        "20001, the user's number: two students may have one name",
        re.compile(
            r"(?:^|/)(?P<word>[^\W\dA-Z_]{2,})_(?:LATE_)?(?!(?:19|20)\d\d_\d{1,4}_|(?:19|20)\d{6}_\d{4,9}_)"
            r"(?P<student>\d{2,19})_\d{3,19}_[^/]+$"
        ),
    ),
    Shipped(
        "Brightspace (D2L)",
        "12345-67890 - Anna Smith - Nov 26, 2026 1015 AM/intro.mp4",
        "12345, the first number; also in one name, without the folder",
        re.compile(r"(?:^|/)(?P<student>\d{2,})-\d+ - (?P<name>[^/]+?) - "),
    ),
    Shipped(
        "Sakai",
        "Smith, Anna(asmith)/Submission attachment(s)/intro.mp4",
        "asmith, the user in brackets",
        re.compile(r"(?:^|/)(?P<name>[^/(]+, [^/(]*)\((?P<student>[^/()]+)\)/"),
    ),
    Shipped(
        "Microsoft Teams",
        "Submitted files/Anna Smith/Introduction/Version 1/intro.mp4",
        "Anna Smith, who needs a `student_pattern` that allows the space",
        re.compile(r"(?:^|/)(?P<student>[^/]+)/[^/]+/Version \d+/"),
    ),
)
