"""CodeBLEU for Python: one file for each of its parts, and ``score.py`` for the whole."""

from knexa.evaluation.codebleu.score import CodeBleu, codebleu, mean_codebleu

__all__ = ["CodeBleu", "codebleu", "mean_codebleu"]
