"""The worlds of our own: what each is made to be."""

import numpy as np
import pytest

from knexa.study.worlds import WORLDS
from knexa.study.worlds.additive import AdditiveWorld
from knexa.study.worlds.adversaries import LARGEST_CLAIM, Liars, PoorTeachers
from knexa.study.worlds.compatibility import CompatibilityWorld
from knexa.study.worlds.teaching import PROMPTS, RIGHT, WRONG, TeachingWorld
from knexa.study.worlds.transfer import TransferWorld
from knexa.study.worlds.world import World


def interaction(worth: np.ndarray) -> float:
    """How much of the worth no teacher's number plus a student's number can say: share of variance, off the diagonal counted as on."""
    rest = worth - worth.mean(axis=0) - worth.mean(axis=1, keepdims=True) + worth.mean()
    return float(rest.var() / worth.var())


def test_the_additive_world_has_no_interaction_and_the_compatibility_world_has() -> None:
    """(a) is what concat can say exactly; of (b) a good part it cannot."""
    assert interaction(AdditiveWorld(24, "high", 0).worth()) < 1e-12
    assert interaction(CompatibilityWorld(24, "high", 0).worth()) > 0.2


@pytest.mark.parametrize("name", list(WORLDS))
def test_one_seed_is_one_world_and_profiles_are_valid(name: str) -> None:
    """Built twice it is the same; its profiles pass the gate that real ones pass."""
    first, again, other = (WORLDS[name].build(8, "high", seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.worth(), again.worth())
    assert not np.array_equal(first.worth(), other.worth())
    for profile in first.profiles(1).values():
        assert type(profile).from_dict(profile.to_dict()) == profile
    assert tuple(first.profiles(1)) == first.names == tuple(sorted(first.names))


@pytest.mark.parametrize("build", [AdditiveWorld, CompatibilityWorld, TransferWorld])
def test_high_heterogeneity_means_more_different_data(build: type[World]) -> None:
    """Mean √JS over pairs."""
    high, low = (build(16, mix, 0).difference().mean() for mix in ("high", "low"))  # type: ignore[call-arg]
    assert high > 2 * low


def test_in_the_transfer_world_a_student_gains_what_its_worth_says() -> None:
    """The worth of an exchange is the change of the student's mean competence, before it drifts home; the teacher keeps its own."""
    world = TransferWorld(6, "high", 1)
    before, worth, own = world.competence.copy(), world.worth(), world._own
    world.exchange([(0, 1)], 1)
    undrifted = (world.competence - 0.1 * own) / 0.9
    assert undrifted[1].mean() - before[1].mean() == pytest.approx(worth[0, 1])
    np.testing.assert_allclose(undrifted[0], before[0])


def test_a_better_teacher_helps_and_a_worse_one_harms() -> None:
    """Where the teacher is ahead everywhere the worth is above zero, and below it the other way round."""
    world = TransferWorld(2, "high", 0)
    world.competence[0], world.competence[1] = 0.8, 0.2
    worth = world.worth()
    assert worth[0, 1] == pytest.approx(0.5 * 0.6)
    assert worth[1, 0] == pytest.approx(-0.5 * 0.3 * 0.6)


def test_poor_teachers_look_as_they_did_and_harm_everybody() -> None:
    """Profiles do not give them away."""
    honest = CompatibilityWorld(10, "high", 2)
    poor = PoorTeachers(CompatibilityWorld(10, "high", 2), 0.3, 2)
    assert poor.profiles(1) == honest.profiles(1)
    assert poor.chosen.sum() == 3
    assert (poor.worth()[poor.chosen] < 0).all()
    np.testing.assert_array_equal(poor.worth()[~poor.chosen], honest.worth()[~poor.chosen])


def test_poor_teachers_need_a_world_of_fixed_worth() -> None:
    """In a world that changes, the harm would be told and not done."""
    with pytest.raises(ValueError, match="fixed worth"):
        PoorTeachers(TransferWorld(4, "high", 0), 0.5, 0)


def test_liars_turn_their_own_reports_round_and_nothing_else() -> None:
    """A good exchange is reported as the worst, a bad one as the best; the truth stays."""
    world = Liars(CompatibilityWorld(10, "high", 3), 0.4, 3)
    liar, honest = int(np.flatnonzero(world.chosen)[0]), int(np.flatnonzero(~world.chosen)[0])
    assert world.reported((honest, liar), 0.9, 1) == -LARGEST_CLAIM
    assert world.reported((honest, liar), -0.9, 1) == LARGEST_CLAIM
    assert world.reported((liar, honest), 0.37, 1) == 0.37
    np.testing.assert_array_equal(world.worth(), CompatibilityWorld(10, "high", 3).worth())


def one_sided(share: float, **options: object) -> TeachingWorld:
    """Two agents, of whom the first solves ``share`` of everything and the second nothing."""
    world = TeachingWorld(2, "high", 0, **options)  # type: ignore[arg-type]
    world._own[0], world._own[1] = share, 0.0
    return world


def test_a_verifying_student_keeps_right_answers_only_and_never_loses_one() -> None:
    """Welfare cannot fall; about the teacher's share of the prompts is right after one exchange, more after two."""
    world = one_sided(0.5)
    first = world.exchange([(0, 1)], 1)[0]
    held = (world._held[1] == RIGHT).mean()
    second = world.exchange([(0, 1)], 2)[0]
    assert held == pytest.approx(0.5, abs=0.15)
    assert first > 0
    assert second >= 0
    assert not (world._held == WRONG).any()


def test_a_student_that_does_not_verify_also_learns_what_is_wrong() -> None:
    """All prompts are held, right or wrong, and a poor teacher lowers an able student."""
    world = one_sided(0.5, verify=False)
    world.exchange([(0, 1)], 1)
    assert (world._held[1] != 0).all()
    assert (world._held[1] == WRONG).any()
    poor = TeachingWorld(2, "high", 0, verify=False, poor=0.5)
    teacher = int(np.flatnonzero(poor._poor)[0])
    assert poor.exchange([(teacher, 1 - teacher)], 1)[0] < 0


def test_a_curriculum_decides_which_prompts_are_asked() -> None:
    """With all of the budget in one category, nothing else is taught; the budget is kept."""
    world = one_sided(1.0, budget=8)
    world.exchange([(0, 1)], 1, [(1.0,) + (0.0,) * 11])
    held = np.flatnonzero(world._held[1] == RIGHT)
    assert len(held) == 8 <= PROMPTS / 12 + 1
    assert set(held % 12) == {0}


def test_the_worth_of_an_exchange_is_the_change_of_the_students_competence() -> None:
    """What is paid is what changed."""
    world = TeachingWorld(4, "high", 1, budget=32)
    before = world.competence.mean(axis=1)
    earned = world.exchange([(0, 1), (2, 3)], 1)
    np.testing.assert_allclose(earned, (world.competence.mean(axis=1) - before)[[1, 3]])
