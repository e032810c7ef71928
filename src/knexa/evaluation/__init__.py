"""Problems, the sandbox that checks answers to them, and the scores made of its verdicts."""

from knexa.evaluation.pass_at_k import pass_at_k
from knexa.evaluation.problems import Problem
from knexa.evaluation.sandbox import Check, Sandbox, Verdict

__all__ = ["Check", "Problem", "Sandbox", "Verdict", "pass_at_k"]
