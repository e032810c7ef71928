"""How data are dealt: who trains on what."""

from knexa.config import load_config
from knexa.participant.data import federation_data


def test_pooled_everybody_trains_on_the_union_and_validates_on_its_own() -> None:
    """Nothing that was held out is trained on by anybody; public splits and validation are those of every other strategy."""
    apart, pooled = (federation_data(load_config(strategy=name)) for name in ("local", "all-data"))
    union = {problem.task_id for data in apart.private.values() for problem in data.train}
    held_out = {problem.task_id for data in apart.private.values() for problem in data.validation}
    for name, data in pooled.private.items():
        assert {problem.task_id for problem in data.train} == union
        assert data.validation == apart.private[name].validation
    assert not union & held_out
    assert (pooled.probe, pooled.curve, pooled.test) == (apart.probe, apart.curve, apart.test)
    assert pooled.transfer_set.digest == apart.transfer_set.digest
