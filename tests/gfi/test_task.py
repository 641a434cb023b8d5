"""Tasks of learned inversion: their losses, a network that learns, resumption, evaluation of other folders, files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from sciml.checks import known_names
from sciml.errors import CheckpointError, ConfigError, DataFormatError, InputError
from sciml.gfi.data import ShotMapPairs
from sciml.gfi.losses import deviation, warm_up
from sciml.gfi.matching import median_frequency
from sciml.gfi.networks.base import TwoWayNetwork
from sciml.gfi.networks.baselines import AutoLinear
from sciml.gfi.networks.columns import ColumnTransformer
from sciml.gfi.task import AutoLinearTask, InversionTask, TwoWayTask, map_errors, record_errors
from sciml.mesh import read_mesh
from sciml.numerics.random import generator, seeded
from sciml.status import Status
from sciml.training.config import config_from_values
from sciml.training.run import train
from sciml.training.stored import evaluate, load_task
from tests.gfi import seismic_pairs
from tests.gfi.seismic_pairs import MAP, RECORDS

NETWORK = {"width": 16, "layers": 1, "heads": 2, "image_channels": 4, "records_shape": [*RECORDS], "map_shape": [*MAP]}


def config(folder: Path, epochs: int = 2, **task: object) -> dict:
    return {
        "title": "small",
        "task": {
            "class_path": "sciml.gfi.InversionTask",
            "init_args": {"network": {"class_path": "sciml.gfi.ColumnTransformer", "init_args": NETWORK}, **task},
        },
        "data": {
            "class_path": "sciml.gfi.ShotMapPairs",
            "init_args": {"path": str(folder), "batch_size": 8, "fractions": [0.8, 0.1], "noise": 0.01},
        },
        "training": {"phases": [{"epochs": epochs, "optimizer": "adamw", "learning_rate": 5e-3}]},
        "trainer": {"accelerator": "cpu"},
    }


def trained(values: dict, folder: Path, **options: object) -> dict[str, float]:
    return train(config_from_values(values, "test"), folder, **options)["metrics"]


class Twice(TwoWayNetwork):
    """A network whose maps are affine in the sums of the records, and the other way round."""

    def __init__(self) -> None:
        super().__init__(RECORDS, MAP)
        self.factor = torch.nn.Parameter(torch.tensor(0.5))

    def to_map(self, records: Tensor) -> Tensor:
        return self.factor * records.mean((1, 2, 3), keepdim=True).expand(-1, -1, *MAP)

    def to_records(self, velocity: Tensor) -> Tensor:
        return self.factor * velocity.mean((1, 2, 3), keepdim=True).expand(-1, *RECORDS)


def batch(count: int = 4) -> dict[str, Tensor]:
    maps, records = (torch.from_numpy(each) for each in seismic_pairs.arrays(count))
    return {"records": records, "map": maps, "mask": torch.ones(count)}


def test_the_deviation_is_that_of_its_formula_and_masks_leave_pairs_out() -> None:
    found, wanted = torch.randn(2, 3, 4, 5, generator=generator(0))
    scaled = (found - wanted) / 2
    assert float(deviation(found, wanted, 2.0)) == pytest.approx(float(scaled.abs().mean() + scaled.square().mean()))
    assert float(deviation(found, wanted, 2.0, None, 0.0)) == pytest.approx(float(scaled.abs().mean()))
    assert float(deviation(wanted, wanted, 2.0)) == 0
    mask = torch.tensor([1.0, 0.0, 1.0])
    kept = deviation(found[[0, 2]], wanted[[0, 2]], 2.0)
    assert float(deviation(found, wanted, 2.0, mask)) == pytest.approx(float(kept))
    assert float(deviation(found, wanted, 2.0, torch.zeros(3))) == 0


def test_the_cycle_fades_in_over_its_warm_up() -> None:
    assert [warm_up(epoch, 4) for epoch in (0, 1, 4, 9)] == [0, 0.25, 1, 1]
    assert warm_up(0, 0) == 1


def test_errors_in_physical_units_are_1500_times_those_of_normalised_maps_and_equal_maps_are_similar() -> None:
    maps = 3000 + 500 * torch.randn(2, 1, 16, 16, generator=generator(0))
    found = map_errors(maps + 30, maps)
    assert float(found["mae"]) == pytest.approx(1500 * 30 / 1500, rel=1e-5)
    assert float(map_errors(maps, maps)["ssim"]) == pytest.approx(1)
    assert float(map_errors(maps.flip(-1), maps)["ssim_legacy"]) < 0.9
    records = torch.randn(2, 3, 4, 5, generator=generator(1))
    errors = record_errors(1.1 * records, records, torch.tensor(2.0))
    assert float(errors["records_l2"]) == pytest.approx(0.1, rel=1e-4)
    assert float(errors["records_mae"]) == pytest.approx(0.05 * float(records.abs().mean()), rel=1e-4)


def test_terms_of_both_ways_are_named_and_the_cycle_ignores_masks() -> None:
    task, given = TwoWayTask(Twice().requires_grad_(False), cycle=True, warm_up_epochs=2), batch()
    terms = task.loss(given)
    known_names("term", terms, ("map", "records", "cycle_map", "cycle_records"))
    assert float(terms["cycle_map"]) == 0 < float(terms["map"])  # epoch 0 of the warm-up
    full = TwoWayTask(Twice().requires_grad_(False), cycle=True).loss({**given, "mask": torch.zeros(4)})
    assert float(full["map"]) == float(full["records"]) == 0 < float(full["cycle_records"])
    network = Twice().requires_grad_(False)
    back = network.inverse_map(network.forward_map(given["map"]))
    assert float(full["cycle_map"]) == pytest.approx(float(deviation(back, given["map"], 1500.0)))
    assert set(TwoWayTask(Twice()).loss(given)) == {"map", "records"}
    with pytest.raises(ConfigError, match="no autoencoders"):
        TwoWayTask(Twice(), reconstruct=True)


def test_the_mean_with_the_mirrored_prediction_commutes_with_mirroring() -> None:
    with seeded(0):
        network = ColumnTransformer(width=16, layers=1, heads=2, records_shape=RECORDS, map_shape=MAP).eval()
    task, records = InversionTask(network, average_mirrored=True), batch()["records"]
    mirrored = task(records.flip(-1, -3)).flip(-1)
    assert torch.allclose(task(records), mirrored, atol=1e-2)
    assert not torch.allclose(network(records), network(records.flip(-1, -3)).flip(-1), atol=1.0)


def test_auto_linear_trains_its_autoencoders_without_the_linear_maps() -> None:
    with seeded(0):
        network = AutoLinear(latent=8, code_channels=1, width=4, records_shape=(2, 200, 28), map_shape=(30, 28))
    given = {"records": (2, 2, 200, 28), "map": (2, 1, 30, 28)}
    task, pairs = AutoLinearTask(network), {name: torch.rand(size) for name, size in given.items()}
    terms = task.loss(pairs)
    known_names("term", terms, ("map_code", "records_code", "reconstruct"))
    assert float(terms["reconstruct"].detach()) == pytest.approx(
        float(task.reconstruction(pairs)["reconstruct"].detach()), rel=1e-5
    )
    assert int(network.records.encoder[0][1].num_batches_tracked) == 2  # once for each of the two losses above
    (terms["map_code"] + terms["records_code"]).backward()
    assert all(weight.grad is None for part in (network.records, network.maps) for weight in part.parameters())
    assert bool(network.inverse.weight.grad.abs().sum() > 0) and bool(network.model.weight.grad.abs().sum() > 0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run, beside which lie the folder of its pairs and another one."""
    folder = tmp_path_factory.mktemp("run")
    seismic_pairs.write(folder / "pairs", 80)
    seismic_pairs.write(folder / "other", 30, seed=1)
    trained(config(folder / "pairs", epochs=25), folder / "run")
    return folder


def test_a_trained_network_is_better_than_the_mean_map_on_the_folder_it_was_trained_on_and_on_others(run: Path) -> None:
    maps, _ = seismic_pairs.arrays(80)
    other, _ = seismic_pairs.arrays(30, seed=1)
    of_mean = float(np.abs(other - maps.mean(0)).mean())
    found = evaluate(run / "run", run / "other")
    assert found["mae"] < 0.6 * of_mean
    task = load_task(run / "run")
    assert float(task.stored_acquisition.get().spacing) == seismic_pairs.SPACING
    with torch.no_grad():
        predicted = task(torch.from_numpy(seismic_pairs.arrays(30, seed=1)[1]))
    assert found["mae"] == pytest.approx(float(np.abs(predicted.numpy() - other).mean()), rel=1e-4)
    assert evaluate(run / "run")["mae"] < of_mean


def test_an_evaluation_tells_the_number_of_pairs_and_the_units(run: Path, in_process) -> None:
    code, said, _ = in_process("evaluate", run / "run", "--data", run / "other")
    assert code == 0 and f"means over 30 pairs of {run / 'other'}" in said
    (row,) = [line.split() for line in said.splitlines() if line.split()[:1] == ["mae"]]
    assert row[2:] == ["m/s"]
    stored = json.loads((run / "run" / "evaluation.json").read_text())
    assert (
        stored["samples"] == 30
        and stored["units"]["mae"] == "m/s"
        and "m/s" not in in_process("evaluate", run / "run", "--data", run / "other", "--json")[1]
    )


def test_batches_beyond_the_memory_are_refused_before_the_training(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sciml.memory.machine_memory", lambda: 100_000)
    task, records = load_task(run / "run"), 4 * np.prod(seismic_pairs.RECORDS)
    task.check_data(ShotMapPairs(str(run / "pairs"), batch_size=int(90_000 // records)))
    with pytest.raises(InputError, match=r"a batch of 60 pairs takes .*; lower data\.init_args\.batch_size"):
        task.check_data(ShotMapPairs(str(run / "pairs"), batch_size=60))


def test_pairs_of_the_training_s_seed_are_not_evaluated_as_unseen(run: Path, tmp_path: Path) -> None:
    seismic_pairs.write(tmp_path / "fewer", 10, drawn=80)
    with pytest.raises(InputError, match="the network has learned them"):
        evaluate(run / "run", tmp_path / "fewer")


def test_pairs_of_another_acquisition_or_unit_are_not_evaluated_as_those_of_the_training(
    run: Path, tmp_path: Path
) -> None:
    own, found = seismic_pairs.acquisition(), evaluate(run / "run", run / "other")
    seismic_pairs.write(tmp_path / "scaled", 30, seed=1, shot_by=own.scaled(2.0))
    assert evaluate(run / "run", tmp_path / "scaled") == found
    changes = {
        "wide": (seismic_pairs.acquisition((1.0, 9.0)), "sources 90 m, expected 100 m"),
        "fine": (replace(own, time_step=5e-4), r"time step 0\.0005 s, expected 0\.001 s over cells of 10 m"),
        "deep": (replace(own, frequency=10.0), "frequency 10 Hz, expected 15 Hz"),
    }
    for name, (shot_by, words) in changes.items():
        seismic_pairs.write(tmp_path / name, 4, seed=2, shot_by=shot_by)
        with pytest.raises(InputError, match=rf"{name} was shot otherwise than the pairs of the training: {words}"):
            evaluate(run / "run", tmp_path / name)
    _, records = seismic_pairs.write(tmp_path / "loud", 4, seed=2)
    np.save(tmp_path / "loud" / "data" / "data1.npy", 1000 * records)
    with pytest.raises(InputError, match=r"loud are .* times as large as those of the training"):
        evaluate(run / "run", tmp_path / "loud")


def test_predictions_are_averaged_with_mirrored_ones_for_symmetric_sources_alone(tmp_path: Path) -> None:
    seismic_pairs.write(tmp_path / "pairs", 10, shot_by=seismic_pairs.acquisition((1.0, 7.0)))
    values = config(tmp_path / "pairs", average_mirrored=True)
    values["data"]["init_args"]["flip"] = False
    with pytest.raises(ConfigError, match=r"not symmetric.*set task\.init_args\.average_mirrored=false"):
        trained(values, tmp_path / "run")


def test_a_training_from_published_weights_keeps_their_scales_and_its_own_acquisition(tmp_path: Path) -> None:
    seismic_pairs.write(tmp_path / "pairs", 4)
    data = ShotMapPairs(str(tmp_path / "pairs"))
    task = InversionTask(Twice())
    with pytest.raises(InputError, match=r"published weights theirs by task\.stored_acquisition\.keep"):
        task.predict_file(tmp_path / "records.npy", tmp_path / "map.npy")
    task.network.scales.is_fitted.fill_(True)
    task.network.scales.deviation.fill_(1.5)  # as published
    task.trainer = SimpleNamespace(datamodule=data)
    task.setup("fit")
    assert float(task.network.scales.deviation) == 1.5
    assert task.stored_acquisition.get().as_dict() == data.folder.acquisition.as_dict()
    assert int(task.trained_on) == data.fingerprint


def test_a_run_that_was_killed_and_resumed_ends_with_the_same_bits(run: Path, tmp_path: Path, monkeypatch) -> None:
    values = config(run / "pairs", epochs=2)
    trained(values, tmp_path / "whole")
    real, calls = InversionTask.loss, []

    def stopping(task: InversionTask, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        calls.append(1)
        if len(calls) == 12:  # within the second epoch of 8 batches
            raise KeyError("stopped")
        return real(task, batch)

    monkeypatch.setattr(InversionTask, "loss", stopping)
    with pytest.raises(KeyError, match="stopped"):
        trained(values, tmp_path / "killed")
    monkeypatch.setattr(InversionTask, "loss", real)
    trained(values, tmp_path / "killed", resume=True)
    whole, resumed = (load_task(tmp_path / name).state_dict() for name in ("whole", "killed"))
    assert all(torch.equal(resumed[name], tensor) for name, tensor in whole.items())


def test_records_in_files_give_maps_in_files(run: Path, tmp_path: Path) -> None:
    task = load_task(run / "run")
    _, records = seismic_pairs.arrays(3, seed=2)
    np.save(tmp_path / "all.npy", records)
    np.save(tmp_path / "one.npy", records[1].astype(np.float64))
    numbers = task.predict_file(tmp_path / "all.npy", tmp_path / "maps.npy")
    maps = np.load(tmp_path / "maps.npy")
    assert maps.shape == (3, *MAP) and numbers["maps"] == 3 and numbers["largest"] == maps.max()
    task.predict_file(tmp_path / "one.npy", tmp_path / "map.vtu")
    mesh, fields = read_mesh(tmp_path / "map.vtu")
    across, up = mesh.points[:, 0] / seismic_pairs.SPACING, -mesh.points[:, 1] / seismic_pairs.SPACING
    expected = maps[1][up.round().astype(int), across.round().astype(int)]
    assert np.allclose(fields[0].values, expected, rtol=1e-6) and up.max() == MAP[0] - 1


def test_predicted_maps_are_refined_where_that_is_asked_for(run: Path, tmp_path: Path, monkeypatch) -> None:
    """The refinement is replaced: here it is told what it should be, and gives back the start plus 100 m/s."""
    task, told = load_task(run / "run"), []

    def refined(start, observed, acquisition, settings, progress) -> SimpleNamespace:
        told.append((settings.solves, settings.noise, settings.unknown_wavelet, observed.shape, acquisition.shape))
        progress(1.0, "over")
        return SimpleNamespace(
            map=start + 100,
            illumination=0 * start + 1,
            solves=7.0,
            start_misfit=1.0,
            misfit=0.1,
            unseen=0.2,
            status=Status.LIMIT,
        )

    monkeypatch.setattr("sciml.gfi.refinement.refine", refined)
    np.save(tmp_path / "one.npy", seismic_pairs.arrays(3, seed=2)[1][1])
    numbers = task.predict_file(tmp_path / "one.npy", tmp_path / "map.vtu", refine=7, noise=0.05)
    assert told == [(7, 0.05, False, RECORDS, MAP)]
    assert numbers["misfit"] == 0.1 and numbers["solves"] == 7 and numbers["at_limit"] == 1
    fields = {field.name: field.values for field in read_mesh(tmp_path / "map.vtu")[1]}
    assert set(fields) == {"velocity", "start", "illumination"}
    assert np.allclose(fields["velocity"], np.clip(fields["start"], 1500, 4500) + 100)
    with pytest.raises(InputError, match=r"noise.*a share of the records"):
        task.predict_file(tmp_path / "one.npy", tmp_path / "map.npy", noise=10)
    with pytest.raises(InputError, match="refine=3 cannot be done"):  # before the file is looked for
        task.predict_file(tmp_path / "absent.npy", tmp_path / "map.npy", refine=3)


def test_a_line_in_segy_is_brought_to_the_network(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("segyio", reason="reading SEG-Y needs the extra segy")
    from sciml.data.formats.segy import write_segy

    task = load_task(run / "run")
    records = seismic_pairs.arrays(3, seed=2)[1][1]
    # The test's records hold steps and no waves, whose frequencies are low: the wavelet is said to be so, too.
    task.stored_acquisition.frequency.fill_(median_frequency(records, 1e-3))
    acquisition = task.stored_acquisition.get()
    np.save(tmp_path / "one.npy", records)
    write_segy(tmp_path / "line.sgy", records, acquisition.scaled(2.0))
    task.predict_file(tmp_path / "one.npy", tmp_path / "one_map.npy")
    numbers = task.predict_file(tmp_path / "line.sgy", tmp_path / "line_map.npy")
    assert numbers["length_factor"] == pytest.approx(2) and numbers["gain"] == 1
    assert np.allclose(np.load(tmp_path / "line_map.npy"), np.load(tmp_path / "one_map.npy"), atol=5)


def test_files_that_hold_no_such_records_are_refused_in_a_sentence(run: Path, tmp_path: Path) -> None:
    task = load_task(run / "run")
    _, records = seismic_pairs.arrays(3)
    for name, values in {"axes": records.swapaxes(-1, -2), "nan": np.where(records > 1, np.nan, records)}.items():
        np.save(tmp_path / f"{name}.npy", values)
    (tmp_path / "broken.npy").write_bytes((tmp_path / "nan.npy").read_bytes()[:1000])
    np.save(tmp_path / "pickled.npy", np.array([{}], dtype=object), allow_pickle=True)
    for name, words in {"axes": "exchange", "nan": "nan", "broken": "broken", "pickled": "pickled"}.items():
        with pytest.raises(DataFormatError, match=words):
            task.predict_file(tmp_path / f"{name}.npy", tmp_path / "out.npy")
    np.save(tmp_path / "good.npy", records)
    for output, words in {"out.vtu": "one file of fields does not hold", "out.txt": "expected one of .npy"}.items():
        with pytest.raises(InputError, match=words):
            task.predict_file(tmp_path / "good.npy", tmp_path / output)
    with pytest.raises(InputError, match="not been trained"):
        InversionTask(Twice()).predict_file(tmp_path / "good.npy", tmp_path / "out.npy")


def test_data_of_another_shape_are_refused_before_the_run(run: Path, tmp_path: Path) -> None:
    values = config(run / "pairs")
    values["task"]["init_args"]["network"]["init_args"] = {**NETWORK, "map_shape": [13, 12]}
    with pytest.raises((InputError, CheckpointError), match="records_shape and map_shape"):
        trained(values, tmp_path / "run")
    assert not (tmp_path / "run").exists()
