import numpy as np
import pytest
import torch

from sciml.dcdm import RitzDirections
from sciml.errors import ConfigError
from sciml.numerics.random import generator


def test_draws_are_a_function_of_the_generator(data):
    first, again, other = (data.draw(0, generator(0, update)) for update in (4, 4, 5))
    assert torch.equal(first.residuals, again.residuals)
    assert first.operator is again.operator
    assert not torch.equal(first.residuals, other.residuals)
    fresh = RitzDirections(sizes=[16], cases={"box": 1, "mixed": 1}, vectors=40, batch_size=3)
    assert torch.equal(fresh.draw(9, generator(0, 4)).residuals, first.residuals)


def test_every_problem_is_drawn(data):
    unknowns = {data.draw(0, generator(0, update)).operator.unknowns for update in range(20)}
    assert len(unknowns) == 2


def test_batches_of_training_are_counters_and_those_of_validation_fixed(data):
    assert list(data.train_dataloader()) == list(range(100))
    first, again = (list(data.val_dataloader()) for _ in range(2))
    assert len(first) == 4
    for a, b in zip(first, again, strict=True):
        assert a.residuals.shape == (3, 1, 16, 16)
        assert torch.equal(a.residuals, b.residuals)
        assert a.operator.unknowns == b.operator.unknowns


def test_validation_is_held_out(data):
    """Of another geometry where geometries are random, and of other coefficients on the box."""
    training = {data.draw(0, generator(0, u)).operator.unknowns for u in range(20)}
    validation = {batch.operator.unknowns for batch in data.val_dataloader()}
    assert 256 in training & validation
    assert len(training & validation) == 1
    held_out = next(batch for batch in data.val_dataloader() if batch.operator.unknowns == 256).residuals
    seen = torch.cat([data.draw(0, generator(0, u)).residuals for u in range(200)])
    assert (seen.flatten(1) @ held_out.flatten(1).T).abs().max() < 0.9


def test_a_fixed_training_set_is_seen_once_per_epoch():
    data = RitzDirections(sizes=[12], cases={"box": 1}, batch_size=5, samples=23)
    loader = data.train_dataloader()
    loader.sampler.set_epoch(1)
    epochs = []
    for epoch in (0, 1):
        loader.sampler.set_epoch(epoch)
        epochs.append(list(loader))
    assert len(loader) == 4  # the last three do not fill a batch
    assert not torch.equal(epochs[0][0], epochs[1][0])
    batch = epochs[0][0]
    one, two = data.draw(batch, generator(0, 0)), data.draw(batch.flip(0), generator(0, 99))
    assert torch.equal(one.residuals, two.residuals.flip(0))  # each is a function of its number alone


def test_held_out_systems(data):
    data.test_sizes = [20]
    systems = {system.name: system for system in data.held_out_systems()}
    assert set(systems) == {f"{case}_16_{b}" for case in ("box", "mixed") for b in ("white", "smooth", "ritz")} | {
        "spheres_16_white",
        "spheres_16_smooth",
        "box_20_white",
        "box_20_smooth",
        "mixed_20_white",
        "mixed_20_smooth",
    }
    kinds = {name: system.kind for name, system in systems.items()}
    assert (kinds["box_16_ritz"], kinds["spheres_16_white"], kinds["box_20_white"]) == ("trained", "unseen", "resized")
    trained = [source.operator.fluid.numpy() for source in data.make_sources(0)]
    for system in systems.values():
        assert system.b.shape == system.problem.shape
        assert (system.b[~system.problem.fluid] == 0).all()
        if system.name.startswith("mixed_16"):
            assert not any(np.array_equal(system.problem.fluid, fluid) for fluid in trained)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"cases": {"bax": 1}}, "bax"),
        ({"test_cases": ["bax"]}, "bax"),
        ({"cases": {}}, "at least one case"),
        ({"cases": {"box": 0}}, "number of geometries is 0"),
        ({"sizes": []}, "a size is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"samples": 5}, "samples // batch_size is 0"),
        ({"low_share": 1.0}, "low_share"),
    ],
)
def test_wrong_options(options, word):
    with pytest.raises(ConfigError, match=word):
        RitzDirections(**({"sizes": [16], "cases": {"box": 1}} | options))
