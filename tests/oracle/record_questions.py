"""What is asked of a council whose people were not made for it: each record by itself.

Who is one person is judged elsewhere. So a record is asked for only where its source may tell of it whatever it is
joined with: by its own birth date, and by that of every other record that could be taken for the same person.
"""

from collections import defaultdict
from datetime import date

from definitions import NO_NAMES, tokens
from rules import EITHER, NO, YES, is_shown

KINDS = [
    "record: name and birth date", "record: name", "record: birth date alone", "record: case ID", "record: page has its source",
    "record: relatives of a case", "record: must not be found",
]


def iso(birth):
    return birth.isoformat() if isinstance(birth, date) else ""


class Others:
    """Records that could be taken for the same person as another: far more than are."""

    def __init__(self, records):
        self.by = defaultdict(list)
        for record in records:
            for clue in self.clues(record):
                self.by[clue].append(record)

    @staticmethod
    def clues(record):
        clues = {("nhs", record.nhs), ("upn", record.upn)} if record.nhs or record.upn else set()
        clues = {clue for clue in clues if clue[1]}
        surnames = {word for _, surname in record.names for word in tokens(surname)}
        forenames = {word for forenames, _ in record.names for name in forenames for word in tokens(name)}
        clues |= {("surname", word) for word in surnames | forenames}
        if isinstance(record.birth, date):
            clues |= {("born", record.birth)}
        if record.postcode:
            clues |= {("at", record.postcode, word[:2]) for word in forenames}
        if record.uprn:
            clues |= {("in", record.uprn)}
        return clues

    def of(self, record):
        found = {}
        for clue in self.clues(record):
            for other in self.by[clue]:
                if other is not record:
                    found[(other.source, other.id)] = other
        return list(found.values())


def name_to_ask_by(record):
    """A surname and a forename that are names, or None."""
    if not record.names:
        return None
    forenames, surname = record.names[0]
    forename = next(iter(forenames), "")
    words = tokens(surname) + tokens(forename)
    if not tokens(surname) or not tokens(forename) or len(tokens(forename)[0]) < 2 or NO_NAMES & set(words):
        return None
    if any(sign in surname + forename for sign in "?(*,;\ufffd") or any(not sign.isprintable() for sign in surname + forename):
        return None
    # A letter that was decoded twice is mended by the tool; which it was is not for this program to say.
    if any(ord(sign) > 0x7e and not sign.isalpha() for sign in surname + forename) or "Ã" in surname + forename:
        return None
    return surname, forename


def has_name(record, line, page):
    """Whether a result, or its page, has the record's name in any of its forms."""
    said = [line["name"], line.get("matched_by") or ""]
    if page:
        for other in page.get("other_names", []):
            said += [text for text in other.values() if isinstance(text, str)] if isinstance(other, dict) else [str(other)]
    wanted = [(set(tokens(" ".join(forenames)[:100])), set(tokens(surname))) for forenames, surname in record.names]
    for text in said:
        words = set(tokens(text))
        run_together = "".join(tokens(text))
        for forenames, surname in wanted:
            if surname <= words and forenames & words:
                return True
            # Joined or hyphenated otherwise than in the record.
            if surname and all(word in run_together for word in surname) and any(word in run_together for word in forenames):
                return True
    return False


def shown_whatever(record, others, sources, day):
    """YES where the source may tell of the record whatever it is joined with, NO where it may not, else EITHER."""
    # An unborn child is of no age yet, whatever day was expected; a placeholder is no birth date.
    births = {day if one.unborn else None if one.birth == "placeholder" else one.birth for one in [record, *others]}
    deaths = {record.death, *(other.death for other in others)}
    answers = {is_shown(sources[record.source], birth, day, death) for birth in births for death in deaths}
    return answers.pop() if len(answers) == 1 else EITHER


def ask(tool, records, sources, day, judge):
    """Every record by each means."""
    switched_on = [record for record in records if sources[record.source].enabled and record.names]
    everyone = Others([record for record in records if sources[record.source].enabled])
    pages = {}

    def page_of(id):
        if id not in pages:
            pages[id] = tool.person(id)[0]
        return pages[id]

    def said(record, means):
        return f"record {record.id} of {record.source} by {means}"

    for record in switched_on:
        others = everyone.of(record)
        if record.protection != "none" or any(other.protection != "none" for other in others):
            judge.pass_over("protected, or could be somebody protected")
            continue
        name = name_to_ask_by(record)
        if name is None:
            judge.pass_over("no name that this program reads without guessing")
            continue
        surname, forename = name
        close = [other for other in others if is_close(record, other)]
        wanted = shown_whatever(record, close, sources, day)
        if wanted == EITHER:
            judge.pass_over("how old the joined person is decides whether its source is shown")
            continue
        birth = iso(record.birth)
        means = f"{forename} {surname}" + (f", {birth}" if birth else "")
        if wanted == NO:
            if not any(alike(record, other) for other in others if sources[other.source].enabled):
                answer = tool.search(surname, forename, birth)
                found = [line for line in answer["people"] if has_name(record, line, None) and line["birth"] == birth]
                judge.ask("record: must not be found", said(record, means), NO, found)
            continue
        answer = tool.search(surname, forename, birth)
        lines = [line for line in answer["people"] if has_name(record, line, None) or has_name(record, line, page_of(line["id"]))]
        if not birth and answer["more"] and not lines:
            judge.pass_over("more have the name than are shown")
            continue
        judge.ask("record: name and birth date" if birth else "record: name", said(record, means), YES, lines)
        if not lines:
            continue
        from_here = [line for line in lines if page_of(line["id"]) and record.source in str(page_of(line["id"])["joined"])
                     or any(flag["source"]["source"] == record.source and flag["state"].startswith(("found", "age-unknown"))
                            for flag in (page_of(line["id"]) or {"services": []})["services"])]
        judge.ask("record: page has its source", said(record, means), YES, from_here)
        if birth and not record.unborn and all(other.birth in (record.birth, None) for other in close):
            answer = tool.search(birth=birth)
            found = {line["id"] for line in answer["people"]} & {line["id"] for line in lines}
            if found or not answer["more"]:
                judge.ask("record: birth date alone", said(record, birth), YES, found)
        if record.case and sources[record.source].is_cms:
            answer = tool.search(case=record.case)
            found = {line["id"] for line in answer["people"]} & {line["id"] for line in lines}
            judge.ask("record: case ID", said(record, f"case {record.case}"), YES, found)

    by_id = {(record.source, record.id): record for record in records}
    for record in switched_on:
        if not record.related or not record.case or record.protection != "none" or not sources[record.source].is_cms:
            continue
        if any(other.protection != "none" for other in everyone.of(record)):
            continue
        answer = tool.search(case=record.case)
        page = page_of(answer["people"][0]["id"]) if len(answer["people"]) == 1 else None
        if page is None:
            continue
        cases = {case for one in page["family"]["stated"] for case in one["person"]["case_ids"]}
        for id in record.related:
            other = by_id.get((record.source, id))
            if other and other.case and not any(one.protection != "none" for one in [other, *everyone.of(other)]):
                listed = other.case in cases or other.case in page["person"]["case_ids"]
                judge.ask("record: relatives of a case", said(record, f"its page, {other.case} among relatives"), YES, listed)

    for record in records:
        if sources[record.source].enabled or name_to_ask_by(record) is None or not iso(record.birth):
            continue
        if any(alike(record, other) for other in everyone.of(record)):
            continue
        surname, forename = name_to_ask_by(record)
        answer = tool.search(surname, forename, iso(record.birth))
        found = [line for line in answer["people"] if has_name(record, line, None) and line["birth"] == iso(record.birth)]
        judge.ask("record: must not be found", said(record, f"{forename} {surname}, {iso(record.birth)}"), NO, found)


def is_close(record, other):
    """Whether two records could be taken for one person: a number in common, or a name and something else."""
    if (record.nhs and record.nhs == other.nhs) or (record.upn and record.upn == other.upn):
        return True
    words = [{word for forenames, surname in one.names for word in tokens(" ".join(forenames) + " " + surname)} for one in (record, other)]
    common = words[0] & words[1]
    near = {word[:3] for word in words[0]} & {word[:3] for word in words[1]}
    same_place = (record.uprn and record.uprn == other.uprn) or (record.postcode and record.postcode == other.postcode)
    return len(common) > 1 or bool(near and same_place) or bool(common and record.birth == other.birth)


def alike(record, other):
    """Whether a result of the other record would look like one of this record."""
    words = [{word for forenames, surname in one.names for word in tokens(" ".join(forenames) + " " + surname)} for one in (record, other)]
    return len(words[0] & words[1]) > 0 and (other.birth == record.birth or len(words[0] & words[1]) > 1)
