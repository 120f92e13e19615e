"""What is asked of the council of pairs: each person by every means, and what must not find or show them."""

from datetime import date

from definitions import tokens
from rules import EITHER, NO, YES, is_child, is_shown

KINDS = [
    "name", "surname alone", "name and birth date", "birth date alone", "name that one service knows",
    "surname that one service knows, alone", "forename that one service knows", "case ID", "relative's page lists",
    "page lists the mother", "same address", "address that one service knows", "page keeps what is silent",
    "services on the page", "withheld keeps details", "child first: name", "child first: case ID",
    "child first: opened through the child alone", "child first: nobody at the address",
]


def any_of(answers):
    answers = list(answers)
    return YES if YES in answers else EITHER if EITHER in answers else NO


class Knows:
    """What may be told of somebody on a day, service by service."""

    def __init__(self, person, sources, day):
        self.person = person
        first = {
            service: is_shown(sources[service], person.birth, day, person.death) for service in person.services
        }
        holders = [service for service, birth in person.births.items() if birth is not None]
        self.shown = first
        # Whether nobody who may be shown says when the person was born, though somebody else does.
        self.birth_is_secret = bool(holders) and all(first[service] != YES for service in holders)
        if self.birth_is_secret:
            # Whether a secret birth date may decide about others is not ours to say.
            without = {service: is_shown(sources[service], None, day) for service in person.services}
            self.shown = {
                service: answer if service in holders or answer == without[service] else EITHER
                for service, answer in first.items()
            }
        self.visible = NO if person.is_hidden else any_of(self.shown.values())
        self.birth = NO if person.is_hidden else any_of([NO, *(self.shown[service] for service in holders)])

    def told_by(self, services):
        """Whether something may be told that these services say."""
        return NO if self.person.is_hidden else any_of([NO, *(self.shown[service] for service in services)])


def iso(birth):
    return birth.isoformat() if isinstance(birth, date) else ""


def is_listed(person, lines):
    return any(set(tokens(line["name"])) & person.words for line in lines)


def lines_of(person, answer):
    return [line for line in answer["people"] if set(tokens(line["name"])) & person.words]


def who(person, knows, means):
    said = ", ".join(f"{service} {'silent' if shown == NO else 'speaks' if shown == YES else 'may speak'}"
                     for service, shown in knows.shown.items())
    birth = person.birth if not isinstance(person.birth, tuple) else person.birth[0]
    more = ", hidden" if person.is_hidden else ", withheld" if person.is_withheld else ""
    return f"person {person.number} ({person.label}; born {birth}{more}; {said}) by {means}"


def ask_open_search(tool, people, sources, day, judge):
    """Every means there is, of everybody."""
    shared = {}
    for person in people:
        shared[iso(person.birth)] = shared.get(iso(person.birth), 0) + 1
    pages = {}

    def page_of(id):
        if id not in pages:
            pages[id] = tool.person(id)
        return pages[id]

    ids = {}
    split = 0
    for person in people:
        knows = Knows(person, sources, day)
        birth = iso(person.birth)
        forename, surname = person.forename, person.surname

        def ask(kind, wanted, got, means):
            judge.ask(kind, who(person, knows, means), wanted, got)

        answer = tool.search(surname, forename)
        lines = lines_of(person, answer)
        split += len(lines) > 1
        ids[person.number] = lines[0]["id"] if lines else None
        ask("name", knows.visible, lines, f"{forename} {surname}")
        ask("surname alone", knows.visible, lines_of(person, tool.search(surname)), surname)
        if birth:
            found = lines_of(person, tool.search(surname, forename, birth))
            ask("name and birth date", knows.visible, found, f"{forename} {surname}, {birth}")
        if birth and not person.unborn:
            wanted = NO if person.is_withheld else knows.birth
            # Where more share the day than are shown, only who must not be found can be judged.
            if wanted == NO or shared[birth] <= 11:
                ask("birth date alone", wanted, lines_of(person, tool.search(birth=birth)), birth)
        if person.case:
            found = lines_of(person, tool.search(case=person.case))
            cms = [service for service in person.services if sources[service].is_cms]
            ask("case ID", knows.told_by(cms), found, f"case {person.case}")
        for service, own in person.own_surname.items():
            wanted = knows.told_by([service])
            if person.is_withheld:
                wanted = EITHER
            ask("name that one service knows", wanted, lines_of(person, tool.search(own, forename)), f"{forename} {own}, of {service}")
            ask("surname that one service knows, alone", wanted, lines_of(person, tool.search(own)), f"{own}, of {service}")
        for service, own in person.own_forename.items():
            # The shared surname beside it may find as well, so only who must be found is asked for.
            if knows.told_by([service]) == YES and not person.is_withheld:
                found = lines_of(person, tool.search(surname, own))
                ask("forename that one service knows", YES, found, f"{own} {surname}, of {service}")

        if not lines or knows.visible == NO:
            continue
        for line in lines:
            page, text = page_of(line["id"])
            if page is None:
                ask("page keeps what is silent", YES, False, "the page of a result")
                continue
            if person.is_withheld:
                secret = [person.street, birth] if birth else [person.street]
                told = line["birth"] or line["address"] or not line["withheld"] or any(word in text for word in secret)
                ask("withheld keeps details", NO, told, "details of somebody withheld")
                continue
            silent = [word for service, word in person.own_surname.items() if knows.shown[service] == NO]
            silent += [word for service, word in person.own_forename.items() if knows.shown[service] == NO]
            if person.own_street and knows.shown[person.own_street[0]] == NO:
                silent.append(person.own_street[1])
            if birth and knows.birth == NO:
                silent.append(birth)
            # Those who live there have the same address on their lines, by sources that may tell it.
            own = {key: value for key, value in page.items() if key != "family"}
            told = [word for word in silent if word.lower() in f"{own} {answer}".lower()]
            ask("page keeps what is silent", NO, told, f"what only silent services say on the page ({', '.join(told)})")
        if len(lines) != 1 or person.is_withheld or page_of(lines[0]["id"])[0] is None:
            continue
        page, _ = page_of(lines[0]["id"])
        for flag in page["services"]:
            service = flag["source"]["source"]
            if service not in person.services or knows.shown[service] == EITHER or knows.birth_is_secret:
                continue
            unknown = person.birth is None and not sources[service].at_any_age
            if unknown and sources[service].age_unknown == "say":
                ask("services on the page", YES, flag["state"] == "age-unknown", f"{service} as age-unknown (it says {flag['state']})")
            else:
                found = flag["state"].startswith("found")
                ask("services on the page", knows.shown[service], found, f"{service} as found (it says {flag['state']})")
        if person.mother and all(knows.shown[service] == YES for service in person.services if sources[service].is_cms):
            ask("page lists the mother", YES, is_listed(person.mother, [one["person"] for one in page["family"]["stated"]]), "its own page")

    for person in people:
        knows = Knows(person, sources, day)
        if person.mother and ids.get(person.mother.number):
            page, _ = page_of(ids[person.mother.number])
            stated = [one["person"] for one in page["family"]["stated"]] if page else []
            cms = [service for service in person.services if sources[service].is_cms]
            # What the mother's record says of somebody of whom the same system is silent is open.
            wanted = EITHER if knows.told_by(cms) == NO and not person.is_hidden else knows.told_by(cms)
            judge.ask("relative's page lists", who(person, knows, "the mother's page"), wanted, is_listed(person, stated))
        elsewhere = person.own_street[0] if person.own_street else None
        for kind, neighbour, services in (
            ("same address", person.neighbour, [service for service in person.services if service != elsewhere]),
            ("address that one service knows", person.own_neighbour, [elsewhere]),
        ):
            if neighbour is None or not ids.get(neighbour.number):
                continue
            page, _ = page_of(ids[neighbour.number])
            here = [one.get("person", one) for one in page["family"]["same_address"]] if page else []
            wanted = NO if person.is_withheld else knows.told_by(services)
            judge.ask(kind, who(person, knows, "the neighbour's page"), wanted, is_listed(person, here))
    print(f"{split} of {len(people)} people came as more than one: their services are not judged")


def ask_child_first(tool, people, sources, day, judge):
    """Children are found, adults are not, and are reached through a child alone."""
    for person in people:
        if person.is_withheld or person.label == "neighbour":
            continue
        knows = Knows(person, sources, day)
        child = is_child(person.birth, day, person.unborn, person.death)
        if person.birth is not None and knows.birth != YES:
            child = EITHER
        if knows.visible == YES:
            wanted = child
        else:
            wanted = NO if knows.visible == NO else EITHER
        means = f"{person.forename} {person.surname}, child first"
        lines = lines_of(person, tool.search(person.surname, person.forename))
        judge.ask("child first: name", who(person, knows, means), wanted, lines)
        if person.case:
            found = lines_of(person, tool.search(case=person.case))
            judge.ask("child first: case ID", who(person, knows, f"case {person.case}, child first"), wanted, found)
        if wanted != YES or not lines or not person.mother:
            continue
        page, _ = tool.person(lines[0]["id"])
        stated = [one["person"] for one in page["family"]["stated"]] if page else []
        mother = next((one for one in stated if set(tokens(one["name"])) & person.mother.words), None)
        kind = "child first: opened through the child alone"
        means = "the child's page"
        judge.ask(kind, who(person.mother, Knows(person.mother, sources, day), means), YES, mother)
        if mother:
            alone, _ = tool.person(mother["id"])
            judge.ask(kind, f"mother {person.mother.number} by her id alone", NO, alone)
            through, _ = tool.person(mother["id"], f"?child={lines[0]['id']}")
            judge.ask(kind, f"mother {person.mother.number} by her id, with the child", YES, through)
        here = page["family"]["same_address"] if page else []
        judge.ask("child first: nobody at the address", f"neighbour of {person.number}", NO, here)
