"""Profiles: whatever arrives is either a valid profile or the sender's error."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knexa.errors import PeerError
from knexa.matching import CATEGORY_COUNT, FAMILIES, METRICS, Profile, family_block


def valid() -> dict[str, object]:
    return {
        "agent": "clinic-a",
        "round": 3,
        "family": list(family_block("bloom")),
        "metrics": [0.25, 0.4, 12.5, 1.5, 1.25, 0.875, 0.05, 0.0, -1.0, -0.1, -0.2, 0.0],
        "histogram": [0.5, 0.5] + [0.0] * 10,
        "probe": [0.2] * 12,
        "coverage": [0.0] * 11 + [1.0],
        "schema": 1,
    }


def test_a_profile_survives_json_unchanged() -> None:
    """from_dict undoes to_dict, through JSON."""
    profile = Profile.from_dict(valid())
    assert Profile.from_dict(json.loads(json.dumps(profile.to_dict()))) == profile


def test_the_vector_is_the_papers_32_numbers_in_order() -> None:
    """8 of the family, 12 metrics, 12 of the histogram; the extension is not among them."""
    profile = Profile.from_dict(valid())
    assert profile.vector().shape == (32,)
    assert list(profile.vector()) == [*profile.family, *profile.metrics, *profile.histogram]


def test_a_metric_is_read_by_its_name() -> None:
    """Names and positions of metrics agree."""
    profile = Profile.from_dict(valid())
    assert [profile.metric(name) for name in METRICS] == list(profile.metrics)
    assert profile.metric("perplexity") == 12.5
    assert profile.metric("perplexity_change") == -1.0


def test_every_family_has_its_own_place_and_strangers_share_the_last() -> None:
    """The family block is one-hot over FAMILIES; unknown names are 'other'."""
    assert {family_block(name).index(1.0) for name in FAMILIES} == set(range(8))
    assert family_block("rwkv") == family_block("other")


@pytest.mark.parametrize("key", sorted(valid()))
def test_a_missing_field_is_named(key: str) -> None:
    """The schema is closed: no field may be absent."""
    fields = valid()
    del fields[key]
    with pytest.raises(PeerError, match=key):
        Profile.from_dict(fields)


def test_an_unknown_field_is_named() -> None:
    """The schema is closed: a text cannot ride along."""
    with pytest.raises(PeerError, match="notes"):
        Profile.from_dict({**valid(), "notes": "patient 12 ..."})


@pytest.mark.parametrize("field", ["family", "metrics", "histogram", "probe", "coverage"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e5, -1e5, 10**400, True, "0.5", None, [0.5]])
def test_a_bad_number_is_refused_and_its_field_named(field: str, bad: object) -> None:
    """Non-finite, out-of-range and non-numeric entries are the peer's error."""
    fields = valid()
    block = list(fields[field])  # type: ignore[call-overload]
    fields[field] = [*block[:-1], bad]
    with pytest.raises(PeerError, match=field):
        Profile.from_dict(fields)


@pytest.mark.parametrize("field", ["family", "metrics", "histogram", "probe", "coverage"])
def test_a_block_of_another_length_is_refused(field: str) -> None:
    """Each block has its exact length."""
    for block in ([0.0] * (CATEGORY_COUNT + 1), [], "abcdefghijkl", None):
        with pytest.raises(PeerError, match=field):
            Profile.from_dict({**valid(), field: block})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("family", [0.5, 0.5] + [0.0] * 6),
        ("family", [0.0] * 8),
        ("family", [1.0, 1.0] + [0.0] * 6),
        ("histogram", [0.5] + [0.0] * 11),
        ("histogram", [0.0] * 12),
        ("probe", [1.1] + [0.0] * 11),
        ("coverage", [-0.1] + [0.0] * 11),
        ("round", -1),
        ("round", 1.0),
        ("round", True),
        ("agent", ""),
        ("agent", "Clinic A"),
        ("agent", "a" * 32),
        ("agent", "a\n"),
        ("schema", 2),
        ("schema", True),
    ],
)
def test_a_value_outside_its_range_is_refused(field: str, value: object) -> None:
    """Families are one-hot, histograms sum to 1, shares lie in [0, 1], names follow the pattern."""
    with pytest.raises(PeerError, match=field):
        Profile.from_dict({**valid(), field: value})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=13) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=15,
)


@given(st.dictionaries(st.sampled_from(sorted(valid())) | st.text(max_size=5), json_values, max_size=9), st.booleans())
def test_any_fields_either_parse_or_are_the_peers_error(fields: dict[str, object], complete: bool) -> None:
    """No input raises anything but PeerError, and what parses is finite."""
    try:
        profile = Profile.from_dict({**valid(), **fields} if complete else fields)
    except PeerError:
        return
    assert all(math.isfinite(number) for number in (*profile.vector(), *profile.probe, *profile.coverage))


def test_a_profile_that_is_no_mapping_is_the_peers_error() -> None:
    """Not even the outermost type is taken on trust."""
    with pytest.raises(PeerError, match="mapping"):
        Profile.from_dict([1, 2, 3])  # type: ignore[arg-type]
