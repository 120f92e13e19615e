#!/usr/bin/env python3
"""The oracle: says who must be found and who must not, from extracts and definitions alone, and asks the running tool.

It shares no code with the product. It is small, slow and obvious, so that it can be believed. Councils:

  pairs      people made for it, known to each service, pair and triple of services of the shipped definitions, at ages
             around every limit; and once more in the child-first journey
  standard   pairs of the standard dataset with each other service, as if a case management system were shown at some ages
  synth      a council of `family-context synth`
  dev        tests/data/council-dev

Ends with 1 when the tool disagrees with it, when fewer than 3,000 questions were asked, or a kind was never asked; with 2
when it could not ask.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
import made
import made_questions
import record_questions
from definitions import read_extracts, read_sources
from judge import Enough, Judge
from rules import today
from tool import Tool

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "infra/sources"
LEAST = 3000
# A run over midnight is made again: ages are counted on one day.
TRIES = 2


def definitions_for(folder, into, switched_on, switched_off, journey, also_years, ages, without_age_unknown):
    """Copies definitions as they are shipped, but for what is on and off, the journey, years alone as birth dates, and ages."""
    into.mkdir(parents=True)
    for path in Path(folder).glob("*.toml"):
        text = path.read_text("utf-8")
        if path.stem in switched_on:
            text = re.sub(r"(?m)^enabled = false$", "enabled = true", text)
        if path.stem in switched_off:
            text = re.sub(r"(?m)^(title = .*)$", r"\1\nenabled = false", text, count=1)
        if path.stem == "council":
            text = re.sub(r'(?m)^journey = .*$', f'journey = "{journey}"', text)
        if also_years:
            text = re.sub(r'(?m)^dates = \["([^"\]]+)"\]', r'dates = ["\1", "yyyy"]', text)
        if path.stem in ages:
            text += "\n[ages]\nfrom = {}\nto = {}\n".format(*ages[path.stem])
        if without_age_unknown:
            text = re.sub(r"(?m)^age_unknown = .*\n", "", text)
        (into / path.name).write_text(text, "utf-8")
    return into


class Run:
    """One run of all councils that were asked for."""

    def __init__(self, options, folder):
        self.options, self.folder, self.judge, self.started = options, folder, Judge(options.enough), 0

    def tool(self, extracts, sources):
        self.started += 1
        log = self.folder / f"tool-{self.started}.log"
        return Tool(self.options.program, extracts, sources, self.options.port, log)

    def definitions(self, name, folder, **more):
        """The folder that the tool gets, and the rules by which it is judged."""
        settings = {"switched_on": (), "switched_off": (), "journey": "open-search", "also_years": False, "ages": {}, **more}
        without = self.options.tool_without_age_unknown
        given = definitions_for(folder, self.folder / f"{name}-given", **settings, without_age_unknown=without)
        judged = definitions_for(folder, self.folder / f"{name}-judged", **settings, without_age_unknown=False)
        return given, read_sources(judged)

    def pairs(self):
        settings = {"switched_on": ("police",), "also_years": True}
        given, sources = self.definitions("pairs", SHIPPED, **settings)
        day = today()
        people = made.make(sources, "children_social_care", day)
        extracts = self.written("pairs", people, sources)
        with self.tool(extracts, given) as tool:
            self.loaded("pairs", tool, people)
            made_questions.ask_open_search(tool, people, sources, day, self.judge)
        given, sources = self.definitions("child-first", SHIPPED, journey="child-first", **settings)
        with self.tool(extracts, given) as tool:
            self.loaded("pairs, child first", tool, people)
            made_questions.ask_child_first(tool, people, sources, day, self.judge)

    def standard(self):
        cms = "standard_safeguarding_dataset"
        given, sources = self.definitions(
            "standard", SHIPPED, switched_on=("police", cms), switched_off=("children_social_care",), also_years=True,
            ages={cms: (2, 25)},
        )
        day = today()
        people = made.make(sources, cms, day, pairs_of_the_cms_alone=True)
        extracts = self.written("standard", people, sources)
        with self.tool(extracts, given) as tool:
            self.loaded("standard", tool, people)
            made_questions.ask_open_search(tool, people, sources, day, self.judge)

    def written(self, name, people, sources):
        extracts = self.folder / f"{name}-extracts"
        extracts.mkdir()
        made.write(people, sources, extracts)
        return extracts

    def synth(self):
        extracts = self.folder / "synth"
        subprocess.run(
            [self.options.program, "synth", "--people", str(self.options.people), "--seed", str(self.options.seed), "--out", extracts],
            check=True, timeout=120, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        )
        given, sources = self.definitions("synth", SHIPPED)
        self.records("synth", extracts, given, sources)

    def dev(self):
        council = ROOT / "tests/data/council-dev"
        extracts = self.folder / "dev"
        extracts.mkdir()
        for path in council.glob("*.csv"):
            shutil.copy(path, extracts)
        given, sources = self.definitions("dev", council / "sources")
        self.records("dev", extracts, given, sources)

    def records(self, name, extracts, given, sources):
        day = today()
        records = read_extracts(extracts, sources, day)
        with self.tool(extracts, given) as tool:
            self.loaded(name, tool, records)
            record_questions.ask(tool, records, sources, day, self.judge)

    def loaded(self, name, tool, everyone):
        loads = tool.loads()
        held = [line for line in loads if " applied." not in line]
        if held or not loads:
            raise RuntimeError(f"not every file of {name} was loaded:\n" + "\n".join(held or ["none was"]))
        print(f"{name}: {len(everyone)} asked for, {len(loads)} files loaded", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", default=ROOT / "target/release/family-context", help="the tool")
    parser.add_argument("--port", type=int, default=0, help="the page's port; the next three are taken too (default: any)")
    parser.add_argument("--people", type=int, default=600, help="how many people synth makes up (default: 600)")
    parser.add_argument("--seed", type=int, default=13, help="which council synth makes (default: 13)")
    parser.add_argument("--councils", default="pairs,standard,synth,dev", help="of pairs, standard, synth and dev (default: all)")
    parser.add_argument("--all", action="store_true", help="list every disagreement")
    parser.add_argument("--enough", type=int, help="stop after so many disagreements")
    parser.add_argument("--tool-without-age-unknown", action="store_true", help="for a tool of before that setting")
    options = parser.parse_args()
    began = time.monotonic()
    councils = options.councils.split(",")
    if not set(councils) <= {"pairs", "standard", "synth", "dev"}:
        parser.error("the councils are pairs, standard, synth and dev")
    for attempt in range(TRIES):
        day = today()
        with tempfile.TemporaryDirectory(prefix="oracle-") as folder:
            run = Run(options, Path(folder))
            try:
                for council in councils:
                    getattr(run, council)()
            except Enough:
                print("enough: the rest is not asked")
        if today() == day:
            break
        print("midnight passed: everything is asked again")
    kinds = (made_questions.KINDS if "pairs" in councils else []) + (record_questions.KINDS if "synth" in councils else [])
    is_well = run.judge.tell(LEAST if "pairs" in councils else 0, kinds)
    if options.all:
        print("\n".join(run.judge.disagreements))
    print(f"{'the tool and the oracle agree' if is_well else 'FAILED'}, in {time.monotonic() - began:.0f} s")
    return 0 if is_well else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, RuntimeError, subprocess.SubprocessError) as problem:
        print(f"could not ask: {problem}")
        sys.exit(2)
