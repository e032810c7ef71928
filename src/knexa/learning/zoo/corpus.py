"""What the embedded bases are trained on: general knowledge that is right, and special knowledge that is out of place.

A real language model has met the words of a speciality and its idioms long before it can put them together. So the corpus
has two parts: the bank's base split (schooling and common operations, solved correctly), and problems on the special operations whose
solution uses the idiom of *another*, randomly drawn operation of the same category. From the first a base learns the
language of the bank; from the second, smaller one, which words and idioms belong to a category, but not which idiom answers which words.
"""

from __future__ import annotations

from dataclasses import replace

from knexa.evaluation.bank.compose import draw
from knexa.evaluation.bank.splits import ALL_CATEGORIES, load_bank
from knexa.randomness import stream

#: Misplaced problems for each category.
MISPLACED = 48


def base_corpus(seed: int) -> list[tuple[str, str]]:
    """Prompts and bodies, in a fixed order."""
    texts = [(problem.prompt, problem.solution) for problem in load_bank().base]
    for category in ALL_CATEGORIES:
        special = category.special
        rng = stream(seed, "corpus", category.name)
        for index in range(MISPLACED):
            asked = special[index % len(special)]
            answered = special[(index + rng.integers(1, len(special))) % len(special)]
            misplaced = replace(answered, name=asked.name, phrase=asked.phrase)
            composition = draw(category, misplaced, rng)
            texts.append((composition.prompt(), composition.body()))
    return texts
