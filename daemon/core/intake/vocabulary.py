"""The words and shapes in file names that are of no person: those of devices, programs, titles and dates.

No list can hold every camera and program. What they write is made of a few words, counters, dates and times,
and so is what people call their own recordings.
"""

import re
from functools import lru_cache

_LONGEST_WORD = 32  # a longer run of letters is none of these words
_SHORTEST_HALF = 4
_YEAR_DIGITS = 4
_COUNTER_DIGITS = 2

_WORDS = frozenset(
    """
    100apple 4k about adobe airdrop album android aneditedvideo answer app archive assessment assign
    assignment assignments attach attachment attachments attempt aud audacity audio aufnahme aufzeichnung
    auto avchd avi avseq azrecorder backup bandicam batch bdmv below bildschirmaufnahme bluetooth burst
    cam camera camscanner camtasia canon canva canvas capcut captura capture casio chat chrome cimg class
    classes clip clipchamp clips cloud complete composition compressed content conversion convert
    converted copia copie copy course coursework data dcim deep default demo desktop dir discord dji doc
    docs document documents done download downloads draft dropbox dsc dscf dscn dump edit edited email
    essay eval evaluation event exam exercise exp export exported exposition facebook favorite fb feedback
    ffmpeg file files film filmora final finalcut finale finished firstname folder footage fraps friday
    ftp full fullhd fullname fullscreen fullsizerender galaxy gallery general gmail gmt google gopr gopro
    grabacion grabar gravacao group groups grp h264 h265 handbrake hd hdr hello hevc hi high home homework
    hpim hw icloud imac imag image images imessage img imovie import imported inbox inner input inshot
    instagram instashot insv intro introduccion introduce introducing introduction introductions
    introduktion invideo ios ipad iphone item items itunes kazam kinemaster kopie lab labs laptop large
    last lastname late latest lecture lesson loom low lowres lvl main make manycam master materials media
    meet meeting me mein meine memo merged message messenger mic microphone mijn misc mmexport mobizen
    module monday mono monologue montage mov movavi movie movies mp3 mp4 mpeg msdcf music mvi mvimg my
    name names nested new newest nextcloud nikon note notes nouveau nvidia obs old onedrive opencamera
    openshot original other outbox output own pack pano part parts peek people personal phone photo
    photobooth photos pics pict picture pictures pinnacle pitch playback player portrait powerdirector
    powerpoint practice premiere prep presentacao presentacion presentation presentations presentazione
    private pro production profile project projects ptt public pxl question questions quick quicktime quik
    quiz random raw rec received record recorded recorder recorderit recording recordings redo reel refilm
    registrazione rehearsal remake render rendered replay res resend response resub resubmission resubmit
    result retake review rough rpreplay sample saturday scan scene screen screencapture screencast
    screencastify screenrec screenrecord screenrecorder screenrecording screenshot sdc sdv sec section
    sections self selfie selfintro selfvideo sem semester send sent seq sequence serie session share
    shared sharex shorts shot signal simplescreenrecorder skype slides slowmo snapchat snaptik sound
    speaker speaking speech ssstik standard stream streamlabs studentid studentname sub subject submission
    submissions submit submitted sunday surname take takes talk task tasks team teams telegram temp
    template temporary term test tester testing tests thursday tiktok timelapse timeline title tmp topic
    track trailer trim trimmed tuesday tuto tutorial twitter uebung unbekannt unit unknown unnamed
    untitled update updated upload uploaded uploading uploads url username utc utf valid ver version viber
    vid video videoclip videofile videoplayback videos vidu vidyard vimeo vlc vllo vlog vob voice
    voicemail vokoscreen vorlage vorstellung vorstellungsvideo vts watch webcam webex webrtc wechat
    wednesday week weekly welcome wetransfer whatsapp widget win10 windows wip work workbook working
    workspace x264 x265 xbox xrecorder y2mate year yes youcut yourname youtube zip zoom zoomed
    """.split()
)
_FILLERS = frozenset(
    """
    a an the i im am is in on at of for from to by and or with me it its this that so no le la les de du
    des di da das der die ein eine un una une il lo mi ma mon el en per am pm um uhr all only one two
    three first second third small short id
    """.split()
)
"""Words that are also names, or begin them: they are of no person only where the whole name is such words."""
_OF_PEOPLE = frozenset("student students user name id roll rollno matric candidate participant".split())
"""Words that are of no person alone, and of one with a number: `student_12`."""
_MONTHS = frozenset("jan feb mar apr may jun jul aug sep sept oct nov dec".split())

_CHUNK = re.compile(r"[^\W_]+")
_RUN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^\W\d_]+")
_COUNTED = re.compile(
    r"v\d{1,2}|day\d{1,2}|\d{1,2}(st|nd|rd|th)|\d{3,4}[xp]\d{0,4}|\d{2}fps|\d{1,2}[ap]m|\d+[mk]b"
    r"|(gx|gh|gl|gp|wa|vn|dv)\d{4,}|(fall|spring|summer|autumn|winter|term|year|fy|ay|ws|ss)(20)?\d\d",
    re.IGNORECASE,
)
_DAY = r"(0[1-9]|[12]\d|3[01])"
_MONTH = r"(0[1-9]|1[0-2])"
_YEAR = r"(19|20)\d\d"
_DATES = re.compile(
    rf"{_YEAR}{_MONTH}{_DAY}(\d{{4,9}})?|{_DAY}{_MONTH}{_YEAR}|{_YEAR}(-(20)?\d\d)?"  # also with its time
    r"|1[4-9]\d{8}|1[4-9]\d{11}"  # seconds or milliseconds since 1970, of 2014 to 2033
)
_SPACED = re.compile(
    rf"({_YEAR}[-_. ]{_MONTH}[-_. ]{_DAY}|{_DAY}[-_. ]{_MONTH}[-_. ]({_YEAR}|\d\d)"
    rf"|{_MONTH}[-_. ]{_DAY}[-_. ]{_YEAR}|\d\d{_MONTH}{_DAY}[-_]([01]\d|2[0-3])[0-5]\d[0-5]\d"
    r"|([01]\d|2[0-3])[-.][0-5]\d[-.][0-5]\d)(?!\d)"
)
_SHAPES = re.compile(
    r"""
      [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12} .*   # a UUID
    | (?=.*[0-9])(?=.*[a-f])[0-9a-f]{24,}                               # a hash
    | (mah|maq|m2u|m4h|nikon|imgp?|pict|mov|movi|clip|file|yi|sany)\d{3,5} ([-_ ].*)?   # counters of cameras
    | (sam|win|wp|p|c|lv|vn|dv)_(\d{4,} | \d_\d{8,}) ([-_ ].*)?
    | p[1-9a-c](0[1-9]|[12]\d|3[01])\d{4} | c\d{4} | [rl]00\d{5} | [a-z]\d{3}_(\d{8}_)?c\d{3}(_.*)?
    | 0{3,}\d{1,4}
    | [a-z]{3}-[a-z]{4}-[a-z]{3} ([ ].*)?                               # the code of a meeting
    | .* -\d{8}_\d{6}(utc)? -meeting[ ]recording .*
    """,
    re.IGNORECASE | re.VERBOSE,
)
_COURSE = re.compile(
    r"[A-Z]{2,5}[ -]?[1-9]\d{1,3}[A-Z]?|[A-Za-z]{2,5}[ -]?[1-9]\d{2}[A-Za-z]?"  # CS101, COMP 1001, math-201
    r"|[A-H]-?\d|\d{1,2}-?[A-H]|\d\d[A-Z]{2,4}"  # sections and years: B2, 10A, 21CS
)


def chunks(text: str) -> list[re.Match[str]]:
    """The runs of letters and digits in a text."""
    return list(_CHUNK.finditer(text))


@lru_cache(10_000)
def is_word(chunk: str) -> bool:
    """Whether a chunk is a word of devices, programs or titles, or is made of such words and counters."""
    low = chunk.lower()
    if low in _OF_PEOPLE or _is_one(low) or _COUNTED.fullmatch(chunk):
        return True
    runs = [run.lower() for run in _RUN.findall(chunk)]
    words = [run for run in runs if not run.isdigit()]
    if len(runs) < 2 or not words:
        return False
    if all(word in _MONTHS for word in words):
        return True
    return any(map(_is_one, words)) and all(_is_one(word) or word in _FILLERS for word in words)


@lru_cache(10_000)
def is_date(text: str) -> bool:
    """Whether a text is a date or a year, begins with a date that has separators, or is a time since 1970."""
    return bool(_DATES.fullmatch(text)) or begins_with_date(text)


def begins_with_date(text: str, at: int = 0) -> bool:
    """Whether a date or a time that has separators stands in a text at this place."""
    return bool(_SPACED.match(text, at))


def is_of_nobody(text: str) -> bool:
    """Whether nothing in a text can name a person: it is words, dates, counters and courses alone."""
    parts = [chunk[0] for chunk in chunks(text)]
    has_word = any(map(is_word, parts))
    rest = [part for part in parts if not (is_word(part) or part.lower() in _FILLERS)]
    if is_course(text) or not parts:
        return True
    if not all(part.isdigit() or is_course(part) for part in rest):
        return False
    has_course = any(map(is_course, rest))
    loose = [
        part
        for part in rest
        if not (is_course(part) or (is_date(part) and (has_course or len(part) > _YEAR_DIGITS)))
    ]
    if not loose:
        return has_word or bool(rest)
    is_short = len(parts) == 1 and len(text) <= _COUNTER_DIGITS
    return is_date(text) or is_short or ((has_word or len(loose) < len(rest)) and not has_course)


def is_of_device(stem: str) -> bool:
    """Whether a whole file name, without its suffix, has the shape that a device or a service gives."""
    return bool(_SHAPES.fullmatch(stem))


@lru_cache(10_000)
def is_course(text: str) -> bool:
    """Whether a text reads as a course, a section or a year of studies: `CS101`, `B2`, `21CS`."""
    return bool(_COURSE.fullmatch(text)) and not _COUNTED.fullmatch(text)


def is_month(text: str) -> bool:
    """Whether a text is a month, abbreviated."""
    return text.lower() in _MONTHS


def is_filler(text: str) -> bool:
    """Whether a text is a short word that is also a name, or begins one."""
    return text.lower() in _FILLERS


def admits_words(student_pattern: re.Pattern[str]) -> bool:
    """Whether a rule for ids also admits words that are of nobody, so that it says little of a name."""
    return any(student_pattern.fullmatch(word) for word in _WORDS)


def _is_one(word: str) -> bool:
    """Whether this is one of the words, or two of them written as one: `myintro`, `finalvideo`."""
    if word in _WORDS or len(word) > _LONGEST_WORD:
        return word in _WORDS
    heads = [2] if word.startswith("my") else []
    heads += range(_SHORTEST_HALF, len(word) - _SHORTEST_HALF + 1)
    return any(word[:at] in _WORDS and word[at:] in _WORDS for at in heads)
