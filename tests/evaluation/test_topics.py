from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knexa.evaluation.notes.tables import KINDS
from knexa.evaluation.topics import Topics

WORDS = [[f"{chr(97 + kind)}{word}x{chr(97 + word)}" for word in range(20)] for kind in range(4)]
TEXTS = [(kind, " ".join(WORDS[kind][(3 * n + step) % 20] for step in range(8))) for n in range(30) for kind in range(4)]


def test_texts_on_one_thing_share_a_topic_and_texts_on_others_do_not() -> None:
    """Four vocabularies without a common word: no topic holds texts of two of them."""
    topics = Topics([text for _, text in TEXTS])
    found = list(zip((kind for kind, _ in TEXTS), topics.of([text for _, text in TEXTS]), strict=True))
    owners = {name: {kind for kind, other in found if other == name} for _, name in found}
    assert all(len(kinds) == 1 for kinds in owners.values())


def test_there_are_at_most_twelve_and_as_many_as_there_are_directions() -> None:
    """Twelve for many different texts, one for copies of a single one, one for texts without a word."""
    assert len(Topics([text for _, text in TEXTS]).names) == 12
    assert Topics(["bp high"] * 20).names == ("topic 01",)
    assert Topics(["12", "", "7 8"]).names == ("topic 01",)
    assert len({kind.name for kind in KINDS}) == 12


def test_the_same_texts_give_the_same_topics_and_numbers_do_not_matter() -> None:
    """Nothing is drawn; two texts that differ in a figure are about the same thing."""
    texts = [text for _, text in TEXTS]
    assert Topics(texts).of(texts) == Topics(texts).of([f"{text} 17" for text in texts])


@given(st.lists(st.text(max_size=30), min_size=1, max_size=20))
def test_any_texts_have_topics(texts: list[str]) -> None:
    """Every text of any alphabet gets one of the names."""
    topics = Topics(texts)
    assert set(topics.of([*texts, "something else"])) <= set(topics.names)


def test_topics_of_nothing_are_not_defined() -> None:
    """There is always a transfer set; without one there is nothing to say."""
    with pytest.raises(ValueError, match="no texts"):
        Topics([])
