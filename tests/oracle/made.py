"""A made-up council in which each person is known to exactly the services that are named, and whose names are all rare.

For each service, pair and triple of services, there is somebody just below, on and just above every age limit of theirs;
somebody unborn, of unknown age, of a birth year alone; some who died, who are withheld or hidden; and some of whose
services only one knows the birth date. Everybody has one name that all their services know, and one for each service
that it alone knows. Nothing here is anybody's.
"""

import csv
import io
import itertools
import random
import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from rules import birthday

# How many people may share a birth date, so that a search for it can show them all.
SHARE_A_BIRTH_DATE = 8
# People at one address, beside the neighbour whose page lists them.
AT_ONE_ADDRESS = 4
CHILDREN_OF_ONE_MOTHER = 5
# The services whose extracts have no NHS number; their records are joined by name, birth date and address alone.
NO_NHS_NUMBER = {"police"}
# What a service calls a name that it alone knows, where its extract has a field for such names.
FORMER_OR_ALIAS = {"children_social_care", "schools", "youth_justice", "police"}
# Those in whose extracts it is part of the surname: "Own-Shared".
IN_THE_SURNAME = {"housing", "adult_social_care"}
PREFERRED = {"children_social_care", "schools", "adult_social_care"}


@dataclass
class Made:
    """Somebody made up."""

    number: int
    label: str
    services: tuple
    forename: str
    surname: str
    # By service, None where it does not know.
    births: dict
    unborn: bool = False
    death: date | None = None
    # What one service alone knows: a surname, a forename, the street of an address.
    own_surname: dict = field(default_factory=dict)
    own_forename: dict = field(default_factory=dict)
    own_street: tuple | None = None
    street: str = ""
    protection: dict = field(default_factory=dict)
    nhs: str = ""
    case: str = ""
    mother: object = None
    neighbour: object = None
    own_neighbour: object = None

    @property
    def birth(self):
        return next((birth for birth in self.births.values() if birth is not None), None)

    @property
    def words(self):
        """Every word that is of this person's names alone."""
        own = [*self.own_surname.values(), *self.own_forename.values()]
        return {word.lower() for word in [self.forename, self.surname, *own]}

    @property
    def is_withheld(self):
        return "withheld" in self.protection.values()

    @property
    def is_hidden(self):
        return "hidden" in self.protection.values()


# Letters that sound alike count as one.
SOUNDS = str.maketrans("bpvfdtgkzsmnlr", "11112233445567")


def sound(word):
    """The four consonants of a made-up word, as they sound."""
    return word.lower()[::2].translate(SOUNDS)


class Maker:
    """Makes people one after the other, the same ones for the same day."""

    def __init__(self, sources, cms, day, seed):
        self.sources, self.cms, self.day = sources, cms, day
        self.random = random.Random(seed)
        self.used, self.people, self.born_on = set(), [], {}

    def word(self, beside=()):
        """A word that nobody else has, and that sounds like none of those it stands beside, one slip or two forgiven."""
        while True:
            consonants = self.random.sample("bdfgklmnprstvz", 4)
            word = "".join(a + b for a, b in zip(consonants, [*self.random.choices("aeiou", k=3), ""]))
            alike = any(sum(a == b for a, b in zip(sound(word), sound(other))) > 1 for other in beside)
            if word not in self.used and not alike:
                self.used.add(word)
                return word.capitalize()

    def nhs_number(self):
        while True:
            digits = [self.random.choice((4, 5, 6, 7)), *(self.random.randrange(10) for _ in range(8))]
            check = 11 - sum(digit * (10 - place) for place, digit in enumerate(digits)) % 11
            if check != 10:
                return "".join(map(str, digits)) + str(0 if check == 11 else check)

    def day_like(self, born, step):
        """This day, or one so few steps from it that not too many have it."""
        while self.born_on.get(born, 0) >= SHARE_A_BIRTH_DATE or (born.month, born.day) in ((1, 1), (2, 29)):
            born += timedelta(days=step)
        self.born_on[born] = self.born_on.get(born, 0) + 1
        return born

    def some_day(self, age):
        """A birth date of somebody of an age whose birthday is months away on either side."""
        while True:
            born = birthday(self.day, -age) - timedelta(days=self.random.randrange(90, 270))
            if (born.month, born.day) not in ((1, 1), (2, 29)) and self.born_on.get(born, 0) < SHARE_A_BIRTH_DATE:
                return self.day_like(born, 1)

    def add(self, label, services, births, **more):
        forename = self.word()
        surname = self.word([forename])
        beside = [forename, surname]
        person = Made(len(self.people) + 1, label, tuple(services), forename, surname, births, nhs=self.nhs_number(), **more)
        for service in services:
            if service in FORMER_OR_ALIAS | IN_THE_SURNAME:
                person.own_surname[service] = self.word(beside)
                beside.append(person.own_surname[service])
            if service in PREFERRED:
                person.own_forename[service] = self.word(beside)
                beside.append(person.own_forename[service])
        if self.cms in services:
            person.case = str(70_000_000 + person.number)
        self.people.append(person)
        return person

    def all_know(self, label, services, birth, **more):
        return self.add(label, services, dict.fromkeys(services, birth), **more)

    def limits(self, services):
        """The ages at which one of these services begins or ends to be shown."""
        found = set()
        for service in services:
            source = self.sources[service]
            found |= {source.youngest} if source.youngest is not None else set()
            found |= {source.oldest + 1} if source.oldest is not None else set()
        return sorted(found)

    def of_every_age(self, services, with_years=True):
        limits = self.limits(services)
        for limit in limits:
            reached = birthday(self.day, -limit)
            self.all_know(f"{limit} tomorrow", services, self.day_like(reached + timedelta(days=1), 1))
            self.all_know(f"{limit} today", services, self.day_like(reached, -1))
            self.all_know(f"{limit - 1}", services, self.some_day(limit - 1))
            self.all_know(f"{limit + 1}", services, self.some_day(limit + 1))
        if not limits:
            for age in (0, 9, 17, 40, 90):
                self.all_know(f"{age}", services, self.some_day(age))
        ahead = self.day + timedelta(days=self.random.randrange(30, 200))
        self.all_know("unborn", services, ahead if (ahead.month, ahead.day) != (1, 1) else ahead + timedelta(days=1), unborn=True)
        self.all_know("of unknown age", services, None)
        for limit in limits if with_years else limits[:1]:
            for years in (limit + 1, limit - 1, limit):
                year = self.day.year - years
                if year not in (1900, 1901, 1970, 2000):
                    self.all_know(f"born in the year {years} years ago", services, (year,))

    def of_one_birth_date(self, services):
        """Pairs of which one service knows the birth date: at an age at which it is shown, and at one at which it is not."""
        for one, other in itertools.permutations([service for service in services if service not in NO_NHS_NUMBER], 2):
            source = self.sources[one]
            ages = {source.youngest or 30, (source.youngest or 31) - 1}
            ages |= {source.oldest + 2} if source.oldest is not None else {45}
            for age in sorted(ages):
                births = {one: self.some_day(age), other: None}
                self.add(f"{age}, as {one} alone knows", (one, other), births)

    def dead(self, services):
        for other in services:
            for limit in self.limits([other]):
                for age in (limit - 1, limit):
                    born = self.some_day(limit + 3)
                    died = birthday(born, age) + timedelta(days=40)
                    self.all_know(f"died at {age}", (self.cms, other), born, death=died)

    def protected(self, services):
        for other in services:
            source = self.sources[other]
            age = (source.youngest or 20) + 1
            for level in ("hidden", "withheld"):
                for _ in range(2):
                    self.all_know(level, (self.cms, other), self.some_day(age), protection={self.cms: level})
        for level in ("hidden", "withheld"):
            for age in (6, 34):
                self.all_know(level, (self.cms,), self.some_day(age), protection={self.cms: level})
        if "adult_social_care" in services:
            for other in [*services, self.cms]:
                if other != "adult_social_care":
                    age = 19 if other in ("schools", "youth_justice") else 45
                    pair = ("adult_social_care", other)
                    self.all_know("withheld", pair, self.some_day(age), protection={"adult_social_care": "withheld"})

    def settle(self):
        """Gives everybody an address, a neighbour there and, whom the case management system knows, a mother."""
        made = list(self.people)

        def witness(label):
            # An age at which the case management system is shown, whatever its limits.
            source = self.sources[self.cms]
            youngest, oldest = (30, 80) if source.at_any_age else (source.youngest + 1, source.oldest - 1)
            return self.all_know(label, (self.cms,), self.some_day(self.random.randint(youngest, oldest)))

        for start in range(0, len(made), AT_ONE_ADDRESS):
            street, own_street = self.word(), self.word()
            neighbour, own_neighbour = witness("neighbour"), witness("neighbour")
            neighbour.street, own_neighbour.street = street, own_street
            for person in made[start:start + AT_ONE_ADDRESS]:
                person.street, person.neighbour = street, neighbour
                # Police records are joined by the address: theirs is never the only one that is like another.
                movers = [service for service in person.services if service not in NO_NHS_NUMBER]
                if len(person.services) > 1 and movers and not (set(person.services) & NO_NHS_NUMBER):
                    person.own_street, person.own_neighbour = (movers[-1], own_street), own_neighbour
        known = [person for person in made if self.cms in person.services]
        for start in range(0, len(known), CHILDREN_OF_ONE_MOTHER):
            mother = witness("mother")
            mother.street = self.word()
            for person in known[start:start + CHILDREN_OF_ONE_MOTHER]:
                person.mother = mother


def make(sources, cms, day, pairs_of_the_cms_alone=False):
    """The people of a council."""
    maker = Maker(sources, cms, day, f"{cms} of {day}")
    services = [name for name, source in sources.items() if source.enabled and not source.is_staff]
    others = [service for service in services if service != cms]
    for size in (1, 2) if pairs_of_the_cms_alone else (1, 2, 3):
        for combination in itertools.combinations(services, size):
            if cms in combination or not pairs_of_the_cms_alone:
                maker.of_every_age(combination, with_years=size < 3)
    # Not asked: a death that is known to a system alone which is shown up to an age. No shipped definition has that.
    if sources[cms].at_any_age:
        maker.dead(others)
    if not pairs_of_the_cms_alone:
        maker.of_one_birth_date(services)
        maker.protected(others)
    maker.settle()
    return maker.people


# Writing the extract files.

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def written(birth, form):
    """A date as a source's format has it; a year alone as such."""
    if birth is None:
        return ""
    if not isinstance(birth, date):
        return str(birth[0])
    parts = {"yyyy": f"{birth.year:04}", "yy": f"{birth.year % 100:02}", "Mon": MONTHS[birth.month - 1],
             "mm": f"{birth.month:02}", "dd": f"{birth.day:02}"}
    return re.sub("yyyy|yy|Mon|mm|dd", lambda found: parts[found[0]], form)


def place(street):
    """House number, postcode and property number that go with a street: always the same."""
    dice = random.Random(street)
    letters = "ABDEFGHJLNPQRSTUWXYZ"
    code = f"QF{dice.randrange(1, 99)} {dice.randrange(1, 10)}{dice.choice(letters)}{dice.choice(letters)}"
    return dice.randrange(1, 200), code, str(10_000_000_000 + dice.randrange(10**9))


def rows_of(person, service, form):
    """What a service's extract says of somebody, by feed: {feed: [{heading: cell}]}."""
    street = person.own_street[1] if person.own_street and person.own_street[0] == service else person.street
    house, code, uprn = place(street)
    id = f"{person.number:06}"
    birth = person.births[service]
    born = written(birth, form)
    male = person.number % 2 == 0
    own, called = person.own_surname.get(service, ""), person.own_forename.get(service, "")
    line = f"{house} {street} Lane"
    died = written(person.death, form) if person.death else ""
    match service:
        case "children_social_care":
            kind = "Unborn child" if person.unborn else "Child"
            protection = {"hidden": "Hidden", "withheld": "Restricted"}.get(person.protection.get(service), "None")
            row = {
                "Person ID": "9" + id, "Case ID": person.case, "Person Type": kind, "Forename": person.forename,
                "Surname": person.surname, "Preferred Name": called, "Former Names": f"{person.forename} {own}",
                "Date Of Birth": "" if person.unborn else born, "Expected Date": born if person.unborn else "",
                "Date Of Death": died, "Gender": "Unborn" if person.unborn else "Male" if male else "Female",
                "NHS Number": person.nhs, "Address": f"{line}\nFenchester", "Postcode": code, "UPRN": uprn,
                "Case Status": "Open", "Restriction": protection, "Hide Former Names": "N", "Address Confidential": "N",
            }
            related = []
            if person.mother:
                mother = f"9{person.mother.number:06}"
                related = [{"Person ID": "9" + id, "Related Person ID": mother, "Relationship": "Mother"}]
            return {"people": [row], "relationships": related}
        case "schools":
            return {"people": [{
                "Student Ref": "S" + id, "Legal Surname": person.surname, "Legal Forename": person.forename,
                "Preferred Forename": called, "Former Surname": own, "DOB": born, "Gender": "a) Male" if male else "b) Female",
                "NHS Number": person.nhs, "Address 1": line, "Town": "Fenchester", "Post Code": code, "UPRN": uprn,
                "School Name": "Holly Bank", "Admission Type": "M",
            }]}
        case "housing":
            return {"people": [{
                "PERSON_REF": "H" + id, "FULL_NAME": f"{own}-{person.surname}, {person.forename}".upper(), "DOB": born,
                "SEX": "1" if male else "2", "ADDRESS": f"{line}, Fenchester, {code}", "UPRN": uprn, "NHS_NO": person.nhs,
            }]}
        case "adult_social_care":
            return {"people": [{
                "client_id": "A" + id, "first_name": person.forename, "last_name": f"{own}-{person.surname}", "known_as": called,
                "date_of_birth": born, "date_of_death": died, "sex": "M" if male else "F", "nhs_no": person.nhs, "house_no": str(house),
                "street": f"{street} Lane", "town": "Fenchester", "post_code": code, "uprn": uprn,
                "protected": "Y" if person.protection.get(service) else "N",
            }]}
        case "youth_justice":
            return {"people": [{
                "YP Ref": "Y" + id, "Name": f"{person.forename} {person.surname.upper()}", "Alias": f"{person.forename} {own.upper()}",
                "D.O.B": born, "Sex": "Male" if male else "Female", "Address": f"{line}, Fenchester, {code}",
                "NHS Number": person.nhs, "UPRN": uprn,
            }]}
        case "police":
            return {"people": [{
                "nominal_ref": "N" + id, "surname": person.surname.upper(), "forename_1": person.forename,
                "aliases": f"{own.upper()}, {person.forename}", "date_of_birth": born, "gender_code": "1" if male else "2",
                "address": f"{line}, Fenchester", "postcode": code,
            }]}
        case "standard_safeguarding_dataset":
            place_said = f'{{"HOUSE":"{house}","STREET":"{street} Lane","TOWN":"Fenchester"}}'
            mother = [{"moth_person_id": f"7{person.mother.number:07}", "moth_childs_person_id": person.case}] if person.mother else []
            return {
                "person": [{
                    "pers_person_id": person.case, "pers_forename": person.forename, "pers_surname": person.surname,
                    "pers_sex": "M" if male else "F", "pers_dob": "" if person.unborn else born,
                    "pers_expected_dob": born if person.unborn else "", "pers_death_date": died,
                }],
                "address": [{"addr_person_id": person.case, "addr_address_postcode": code, "addr_address_json": place_said}],
                "linked_identifiers": [{
                    "link_person_id": person.case, "link_identifier_type": "NHS Number", "link_identifier_value": person.nhs,
                }],
                "mother": mother,
            }
        case _:
            raise RuntimeError(f"tests/oracle/made.py does not know how {service} writes a person: add it to rows_of")


def headings(feed):
    """Every heading that a feed's definition names."""
    found = []

    def note(spec):
        if isinstance(spec, str):
            found.append(spec)
        elif isinstance(spec, list):
            found.extend(spec)
        else:
            found.extend([spec["column"]] if "column" in spec else spec.get("columns", []))

    for spec in feed["columns"].values():
        note(spec)
    for fact in feed.get("facts", []):
        note({key: value for key, value in fact.items() if key in ("column", "columns")})
        for key in ("which", "date"):
            if key in fact:
                note(fact[key])
    return list(dict.fromkeys(found))


def write(people, sources, folder):
    """Writes every source's extract files."""
    files = {}
    for person in people:
        for service in person.services:
            source = sources[service]
            form = next(feed["dates"][0] for feed in source.rows["feeds"].values() if "dates" in feed)
            for feed, rows in rows_of(person, service, form).items():
                files.setdefault((service, feed), []).extend(rows)
    for (service, feed), rows in files.items():
        said = sources[service].rows["feeds"][feed]
        columns = headings(said)
        unknown = {heading for row in rows for heading in row} - set(columns)
        if unknown:
            raise RuntimeError(f"{service}/{feed} does not read {sorted(unknown)}: mend rows_of in tests/oracle/made.py")
        text = io.StringIO()
        delimiter = {"tab": "\t"}.get(said.get("delimiter", ","), said.get("delimiter", ","))
        writer = csv.DictWriter(text, columns, restval="", delimiter=delimiter, lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)
        encoding = {"utf-16le": "utf-16", "windows-1252": "cp1252"}.get(said.get("encoding", "utf-8"), "utf-8")
        Path(folder, f"{service}-{feed}.csv").write_bytes(text.getvalue().encode(encoding))
