"""Which alarms of the inbox are named, where there are more than anybody reads."""

from daemon.contracts.values import Claim
from daemon.intake.alarm import IntakeAlarm, named
from daemon.intake.delays import Delays

MALLORY, ZOE = 61_001, 61_002


def test_no_accounts_files_hide_what_hinders_anothers() -> None:
    flood = [
        IntakeAlarm("no_right", f"/inbox/aaa/{n:03d}", "it is denied", owner=MALLORY) for n in range(100)
    ]
    zoes = IntakeAlarm("no_right", "/inbox/zoe/1.mp4", "zoe's cannot be taken", owner=ZOE)
    messages = {each.code: each.cause for each in named(sorted([*flood, zoes]))}
    assert messages["intake_no_right /inbox/zoe/1.mp4"] == "zoe's cannot be taken"
    assert len(messages) == 21
    assert messages["intake_no_right"].startswith("81 more in the inbox")


def test_alarms_of_one_account_are_named_in_their_order() -> None:
    flood = [IntakeAlarm("no_right", f"/inbox/{n:03d}", "it is denied", owner=MALLORY) for n in range(30)]
    assert [each.code for each in named(flood)][:20] == [f"intake_no_right /inbox/{n:03d}" for n in range(20)]


def test_a_claim_that_is_closed_is_no_longer_delayed() -> None:
    delays = Delays(lambda: 0.0)
    done, open_ = (
        Claim(id_, b"/inbox/s01_a.mp4", "a.mp4", "s01", 1, 2, 3, 4, 0.0) for id_ in ("done", "open")
    )
    alarm = IntakeAlarm("store", "the database", "the database cannot be written", "free space")
    delays.put([(done, alarm), (open_, alarm)])
    delays.put_all(alarm)
    delays.resume([open_])
    assert (delays.claims, delays.alarms) == ([open_], [alarm])
