"""Notices: their bytes, their signature and their rests."""

import json

import pytest

from daemon.core.notices import REST_MOST_S, NoticeKind, Receiver, TaskNotice, rest_s, secret_of, signed

NOTICE = TaskNotice(
    7, "abc", Receiver.WEBHOOK, NoticeKind.OUTCOME, 12, "s012", 2, 0.0, {"outcome": "evaluated"}, 0, 0.0
)


def test_the_signature_is_that_of_the_specification() -> None:
    # The example of the specification's own libraries.
    secret = secret_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
    headers = signed("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', secret)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_notice_names_its_task_and_what_happened() -> None:
    assert json.loads(NOTICE.body()) == {
        "id": "abc",
        "kind": "outcome",
        "at": "1970-01-01T00:00:00.000000Z",
        "task_id": 12,
        "student_id": "s012",
        "revision": 2,
        "outcome": "evaluated",
    }


@pytest.mark.parametrize(
    ("text", "why"), [("", "0 bytes"), ("c2hvcnQ=", "5 bytes"), ("not base64!", "base64")]
)
def test_what_is_no_key_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        secret_of(text)


def test_rests_grow_to_a_limit() -> None:
    rests = [rest_s(tries) for tries in range(1, 2000)]
    assert rests[:4] == [2, 4, 8, 16]
    assert rests == sorted(rests)
    assert rests[-1] == REST_MOST_S
