"""Findings on a terminal or as JSON: what `lofi doctor` and `lofi selftest` print."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from ..health.finding import Finding
from .context import Context
from .exits import Exit
from .text import printable

MARKS = {"ok": ("ok", "32"), "info": ("info", "36"), "warn": ("warn", "33"), "error": ("ERROR", "31")}


def tell(findings: Iterable[Finding], context: Context) -> list[Finding]:
    """Print each as it comes, unless JSON is wanted; all of them."""
    told: list[Finding] = []
    for finding in findings:
        if not context.json:
            if not told or told[-1].section != finding.section:
                context.terminal.line(("\n" if told else "") + finding.section)
            _line(finding, context)
        told.append(finding)
    return told


def document(findings: list[Finding]) -> dict[str, object]:
    """The same as JSON values."""
    return {"ok": exit_code(findings) == Exit.OK, "findings": [asdict(finding) for finding in findings]}


def exit_code(findings: list[Finding]) -> int:
    return Exit.FAILED if any(finding.level == "error" for finding in findings) else Exit.OK


def _line(finding: Finding, context: Context) -> None:
    terminal = context.terminal
    word, color = MARKS[finding.level]
    mark = f"\x1b[{color}m{word:<5}\x1b[0m" if terminal.color(terminal.out) else f"{word:<5}"
    terminal.line(f"  {mark}  {printable(finding.text)}")
    for step in finding.advice:
        terminal.line(f"         - {printable(step)}")
