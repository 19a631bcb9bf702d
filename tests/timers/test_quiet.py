"""Quiet hours."""

from datetime import datetime, time

import pytest

from lofi_daemon.errors import LofiError
from lofi_daemon.timers import quiet


@pytest.mark.parametrize(
    ("span", "at", "want"),
    [
        ("22:00-07:00", time(21, 59, 59), False),
        ("22:00-07:00", time(22, 0), True),
        ("22:00-07:00", time(23, 59, 59), True),
        ("22:00-07:00", time(0, 0), True),
        ("22:00-07:00", time(6, 59, 59), True),
        ("22:00-07:00", time(7, 0), False),
        ("12:30-13:30", time(12, 29), False),
        ("12:30-13:30", time(13, 0), True),
        ("12:30-13:30", time(13, 30), False),
        (" 9:00 – 10:00 ", time(9, 30), True),
    ],
)
def test_they_go_from_their_beginning_up_to_their_end_across_midnight_too(span, at, want):
    hours = quiet.parse(span)
    assert hours.include(at) is want
    assert quiet.hush(hours, lambda: datetime.combine(datetime(2026, 1, 1), at))() is want


@pytest.mark.parametrize("nothing", ["", "  ", "08:00-08:00"])
def test_none_are_none(nothing):
    assert quiet.parse(nothing) is None
    assert quiet.hush(quiet.parse(nothing))() is False


@pytest.mark.parametrize("wrong", ["22-7", "22:00", "25:00-07:00", "22:60-07:00", "at night", "22:00-07:00-08:00"])
def test_what_is_no_span_is_named(wrong):
    with pytest.raises(LofiError) as caught:
        quiet.parse(wrong)
    assert (caught.value.name, caught.value.field) == ("INVALID_PARAMS", "quiet_hours")
    assert wrong in caught.value.message
