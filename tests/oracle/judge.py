"""Counts questions and disagreements, by kind."""

from collections import Counter


class Enough(Exception):
    """As many disagreements as were wanted."""


class Judge:
    """What was asked, what was answered otherwise than it should be, and what could not be judged."""

    def __init__(self, enough=None):
        self.enough = enough
        self.asked, self.wrong, self.open, self.passed_over = Counter(), Counter(), Counter(), Counter()
        self.disagreements = []

    def ask(self, kind, who, wanted, got, why=""):
        """One question with its right answer: "yes", "no" or "either"."""
        if wanted == "either":
            self.open[kind] += 1
            return
        self.asked[kind] += 1
        if (wanted == "yes") != bool(got):
            self.wrong[kind] += 1
            should = "should be, and is not" if wanted == "yes" else "should not be, and is"
            self.disagreements.append(f"{kind}: {who} {should}{': ' + why if why else ''}")
            if self.enough and len(self.disagreements) >= self.enough:
                raise Enough

    def pass_over(self, why):
        """Somebody who is not asked for, and why."""
        self.passed_over[why] += 1

    def tell(self, least, kinds):
        """Prints everything, and says whether all is well."""
        print(f"\n{'questions':>10} {'wrong':>6} {'not judged':>11}  kind")
        for kind in sorted(set(self.asked) | set(self.open) | set(kinds)):
            print(f"{self.asked[kind]:>10} {self.wrong[kind]:>6} {self.open[kind]:>11}  {kind}")
        total, wrong = sum(self.asked.values()), sum(self.wrong.values())
        print(f"{total:>10} {wrong:>6} {sum(self.open.values()):>11}  in all")
        for why, count in sorted(self.passed_over.items()):
            print(f"passed over, {count}: {why}")
        for line in self.disagreements[:20]:
            print(f"DISAGREES  {line}")
        if len(self.disagreements) > 20:
            print(f"and {len(self.disagreements) - 20} more (--all lists them)")
        unasked = [kind for kind in kinds if not self.asked[kind]]
        if unasked:
            print(f"never asked: {', '.join(unasked)}")
        if total < least:
            print(f"only {total} questions: at least {least} are to be asked")
        return not wrong and not unasked and total >= least
