"""The table of odd recordings, with the answer that a user expects of each."""

from collections.abc import Iterable, Iterator, Sequence

from tests.support.recordings import (
    INTRO,
    Make,
    Recording,
    channels,
    content,
    cut,
    filmed,
    in_noise,
    in_turn,
    joined,
    made,
    mixed,
    pause,
    says_a_minute,
    tracks,
)
from tests.support.studio import AAC, H264, PCM, ffmpeg

OPUS = ("-c:a", "libopus")
MP3 = ("-c:a", "libmp3lame", "-q:a", "6")
FLV = (*AAC, "-f", "flv")
ASF = ("-c:a", "wmav2", "-f", "asf")
VP8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "200k")
WMV = ("-c:v", "wmv2")
MPEG4 = ("-c:v", "mpeg4")
MPEG2 = ("-c:v", "mpeg2video")
FRAGMENTS = ("-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-g", "10")

MUSIC = "sine=f=330:d=14,tremolo=f=3"
HISS = "anoisesrc=c=white:a=0.05:d=14:seed=1"
LOUD_HISS = "anoisesrc=c=white:a=0.3:d=14:seed=1"
RUMBLE = "anoisesrc=c=brown:a=0.9:d=14:seed=1"
SILENCE = "anullsrc=r=16000:cl=mono"

REVIEW = ("needs_review",)
UNCLEAR = (*REVIEW, "unintelligible", "wrong_language")
ANY_BUT_LOST = ("evaluated", *REVIEW)
UNCLEAR_OR_RIGHT = (*UNCLEAR, "evaluated")

TEXTS = (
    "Hello, my name is Nora Castle. I study physics at the college. I like to draw and to play tennis.",
    "Good evening, I am Henry Stone. My subject is history. On Sundays I bake cakes with my sister.",
    "Hi, this is Julia Fisher. I want to become a doctor, because I like to work with people.",
    "My name is Edward Green. Last year I worked in a garden center. I enjoy climbing and old music.",
)
VOICES = ("slt", "rms", "awb", "en-us", "en-gb")
FOREIGN = {
    "es": "Hola, me llamo Elena Ruiz. Tengo veinte años y estudio derecho. Me gusta tocar la guitarra.",
    "de": "Guten Tag, mein Name ist Lena Vogt. Ich bin zwanzig Jahre alt und studiere Maschinenbau.",
    "fr-fr": "Bonjour, je m'appelle Claire Fontaine. J'ai vingt ans. J'étudie le droit et j'aime lire.",
    "it": "Buongiorno, mi chiamo Marco Conti. Ho ventidue anni e studio medicina. Gioco spesso a calcio.",
}
SPANISH = (
    "Hola, me llamo Elena Ruiz. Tengo veinte años y estudio ingeniería civil en la universidad. "
    "Me gusta mucho leer libros y tocar la guitarra."
)
QUOTES = (
    "My name is Oliver Grant. My motto is carpe diem. My grandmother always said c'est la vie. I study law.",
    "Hello, I am Lena Vogt. I study at the Universidad Politecnica de Valencia. I like chess and running.",
    "I am Hans Zimmermann. I worked at the Technische Universitaet in Munich. I like old films.",
    "My name is Lucy Barton. My friends from Guadalajara call me amiga. I love dancing salsa and merengue.",
    "I am Priya Raman from Chennai. I study computer science, and I love to cook biryani for my friends.",
)


def _formats() -> Iterator[Recording]:
    for what, suffix, make in (
        ("an old phone", ".3gp", filmed("-s", "176x144", *AAC, picture=("-c:v", "h263"))),
        ("bare AAC", ".aac", made(*AAC)),
        ("a camcorder", ".mts", filmed("-c:a", "ac3", "-f", "mpegts")),
        ("a camcorder's disc", ".m2ts", filmed("-c:a", "ac3", "-mpegts_m2ts_mode", "1", "-f", "mpegts")),
        ("a DVD", ".vob", filmed("-r", "25", "-c:a", "ac3", picture=MPEG2)),
        ("an old camera", ".mpeg", filmed("-r", "25", "-c:a", "mp2", picture=("-c:v", "mpeg1video"))),
        ("QuickTime", ".qt", filmed(*AAC, "-f", "mov")),
        ("WhatsApp's voice", ".opus", made(*OPUS, "-ar", "16000")),
        ("an audio book", ".m4b", made(*AAC, "-f", "ipod")),
        ("Speex", ".spx", made("-ar", "16000", "-c:a", "libspeex")),
        ("Windows Media", ".wmv", filmed(*ASF, picture=WMV)),
        ("Windows Media, called mp4", ".mp4", filmed(*ASF, picture=WMV)),
        ("Windows Media's sound", ".wma", made(*ASF)),
        ("a lecture recorder", ".flv", filmed(*FLV)),
        ("Apple's lossless voice", ".caf", made("-c:a", "alac")),
        ("a Mac", ".aiff", made()),
        (
            "a broadcast camera",
            ".mxf",
            filmed("-r", "25", "-ar", "48000", "-c:a", "pcm_s16le", picture=MPEG2),
        ),
    ):
        yield Recording("format", what, suffix, make)


def _holes() -> Iterator[Recording]:
    for what, suffix, make in (
        ("a phone, 40 s", ".mp4", pause(40, picture=H264)),
        ("a voice recorder, 1.5 s", ".m4a", pause(1.5)),
        ("a phone, 1.5 s", ".mp4", pause(1.5, picture=H264)),
        ("an iPhone, 40 s", ".mov", pause(40, picture=H264)),
        ("lossless, 5 s", ".m4a", pause(5, "-c:a", "alac")),
        ("Opus in an mp4, 5 s", ".mp4", pause(5, *OPUS)),
        ("every two seconds", ".m4a", made("-af", "asetpts='PTS+floor(T/2)*3/TB'", *AAC)),
        ("right at the start", ".m4a", made("-af", "asetpts='if(gt(T,0.02),PTS+4/TB,PTS)'", *AAC)),
        ("a browser's fragments, 5 s", ".mp4", pause(5, *AAC, *FRAGMENTS)),
        ("a browser, 5 s", ".webm", pause(5, *OPUS)),
        ("a lecture recorder, 5 s", ".flv", pause(5, *FLV, picture=H264)),
        ("Windows Media, 5 s", ".wmv", pause(5, *ASF, picture=WMV)),
        ("an avi, 5 s", ".avi", pause(5, "-c:a", "libmp3lame", picture=MPEG4)),
    ):
        yield Recording("hole", what, suffix, make)


def _durations() -> Iterator[Recording]:
    both = f"{INTRO} {TEXTS[0]}"
    title = ("-write_xing", "0", "-metadata")
    browser = filmed(*OPUS, picture=VP8)
    for what, suffix, make, ends, said in (
        ("a webm that says a minute", ".webm", says_a_minute(browser), ("evaluated",), INTRO),
        ('an mp3 with "Info" in its title', ".mp3", made(*MP3, *title, "title=Info"), ("evaluated",), INTRO),
        (
            'an mp3 with "Xing VBRI" there',
            ".mp3",
            made(*MP3, *title, "title=Xing VBRI"),
            ("evaluated",),
            INTRO,
        ),
        ("a browser, none at all", ".webm", filmed(*OPUS, "-live", "1", picture=VP8), ("evaluated",), INTRO),
        ("a browser's fragments", ".mp4", filmed(*AAC, *FRAGMENTS), ("evaluated",), INTRO),
        ("OBS crashed", ".mkv", cut(filmed(*AAC, "-live", "1"), 0.8), ("evaluated",), ""),
        (
            "the browser crashed",
            ".webm",
            cut(filmed(*OPUS, "-live", "1", picture=VP8), 0.8),
            ("evaluated",),
            "",
        ),
        ("a lecture recorder crashed", ".flv", cut(filmed(*FLV), 0.8), ("evaluated",), ""),
        ("joined", ".ogg", joined("-c:a", "libvorbis", text=TEXTS[0]), ("evaluated",), both),
        ("joined", ".opus", joined(*OPUS, text=TEXTS[0]), ("evaluated",), both),
        ("joined", ".mp3", joined(*MP3, text=TEXTS[0]), ("evaluated",), both),
        ("joined", ".ts", joined(*AAC, text=TEXTS[0]), ("evaluated",), both),
        ("a clock that wraps", ".ts", filmed(*AAC, "-output_ts_offset", "95440"), ("evaluated",), INTRO),
        ("the copy broke off", ".mp4", cut(filmed(*AAC, "-movflags", "+faststart"), 0.6), ("truncated",), ""),
        ("the copy broke off, no index", ".mp4", cut(filmed(*AAC), 0.6), ("damaged",), ""),
        ("the copy broke off", ".mkv", cut(filmed(*AAC), 0.6), ("truncated",), ""),
        ("the copy broke off", ".mp3", cut(made("-c:a", "libmp3lame", "-q:a", "5"), 0.6), ("truncated",), ""),
        ("the copy broke off", ".wmv", cut(filmed(*ASF, picture=WMV), 0.6), ("truncated",), ""),
        ("the copy broke off", ".flac", cut(made("-c:a", "flac"), 0.6), ("truncated",), ""),
    ):
        length = 18.5 if said == both else None
        yield Recording("duration", what, suffix, make, ends, said=said, duration_s=length)


def _takes() -> Iterator[Recording]:
    for what, suffix, make, flag in (
        ("OBS: the desktop's music first", ".mkv", tracks(MUSIC), "audio_track"),
        ("OBS: hiss first", ".mkv", tracks(HISS), "audio_track"),
        ("music, hiss, the voice", ".mkv", tracks(MUSIC, HISS), "audio_track"),
        ("silence first", ".mp4", tracks(SILENCE), "audio_track"),
        ("a rumble on the left", ".m4a", channels(RUMBLE, "voice"), "one_channel"),
        ("a rumble on the right", ".m4a", channels("voice", RUMBLE), "one_channel"),
        (
            "noise on the left",
            ".m4a",
            channels("anoisesrc=c=white:a=0.3:d=14:seed=1", "voice"),
            "one_channel",
        ),
        ("nothing on the right", ".m4a", channels("voice", SILENCE), ""),
        (
            "the third of three channels",
            ".wav",
            channels(RUMBLE, RUMBLE, "voice", layout="2.1", codec=PCM),
            "one_channel",
        ),
        ("stereo, twice the same", ".m4a", made("-ac", "2", *AAC), ""),
        (
            "surround",
            ".m4a",
            made("-af", "aformat=channel_layouts=mono,pan=5.1|FC=c0|FL=0.2*c0|FR=0.2*c0", *AAC),
            "",
        ),
    ):
        yield Recording("take", what, suffix, make, flags=frozenset({flag} - {""}))


def _languages() -> Iterator[Recording]:
    flags = frozenset({"mixed_language"})
    spanish, english = (SPANISH, "es"), (INTRO, "slt")
    yield Recording("language", "Spanish, then English", ".wav", in_turn(spanish, english), REVIEW, flags, "")
    yield Recording("language", "English, then Spanish", ".wav", in_turn(english, spanish), REVIEW, flags, "")
    for number in range(10):
        voice, text = list(FOREIGN.items())[number % 4]
        one, two = ((TEXTS[(number + more) % 4], "slt") for more in (0, 1))
        place = ("first", "last", "in the middle")[number % 3]
        parts = {
            "first": ((text, voice), one, two),
            "last": (one, two, (text, voice)),
            "in the middle": (one, (text, voice), two),
        }[place]
        what = f"{voice} {place}, the rest in English ({number + 1})"
        yield Recording("language", what, ".wav", in_turn(*parts), REVIEW, flags, "")
    for number in range(10):
        text, voice = QUOTES[number % 5], ("slt", "rms")[number // 5]
        what = f"names and quotes alone ({number + 1})"
        yield Recording("language", what, ".wav", made(*PCM, text=text, voice=voice), ANY_BUT_LOST, said=text)


def _doubts() -> Iterator[Recording]:
    loud = "[0:a]volume=8dB[n];[1:a][n]amix=inputs=2:duration=first:normalize=0"
    noisy = mixed("anoisesrc=c=pink:a=0.35:d=14:seed=1", loud, "-ac", "1")
    clipped = made("-af", "volume=30dB:precision=fixed", *PCM)
    yield Recording("clarity", "clipped by 30 dB", ".wav", clipped, REVIEW, frozenset({"low_confidence"}))
    yield Recording("clarity", "in loud pink noise", ".wav", noisy, UNCLEAR)
    for number, level in enumerate((0.3, 0.5, 0.4, 0.6, 0.5, 0.7, 0.6, 0.8, 0.35, 0.9)):
        colour, text = ("white", "pink")[number % 2], TEXTS[number % 4]
        make = in_noise(colour, level, text, VOICES[number % 5])
        what = f"in {colour} noise of {level} ({number + 1})"
        yield Recording("clarity", what, ".wav", make, (*UNCLEAR, "no_speech"), said=text)
    for number, level in enumerate((0.003, 0.003, 0.01, 0.006, 0.006, 0.02, 0.002, 0.01, 0.03, 0.002)):
        colour, text = ("white", "pink", "brown")[number % 3], TEXTS[number % 4]
        make = in_noise(colour, level, text, VOICES[number % 5])
        what = f"in {colour} noise of {level} ({number + 1})"
        yield Recording("clarity", what, ".wav", make, ANY_BUT_LOST, said=text)
    for number, gain in enumerate((20, 25, 28, 30, 32, 35, 38, 40, 45, 50)):
        text, voice = TEXTS[number % 4], VOICES[number % 5]
        make = made("-af", f"volume={gain}dB:precision=fixed", *PCM, text=text, voice=voice)
        what = f"clipped by {gain} dB ({number + 1})"
        yield Recording("clarity", what, ".wav", make, (*UNCLEAR, "evaluated", "no_speech"), said=text)
    for number, accent in enumerate(("de", "es", "it", "nl", "pl", "sv", "tr", "cs", "pt", "ro")):
        text = INTRO if number < 2 else TEXTS[number % 4]
        what = f"English, read by the voice for {accent}"
        make = made(*PCM, text=text, voice=accent, pace=130)
        yield Recording("clarity", what, ".wav", make, (*UNCLEAR, "evaluated"), said=text)


def _levels() -> Iterator[Recording]:
    for number, gain in enumerate((-56, -10, -20, -30, -36, -42, -48, -52, -58, -62)):
        text, voice = (INTRO, "slt") if not number else (TEXTS[number % 4], VOICES[number % 5])
        make = made("-af", f"volume={gain}dB", *PCM, text=text, voice=voice)
        yield Recording("level", f"{-gain} dB down ({voice})", ".wav", make, ANY_BUT_LOST, said=text)
    for number in range(4):
        text, voice = TEXTS[number], ("en-us+whisper", "en-gb+whisperf")[number % 2]
        what = f"whispered ({number + 1})"
        yield Recording(
            "level", what, ".wav", made(*PCM, text=text, voice=voice), UNCLEAR_OR_RIGHT, said=text
        )
    for colour, level in (
        *(("white", 0.001), ("white", 0.05), ("white", 0.5), ("pink", 0.001), ("pink", 0.05)),
        *(("pink", 0.5), ("brown", 0.05), ("brown", 0.9), ("violet", 0.1), ("blue", 0.01)),
    ):
        what = f"{colour} noise of {level} alone"
        yield Recording("level", what, ".wav", _noise(colour, level), ("no_speech",), said="")


def _noise(colour: str, level: float) -> Make:
    source = f"anoisesrc=c={colour}:a={level}:d=10:seed=1"
    return lambda studio, to: ffmpeg("-f", "lavfi", "-i", source, "-ar", "16000", *PCM, to)


def _no_media() -> Iterator[Recording]:
    for what, data in (
        ("a web page", b"<!DOCTYPE html><html><body>Sign in</body></html>"),
        ("a link to a drive", b'{"url": "https://docs.example/file/d/1"}'),
        ("a placeholder of a cloud", b"bplist00\xd2\1\2" + bytes(99)),
        ("a PDF", b"%PDF-1.7\n" + bytes(999)),
        ("a photo", b"\xff\xd8\xff\xe0" + bytes(999)),
        ("slides", b"PK\3\4" + bytes(26) + b"[Content_Types].xml"),
        ("an archive", b"PK\3\4" + bytes(26) + b"video.mp4"),
        ("RealMedia", b".RMF" + bytes(99)),
        ("an editor's project", b"<?xml version='1.0'?><project/>"),
    ):
        yield Recording("no media", what, ".mp4", content(data), ("not_media",), said="")


def _all(*kinds: Iterable[Recording]) -> Sequence[Recording]:
    return tuple(recording for kind in kinds for recording in kind)


RECORDINGS = _all(
    _formats(), _holes(), _durations(), _takes(), _languages(), _doubts(), _levels(), _no_media()
)
