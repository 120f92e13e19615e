"""Source definitions and extract files, read the slow and obvious way. Shares nothing with the product."""

import csv
import io
import re
import tomllib
import unicodedata
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

# What a newborn is called until it has a name, and words that are no name at all: nobody is asked for by these.
NO_NAMES = {
    "baby", "unborn", "infant", "unknown", "test", "none", "nk", "na", "tbc", "tba", "anon", "anonymous", "twin", "male",
    "female", "boy", "girl", "unnamed", "no", "not", "xxx", "xx", "zzz", "dummy",
}
TITLES = {"mr", "mrs", "miss", "ms", "mx", "master", "mstr", "dr", "prof", "rev", "revd", "sir", "dame", "cllr"}
SUFFIXES = {"jr", "jnr", "snr", "esq", "obe", "mbe", "cbe", "phd", "bsc", "ii", "iii"}
PARTICLES = {"o", "mc", "mac", "de", "del", "da", "dos", "di", "van", "von", "der", "den", "la", "le", "el", "st"}
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


def tokens(text):
    """The words of a name: no accents, signs or capitals."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text or "") if not unicodedata.combining(c))
    plain = plain.replace("'", "").replace("\u2019", "").replace("`", "").lower()
    return re.findall(r"[^\W\d_]+", plain)


@dataclass
class Source:
    """What a definition says of who may be seen."""

    name: str
    rows: dict
    enabled: bool
    is_cms: bool
    is_staff: bool
    youngest: int | None
    oldest: int | None
    age_unknown: str

    @property
    def at_any_age(self):
        return self.youngest is None and self.oldest is None


def read_sources(folder):
    """Every definition of a folder, by name."""
    sources = {}
    for path in sorted(Path(folder).glob("*.toml")):
        if path.stem == "council":
            continue
        said = tomllib.loads(path.read_text("utf-8"))
        ages = said.get("ages", {})
        sources[path.stem] = Source(
            name=path.stem,
            rows=said,
            enabled=said.get("enabled", True),
            is_cms=said.get("cms", False),
            is_staff=said.get("kind") == "staff",
            youngest=ages.get("from"),
            oldest=ages.get("to"),
            age_unknown=ages.get("age_unknown", "say"),
        )
    return sources


@dataclass
class Record:
    """What one source says of one person, as far as it bears on being found."""

    source: str
    id: str
    # (forenames, surname), the first is the one in use.
    names: list = field(default_factory=list)
    # date, (year, month), (year,) or None; and whether it is expected.
    birth: object = None
    unborn: bool = False
    death: date | None = None
    nhs: str = ""
    upn: str = ""
    case: str = ""
    postcode: str = ""
    uprn: str = ""
    protection: str = "none"
    # Record ids of those it states a relationship with.
    related: list = field(default_factory=list)


def _text(path, encoding):
    raw = path.read_bytes()
    for mark, of in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if raw.startswith(mark):
            return raw.decode(of, "replace")
    return raw.decode({"windows-1252": "cp1252"}.get(encoding, encoding or "utf-8"), "replace")


def _heading(text):
    return re.sub(r"[^0-9a-z]", "", text.lower())


def _cell(row, spec):
    """The texts of a column, codes taken for what they mean."""
    if isinstance(spec, str):
        spec = {"column": spec}
    if isinstance(spec, list):
        spec = {"columns": spec}
    if "always" in spec:
        return [spec["always"]]
    if "columns" in spec:
        found = [row.get(_heading(column), "").strip() for column in spec["columns"]]
        found = [text for text in found if text]
        return [spec["join"].join(found)] if "join" in spec and found else found
    headings = [spec["column"], *(spec["also"] if isinstance(spec.get("also"), list) else [spec.get("also", "")])]
    text = next((row[_heading(one)].strip() for one in headings if _heading(one) in row), "")
    values = [part.strip() for part in text.split(spec["split"])] if "split" in spec else [text]
    meanings = {key.lower(): value for key, value in spec.get("values", {}).items()}
    if meanings:
        values = [meanings.get(value.lower(), meanings.get("*", "" if not value else "?" + value)) for value in values]
    return [value for value in values if value]


# What each part of a declared date format may look like.
PARTS = {
    "yyyy": r"(?P<year>\d{4})", "yy": r"(?P<short>\d\d)", "Mon": r"(?P<name>[A-Za-z]{3,9})", "mm": r"(?P<month>\d{1,2})",
    "dd": r"(?P<day>\d{1,2})",
}


def read_date(text, formats, today):
    """A birth date as a source writes it: a date, (year,), (year, month) or None."""
    text = re.split(r"[T ](?=\d\d:\d\d)", text.strip())[0]
    for form in formats:
        pieces = re.findall(r"yyyy|yy|Mon|mm|dd|.", form)
        pattern = "".join(PARTS.get(piece, re.escape(piece)) for piece in pieces)
        if all(piece in PARTS for piece in pieces):
            # Nothing stands between the parts: each has all its digits.
            pattern = pattern.replace("{1,2}", "{2}")
        found = re.fullmatch(pattern, text)
        if not found:
            continue
        said = found.groupdict()
        year = int(said["year"]) if said.get("year") else int(said["short"]) + 2000
        if said.get("short") and year > today.year + 1:
            year -= 100
        month = int(said["month"]) if said.get("month") else None
        if said.get("name"):
            month = MONTHS.index(said["name"][:3].lower()) + 1 if said["name"][:3].lower() in MONTHS else 0
        try:
            if month is None:
                return (year,)
            return date(year, month, int(said["day"])) if said.get("day") else (year, month)
        except ValueError:
            continue
    return None


def is_placeholder(birth):
    """Dates that systems put in when they know none."""
    if birth is None:
        return False
    if isinstance(birth, date):
        return birth.month == 1 and birth.day == 1
    return birth[0] in (1900, 1901, 1970, 2000)


def whole_name(text, surname_first):
    """(forenames, surname) of a name that stands in one cell, or None where this program would have to guess."""
    if any(sign in text for sign in "(?*\"/"):
        return None
    if "," in text:
        surname, rest = text.split(",", 1)
        forenames = [word for word in rest.split() if word.strip(".").lower() not in TITLES | SUFFIXES]
        return forenames, surname.strip()
    words = text.split()
    titled = False
    while words and words[0].strip(".").lower() in TITLES:
        titled, words = True, words[1:]
    words = [word for word in words if word.strip(".").lower() not in SUFFIXES]
    if len(words) < 2 or any(word.lower() in PARTICLES for word in words):
        return None
    capitals = [word for word in words if len(re.sub(r"\W", "", word)) > 1 and word == word.upper()]
    if capitals and len(capitals) < len(words):
        if words[-len(capitals):] == capitals:
            return words[:-len(capitals)], " ".join(capitals)
        if words[:len(capitals)] == capitals:
            return words[len(capitals):], " ".join(capitals)
        return None
    if len(words) != 2 or any(len(word.strip(".")) == 1 for word in words):
        return None
    return ([words[1]], words[0]) if surname_first and not titled else ([words[0]], words[1])


def _names(row, columns):
    def of(field):
        return _cell(row, columns[field]) if field in columns else []

    def first(field):
        return next(iter(of(field)), "")

    names = []
    if "full_name" in columns:
        spec = columns["full_name"]
        surname_first = isinstance(spec, dict) and spec.get("order") == "surname-first"
        name = whole_name(first("full_name"), surname_first) if first("full_name") else None
        if name:
            names.append(name)
    elif first("surname") or first("forename"):
        forenames = f"{first('forename')} {first('middle_names')}".split()
        names.append(([word for word in forenames if word.strip(".").lower() not in TITLES], first("surname")))
    if not names:
        return []
    forenames, surname = names[0]
    if first("name_not_to_be_shown").lower() not in ("", "n", "no", "0", "false"):
        return names
    names += [([text], surname) for text in of("preferred_name") + of("known_as")]
    names += [(forenames, text) for text in of("former_surname")]
    for field in ("former_name", "alias"):
        spec = columns.get(field)
        surname_first = isinstance(spec, dict) and spec.get("order") == "surname-first"
        names += [name for name in (whole_name(text, surname_first) for text in of(field)) if name]
    return names


def read_extracts(folder, sources, today):
    """Every record of a folder of extract files, also of sources that are switched off."""
    records = {}
    for path in sorted(Path(folder).glob("*.csv")):
        stem = path.stem
        source = next((one for one in sources.values() if stem == one.name or stem.startswith(one.name + "-")), None)
        if source is None or source.is_staff:
            continue
        feeds = source.rows["feeds"]
        wanted = stem[len(source.name) + 1:]
        name = wanted or (next(iter(feeds)) if len(feeds) == 1 else "people")
        feed = feeds.get(name)
        if feed is None or feed["kind"] == "staff":
            continue
        delimiter = {"tab": "\t"}.get(feed.get("delimiter", ","), feed.get("delimiter", ","))
        lines = csv.reader(io.StringIO(_text(path, feed.get("encoding")), newline=""), delimiter=delimiter)
        headings = None
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            folded = [_heading(cell) for cell in cells]
            if headings is None:
                headings = folded
                continue
            if folded == headings or folded[0].startswith("total"):
                continue
            row = dict(zip(headings, cells))
            _read_row(records, source, feed, row, today)
    return list(records.values())


def _read_row(records, source, feed, row, today):
    columns = feed["columns"]

    def first(field):
        return next(iter(_cell(row, columns[field])), "") if field in columns else ""

    id = re.sub(r"\.0$", "", first("record_id"))
    if not id or re.fullmatch(r"[\d.]+E\+\d+", id):
        return
    record = records.setdefault((source.name, id), Record(source.name, id))
    if feed["kind"] == "relationships":
        if "related_id" in columns and first("related_id"):
            record.related.append(first("related_id"))
        return
    if feed["kind"] == "identifiers":
        if first("identifier_kind") == "nhs_number":
            record.nhs = record.nhs or re.sub(r"\D", "", first("identifier_value"))
        return
    record.names += [name for name in _names(row, columns) if name not in record.names]
    formats = feed.get("dates", [])

    def day(field):
        return read_date(first(field), formats, today) if first(field) else None

    born = day("date_of_birth")
    if born is not None and is_placeholder(born):
        born = "placeholder"
    expected = day("expected_date")
    if record.birth is None:
        record.birth = born or expected
        unborn = first("unborn").lower() in ("y", "yes", "1", "true")
        ahead = isinstance(record.birth, date) and record.birth > today
        named = any("unborn" in tokens(" ".join(forenames)) for forenames, _ in record.names)
        record.unborn = (born is None and expected is not None) or unborn or ahead or named
    died = day("date_of_death")
    if isinstance(died, date):
        record.death = died
    record.nhs = record.nhs or re.sub(r"\D", "", first("nhs_number"))
    record.upn = record.upn or first("upn").upper()
    record.case = record.case or first("case_id")
    text = first("postcode") or first("address")
    code = re.search(r"\b([A-Z]{1,2}\d[A-Z\d]?)\s*(\d[A-Z]{2})\b", text.upper())
    record.postcode = record.postcode or (f"{code[1]} {code[2]}" if code else "")
    record.uprn = record.uprn or first("uprn")
    strictest = ["none", "withheld", "hidden"]
    said = first("protection") or "none"
    said = said if said in strictest else "withheld"
    record.protection = max(record.protection, said, key=strictest.index)
