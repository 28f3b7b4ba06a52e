"""The canary's introduction, of which the clip is spoken by a synthetic voice.

The language models are always asked about these words, and the rater with this form: not with what the stage
before it made of the clip. So what drifts is the stage that is named, and no acceptance makes another stage
drift.
"""

from daemon.core.content.document import Profile, Speaking, Transcript

TRANSCRIPT = Transcript(
    text=(
        "Hello, my name is Clara Hill. I am 21 years old and I study geography. In my free time I play chess "
        "and I go swimming. Last summer I worked in a library for two months. I am patient, and I am good at "
        "explaining things. After my degree I want to become a teacher."
    ),
    language="en",
    language_probability=1.0,
)
SPEAKING = Speaking(speech_s=18.0, words_per_minute=180.0, pause_ratio=0.1, longest_pause_s=0.5)
PROFILE = Profile(
    name="Clara Hill",
    age=21,
    hobbies=("chess", "swimming"),
    career_goals="become a teacher",
    strengths=("patient", "good at explaining things"),
    experience="worked in a library for two months",
)
