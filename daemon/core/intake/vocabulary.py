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
    100apple 4k about adobe afternoon again airdrop akaso album android aneditedvideo animaker animoto
    anonymous another answer app archive assessment assign assignment assignments attach attachment
    attachments attempt aud audacity audio aufnahme aufzeichnung auto avchd avi avidemux avseq azrecorder
    backup bandicam batch bba bbb bca bcom bdmv below better bigbluebutton bildschirmaufnahme biology
    bluejeans bluetooth brief bsc btech burst business cam camara camera campus camscanner camtasia
    camtasiastudio canon canva canvas capcut captura capturas capture casio cd chat chemistry chrome cimg
    civil class classes clideo clip clipchamp clips cloud college com commerce communication complete
    composition compressed computer computing conference content conversion convert converted copia copie
    copy course coursework cse cutter cv dashcam data davinci dcim deep default demo department dept
    descript desktop dir disc discord disk dji doc docs document documents done douyin download downloads
    draft drone dropbox dsc dscf dscn dump dvd ece echo360 economics ecran edit edited eee elevator email
    engineering english enregistrement essay eval evaluation evening event exam exercise exp export
    exported exposition ezgif facebook faculty favorite fb feedback ffmpeg file files film filmik filmora
    final finalcut finale finished firstname flipgrid folder footage found000 fraps freeconvert french
    freshmen friday ftp fujifilm full fullhd fullname fullscreen fullsizerender galaxy gallery general
    geography german gmail gmt google gopr gopro gotomeeting grabacion grabaciones grabar graduate
    gravacao group groups grp h264 h265 handbrake hd hdr hello hero hevc hi high history home homework
    hpim huawei hw icloud imac imag image images imessage img imo imovie import imported inbox inner input
    inshot instagram instashot insv interview intro introduccion introduce introducing introduction
    introductions introduktion invideo ios ipad iphone item items itunes jitsi jvc kakaotalk kaltura
    kamera kapwing kazam kinemaster kopie lab labs language laptop large last lastname late latest lecture
    lesson level lightworks line linkedin loom low lowres lrv lumia lvl main make manycam master materials
    math mathematics maths mba mca me mech media meet meeting mein meine memo memories merged message
    messenger mic microphone mijn misc mmexport mobizen module monday mono monologue montage morning
    motorola mov movavi movie movies mp3 mp4 mpeg msc msdcf mtech music mvi mvimg my nagranie name names
    nested new newest nextcloud nikon nokia note notes nouveau nvidia obs old olympus onedrive oneplus
    online opencamera openshot opname oppo original other out outbox output own pack panasonic pano
    panopto pantalla part parts peek pentax people perkenalan personal phone photo photobooth photos
    physics pics pict picture pictures pinnacle pitch pixel playback player portrait powerdirector
    powerpoint powtoon practice premiere prep presentacao presentacion presentation presentations
    presentazione private pro production profile project projects psychology ptt public pxl question
    questions quick quicktime quik quiz random raw real realme rec received record recorded recorder
    recorderit recording recordings recovered recuperado reddit redo reel refilm registrazione rehearsal
    remake render rendered replay res resend resolve response restored resub resubmission resubmit result
    resume retake retry review riverside rough rpreplay sample samples samsung saturday scan scene school
    science
    sciences screen screencapture screencast screencastify screenflow screenrec screenrecord
    screenrecorder screenrecording screenshot sdc sdv sec section sections self selfie selfintro selfvideo
    sem semester send senior sent seq sequence serie session share sharechat shared sharex shorts shot
    shotcut signal simplescreenrecorder sjcam skills skype slides slowmo snapchat snaptik sophomore sound
    spanish speaker speaking speech ssstik standard stream streamlabs streamyard studentid studentname sub
    subfolder subject submission submissions submit submitted sunday surname take takes talk tascam task
    tasks team teams telegram temp template temporary term test tester testing tests tg thursday tiktok
    timelapse timeline title tmp topic track trailer trim trimmed tuesday tugas tuto tutorial twitch
    twitter uebung unbekannt undergraduate unit university unknown unnamed untitled update updated upload
    uploaded uploading uploads url usb username utc utf valid veed vegas ver version viber vid video
    videoclip videofile videoplayback videos vidio vidu vidyard vimeo virtualdub vlc vlcsnap vllo vlog vob
    voice voicemail vokoscreen vorlage vorstellung vorstellungsvideo vts watch webcam webex webinar webrtc
    wechat wednesday week weekly weixin welcome wetransfer whatsapp who wideo widget win10 windows wip
    wondershare work workbook working workspace x264 x265 xbox xiaomi xrecorder y2mate year yes youcut
    yourname youtube zip zoom zoomed
    """.split()
)
_FILLERS = frozenset(
    """
    a an the i im am is in on at of for from to by and or with me it its this that so no le la les de du
    des di da das der die ein eine un una une il lo mi ma mon el en per am pm um uhr all only one two
    three first second third small short id job junior best good sony guest
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
_REMEMBERED = 2_000  # words, since the names of a class share many
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


@lru_cache(_REMEMBERED)
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


@lru_cache(_REMEMBERED)
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


@lru_cache(_REMEMBERED)
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
