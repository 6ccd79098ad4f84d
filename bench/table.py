# SPDX-License-Identifier: GPL-2.0-or-later
"""The bench's rows: who took what, against whom, and whether the aim was reached."""
import statistics

WHO = ("atolld", "dockerd", "podman", "kernel")


class Row:
    """@better: "low" or "high". @aim: (">=", x, ref): at least x times better than @ref; ("<=", x, ref):
    at most x times its cost. @ref: a column, or another row's label: atolld there. @part: of which
    a failure explains an empty cell. @least: atolld's own figure must be below this. @why: why the aim
    is known not to be reached."""

    def __init__(self, label, unit, part, better="low", aim=None, least=None, why=""):
        self.label, self.unit, self.part, self.better, self.aim, self.least, self.why = label, unit, part, better, aim, least, why
        self.samples, self.value = {}, {}

    def take(self, who, samples):
        if samples:
            self.samples[who], self.value[who] = samples, statistics.median(samples)

    def reference(self, rows):
        ref = self.aim[2] if self.aim else "dockerd"
        if ref in WHO:
            return self.samples.get(ref)
        return next((r.samples.get("atolld") for r in rows if r.label == ref), None)

    def ratio(self, rows):
        """How many times better than the reference (<=: how many times its cost); None if not known.
        Who took turns is compared turn by turn: what the machine did meanwhile met both."""
        us, them = self.samples.get("atolld"), self.reference(rows)
        if not us or not them:
            return None
        pairs = zip(us, them) if len(us) == len(them) else [(statistics.median(us), statistics.median(them))]
        better = statistics.median(b / a if self.better == "low" else a / b for a, b in pairs)
        return 1 / better if self.aim and self.aim[0] == "<=" else better

    def reached(self, rows):
        """True, False, or None without an aim or without figures."""
        r, out = self.ratio(rows), None
        if self.aim and r is not None:
            out = r >= self.aim[1] if self.aim[0] == ">=" else r <= self.aim[1]
        if self.least and "atolld" in self.value:
            out = out is not False and self.value["atolld"] < self.least
        return out

    def aim_text(self):
        out = []
        if self.aim:
            ref = {"dockerd": "dockerd", "kernel": "kernel alone"}.get(self.aim[2], "“%s”" % self.aim[2])
            out.append("%s %g× %s" % ("≥" if self.aim[0] == ">=" else "≤", self.aim[1], ref))
        if self.least:
            out.append("< %g" % self.least)
        return ", ".join(out)


def number(x):
    return "–" if x is None else "%.3g" % x if x < 100 else "%.0f" % x


def markdown(title, rows, all_rows):
    who = [w for w in WHO if w == "atolld" or any(w in r.value for r in rows)]
    head = [title, "unit"] + ["kernel alone" if w == "kernel" else w for w in who] + ["ratio", "aim", "reached"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for r in rows:
        ratio, ok = r.ratio(all_rows), r.reached(all_rows)
        lines.append("| " + " | ".join(
            [r.label, r.unit] + [number(r.value.get(w)) for w in who] +
            ["" if ratio is None else "%.3g×" % ratio, r.aim_text(), {True: "yes", False: "**no**", None: "–" if r.aim or r.least else ""}[ok]]) + " |")
    return "\n".join(lines)


def missed(rows):
    return ["%s: %s %s, aim %s" % (r.label, number(r.value.get("atolld")), r.unit, r.aim_text()) +
            ("" if r.ratio(rows) is None else ", ratio %.3g×" % r.ratio(rows)) + (": " + r.why if r.why else "") for r in rows if r.reached(rows) is False]
