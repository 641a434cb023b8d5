"""Pairs of records and maps: their split, what is drawn for them, mirroring, masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sciml.errors import ConfigError, DataFormatError, InputError
from sciml.gfi.data import Disturbance, ShotMapPairs, mirrored_records
from sciml.numerics.random import generator
from tests.gfi import seismic_pairs


def batches(data: ShotMapPairs, epoch: int) -> list[dict[str, torch.Tensor]]:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return list(loader)


def test_every_pair_is_in_one_part_and_batches_hold_what_the_files_hold(tmp_path: Path) -> None:
    maps, records = seismic_pairs.write(tmp_path, 20)
    data = ShotMapPairs(str(tmp_path), batch_size=4, fractions=(0.6, 0.2), flip=False)
    parts = data.parts
    assert [len(parts[name]) for name in ("train", "validate", "test")] == [12, 4, 4]
    assert sorted(np.concatenate([parts[name] for name in ("train", "validate", "test")])) == list(range(20))
    found = next(iter(data.test_dataloader()))
    assert np.array_equal(found["map"], maps[parts["test"]]) and np.array_equal(
        found["records"], records[parts["test"]]
    )
    assert found["mask"].tolist() == [1.0] * 4 and found["map"].dtype == torch.float32
    assert len(data.pairs("all")) == 20
    assert ShotMapPairs(str(tmp_path)).fingerprint == data.fingerprint
    seismic_pairs.write(tmp_path / "other", 20, seed=1)
    assert ShotMapPairs(str(tmp_path / "other")).fingerprint != data.fingerprint


def test_pairs_that_begin_like_those_of_a_training_are_not_taken_for_unseen_ones(tmp_path: Path) -> None:
    for name, count, seed in (("training", 20, 0), ("fewer", 8, 0), ("others", 20, 1)):
        seismic_pairs.write(tmp_path / name, count, seed, drawn=20)
    training, fewer, others = (ShotMapPairs(str(tmp_path / name)) for name in ("training", "fewer", "others"))
    for fingerprint in (training.fingerprint, training.fingerprint % 2**32):  # of weights before both were kept
        training.test_on_unseen(fingerprint)
        others.test_on_unseen(fingerprint)
        assert (training.tested, others.tested) == ("test", "all")
    assert len(next(iter(training.test_dataloader()))["map"]) == 1
    assert len(next(iter(others.test_dataloader()))["map"]) == 20
    with pytest.raises(InputError, match=r"begins with the same map .* generate others with another --seed"):
        fewer.test_on_unseen(training.fingerprint)
    assert 0 <= training.fingerprint < 2**63


def test_batches_are_functions_of_seed_and_epoch_whoever_reads_them(tmp_path: Path) -> None:
    seismic_pairs.write(tmp_path, 12)
    options = {"batch_size": 4, "noise": 0.1, "dropped_traces": 0.3}
    first, again, other = (
        batches(ShotMapPairs(str(tmp_path), **options, seed=seed, workers=workers), 3)
        for seed, workers in ((5, 0), (5, 1), (6, 0))
    )
    for one, two in zip(first, again, strict=True):
        assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(first[0]["records"], other[0]["records"])
    later = batches(ShotMapPairs(str(tmp_path), **options, seed=5), 4)
    assert not torch.equal(first[0]["records"], later[0]["records"])


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 50))
def test_a_mirrored_pair_is_that_of_the_mirrored_ground(epoch: int) -> None:
    maps, records = (torch.from_numpy(each) for each in seismic_pairs.arrays(1))
    mirrored = Disturbance(True, 0.0, 0.0)(records[0], maps[0], generator(0, epoch))
    is_mirrored = torch.equal(mirrored[1], maps[0].flip(-1))
    assert is_mirrored or torch.equal(mirrored[1], maps[0])
    # The nearest receiver of the first shot is the first one, also after mirroring.
    assert bool((mirrored[0][0, -1].diff() < 0).all()) and bool((mirrored[0][1, -1].diff() > 0).all())
    assert torch.equal(mirrored_records(mirrored_records(records)), records)


def test_half_of_the_pairs_are_mirrored_noise_has_its_size_and_traces_vanish() -> None:
    records = torch.from_numpy(seismic_pairs.arrays(1)[1][0])
    maps = torch.rand(1, 8, 8, generator=generator(1))
    flips = [Disturbance(True, 0.0, 0.0)(records, maps, generator(0, epoch))[1] for epoch in range(200)]
    assert sum(not torch.equal(each, maps) for each in flips) == pytest.approx(100, abs=30)
    noisy, _ = Disturbance(False, 0.2, 0.0)(records, maps, generator(0))
    relative = float((noisy - records).square().mean().sqrt() / records.square().mean().sqrt())
    assert relative == pytest.approx(0.2, rel=0.1)
    thinned, _ = Disturbance(False, 0.0, 0.5)(records, maps, generator(0))
    silent = (thinned == 0).all(1)
    assert 0 < int(silent.sum()) < silent.numel()
    assert torch.equal(thinned.mT[~silent], records.mT[~silent])


def test_only_the_labelled_share_of_the_training_is_compared(tmp_path: Path) -> None:
    seismic_pairs.write(tmp_path, 20)
    data = ShotMapPairs(str(tmp_path), batch_size=20, fractions=(0.5, 0.5), labelled=0.3)
    assert int(batches(data, 0)[0]["mask"].sum()) == 3
    assert next(iter(data.val_dataloader()))["mask"].tolist() == [1.0] * 10
    assert data.test_dataloader() == []


def test_mirroring_wants_symmetric_sources_up_to_a_cell(tmp_path: Path) -> None:
    seismic_pairs.write(tmp_path / "near", 3, shot_by=seismic_pairs.acquisition((1.0, 9.0)))
    assert batches(ShotMapPairs(str(tmp_path / "near")), 0)
    seismic_pairs.write(tmp_path / "far", 3, shot_by=seismic_pairs.acquisition((1.0, 7.0)))
    with pytest.raises(ConfigError, match=r"flip is true.*lie 3.0 cells aside; set data.init_args.flip=false"):
        batches(ShotMapPairs(str(tmp_path / "far")), 0)
    assert batches(ShotMapPairs(str(tmp_path / "far"), flip=False), 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"fractions": (0.9, 0.2)}, "at most 1 together"),
        ({"noise": -0.1}, "noise is -0.1"),
        ({"dropped_traces": 1.0}, "dropped_traces is 1.0"),
        ({"labelled": 1.5}, "labelled is 1.5"),
    ],
)
def test_settings_without_a_meaning_are_refused_before_any_file_is_read(options: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ShotMapPairs("nowhere", **options)


def test_files_that_changed_since_the_manifest_was_written_are_found_on_request(tmp_path: Path) -> None:
    seismic_pairs.write(tmp_path / "pairs", 4)
    assert ShotMapPairs(str(tmp_path / "pairs"), verify=True).folder.count == 4
    file = tmp_path / "pairs" / "model" / "model1.npy"
    np.save(file, np.load(file) + 1)
    assert ShotMapPairs(str(tmp_path / "pairs")).folder.count == 4
    with pytest.raises(DataFormatError, match=r"model1\.npy has changed since it was written"):
        ShotMapPairs(str(tmp_path / "pairs"), verify=True).folder  # noqa: B018 - the property reads
