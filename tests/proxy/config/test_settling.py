from proxy.config.settling import Settling, Verdict

QUIET = Verdict(changed=False)


def test_unchanged_content_is_never_due() -> None:
    settling = Settling("a", 0.5)
    assert [settling.observe("a", now) for now in (0.0, 10.0)] == [QUIET, QUIET]


def test_a_change_is_due_after_it_stood_still() -> None:
    settling = Settling("a", 0.5)
    assert settling.observe("b", 10.0) == Verdict(changed=False, wait_seconds=0.5)
    assert settling.observe("b", 10.4).wait_seconds is not None
    assert settling.observe("b", 10.5) == Verdict(changed=True)
    assert settling.observe("b", 10.6) == QUIET


def test_every_partial_state_of_a_slow_writer_starts_the_wait_again() -> None:
    settling = Settling("a", 0.5)
    states = [settling.observe(f"partial {number}", number * 0.4) for number in range(5)]
    assert all(state == Verdict(changed=False, wait_seconds=0.5) for state in states)
    assert settling.observe("final", 2.0).changed is False
    assert settling.observe("final", 2.5).changed is True


def test_a_change_taken_back_in_time_is_no_change() -> None:
    settling = Settling("a", 0.5)
    settling.observe("b", 0.0)
    assert settling.observe("a", 0.25) == QUIET
    assert settling.observe("b", 0.75) == Verdict(changed=False, wait_seconds=0.5)


def test_going_back_to_older_content_is_a_change() -> None:
    settling = Settling("good", 0.0)
    assert settling.observe("bad", 1.0).changed is True
    assert settling.observe("good", 2.0).changed is True


def test_at_once_does_not_wait() -> None:
    settling = Settling("a", 60.0)
    assert settling.observe("b", 0.0, at_once=True) == Verdict(changed=True)
    assert settling.observe("b", 0.0, at_once=True) == QUIET
