"""Medians of the rounds, and their ratios."""

from collections import defaultdict
from statistics import median


class Summary:
    """Figures by subject, case and contender: the median of the rounds that succeeded."""

    def __init__(self, records):
        rounds = defaultdict(lambda: defaultdict(list))
        self.problems = defaultdict(list)
        self.cases = defaultdict(list)
        for record in records:
            if record.case not in self.cases[record.subject]:
                self.cases[record.subject].append(record.case)
            key = (record.subject, record.case, record.contender)
            if record.problem:
                self.problems[key].append(record.problem)
            for name, value in record.figures.items():
                rounds[key][name].append(value)
        self.figures = {
            key: {name: median(values) for name, values in figures.items()} for key, figures in rounds.items()
        }
        self.spread = {
            key: {name: (min(values), max(values)) for name, values in figures.items()}
            for key, figures in rounds.items()
        }

    def figure(self, subject, case, contender, name):
        """The median, or None where nothing was measured. What failed in any round has no figure at all."""
        key = (subject, case, contender)
        return None if key in self.problems else self.figures.get(key, {}).get(name)

    def ratio(self, subject, case, name, ours, theirs):
        mine, other = self.figure(subject, case, ours, name), self.figure(subject, case, theirs, name)
        return mine / other if mine is not None and other else None

    def contenders(self, subject):
        found = {key[2]: None for key in [*self.figures, *self.problems] if key[0] == subject}
        return list(found)

    def as_json(self):
        return [
            {"subject": subject, "case": case, "contender": contender, "medians": figures,
             "lowest": {name: low for name, (low, _) in self.spread[subject, case, contender].items()},
             "highest": {name: high for name, (_, high) in self.spread[subject, case, contender].items()}}
            for (subject, case, contender), figures in self.figures.items()
        ]
