"""Dates, times and spans are written in ISO 8601, as Pydantic writes them."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from programs.dialect import Cases, Made

import stardag as sd

sd.namespace("times", __name__)


class Moment(Made[int]):
    value: datetime


class Day(Made[int]):
    value: date


class Clock(Made[int]):
    value: time


class Span(Made[int]):
    value: timedelta


class DayOrMoment(Made[int]):
    value: date | datetime


class Anything(Made[int]):
    value: Any


MOMENT = datetime(2024, 2, 29, 12, 30, 1, 250, tzinfo=timezone.utc)
WEST = timezone(-timedelta(hours=5, minutes=30))
SPANS = (
    timedelta(),
    timedelta(microseconds=1),
    timedelta(days=1, seconds=30, microseconds=5),
    timedelta(days=-1),
    timedelta(seconds=-1.5),
    timedelta(days=400, hours=23, minutes=59, seconds=59),
    timedelta(milliseconds=100),
)

CASES: Cases = {
    "a moment in utc": lambda: Moment(value=MOMENT),
    "a moment without a zone": lambda: Moment(value=datetime(2024, 1, 1)),
    "a moment west": lambda: Moment(value=MOMENT.astimezone(WEST)),
    "a moment in a named zone": lambda: Moment(
        value=datetime(2024, 7, 1, 12, tzinfo=ZoneInfo("Europe/Stockholm"))
    ),
    "a moment with milliseconds": lambda: Moment(value=datetime(2024, 1, 1, 0, 0, 0, 120_000)),
    "a moment given as text": lambda: Moment(value="2024-01-01T00:00:00+00:00"),
    "a moment given as seconds": lambda: Moment(value=1_700_000_000),
    "a moment given as a day": lambda: Moment(value=date(2024, 1, 1)),
    "the first moment": lambda: Moment(value=datetime.min),
    "an untyped moment": lambda: Anything(value=MOMENT),
    "a day": lambda: Day(value=date(2024, 2, 29)),
    "a day given as text": lambda: Day(value="2024-02-29"),
    "an untyped day": lambda: Anything(value=date(2024, 2, 29)),
    "a day of a union": lambda: DayOrMoment(value=date(2024, 2, 29)),
    "a moment of a union": lambda: DayOrMoment(value=MOMENT),
    "a time": lambda: Clock(value=time(12, 30)),
    "a time with a zone": lambda: Clock(value=time(12, 30, 1, 5, tzinfo=timezone.utc)),
    "an untyped time": lambda: Anything(value=time(12, 30)),
    **{f"a span of {span}": lambda span=span: Span(value=span) for span in SPANS},
    **{f"an untyped span of {span}": lambda span=span: Anything(value=span) for span in SPANS},
    "a span given as seconds": lambda: Span(value=1.5),
    "a span given as text": lambda: Span(value="P1DT2H"),
}
