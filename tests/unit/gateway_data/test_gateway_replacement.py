from gateway.processes.replacement import LONGEST_DELAY_S, MOST_FAILED_STARTS, YOUNG_S, Deaths


def _after(*lives: tuple[float, bool]) -> Deaths:
    deaths = Deaths()
    for lived_s, was_ready in lives:
        deaths = deaths.and_one(lived_s, was_ready=was_ready)
    return deaths


def test_who_dies_young_again_and_again_is_replaced_later_and_later() -> None:
    delays = [_after(*[(0.1, True)] * count).delay_s for count in range(9)]

    assert delays[:6] == [0, 0, 0.1, 0.2, 0.4, 0.8]
    assert delays == sorted(delays)
    assert _after(*[(0.1, True)] * 5000).delay_s == LONGEST_DELAY_S


def test_who_lived_long_enough_is_replaced_at_once_and_forgets_the_others() -> None:
    assert _after((0.1, True), (0.1, False), (YOUNG_S, True)) == Deaths()


def test_it_is_hopeless_when_none_in_a_row_became_ready() -> None:
    assert not _after(*[(0.1, False)] * (MOST_FAILED_STARTS - 1)).is_hopeless
    assert _after(*[(0.1, False)] * MOST_FAILED_STARTS).is_hopeless
    assert not _after(*[(0.1, False)] * MOST_FAILED_STARTS, (0.1, True)).is_hopeless


def test_a_start_that_fails_slowly_has_failed_all_the_same() -> None:
    assert _after(*[(YOUNG_S + 3, False)] * MOST_FAILED_STARTS).is_hopeless
    assert _after(*[(YOUNG_S + 3, False)] * 3).delay_s > 0
