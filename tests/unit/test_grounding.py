import pytest

from daemon.core.content.document import Evaluation, Evidence, Profile, Segment, Transcript
from daemon.core.content.grounding import ground_profile, locate_evidence
from daemon.core.content.words import stem, words

SAID = (
    "Hello, my name is Mira Pillay and I am twenty-one years old. I swim and I play the piano. "
    "I am patient, and I lead a team of five people. I have worked in a bakery for two years. "
    "I want to become a software engineer and build bridges."
)


def transcript(text: str = SAID) -> Transcript:
    return Transcript(text=text, language="en", language_probability=0.9)


def spoken(*segments: str) -> Transcript:
    return Transcript(
        text=" ".join(segments),
        language="en",
        language_probability=0.9,
        segments=tuple(
            Segment(
                start_s=10.0 * i,
                end_s=10.0 * i + 9,
                text=text,
                avg_logprob=-0.2,
                no_speech_prob=0.0,
                compression_ratio=1.5,
            )
            for i, text in enumerate(segments)
        ),
    )


def quoting(*quotes: str) -> Evaluation:
    return Evaluation(
        overall_rating=7,
        clarity_of_speech=7,
        content_quality=7,
        confidence_level=7,
        feedback="Good. Go on.",
        suggestions=("a", "b"),
        evidence=tuple(Evidence(quote=quote) for quote in quotes),
    )


def test_what_was_said_stays() -> None:
    profile = Profile(
        name="Mira Pillay",
        age=21,
        hobbies=("swimming", "playing the piano"),
        career_goals="become a software engineer and build bridges",
        strengths=("patience", "leadership"),
        experience="worked in a bakery for 2 years",
    )
    assert ground_profile(profile, transcript()) == (profile, ())


@pytest.mark.parametrize("name", ["Mira Pillay", "mira pillay", "Mira"])
def test_a_name_is_grounded_in_whole_or_in_part_whatever_its_case(name: str) -> None:
    profile, flags = ground_profile(Profile(name=name), transcript())
    assert (profile.name, flags) == (name, ())


@pytest.mark.parametrize(
    "name", ["Martha Pillay", "Mira Patel", "Meera Pillai", "Maria", "Ravi Shah", "Student", "..."]
)
def test_another_name_is_left_out(name: str) -> None:
    profile, flags = ground_profile(Profile(name=name), transcript())
    assert profile.name is None
    assert [(flag.code, flag.field, flag.detail) for flag in flags] == [("ungrounded", "name", name)]


@pytest.mark.parametrize(
    ("said", "age", "grounded"),
    [
        ("I am twenty-one years old", 21, True),
        ("I am twenty one", 21, True),
        ("I am 21.", 21, True),
        ("It was my 21st birthday", 21, True),
        ("my twenty-first birthday", 21, True),
        ("I am nineteen", 19, True),
        ("I am twenty-one", 20, False),
        ("I am twenty-one", 1, False),
        ("I am 21", 12, False),
        ("I am young", 18, False),
    ],
)
def test_an_age_is_grounded_as_that_number_alone(said: str, age: int, grounded: bool) -> None:
    profile, flags = ground_profile(Profile(age=age), transcript(said))
    assert (profile.age == age) is grounded
    assert [flag.field for flag in flags] == ([] if grounded else ["age"])


@pytest.mark.parametrize("hobby", ["swimming", "Swimming", "piano", "playing piano", "team leader"])
def test_inflection_and_case_do_not_matter(hobby: str) -> None:
    profile, _ = ground_profile(Profile(hobbies=(hobby,)), transcript())
    assert profile.hobbies == (hobby,)


@pytest.mark.parametrize("hobby", ["tennis", "playing tennis", "piano concerts", "!"])
def test_a_hobby_that_was_not_said_is_left_out_and_the_others_stay(hobby: str) -> None:
    profile, flags = ground_profile(Profile(hobbies=("piano", hobby)), transcript())
    assert profile.hobbies == ("piano",)
    assert [(flag.field, flag.detail) for flag in flags] == [("hobbies", hobby)]


@pytest.mark.parametrize(
    "experience",
    [
        "worked in a bakery for five years in Berlin",
        "worked in a bakery for 3 years",
        "was a nurse in a hospital",
        "taught children in a village school",
    ],
)
def test_an_experience_with_another_number_place_or_most_words_is_left_out(experience: str) -> None:
    profile, flags = ground_profile(Profile(experience=experience), transcript())
    assert profile.experience is None
    assert [flag.field for flag in flags] == ["experience"]


def test_a_quote_gets_the_times_of_the_segments_that_it_spans() -> None:
    said = spoken("Hello, I am Mira.", "I like chess and", "swimming, and I am patient.")
    evaluation, flags = locate_evidence(quoting("I am Mira", '"I like chess and swimming."'), said)
    assert [(each.start_s, each.end_s) for each in evaluation.evidence] == [(0.0, 9.0), (10.0, 29.0)]
    assert flags == ()


@pytest.mark.parametrize(
    "quote",
    [
        "i am TWENTY-ONE years old",
        "I am 21 years old",
        "I am 21 ... I lead a team",
        "I have work in a bakery for two years",
    ],
)
def test_a_quote_may_differ_in_what_nobody_hears(quote: str) -> None:
    evaluation, flags = locate_evidence(quoting(quote), spoken(SAID))
    assert (evaluation.evidence[0].start_s, flags) == (0.0, ())


@pytest.mark.parametrize(
    "quote", ["I am the best student", "I swim in the sea", "...", "two years in a bank", "old twenty"]
)
def test_a_quote_that_was_not_said_is_kept_and_flagged(quote: str) -> None:
    evaluation, flags = locate_evidence(quoting(quote), spoken(SAID))
    assert evaluation.evidence == (Evidence(quote=quote),)
    assert [(flag.code, flag.detail) for flag in flags] == [("evidence_not_found", quote)]


def test_without_segments_a_quote_is_found_but_has_no_times() -> None:
    evaluation, flags = locate_evidence(quoting("I play the piano"), transcript())
    assert (evaluation.evidence[0].start_s, flags) == (None, ())


@pytest.mark.parametrize(
    "family",
    [
        "swim swims swimming swam",
        "patient patience",
        "lead leader leadership led",
        "organize organized organised organization",
        "photography photographer",
        "dance dancing dancer",
        "music musician",
        "reliable reliability",
        "honest honesty",
        "write writing wrote written",
    ],
)
def test_words_of_one_family_have_one_stem(family: str) -> None:
    assert len({stem(word) for word in family.split()}) == 1


def test_words_are_read_without_case_accents_and_possessives() -> None:
    assert [word.key for word in words("Zoë's O’Brien, 016th Twenty-two")] == ["zoe", "obrien", "16", "22"]
