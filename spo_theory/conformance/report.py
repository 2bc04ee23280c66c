"""What a check found, as text, JSON and JUnit."""

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from spo_theory.conformance.core import Finding

WIDTH = 118
"""Letters in a line of the report."""


@dataclass(frozen=True)
class Report:
    """All findings on one function.

    subject: its name. convention: what it was compared with. identified: how it was found, if it was not given.
    kind: what the function computes. how: the settings that say how it was called. known: whether there is a convention
    to compare it with; without one only the properties of all functions of its kind are judged.
    """

    subject: str
    convention: str
    identified: Any
    findings: Sequence[Finding] = field(default_factory=list)
    kind: str = "advantages"
    how: dict[str, Any] = field(default_factory=dict)
    known: bool = True

    @property
    def failed(self) -> list[Finding]:
        """Findings of the properties that fail."""
        return [finding for finding in self.findings if finding.verdict == "fails"]

    @property
    def ok(self) -> bool:
        """Whether no property fails, and there was a convention to compare with."""
        return self.known and not self.failed

    def __str__(self) -> str:
        """The report for a terminal."""
        called = [f"{name} {value}" for name, value in self.how.items() if value is not None]
        lines = [", ".join([f"{self.subject}: {self.kind}", *called])]
        said = f"compared with {self.convention}" if self.identified is None else str(self.identified)
        lines += _wrapped("", said)
        lines.append("")
        width = max(len(finding.property.name) for finding in self.findings)
        for finding in self.findings:
            mark = {"holds": "ok  ", "fails": "FAIL", "does not apply": "-   "}[finding.verdict]
            said = finding.property.meaning if finding.verdict == "holds" else finding.reason
            lines += _wrapped(f"{mark} {finding.property.name:<{width}}  ", said)
        for finding in self.failed:
            lines += ["", *explained(finding)]
        return "\n".join([*lines, "", self.summary()])

    def summary(self) -> str:
        """One line with the number of properties by verdict."""
        count = dict.fromkeys(("holds", "fails", "does not apply"), 0)
        for finding in self.findings:
            count[finding.verdict] += 1
        kinds = [finding.severity for finding in self.failed]
        of = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
        failing = f"{count['fails']} fail ({of})" if kinds else "none fails"
        unknown = "" if self.known else "; no convention is known to compare it with: name one, or its numbers"
        return f"{count['holds']} properties hold, {failing}, {count['does not apply']} do not apply{unknown}"

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return {
            "subject": self.subject,
            "kind": self.kind,
            **{name: list(value) if isinstance(value, tuple) else value for name, value in self.how.items()},
            "convention": self.convention,
            "identified": None if self.identified is None else str(self.identified),
            "ok": self.ok,
            "summary": self.summary(),
            "properties": [_row(finding) for finding in self.findings],
        }

    def to_json(self) -> str:
        """The report as JSON; an infinite excess is null."""
        return json.dumps(self.as_dict(), indent=1) + "\n"

    def to_junit(self) -> str:
        """The report as JUnit XML, one test case for each property."""
        suite = ElementTree.Element(
            "testsuite",
            name=f"spo check {self.subject}",
            tests=str(len(self.findings)),
            failures=str(len(self.failed)),
            skipped=str(sum(finding.verdict == "does not apply" for finding in self.findings)),
        )
        for finding in self.findings:
            case = ElementTree.SubElement(suite, "testcase", classname=self.subject, name=finding.property.name)
            if finding.verdict == "fails":
                failure = ElementTree.SubElement(case, "failure", message=finding.reason)
                failure.text = "\n".join(explained(finding))
            elif finding.verdict == "does not apply":
                ElementTree.SubElement(case, "skipped", message=finding.reason)
        return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _row(finding: Finding) -> dict[str, Any]:
    """One finding as plain values."""
    return {
        "name": finding.property.name,
        "meaning": finding.property.meaning,
        "why": finding.property.why,
        "severity": finding.severity,
        "verdict": finding.verdict,
        "reason": finding.reason,
        "examples": finding.tried,
        "excess": finding.excess if finding.excess < float("inf") else None,
        "got": finding.got,
        "wanted": finding.wanted,
        "counterexample": finding.counterexample,
    }


def explained(finding: Finding) -> list[str]:
    """The lines that explain a failure."""
    off = f", {finding.excess:.3g} times the tolerance" if finding.excess < float("inf") else ""
    lines = _wrapped(f"{finding.property.name} ({finding.severity}): ", finding.property.meaning, indent=4)
    lines += _wrapped("  why it matters: ", finding.property.why, indent=4)
    lines += _wrapped("  found: ", finding.reason + off, indent=4)
    if finding.got:
        lines += _wrapped("  got ", f"{finding.got}, wanted {finding.wanted}", indent=4)
    lines.append("  smallest example:")
    return lines + [f"    {line}" for line in finding.counterexample.splitlines()]


def _wrapped(start: str, text: str, indent: int | None = None) -> list[str]:
    """``start`` and ``text`` in lines of at most `WIDTH` letters; later lines stand below the text, or indented."""
    below = " " * (len(start) if indent is None else indent)
    return textwrap.wrap(text, WIDTH, initial_indent=start, subsequent_indent=below, break_long_words=False) or [start]
