"""What a file is by its name alone: a recording, something else, or nobody's.

Only known suffixes decide here. A file with any other may be a recording: the decoder tells.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import PurePath

MEDIA_SUFFIXES = frozenset(
    """
    .mp4 .m4v .mov .qt .mkv .webm .weba .mka .avi .divx .mpg .mpeg .mp2 .vob .ts .mts .m2ts .f4v .flv .3gp
    .3g2 .wmv .asf .ogg .oga .ogv .opus .spx .wav .mp3 .m4a .m4b .aac .flac .wma .amr .caf .aif .aiff
    """.split()
)
TOO_LARGE_SUFFIX = ".too-large"
"""Appended to the name of a file that stays in the inbox because it is larger than allowed."""

_UNFINISHED = frozenset(
    """
    .part .partial .tmp .temp .crdownload .opdownload .download .downloading .filepart .aria2 .!qb .!ut
    .!bt .!sync .!ud .bc! .crswap .swp .swx .dltemp .fdmdownload .dwnldr .td .xltd .jc! .ytdl .unconfirmed
    .upload .uploading .inprogress .incomplete .transfer .ffs_tmp .rsync .lock
    """.split()
)
_SIDE_FILES = frozenset(
    """
    .aae .thm .lrv .lrf .vtt .srt .sbv .ass .ssa .xmp .modd .moff .mpl .cpi .bdm .bdmv .bup .ifo .zoom
    .m3u .m3u8 .ffs_db .pek .cfa .reapeaks .asd
    """.split()
)
"""What cameras, meeting tools and editors put beside a recording."""
_IGNORED_NAMES = frozenset(
    (
        *(
            "@eadir",
            "#recycle",
            "@recycle",
            "#snapshot",
            "$recycle.bin",
            "lost+found",
            "@tmp",
            "icon\r",
            "__macosx",
        ),
        *("system volume information", "network trash folder", "temporary items", "thevolumesettingsfolder"),
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "recording.conf", "chat.txt", "meeting_saved_chat.txt"),
        *("closed_caption.txt", "meeting_saved_closed_caption.txt"),
    )
)
_ZONE = "zone.identifier"  # Windows' note of where a file came from, beside it on other file systems

_KINDS = {
    "an archive": ".zip .zipx .7z .rar .tar .gz .tgz .bz2 .tbz .xz .txz .zst .lz .lzma .cab .iso .dmg .001",
    "a document": (
        ".pdf .doc .docx .odt .rtf .txt .md .tex .pages .key .numbers .ppt .pptx .pps .ppsx .odp .xls .xlsx "
        ".ods .csv .htm .html .mht .epub .log .json .xml .yaml .yml .ini .eml .msg .py .ipynb .java .c .cpp "
        ".h .js .css .r .m"
    ),
    "a picture": (
        ".jpg .jpeg .jfif .png .gif .bmp .tif .tiff .heic .heif .webp .avif .svg .ico .psd .ai .dng .cr2 .nef"
    ),
    "a link": ".url .webloc .lnk .desktop .gdoc .gslides .gsheet .website",
    "a program": ".exe .msi .apk .bat .cmd .sh .ps1 .dll .so .deb .scr .com .vbs",
    "the project of an editor": (
        ".prproj .aep .kdenlive .mlt .osp .wlmp .mswmm .veg .vpj .fcpxml .camproj .tscproj .wfp .aup .aup3"
    ),
}
_KIND_OF = {suffix: kind for kind, suffixes in _KINDS.items() for suffix in suffixes.split()}


def ignored(relative: PurePath, patterns: Iterable[str] = ()) -> bool:
    """Whether a path below the inbox is a copy in progress, a dot file, or what a system puts beside a file.

    `patterns` are more names to ignore, as in a shell (`*.bak`), matched with every part of the path.
    """
    return any(
        part.startswith((".", "~"))
        or part.endswith("~")
        or part.lower() in _IGNORED_NAMES
        or part.lower().endswith(_ZONE)
        or PurePath(part).suffix.lower() in _UNFINISHED
        or any(fnmatchcase(part, pattern) for pattern in patterns)
        for part in relative.parts
    ) or relative.suffix.lower() in (*_SIDE_FILES, TOO_LARGE_SUFFIX)


def other_kind(name: str) -> str | None:
    """What a file is that is certainly no recording, by its suffix, with its article; else None."""
    return _KIND_OF.get(PurePath(name).suffix.lower())


def is_archive(name: str) -> bool:
    """Whether a file is an archive by its suffix."""
    return other_kind(name) == "an archive"


def is_package(name: str) -> bool:
    """Whether a file is an archive that is opened."""
    return PurePath(name).suffix.lower() == ".zip"


def is_roster(relative: PurePath) -> bool:
    """Whether a path below the inbox is that of a roster for the open class."""
    return len(relative.parts) == 1 and relative.name.casefold() == "roster.csv"


def has_media_suffix(name: str) -> bool:
    """Whether a file is a recording by its suffix: one that can't be read is damaged, not of another kind."""
    return PurePath(name).suffix.lower() in MEDIA_SUFFIXES
