"""The table of ratios."""
from machine import median


def span(values, unit, digits):
    text = f"{median(values):,.{digits}f}{unit}"
    return text if len(values) == 1 else f"{text} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


class Line:
    """Figures of tallyd and of what it is compared with, turn by turn. Without the latter the goal is the figure's."""

    def __init__(self, row, what, against, unit, ours, theirs, least, aim, down=False, digits=0):
        self.row, self.what, self.against, self.unit = row, what, against, unit
        self.ours, self.theirs, self.least, self.aim, self.down, self.digits = ours, theirs, least, aim, down, digits
        self.value = median(ours) / (median(theirs) if theirs else 1)

    def meets(self, goal):
        return self.value <= goal if self.down else self.value >= goal

    def cells(self):
        unit = " x" if self.theirs else self.unit
        mark = "aim" if self.meets(self.aim) else "yes" if self.meets(self.least) else "NO"
        most = "≤ " if self.down else "≥ "
        return [str(self.row), self.what, self.against, span(self.ours, self.unit, self.digits),
                span(self.theirs, self.unit, self.digits) if self.theirs else "–", f"{self.value:.2f}{unit}",
                f"{most}{self.least:g}{unit}", f"{most}{self.aim:g}{unit}", mark]


def table(lines):
    rows = [["row", "what", "against", "tallyd", "other", "ratio", "at least", "aim", "reached"]]
    rows += [line.cells() for line in sorted(lines, key=lambda line: line.row)]
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    rows.insert(1, ["-" * w for w in widths])
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(r, widths)).rstrip() for r in rows)
