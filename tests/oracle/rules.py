"""Who may be seen, by the definitions and product research alone. Shares nothing with the product.

A source is shown at the ages its definition says, both included. A birth date may be partly known; where the age could
fall on either side of a limit, the answer is EITHER, and nobody is blamed for it.
"""

from datetime import date, datetime, timedelta, timezone

YES, NO, EITHER = "yes", "no", "either"


def today():
    """The day it is in Britain: an hour ahead of UTC from the last Sunday of March to the last of October."""
    now = datetime.now(timezone.utc)

    def last_sunday(month):
        day = datetime(now.year, month, 31, 1, tzinfo=timezone.utc)
        return day - timedelta(days=(day.weekday() + 1) % 7)

    is_summer = last_sunday(3) <= now < last_sunday(10)
    return (now + timedelta(hours=1 if is_summer else 0)).date()


def birthday(born, age):
    """The day somebody reaches an age: 1 March for those born on 29 February, where there is no such day."""
    try:
        return born.replace(year=born.year + age)
    except ValueError:
        return date(born.year + age, 3, 1)


def age_on(born, day):
    """Whole years; somebody who is not yet born is 0."""
    if born >= day:
        return 0
    years = day.year - born.year
    return years if birthday(born, years) <= day else years - 1


def ages(birth, day):
    """The youngest and the oldest that somebody may be; None where nobody knows."""
    if birth is None:
        return None
    if isinstance(birth, date):
        return age_on(birth, day), age_on(birth, day)
    year, month = birth[0], birth[1] if len(birth) > 1 else None
    first = date(year, month or 1, 1)
    last = date(year, 12, 31) if month in (None, 12) else date(year, month + 1, 1) - timedelta(days=1)
    return age_on(last, day), age_on(first, day)


def is_shown_at(source, age):
    return (source.youngest is None or age >= source.youngest) and (source.oldest is None or age <= source.oldest)


def is_shown(source, birth, day, death=None):
    """Whether a source may tell of somebody. Nobody grows older than at death."""
    if not source.enabled:
        return NO
    if source.at_any_age:
        return YES
    if death is not None:
        day = min(day, death)
    known = ages(birth, day)
    if known is None:
        # "say": found and shown, though the service cannot say. "adult": the source knows adults alone.
        return NO if source.age_unknown == "hide" else YES
    answers = {is_shown_at(source, age) for age in range(known[0], known[1] + 1)}
    if answers == {True}:
        return YES
    if answers == {False}:
        return NO
    # Not certain. "hide" shows nothing; of the others research says "found", and the age limit "not before it".
    return NO if source.age_unknown == "hide" else EITHER


def is_child(birth, day, unborn=False, death=None):
    """Whether somebody is certainly a child: YES, NO, or EITHER where the year does not say."""
    if unborn:
        return YES
    if death is not None:
        day = min(day, death)
    known = ages(birth, day)
    if known is None:
        return NO
    if known[1] < 18:
        return YES
    return NO if known[0] >= 18 else EITHER
