"""Rewards, Eq. 3, and their running scale."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knexa.errors import PeerError
from knexa.matching import Outcome
from knexa.matching.reward import EPSILON, LARGEST_Z, WINDOW, MomentScale, RewardScale, RobustScale, raw_reward

OUTCOME = Outcome("r1-a-b", 2.0, 1.5, 3.0, 2.0, 0.1, 0.2, bytes=2048, texts=10, kept=7, accepted=True)


def test_the_reward_is_the_loss_drop_less_the_price_of_bytes() -> None:
    """Eq. 3: r = γ (L_pre − L_post) − δ · KB, with L as the measure says."""
    assert raw_reward(OUTCOME, 2.0, 0.1, "validation") == pytest.approx(2.0 * 0.5 - 0.1 * 2)
    assert raw_reward(OUTCOME, 2.0, 0.1, "probe") == pytest.approx(2.0 * 1.0 - 0.1 * 2)
    assert raw_reward(OUTCOME, 2.0, 0.1, "blend") == pytest.approx(2.0 * 0.75 - 0.1 * 2)


def test_a_larger_package_never_earns_more() -> None:
    """Bytes only cost."""
    rewards = [raw_reward(replace(OUTCOME, bytes=size), 1.0, 0.001, "probe") for size in (0, 10, 10_000, 10**9)]
    assert rewards == sorted(rewards, reverse=True)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["loss_before", "loss_after", "probe_loss_before", "probe_loss_after"])
def test_a_loss_that_is_not_finite_is_the_students_error(field: str, bad: float) -> None:
    """The measure that reads the loss refuses it, and names the match."""
    measure = "probe" if field.startswith("probe") else "validation"
    for asked in (measure, "blend"):
        with pytest.raises(PeerError, match="r1-a-b"):
            raw_reward(replace(OUTCOME, **{field: bad}), 1.0, 0.0, asked)  # type: ignore[arg-type]


def test_a_negative_size_is_the_students_error() -> None:
    """Otherwise bytes could be sold back."""
    with pytest.raises(PeerError, match="bytes"):
        raw_reward(replace(OUTCOME, bytes=-1), 1.0, 1.0, "probe")


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=50), st.floats(0.1, 3))
def test_the_moment_scale_is_the_z_score_of_all_clipped_rewards_so_far(raws: list[float], clip: float) -> None:
    """Welford's running moments equal those computed at once."""
    scale = MomentScale(clip)
    scaled = [scale.scale(raw) for raw in raws]
    clipped = np.clip(raws, -clip, clip)
    assert [one for one, _ in scaled] == list(clipped)
    expected = (clipped[-1] - clipped.mean()) / (clipped.std() + EPSILON)
    assert scaled[-1][1] == pytest.approx(expected, rel=1e-5, abs=1e-5)


SCALES = pytest.mark.parametrize("kind", [MomentScale, RobustScale])


@SCALES
def test_equal_rewards_score_zero(kind: type[RewardScale]) -> None:
    """ε keeps 0/0 away: with nothing to tell apart there is nothing to learn."""
    scale = kind(1.0)
    assert [scale.scale(0.25)[1] for _ in range(4)] == [0.0] * 4


@SCALES
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_reward_that_is_not_finite_leaves_the_scale_alone(bad: float, kind: type[RewardScale]) -> None:
    """Refused, and the state is what it was."""
    scale = kind(1.0)
    scale.scale(0.5)
    before = scale.state()
    with pytest.raises(ValueError, match="finite"):
        scale.scale(bad)
    assert scale.state() == before


@SCALES
def test_a_restored_scale_continues_to_the_bit(kind: type[RewardScale]) -> None:
    """State goes through JSON exactly."""
    random = np.random.default_rng(0).normal(size=20).tolist()
    whole, half = kind(1.0), kind(1.0)
    expected = [whole.scale(raw) for raw in random]
    for raw in random[:7]:
        half.scale(raw)
    resumed = kind(1.0)
    resumed.restore(json.loads(json.dumps(half.state())))
    assert [resumed.scale(raw) for raw in random[7:]] == expected[7:]


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=40))
def test_the_robust_scale_measures_from_the_median_in_deviations(raws: list[float]) -> None:
    """z = (r − median) / (MAD / 0.6745), within ±LARGEST_Z."""
    scale = RobustScale(1.0)
    z = [scale.scale(raw)[1] for raw in raws][-1]
    middle = np.median(raws)
    deviation = np.median(np.abs(np.array(raws) - middle)) / 0.6745
    assert z == pytest.approx(np.clip((raws[-1] - middle) / (deviation + EPSILON), -LARGEST_Z, LARGEST_Z), rel=1e-6, abs=1e-6)


def test_a_late_outlier_wrecks_the_moments_and_not_the_robust_scale() -> None:
    """After one reward of the clip's size, what was one deviation is still about one, not a quarter."""
    usual = np.random.default_rng(1).normal(0.0, 0.02, 100).tolist()
    after = {}
    for kind in (MomentScale, RobustScale):
        scale = kind(1.0)
        for raw in [*usual, 1.0]:
            scale.scale(raw)
        after[kind] = scale.scale(0.02)[1]
    assert after[RobustScale] == pytest.approx(1.0, abs=0.25)
    assert after[MomentScale] < 0.5


def test_the_robust_scale_forgets_what_is_older_than_its_window() -> None:
    """Rewards of another size a long time ago do not count any more, and the state does not grow."""
    old, fresh = RobustScale(1.0), RobustScale(1.0)
    rewards = np.random.default_rng(2).normal(0.0, 0.1, WINDOW + 1).tolist()
    for raw in [0.9] * 20 + rewards:
        old.scale(raw)
    for raw in rewards:
        fresh.scale(raw)
    assert old.state() == fresh.state()
    assert len(old.state()["seen"]) == WINDOW
