"""A small council made to be walked: each protection stands in it with secrets that nobody else in it has.

Every secret is a word, a number or a date that occurs for one protection alone, so that where it is seen it leaked.
"""

import csv
import datetime
import random
from dataclasses import dataclass, field
from pathlib import Path

TODAY = datetime.date.today()
SOURCES = ["children_social_care", "housing", "schools", "adult_social_care", "youth_justice", "police"]
CMS = SOURCES[0]
# The staff id of the development sign-in's social worker (infra/local, USERS).
SAM = "W100000"

FIELDS = [
    "record_id", "case_id", "forename", "middle_names", "surname", "preferred_name", "alias", "former_name", "former_surname",
    "name_not_to_be_shown", "date_of_birth", "sex", "nhs_number", "address", "postcode", "uprn", "address_from", "address_to",
    "address_confidential", "phone", "organisation", "worker_name", "worker_role", "worker_phone", "allocated",
    "involvement_from", "involvement_to", "protection", "never_link",
]
# What one source says of itself, after the definitions that are shipped: title, ages, age_unknown.
ABOUT = {
    "children_social_care": ("Children's social care", None, None, None),
    "housing": ("Housing", 16, None, None),
    "schools": ("School", 4, 20, None),
    "adult_social_care": ("Adult social care", 15, None, "adult"),
    "youth_justice": ("Youth justice", 10, 21, "hide"),
    "police": ("Police", 18, None, "hide"),
    "probation": ("Probation", None, None, None),
}


@dataclass
class Secret:
    """Must not be seen: anywhere, or (`about`) on what is told of these people, or (`ways`) in these ways alone."""

    row: str
    label: str
    text: str
    about: frozenset = frozenset()
    ways: frozenset = frozenset()


@dataclass
class Need:
    """Must be seen on what is told of this person in this way; in both journeys unless one is named."""

    row: str
    label: str
    text: str
    way: str
    about: str
    journey: str = ""
    times: int = 0


@dataclass
class Search:
    """Something that is typed. `nobody`: it must find nobody. `count`: it must find so many, and no more."""

    row: str
    way: str
    body: dict
    nobody: bool = False
    count: int = -1
    more: bool = False


@dataclass
class Council:
    rows: dict = field(default_factory=dict)
    relations: list = field(default_factory=list)
    secrets: list = field(default_factory=list)
    needs: list = field(default_factory=list)
    searches: list = field(default_factory=list)
    # Of whom the page must be the same in the council without the protected person: (row, person).
    same_pages: list = field(default_factory=list)
    # Rows whose searches must give the same in the council without.
    same_searches: set = field(default_factory=set)
    # Rows of withheld people: their searches with any date must give the same.
    any_date: list = field(default_factory=list)
    names: dict = field(default_factory=dict)


def words():
    """Made-up words that neither look nor sound like one another."""
    dice = random.Random(2026)
    starts = ["Br", "D", "F", "Gr", "H", "K", "L", "M", "N", "P", "Qu", "R", "St", "T", "V", "W", "Z", "Ch", "Tr", "B"]
    middles = ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "t", "v", "x", "z", "nd", "rk", "lm", "st", "mb", "rd"]
    ends = ["ick", "om", "ant", "el", "isk", "arn", "ody", "uff", "env", "ap"]
    classes = str.maketrans({**dict.fromkeys("bfpv", "1"), **dict.fromkeys("cgjkqsxz", "2"), **dict.fromkeys("dt", "3"),
                             "l": "4", **dict.fromkeys("mn", "5"), "r": "6", **dict.fromkeys("aeiouwhy", "")})
    seen = set()
    while True:
        word = dice.choice(starts) + dice.choice("aeiou") + dice.choice(middles) + dice.choice("aeiou") + dice.choice(middles) + dice.choice(ends)
        sound = word.lower().translate(classes)[1:]
        if sound not in seen and len(sound) > 2:
            seen.add(sound)
            yield word


class Maker:
    """Adds people to a council. `without` makes the same council as if the protected were not there: hidden people are
    left out, withheld people have another birth date, and what an age hides has no record."""

    def __init__(self, without):
        self.without = without
        self.council = Council({name: [] for name in [*SOURCES, "probation"]})
        self.word = words().__next__
        self.n = 0
        self.births = set()
        self.make()

    # Unique values. They are drawn in the same order in both councils.

    def count(self):
        self.n += 1
        return self.n

    def postcode(self):
        n, letters = self.count(), "ABDEFGHJLNPQRSTUWXYZ"
        return f"LN{n % 89 + 10} {n // 89 % 9 + 1}{letters[n % 20]}{letters[n // 20 % 20]}"

    def phone(self):
        return f"07700 {900000 + self.count() * 7 % 1000:06d}" if self.n < 140 else f"07{self.count() * 7919 % 900000000 + 100000000:09d}"

    def desk(self):
        return f"020 7946 {self.count():04d}"

    def nhs(self):
        while True:
            digits = f"{940000000 + self.count() * 1237:09d}"
            check = 11 - sum(int(d) * (10 - i) for i, d in enumerate(digits)) % 11
            if check != 10:
                return digits + str(check % 11)

    def born(self, age):
        """A birth date of somebody of this age, which nobody else has."""
        day = TODAY.replace(year=TODAY.year - age, day=min(TODAY.day, 28)) - datetime.timedelta(days=5 + self.count() * 11 % 330)
        while day in self.births:
            day -= datetime.timedelta(days=1)
            if (TODAY - day).days > 365 * (age + 1):
                day += datetime.timedelta(days=340)
        self.births.add(day)
        return day

    def add(self, source, drop=False, **cells):
        record = cells.pop("record_id", None) or f"{source[0].upper()}{100000 + self.count()}"
        if not drop:
            if isinstance(cells.get("date_of_birth"), datetime.date):
                cells["date_of_birth"] = cells["date_of_birth"].isoformat()
            self.council.rows[source].append({"record_id": record, **cells})
        return record

    def person(self, age, sex="female", surname=None, dob=True):
        """Who somebody is, as any source would write it."""
        who = {"forename": self.word(), "surname": surname or self.word(), "sex": sex, "nhs_number": self.nhs()}
        if dob:
            who["date_of_birth"] = self.born(age)
        return who

    def case(self, who, drop=False, street=None, **more):
        """Their record in the case management system. An address is made up where none is given."""
        cells = {**who, "case_id": f"K{700000 + self.count()}", "worker_name": "Case Worker", "worker_phone": self.desk(),
                 "involvement_from": "2024-02-01", **(self.home(street) if street is not False else {}), **more}
        record = self.add(CMS, drop, **cells)
        self.council.names[f"{cells['forename']} {cells['surname']}"] = f"{who['forename']} {who['surname']}"
        return {**cells, "record_id": record, "key": f"{who['forename']} {who['surname']}"}

    def service(self, source, who, drop=False, **more):
        """Their record in a service, with a worker and, if need be, an address of its own."""
        cells = {**who, "organisation": f"{self.word()} Services", "worker_name": f"{self.word()} {self.word()}",
                 "worker_role": "Officer", "worker_phone": self.desk(), "involvement_from": "2024-03-01", **more}
        record = self.add(source, drop, **cells)
        return {**cells, "record_id": record}

    def home(self, street=None):
        return {"address": f"{self.count() % 80 + 3} {street or self.word()} Way, Kelby", "postcode": self.postcode()}

    def related(self, person, other, relationship, drop=False):
        if not drop:
            self.council.relations.append((person["record_id"], other["record_id"], relationship))

    def secret(self, row, label, text, about=(), ways=()):
        self.council.secrets.append(Secret(row, label, str(text), frozenset(about), frozenset(ways)))

    def need(self, row, label, text, way, about, journey="", times=0):
        self.council.needs.append(Need(row, label, str(text), way, about, journey, times))

    def street(self, cells):
        """The word of an address that is its own."""
        return next(w for w in cells["address"].replace(",", " ").split() if w[0].isalpha() and w not in ("Flat", "House", "Way"))

    def searches(self, row, who, nobody=False, case_id=None, count=-1):
        """Every means of search for one person."""
        name = {"surname": who["surname"], "forename": who["forename"]}
        ask = lambda way, body, **more: self.council.searches.append(Search(row, way, body, **more))
        ask("search: name", name, nobody=nobody, count=count)
        ask("search: surname", {"surname": who["surname"]}, nobody=nobody)
        dob = who.get("date_of_birth")
        if dob:
            ask("search: birth date", {"date_of_birth": dob.isoformat()}, nobody=nobody)
            ask("search: name and date", {**name, "date_of_birth": dob.isoformat()}, nobody=nobody)
            ask("search: part of a date", {"surname": who["surname"], "date_of_birth": str(dob.year)}, nobody=nobody)
        if case_id:
            ask("search: case ID", {"case_id": case_id}, nobody=nobody)

    def secrets_of(self, row, cells, fields, where=""):
        """Each of these fields of a record is a secret."""
        for name in fields:
            if name in ("address",):
                self.secret(row, f"street {where}", self.street(cells))
            elif name == "date_of_birth":
                day = cells[name]
                self.secret(row, "birth date", day.isoformat())
                self.secret(row, "birth date in words", f"{day.day} {day:%B} {day.year}")
            elif cells.get(name):
                self.secret(row, f"{name.replace('_', ' ')} {where}".strip(), cells[name])

    def make(self):
        for source in SOURCES:
            self.flagged(source, "hidden")
        for source in SOURCES:
            self.flagged(source, "withheld")
        self.crowd()
        self.hidden_names()
        self.confidential_places()
        self.never_linked()
        self.ages()
        self.unknown_ages()
        self.switched_off()
        self.rejected()

    def flagged(self, source, flag):
        """A child whom one source protects and others know without a word of it; the mother, a sibling and a housemate
        are anybody's to find."""
        row = f"{flag}: flag of {source}"
        hidden = flag == "hidden"
        drop = hidden and self.without
        who = self.person(16, surname=self.word())
        if not hidden and self.without:
            who = {**who, "date_of_birth": who["date_of_birth"].replace(year=who["date_of_birth"].year - 1, day=1)}
        typed = dict(who)
        marked = {"protection": flag}
        case = self.case(who, drop, phone=self.phone(), **(marked if source == CMS else {}))
        shared = self.home()
        records = []
        for other in {source, "schools"} - {CMS} if source != CMS else {"schools", "housing"}:
            records.append(other)
        kept = [self.service(other, who, drop, **(shared if other != "schools" else self.home()),
                             **(marked if other == source else {})) for other in sorted(records)]
        mother = self.case(self.person(38), phone=self.phone())
        sibling = self.case(self.person(12))
        housemate = self.person(41)
        housemate = {**housemate, **self.service("housing", housemate, **shared)}
        self.council.names[f"{housemate['forename']} {housemate['surname']}"] = key = f"{housemate['forename']} {housemate['surname']}"
        self.related(case, mother, "Mother", drop)
        self.related(case, sibling, "Sibling", drop)
        self.related(sibling, mother, "Mother")

        names = ["forename", "surname"] if hidden else []
        self.secrets_of(row, case, [*names, "address", "postcode", "phone", "worker_phone", "case_id", "nhs_number"], "in the case system")
        for record in kept:
            fields = ["organisation", "worker_name", "worker_phone"]
            if record["address"] != shared["address"]:
                fields += ["address", "postcode"]
            self.secrets_of(row, record, fields, "in another record")
        self.secret(row, "name among housemates", who["surname"], about=[key], ways=["same address"])
        self.secrets_of(row, who, ["date_of_birth"])
        self.searches(row, typed if hidden else self.original(typed), nobody=hidden, case_id=case["case_id"])
        self.council.same_searches.add(row)
        for other in (mother["key"], sibling["key"], key):
            self.council.same_pages.append((row, other))
        for other in (mother, sibling, housemate):
            self.searches(row, other, case_id=other.get("case_id"))
        self.need(row, "the mother's street", self.street(mother), "person", mother["key"], "open-search")
        self.need(row, "the sibling's street", self.street(sibling), "person", sibling["key"])
        self.need(row, "the sibling's street, page", self.street(sibling), "page: person", sibling["key"])
        self.need(row, "the mother among the sibling's relatives", mother["surname"], "relatives", sibling["key"])
        self.need(row, "the housemate's street", self.street(housemate), "person", key, "open-search")
        if not hidden:
            for way in ("search: name", "search: case ID", "person", "page: results", "page: person"):
                self.need(row, "the withheld child's name", who["surname"], way, case["key"])
            self.need(row, "who can tell", "There may be information about this person that you cannot see", "person", case["key"], times=1)
            self.need(row, "who can tell, page", "There may be information about this person that you cannot see", "page: person", case["key"], times=1)
            self.council.any_date.append((row, {"surname": who["surname"], "forename": who["forename"]}, self.original(typed)["date_of_birth"]))
            self.council.any_date.append((row, {"surname": who["surname"]}, self.original(typed)["date_of_birth"]))
            self.council.searches[:] = [
                Search(s.row, s.way, s.body, True) if s.row == row and s.way == "search: birth date" and s.body["date_of_birth"] == self.original(typed)["date_of_birth"].isoformat() else s
                for s in self.council.searches]

    def original(self, who):
        """The birth date that is typed is the same in both councils."""
        return {**who, "date_of_birth": self.typed.setdefault(who["nhs_number"], who["date_of_birth"])}

    typed = {}

    def crowd(self):
        """Many people of one surname: nobody's place, count or `more` may tell of the protected among them."""
        for size, protected in ((30, ("withheld",)), (14, ("hidden", "withheld")), (12, ("hidden", "hidden")), (9, ("withheld",))):
            surname = self.word()
            row = f"among {size} of one surname: {' and '.join(sorted(set(protected)))}"
            everyone, dates = [], []
            for _ in range(size):
                everyone.append(self.case(self.person(self.count() % 9 + 6, surname=surname)))
            for flag in protected:
                who = self.person(11, surname=surname)
                date = self.typed.setdefault(who["nhs_number"], who["date_of_birth"])
                if self.without and flag == "withheld":
                    who["date_of_birth"] = who["date_of_birth"].replace(year=who["date_of_birth"].year - 5, day=3)
                case = self.case(who, self.without and flag == "hidden", protection=flag)
                dates.append(date)
                self.secrets_of(row, case, [*(["forename"] if flag == "hidden" else []), "address", "postcode"])
                for body in ({"surname": surname, "forename": who["forename"]}, {"surname": surname, "forename": who["forename"], "date_of_birth": date.isoformat()}):
                    self.council.searches.append(Search(row, "search: name and date" if len(body) > 2 else "search: name", body))
                self.council.searches.append(Search(row, "search: birth date", {"date_of_birth": date.isoformat()}, nobody=True))
                self.council.searches.append(Search(row, "search: case ID", {"case_id": case["case_id"]}, nobody=flag == "hidden"))
                if flag == "withheld":
                    self.need(row, "the withheld child's name", who["forename"], "search: name", case["key"])
            whole = {30: (12, True), 14: (12, True), 12: (12, False)}.get(size, (-1, False))
            self.council.searches.append(Search(row, "search: surname", {"surname": surname}, count=whole[0], more=whole[1]))
            for date in dates:
                for typed in (date.isoformat(), str(date.year), f"{date:%Y-%m}", date.replace(day=date.day % 27 + 1).isoformat()):
                    self.council.searches.append(Search(row, "search: part of a date" if len(typed) < 10 else "search: name and date", {"surname": surname, "date_of_birth": typed}))
            for other in everyone[:3]:
                self.need(row, "somebody of that name", self.street(other), "person", other["key"])
                self.searches(row, other)
            self.council.same_searches.add(row)

    def hidden_names(self):
        """A child whose former name must not be shown, and another record that still has it in some form."""
        full = lambda f, o: f"{f} {o}"
        # Form: the cells of the record that still has the hidden name. f, s: today's names. o, p: the hidden surname and forename.
        forms = {
            "as declared": lambda f, s, o, p: {"former_name": full(p, o)},
            "with a middle name": lambda f, s, o, p: {"forename": p, "middle_names": "Rose", "surname": o},
            "middle name in the forename": lambda f, s, o, p: {"forename": f"{p} Rose", "surname": o},
            "hyphenated": lambda f, s, o, p: {"surname": f"{o[:4]}-{o[4:]}"},
            "double-barrelled, old first": lambda f, s, o, p: {"surname": f"{o}-{s}"},
            "double-barrelled, new first": lambda f, s, o, p: {"surname": f"{s}-{o}"},
            "double-barrelled, a space": lambda f, s, o, p: {"surname": f"{s} {o}"},
            "in brackets": lambda f, s, o, p: {"surname": f"{s} ({o})"},
            "forename in brackets": lambda f, s, o, p: {"forename": f"{f} ({p})"},
            "(was ...)": lambda f, s, o, p: {"forename": f"{f} (was {p})"},
            "formerly": lambda f, s, o, p: {"forename": f"{f} formerly {p}"},
            "née": lambda f, s, o, p: {"surname": f"{s} (née {o})"},
            "as alias": lambda f, s, o, p: {"alias": full(p, o)},
            "as alias with a middle name": lambda f, s, o, p: {"alias": f"{p} Rose {o}"},
            "as preferred name": lambda f, s, o, p: {"preferred_name": p},
            "as former surname": lambda f, s, o, p: {"former_surname": o},
            "in capitals": lambda f, s, o, p: {"surname": o.upper()},
        }
        for same in (True, False):
            for form, cells in forms.items():
                row = f"hidden name, {'same' if same else 'another'} source: {form}"
                who = self.person(15)
                old, given = self.word(), self.word()
                said = cells(who["forename"], who["surname"], old, given)
                declared = {"former_name": f"{given} {old}", "name_not_to_be_shown": "Y"}
                if same:
                    # Where the case system's own name cells hold it, they are the row's; what is declared stands beside.
                    brackets = {k: v for k, v in said.items() if k in ("forename", "surname")}
                    both_new = not any(v in (old, given, f"{given} Rose", old.upper()) for v in brackets.values())
                    case = self.case(who, **{**declared, **(said if both_new else {})})
                    other = self.service("schools", who, **self.home())
                    if not both_new:
                        # A second row of the same record, as a child has who is in the extract under both names.
                        self.add(CMS, **{**{k: v for k, v in case.items() if k != "key"}, **said, **declared})
                else:
                    case = self.case(who, **declared)
                    home = {"address": case["address"], "postcode": case["postcode"]}
                    other = self.service("schools", {**who, **said}, **home)
                mother = self.case(self.person(37))
                self.related(case, mother, "Mother")
                hidden = {"surname": old, "forename": given}
                shown_in = " ".join(str(v) for v in {**said, **({} if not same else declared)}.values()).lower()
                if old.lower() in shown_in.replace("-", "") or same:
                    self.secret(row, "hidden surname", old)
                    self.secret(row, "hidden surname, hyphen", f"{old[:4]}-{old[4:]}")
                if given.lower() in shown_in or same:
                    self.secret(row, "hidden forename", given)
                self.searches(row, who, case_id=case["case_id"], count=1)
                self.council.searches.append(Search(row, "search: name", hidden, nobody=True))
                self.council.searches.append(Search(row, "search: surname", {"surname": old}, nobody=True))
                self.council.searches.append(Search(row, "search: name", {"surname": old, "forename": who["forename"]}, nobody=True))
                self.council.searches.append(Search(row, "search: part of a date", {"surname": old, "date_of_birth": str(who["date_of_birth"].year)}, nobody=True))
                self.need(row, "today's surname", who["surname"], "person", case["key"])
                self.need(row, "today's forename, page", who["forename"], "page: person", case["key"])
                self.need(row, "the street", self.street(case), "person", case["key"])
                self.need(row, "the school's contact", other["worker_phone"], "service", case["key"])
                self.need(row, "the mother", mother["surname"], "relatives", case["key"])

    def confidential_places(self):
        """One place of a child is confidential. Another source writes it its own way, for the child, the mother, a sibling
        and a housemate. Each lives there; none of them may tell where it is."""
        slip = lambda pc: pc[:-1] + ("B" if pc[-1] != "B" else "D")
        # Spelling: (number, street, postcode, a word of its own) -> address, postcode.
        spellings = {
            "as declared": lambda n, st, pc, x: (f"{n} {st} Way, Kelby", pc),
            "no postcode": lambda n, st, pc, x: (f"{n} {st} Way, Kelby", ""),
            "a slip in the postcode": lambda n, st, pc, x: (f"{n} {st} Way, Kelby", slip(pc)),
            "a flat": lambda n, st, pc, x: (f"Flat 2, {n} {st} Way, Kelby", pc),
            "a house name": lambda n, st, pc, x: (f"{x} House, {n} {st} Way, Kelby", pc),
            "house name alone": lambda n, st, pc, x: (f"{x} House, Kelby", pc),
            "street misspelt": lambda n, st, pc, x: (f"{n} {st[:-1]} Way, Kelby", pc),
            "an invisible sign": lambda n, st, pc, x: (f"{n} {st[:3]}\u200b{st[3:]} Way, Kelby\u200e", pc),
            "(refuge)": lambda n, st, pc, x: (f"{n} {st} Way (refuge), Kelby", ""),
        }
        for spelling, write in spellings.items():
            street, own, number, pc = self.word(), self.word(), self.count() % 80 + 3, self.postcode()
            declared = {"address": f"{number} {street} Way, Kelby", "postcode": pc, "address_from": "2025-01-10"}
            address, code = write(number, street, pc, own)
            spelled = {"address": address, "postcode": code, "address_from": "2025-02-01"}
            line = self.phone()
            surname = self.word()
            child = self.case(self.person(13, surname=surname), street=False, **declared, address_confidential="Y", phone=line)
            mother = self.person(36, surname=surname)
            mother_case = self.case(mother, street=False)
            father = self.case(self.person(39, "male"))
            sibling = self.case(self.person(9, surname=surname), street=False)
            away = self.case(self.person(8, surname=surname))
            mate = self.person(44)
            school_word, old_home = self.word(), self.home()
            child_rec = self.service("schools", child_of(child), **spelled, phone=line, organisation=f"{school_word} School")
            mother_rec = self.service("housing", mother, **spelled, phone=line)
            self.add("housing", **{**mother_rec, **old_home, "address_from": "2019-01-01", "address_to": "2024-12-01", "phone": ""})
            sibling_rec = self.service("schools", child_of(sibling), **spelled, organisation=f"{self.word()} School")
            mate_rec = self.service("adult_social_care", mate, **spelled, phone=line)
            mate_key = f"{mate['forename']} {mate['surname']}"
            self.council.names[mate_key] = mate_key
            for one in (child, sibling, away):
                self.related(one, mother_case, "Mother")
                self.related(one, father, "Father")
            self.related(child, sibling, "Sibling")
            self.related(child, away, "Sibling")
            people = {"the child": (child, child["key"]), "the mother": (mother, mother_case["key"]), "a sibling": (sibling, sibling["key"]), "a housemate": (mate, mate_key)}
            bare = street[:-1] if spelling == "street misspelt" else street
            for whom, (who, key) in people.items():
                row = f"confidential place, {spelling}: {whom}"
                ways_of_them = [key]
                self.secret(row, "street", bare, about=ways_of_them)
                self.secret(row, "postcode", pc, about=ways_of_them)
                if code and code != pc:
                    self.secret(row, "postcode as misspelt", code, about=ways_of_them)
                if own in address:
                    self.secret(row, "house name", own, about=ways_of_them)
                self.secret(row, "the household's phone", line, about=ways_of_them)
                self.searches(row, who, case_id=who.get("case_id") or (mother_case["case_id"] if who is mother else None))
                self.need(row, "the name", who["forename"], "person", key, "open-search" if whom in ("a housemate",) else "")
                self.need(row, "the name, page", who["forename"], "page: person", key, "open-search" if whom in ("a housemate",) else "")
            row = f"confidential place, {spelling}: the child"
            self.need(row, "the words", "confidential and not shown", "person", child["key"])
            self.need(row, "the words, page", "confidential and not shown", "page: person", child["key"])
            self.need(row, "the mother among relatives", mother["forename"], "relatives", child["key"])
            row = f"confidential place, {spelling}: the mother"
            self.need(row, "the home before", self.street(old_home), "person", mother_case["key"])
            self.need(row, "the home before, page", self.street(old_home), "page: person", mother_case["key"])
            self.need(row, "her housing officer's phone", mother_rec["worker_phone"], "service", mother_case["key"])
            row = f"confidential place, {spelling}: a sibling"
            self.need(row, "the sibling elsewhere", self.street(away), "person", away["key"])
            self.searches(row, away)
            row = f"confidential place, {spelling}: a housemate"
            self.need(row, "the worker's phone", mate_rec["worker_phone"], "service", mate_key, "open-search")
            row = f"confidential place: the child's school"
            self.secret(row, "school", school_word, about=[child["key"]])
            self.secret(row, "school's phone", child_rec["worker_phone"], about=[child["key"]])
            self.searches(row, child)
        # The allocated worker is told.
        row = "confidential place: the child's school"
        child = self.case(self.person(12), address_confidential="Y", allocated=SAM)
        school = self.service("schools", child_of(child), address=child["address"], postcode=child["postcode"], organisation=f"{self.word()} School")
        self.searches(row, child)
        self.need(row, "the allocated worker sees it", school["organisation"], "service", child["key"])
        self.need(row, "the allocated worker sees it, page", school["organisation"], "page: service", child["key"])

    def never_linked(self):
        """An adopted child's two identities, with one birth date and one NHS number."""
        row = "never-link: two identities"
        for _ in range(2):
            new = self.person(10)
            old = {**new, "surname": self.word()}
            ids = [f"C{800000 + self.count()}", f"C{800000 + self.count()}"]
            sides = []
            for who, me, other in ((new, *ids), (old, *reversed(ids))):
                case = self.case(who, record_id=me, never_link=other)
                case["record_id"] = me
                record = self.service("schools", who, address=case["address"], postcode=case["postcode"])
                mother = self.case(self.person(35))
                self.related(case, mother, "Mother")
                sides.append((case, record, mother))
            for (case, record, mother), (that, those, her) in (sides, sides[::-1]):
                self.secret(row, "the other surname", that["surname"], about=[case["key"]])
                self.secret(row, "the other street", self.street(that), about=[case["key"]])
                self.secret(row, "the other case ID", that["case_id"], about=[case["key"]])
                self.secret(row, "the other school's phone", those["worker_phone"], about=[case["key"]])
                self.secret(row, "the other mother", her["surname"], about=[case["key"], mother["key"]])
                self.searches(row, case, case_id=case["case_id"])
                self.need(row, "its own street", self.street(case), "person", case["key"])
                self.need(row, "its own mother", mother["surname"], "relatives", case["key"])
                self.need(row, "its own name, page", case["surname"], "page: person", case["key"])

    def ages(self):
        """A record in a service that is not shown at this age, and one at an age at which it is."""
        for source in SOURCES[1:]:
            title, first, last, _ = ABOUT[source]
            for age, shown in ((first - 1, False), (first, True), *(((last + 1, False), (last, True)) if last else ())):
                row = f"age rule: {source} at {age} ({'shown' if shown else 'not shown'})"
                who = self.person(age)
                case = self.case(who, phone=self.phone())
                record = self.service(source, who, drop=self.without and not shown, **self.home(), phone=self.phone())
                child = case if age < 18 else self.case(self.person(6))
                if child is not case:
                    self.related(child, case, "Aunt")
                    self.searches(row, child)
                if not shown:
                    self.secrets_of(row, record, ["address", "postcode", "phone", "organisation", "worker_name", "worker_phone"])
                    self.council.same_pages.append((row, case["key"]))
                    self.council.same_searches.add(row)
                    self.need(row, "the rule", "We do not show", "person", case["key"])
                else:
                    self.need(row, "the worker's phone", record["worker_phone"], "service", case["key"])
                    self.need(row, "the worker's phone, page", record["worker_phone"], "page: service", case["key"])
                self.searches(row, who, case_id=case["case_id"])
                self.need(row, "the street", self.street(case), "person", case["key"])

    def unknown_ages(self):
        """Somebody without a birth date, whom only one service knows."""
        for source in SOURCES[1:]:
            row = f"unknown age: {source}"
            who = self.person(30, dob=False)
            rule = ABOUT[source][3] or "say"
            record = self.service(source, who, drop=self.without and rule == "hide", **self.home(), phone=self.phone())
            key = f"{who['forename']} {who['surname']}"
            self.council.names[key] = key
            self.searches(row, who, nobody=rule == "hide")
            if rule == "hide":
                self.secrets_of(row, record, ["surname", "address", "postcode", "phone", "organisation", "worker_name", "worker_phone"])
                self.council.same_searches.add(row)
                continue
            self.need(row, "the name", who["surname"], "search: name", key, "open-search")
            self.need(row, "the name, page", who["surname"], "page: person", key, "open-search")
            if rule == "say":
                self.secrets_of(row, record, ["organisation", "worker_name", "worker_phone"])
            else:
                self.need(row, "the worker's phone", record["worker_phone"], "service", key, "open-search")
        # The same beside the case system, which does not know the age either.
        for source in ("youth_justice", "police"):
            row = f"unknown age: {source}"
            who = self.person(30, dob=False)
            case = self.case(who)
            record = self.service(source, who, drop=self.without, **self.home())
            self.secrets_of(row, record, ["address", "postcode", "organisation", "worker_name", "worker_phone"])
            self.searches(row, who)
            self.need(row, "the street", self.street(case), "person", case["key"], "open-search")
            self.council.same_pages.append((row, case["key"]))

    def switched_off(self):
        row = "switched-off source"
        who = self.person(14)
        case = self.case(who)
        record = self.service("probation", who, drop=False, **self.home(), alias=f"{self.word()} {self.word()}", phone=self.phone())
        only = self.person(15)
        alone = self.service("probation", only, **self.home())
        self.secrets_of(row, record, ["address", "postcode", "phone", "organisation", "worker_name", "worker_phone", "alias"])
        self.secrets_of(row, alone, ["surname", "address", "postcode", "organisation", "worker_phone"])
        self.secret(row, "the service's name", "Probation", ways=["person", "page: person", "service", "page: service"])
        self.searches(row, who, case_id=case["case_id"])
        self.searches(row, only, nobody=True)
        self.need(row, "the street", self.street(case), "person", case["key"])

    def rejected(self):
        """A row that is of no use comes back to its owner, with agreed columns alone; another's row does not."""
        row = "rejected row"
        self.bad = {"surname": self.word(), "not_agreed": self.word()}
        self.council.rows["adult_social_care"].append({"record_id": "4.86E+09", "forename": "Ann", "surname": self.bad["surname"], "ethnicity": self.bad["not_agreed"]})
        good = self.case(self.person(13))
        self.council.rows[CMS][-1]["ethnicity"] = other = self.word()
        self.secret(row, "a column that is not agreed", self.bad["not_agreed"])
        self.secret(row, "a column that is not agreed, of a row that is used", other)
        everywhere_else = [w for w in WAYS if w != "rejected rows"]
        self.secret(row, "the rejected name", self.bad["surname"], ways=everywhere_else)
        self.searches(row, good)
        self.need(row, "the row comes back", self.bad["surname"], "rejected rows", "")
        self.need(row, "the report counts it", '"rejected"', "reports", "")


def child_of(case):
    """Who a record of the case system is, without what only that system says."""
    return {k: case[k] for k in ("forename", "surname", "sex", "nhs_number", "date_of_birth") if k in case}


WAYS = [
    "search: name", "search: surname", "search: birth date", "search: name and date", "search: part of a date", "search: case ID",
    "search again", "order, count, more", "matched_by", "person", "relatives", "same address", "service", "joined",
    "page: results", "page: person", "page: service", "reports", "rejected rows", "log",
]


def definition(source, age_unknown):
    """A source's definition: every field, under its own name, in one plain file."""
    title, first, last, unknown = ABOUT[source]
    fields = [f for f in FIELDS if source == CMS or f not in ("case_id", "allocated", "name_not_to_be_shown", "address_confidential", "never_link")]
    shared = fields + (["related_id", "relationship"] if source == CMS else [])
    quoted = lambda names: ", ".join(f'"{n}"' for n in names)
    text = f'title = "{title}"\nservice = "{source}"\ndatabase = "{title} database"\norganisation = "Fenchester"\narea = "Fenchester"\n'
    text += f'expect_every_days = 7\nenabled = {"false" if source == "probation" else "true"}\ncms = {"true" if source == CMS else "false"}\n'
    text += "tells_place = true\n" if source == "schools" and age_unknown else ""
    text += f'agreed = [{quoted(shared)}]\n[duty]\nteam = "{title} duty desk"\nphone = "01632 96010{len(title) % 10}"\n'
    text += '[current]\nrule = "end-date-empty-or-future"\n[coverage]\nsince = 2000-01-01\ntext = "Fenchester only."\n'
    if first or last:
        text += "[ages]\n" + (f"from = {first}\n" if first else "") + (f"to = {last}\n" if last else "")
        text += f'age_unknown = "{unknown}"\n' if unknown and age_unknown else ""
    text += '[feeds.people]\nkind = "people"\nencoding = "utf-8"\ndelimiter = ","\ndates = ["yyyy-mm-dd"]\nreject_limit = 0.5\n[feeds.people.columns]\n'
    for name in fields:
        if name == "protection":
            text += 'protection = { column = "protection", values = { "none" = "none", "withheld" = "withheld", "hidden" = "hidden" } }\n'
        elif name in ("alias", "former_name"):
            text += f'{name} = {{ column = "{name}", split = ";" }}\n'
        else:
            text += f'{name} = "{name}"\n'
    if source == CMS:
        text += '[feeds.relationships]\nkind = "relationships"\n[feeds.relationships.columns]\nrecord_id = "record_id"\n'
        text += 'related_id = "related_id"\nrelationship = "relationship"\n[feeds.relationships.inverse]\n'
        text += '"Mother" = "Child"\n"Father" = "Child"\n"Sibling" = "Sibling"\n"Aunt" = "Niece or nephew"\n'
    return text


def write(council, folder, journey, age_unknown):
    """The extract files and the definitions of a council."""
    folder = Path(folder)
    sources, extracts = folder / "sources", folder / "extracts"
    for path in (sources, extracts):
        path.mkdir(parents=True, exist_ok=True)
    virtual = '[virtual_school]\nname = "Virtual School"\nphone = "01632 960450"\n' if age_unknown else ""
    (sources / "council.toml").write_text(
        f'name = "Fenchester City Council"\ncms = "Mosaic"\njourney = "{journey}"\n[search]\nby_name = true\nby_case_id = true\n'
        "own_caseload_only = false\n[opening]\nask_purpose = false\nconsent_guidance = \"\"\n[sessions]\nidle_minutes = 30\nlongest_minutes = 600\n" + virtual)
    for source, rows in council.rows.items():
        (sources / f"{source}.toml").write_text(definition(source, age_unknown))
        name = f"{source}-people.csv"
        with open(extracts / name, "w", newline="", encoding="utf-8") as file:
            out = csv.DictWriter(file, [*FIELDS, "ethnicity"], extrasaction="ignore")
            out.writeheader()
            out.writerows(rows)
    with open(extracts / f"{CMS}-relationships.csv", "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["record_id", "related_id", "relationship"])
        out.writerows(council.relations)
