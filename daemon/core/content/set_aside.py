"""The words of a transcript that speak to the grader: who found them, and what they do to the scores.

Rules find what is certain, and cut it. The model names further sentences; they are only flagged, since
ordinary ones would be cut, too. The scores with and without the words say whether the rater obeys them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from daemon.core.content.document import Evaluation, Flag, SetAside, Transcript
from daemon.core.content.grounding import located
from daemon.core.content.sentences import sentences
from daemon.core.content.untrusted import impartial, neutralise, to_the_grader

MOVED = 0.5
"""Points by which a score must differ with the words left in to count as moved, before a calibration.

Measured with SmolLM2: an ordinary sentence more moved a score by 0.30 at most (four introductions).
"""

_DETAIL = 1000  # characters of a flag's detail; further findings are only counted


def set_aside(transcript: Transcript, named: Sequence[str] = ()) -> tuple[SetAside, ...]:
    """All that speaks to the grader, each once: by the rules, in its order, then what only the model `named`.

    What rules found within a sentence that the model named, or the other way round, is found by both.
    """
    rules: dict[tuple[str, bool], list[str]] = {}
    both, joined = set[str](), set[str]()
    for each in to_the_grader(transcript.text):
        words = neutralise(each.words)
        same = [name for name in named if words in name or name in words]
        quote = max([words, *same], key=len)
        joined.update(same)
        both.update([quote] if same else [])
        rules.setdefault((quote, each.cut), []).extend(each.rules)
    found = [
        _found(transcript, quote, ("rules", "model") if quote in both else ("rules",), ids, cut=cut)
        for (quote, cut), ids in rules.items()
    ]
    alone = [name for name in dict.fromkeys(named) if name not in joined]
    return (*found, *(_found(transcript, name, ("model",)) for name in alone))


def named_by_model(found: Sequence[SetAside]) -> tuple[str, ...]:
    """The words that the model named, also where rules found them as well."""
    return tuple(each.quote for each in found if "model" in each.found_by)


def addresses_evaluator(found: Sequence[SetAside]) -> Flag | None:
    """A flag with each of the words: found by whom, and whether they were cut; None where there are none."""
    parts: list[str] = []
    for number, each in enumerate(found):
        by = " and ".join(each.found_by)
        rules = f" {' + '.join(each.rules)}" if each.rules else ""
        parts.append(f'{by}{rules} ({"cut" if each.cut else "not cut"}): "{each.quote}"')
        if sum(map(len, parts)) > _DETAIL and number + 1 < len(found):
            parts.append(f"and {len(found) - number - 1} more")
            break
    detail = "; ".join(parts)
    return Flag(code="addresses_evaluator", field="transcript", detail=detail) if parts else None


def without(text: str, found: Sequence[SetAside]) -> str:
    """The words that a model may see, without the sentences that hold anything of `found`."""
    said = sentences(impartial(text))
    seen = " ".join(said)
    ends, at = [], 0
    for sentence in said:
        at += len(sentence) + 1
        ends.append(at)
    # Wherever the words stand: what is left of them could still move the scores.
    quotes = [re.compile(rf"(?<!\w){re.escape(each.quote)}(?!\w)") for each in found]
    places = [place.span() for quote in quotes for place in quote.finditer(seen)]
    return " ".join(
        sentence
        for sentence, end in zip(said, ends, strict=True)
        if not any(start < end and end - len(sentence) - 1 < last for start, last in places)
    )


def compared(
    evaluation: Evaluation, with_words: Mapping[str, float], without_words: Mapping[str, float]
) -> Evaluation:
    """The rating with the expected scores of both texts."""
    scores = {
        criterion: scored.model_copy(
            update={
                "with_set_aside": with_words[criterion],
                "without_set_aside": without_words[criterion],
            }
        )
        for criterion, scored in evaluation.scores.items()
    }
    return evaluation.model_copy(update={"scores": scores})


def moved(evaluation: Evaluation) -> Iterator[Flag]:
    """A flag for each score that the words to the grader move by more than MOVED."""
    for criterion, scored in evaluation.scores.items():
        if scored.with_set_aside is None or scored.without_set_aside is None:
            continue
        if abs(scored.with_set_aside - scored.without_set_aside) > MOVED:
            told = (
                f"{scored.with_set_aside:.1f} with the words to the grader, "
                f"{scored.without_set_aside:.1f} without them"
            )
            yield Flag(code="moved_by_order", field=criterion, detail=told)


def _found(
    transcript: Transcript,
    words: str,
    by: Sequence[str],
    rules: Sequence[str] = (),
    *,
    cut: bool = False,
) -> SetAside:
    said, _ = located(words, transcript)
    return SetAside.model_validate(
        {**said.model_dump(), "found_by": tuple(by), "rules": tuple(dict.fromkeys(rules)), "cut": cut}
    )
