"""Refinements on maps of two layers: physics, priors, bounds, noise, unknown wavelets, missing traces."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from sciml.errors import InputError
from sciml.gfi.refinement import Refinement, Rows, ShotProblem, Stage, refine
from sciml.gfi.refinement.bands import Band, lifted_response
from sciml.gfi.refinement.misfit import Modelled
from sciml.gfi.refinement.refining import Refiner
from sciml.reference.waves import Acquisition, WaveSolver
from sciml.status import Status

SHAPE, SPACING = (24, 30), 10.0
SHORT = (Stage(0.6, 0.4), Stage(None, 0.6))


def small_acquisition(**changes):
    columns = np.arange(0, 30, 2)
    given = {
        "shape": SHAPE,
        "spacing": SPACING,
        "time_step": 1e-3,
        "steps": 320,
        "sources": np.array([(SPACING, SPACING * column) for column in (2, 14, 27)]),
        "receivers": np.array([(SPACING, SPACING * column) for column in columns]),
        "frequency": 15.0,
    }
    return Acquisition(**{**given, **changes})


@pytest.fixture(scope="module")
def truth():
    velocity = np.full(SHAPE, 2000.0)
    velocity[12:] = 2600.0
    return velocity


@pytest.fixture(scope="module")
def start(truth):
    return gaussian_filter(truth, 3.0)


@pytest.fixture(scope="module")
def observed(truth):
    return records_of(truth, small_acquisition())


@pytest.fixture(scope="module")
def refined(start, observed):
    return refine(start, observed, small_acquisition(), Refinement(solves=30, stages=SHORT, ready=0.0))


def records_of(velocity, acquisition):
    with torch.no_grad():
        return WaveSolver(acquisition)(torch.from_numpy(velocity)[None])[0].numpy()


def error(velocity, truth):
    return float(np.abs(velocity - truth).mean())


def test_thirty_solves_cut_the_misfit_of_a_smoothed_map_twenty_times_and_its_error_by_a_tenth(refined, start, truth):
    assert refined.misfit <= refined.start_misfit / 20
    assert error(refined.map, truth) <= 0.9 * error(start, truth)
    assert refined.solves <= 30
    assert refined.status == Status.FINISHED


def test_the_misfit_of_the_result_is_that_of_its_records(start, observed):
    settings = Refinement(solves=7, stages=[Stage()], lowest=None, lift=0.0)
    refined = refine(start, observed, small_acquisition(), settings)
    records = records_of(refined.map, small_acquisition())
    recomputed = ((records - observed).astype(float) ** 2).sum() / (observed.astype(float) ** 2).sum()
    assert refined.misfit == pytest.approx(recomputed, rel=1e-4)


def test_a_band_passes_its_frequencies_alone_and_tells_the_energy_of_noise_in_it():
    band = Band(1e-3, 1000, 5.0, 20.0, gain=0.5)
    time = torch.arange(1000, dtype=torch.float64)[:, None] * 1e-3
    window = torch.exp(-(((time - 0.5) / 0.2) ** 2))

    def passed(frequency):
        wave = torch.sin(2 * torch.pi * frequency * time) * window
        return float(band(wave).norm() / ((time + 1e-3) ** 0.5 * wave).norm())

    assert passed(10.0) == pytest.approx(1.0, abs=0.02)
    assert passed(1.0) < 0.1 and passed(50.0) < 0.01
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=(1000, 400)))
    assert float(band(noise).square().sum()) / 400 == pytest.approx(band.noise_energy(), rel=0.03)


def test_lifted_frequencies_take_the_rise_out_of_the_spectrum_of_a_ricker_wavelet():
    peak, step, steps = 15.0, 1e-3, 1000
    spectrum = np.abs(np.fft.rfft(small_acquisition(steps=steps).wavelet, 2 * steps))
    response = lifted_response(steps, step, peak, 2.0).numpy()
    frequencies = np.fft.rfftfreq(2 * steps, step)
    rising = (frequencies > 2.0) & (frequencies < peak)
    ratio = (spectrum * response)[rising] / np.exp(-((frequencies[rising] / peak) ** 2))
    assert ratio.max() / ratio.min() == pytest.approx(1.0, abs=0.02)
    assert spectrum[rising].max() / spectrum[rising].min() > 10.0
    np.testing.assert_array_equal(response[frequencies >= peak], 1.0)


def test_nothing_is_lifted_where_the_noise_is_stated(observed):
    problem = ShotProblem(torch.from_numpy(observed), small_acquisition())
    refiner = Refiner(problem, Refinement(noise=0.1))
    for band in refiner.bands:
        torch.testing.assert_close(band.weights, problem.signal(0.1))


@pytest.mark.parametrize("stages", [SHORT, Refinement().stages], ids=["two stages", "four stages"])
@pytest.mark.parametrize("solves", [7, 8, 11, 16])
def test_no_more_solves_are_made_than_are_allowed(solves, stages, start, observed):
    refined = refine(start, observed, small_acquisition(), Refinement(solves=solves, stages=stages, ready=0.0))
    assert solves - 2.0 <= refined.solves <= solves
    assert refined.misfit <= refined.start_misfit
    assert refined.history[-1].stage == len(stages) - 1


def test_stages_and_solves_only_go_up_and_the_misfit_falls_in_each_stage(refined):
    for before, after in zip(refined.history, refined.history[1:], strict=False):
        assert after.stage >= before.stage
        assert after.solves > before.solves
    for stage in range(2):
        misfits = [row.misfit for row in refined.history if row.stage == stage]
        assert misfits[-1] < 0.2 * misfits[0]


def test_the_total_variation_is_a_share_of_the_misfit_and_falls_with_it(refined, start, observed):
    refiner = Refiner(ShotProblem(torch.from_numpy(observed), small_acquisition()), Refinement(solves=30, stages=SHORT))
    state, weights = refiner.begin(start), []
    for _ in range(6):
        misfit, variation = state.position.values
        weights.append(refiner.weights(state)[1])
        assert weights[-1] * variation == pytest.approx(misfit)
        state = refiner.advance(state)
    assert weights[-1] < 0.5 * weights[0]


def test_a_stage_is_left_once_the_records_agree_in_the_band_of_the_next_one(start, observed):
    def rows(ready):
        settings = Refinement(solves=10, stages=SHORT, ready=ready)
        return refine(start, observed, small_acquisition(), settings).history

    agree, strict = rows(1.0), rows(1e-3)
    assert [row.stage for row in agree[:2]] == [0, 1]
    left = next(row for row in strict if row.stage == 1)
    assert left.misfit <= 1e-3 or left.solves >= 4.0
    assert sum(row.stage == 0 for row in strict) > 1


def test_velocities_stay_within_the_bounds(start, observed):
    settings = Refinement(solves=20, stages=SHORT, slowest=1990.0, fastest=2500.0)
    refined = refine(start, observed, small_acquisition(), settings)
    assert refined.map.min() == pytest.approx(1990.0)
    assert refined.map.max() == pytest.approx(2500.0)


def test_the_true_map_is_given_back_with_no_larger_misfit(truth, observed):
    refined = refine(truth, observed, small_acquisition(), Refinement(solves=7, stages=(Stage(),)))
    assert refined.misfit <= refined.start_misfit == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(refined.map, truth, rtol=1e-6)


def test_no_map_has_a_larger_misfit_than_the_start(observed, truth):
    far = np.full(SHAPE, 3800.0)
    refined = refine(
        far, observed, small_acquisition(), Refinement(solves=8, stages=(Stage(0.3, 1.0), Stage(None, 0.1)))
    )
    assert refined.misfit <= refined.start_misfit


def noisy(observed, noise, seed=0):
    drawn = np.random.default_rng(seed).normal(size=observed.shape) * noise * np.sqrt((observed**2).mean())
    return observed + drawn, drawn, noise / np.sqrt(1.0 + noise**2)


@pytest.mark.parametrize("noise", [0.03, 0.316], ids=["30 dB", "10 dB"])
def test_the_misfit_stops_at_noise_instead_of_fitting_it(noise, start, observed, truth):
    given, drawn, share = noisy(observed, noise)
    settings = Refinement(solves=90, stages=SHORT, noise=share)
    refined = refine(start, given, small_acquisition(), settings)
    assert refined.status == Status.CONVERGED
    assert refined.solves < settings.solves - 5
    refiner = Refiner(ShotProblem(torch.from_numpy(given), small_acquisition()), settings)
    kept, energy = (float(refiner.bands[-1](torch.from_numpy(each)).square().sum()) for each in (drawn, given))
    assert 0.95 * kept / energy < refined.misfit < 1.2 * kept / energy
    assert error(refined.map, truth) < 0.95 * error(start, truth)
    clean = [np.linalg.norm(records_of(each, small_acquisition()) - observed) for each in (refined.map, start)]
    assert clean[0] < 0.5 * clean[1]  # of the waves, not of the noise


def test_a_start_whose_records_differ_by_less_than_a_fiftieth_of_the_noise_is_still_refined(start, observed, truth):
    near = truth + 0.6 * (start - truth)
    given, drawn, share = noisy(observed, 0.316)
    difference = records_of(near, small_acquisition()) - observed
    assert np.square(difference).sum() < 0.02 * np.square(drawn).sum()
    refined = refine(near, given, small_acquisition(), Refinement(solves=40, stages=SHORT, noise=share))
    assert refined.status == Status.CONVERGED and refined.misfit < refined.start_misfit
    after = records_of(refined.map, small_acquisition()) - observed
    assert np.linalg.norm(after) < 0.9 * np.linalg.norm(difference)
    assert error(refined.map, truth) < 0.99 * error(near, truth)


def test_records_are_compared_at_the_frequencies_of_the_signal_alone(observed):
    given, _, share = noisy(observed, 0.316)
    problem = ShotProblem(torch.from_numpy(given), small_acquisition())
    kept = problem.signal(share)
    frequencies = np.fft.rfftfreq(2 * (len(kept) - 1), 1e-3)
    assert float(kept.min()) >= 0.0 and float(kept.max()) <= 1.0
    assert float(kept[(frequencies > 8.0) & (frequencies < 25.0)].min()) > 0.9
    assert float(kept[frequencies > 80.0].mean()) < 0.1
    assert float(problem.signal(1e-6)[frequencies < 40.0].min()) > 0.999


def test_the_energy_of_noise_deviates_as_its_samples_in_the_band_say(observed):
    problem = ShotProblem(torch.from_numpy(observed), small_acquisition())
    band = Band(1e-3, 320, 3.0, 40.0, gain=0.5)
    draws = torch.from_numpy(np.random.default_rng(3).normal(size=(400, 320, 45)))
    energies = band(draws).square().sum((1, 2))
    assert float(energies.std() / energies.mean()) == pytest.approx(problem.noise_deviation(band), rel=0.15)


def test_a_refinement_that_gains_little_stops_before_its_solves_are_used_up(start, observed, monkeypatch):
    monkeypatch.setattr("sciml.gfi.refinement.refining.PATIENCE", 3)
    monkeypatch.setattr("sciml.gfi.refinement.refining.LITTLE", 0.9)
    refined = refine(start, observed, small_acquisition(), Refinement(solves=40, stages=[Stage()]))
    assert refined.status == Status.STALLED
    assert refined.history[-1].misfit == refined.misfit  # the last step is told, too
    assert 5 < refined.solves < 30 and refined.misfit < refined.start_misfit


def test_an_unknown_wavelet_is_found_to_one_percent_on_the_true_map(truth):
    known = small_acquisition()
    true = np.roll(known.wavelet, 6) * 1.7 + 0.3 * np.gradient(known.wavelet)
    observed = torch.from_numpy(records_of(truth, small_acquisition(wavelet=true)))
    problem = ShotProblem(observed, known, unknown_wavelet=True)
    with torch.no_grad():
        records = Modelled.of(truth, WaveSolver(known)).records
        found = problem.wavelet(records.detach()).numpy()
    assert np.linalg.norm(found - true) <= 0.01 * np.linalg.norm(true)


def test_a_refinement_finds_map_and_wavelet_together(start, truth):
    known = small_acquisition()
    observed = records_of(truth, small_acquisition(wavelet=2.0 * np.roll(known.wavelet, 4)))
    settings = Refinement(solves=30, stages=SHORT, unknown_wavelet=True)
    refined = refine(start, observed, known, settings)
    true = 2.0 * np.roll(known.wavelet, 4)
    assert refined.misfit <= refined.start_misfit / 10
    assert error(refined.map, truth) < error(start, truth)
    assert np.linalg.norm(refined.wavelet - true) <= 0.05 * np.linalg.norm(true)


def test_missing_traces_may_hold_anything(start, observed):
    mask = np.random.default_rng(1).random((3, 15)) > 0.3
    spoiled = np.where(mask[:, None], observed, np.nan)
    settings = Refinement(solves=10, stages=SHORT)
    results = [
        refine(start, each, small_acquisition(mask=mask), settings) for each in (spoiled, np.nan_to_num(spoiled))
    ]
    np.testing.assert_array_equal(results[0].map, results[1].map)
    assert results[0].misfit < 0.5 * results[0].start_misfit
    with pytest.raises(InputError, match="not finite; mask"):
        refine(start, spoiled, small_acquisition(), settings)


def test_what_the_records_do_not_reach_has_no_illumination(start, observed):
    short = small_acquisition(steps=100)  # waves are back from 50 m at most
    refined = refine(start, observed[:, :100], short, Refinement(solves=7, stages=(Stage(),)))
    assert refined.illumination[-4:].max() < 0.05 * refined.illumination[:4].min()
    assert 0.2 < refined.unseen < 1.0
    assert error(refined.map[-4:], start[-4:]) < 0.02 * 600.0  # the step between the layers


def test_illumination_is_finite_where_most_of_the_map_is_dark():
    deep = small_acquisition(shape=(90, 12), steps=80, sources=[(10.0, 60.0)], receivers=[(10.0, 30.0), (10.0, 90.0)])
    problem = ShotProblem(torch.ones(deep.record_shape), deep)
    modelled = Modelled.of(np.full(deep.shape, 2000.0), WaveSolver(deep))
    illumination = modelled.illumination(problem, Band(1e-3, 80))
    assert np.isfinite(illumination).all() and illumination.max() <= 100.0
    assert illumination[:3].min() > 0.1 > illumination[40:].max()


@pytest.mark.parametrize(
    ("factor", "words"),
    [(1e3, "have a norm of .* and those of the start"), (1e-3, "norm"), (-1.0, "correlation of -1.* sign")],
)
def test_records_that_the_known_wavelet_cannot_have_made_are_refused(start, observed, factor, words):
    with pytest.raises(InputError, match=f"{words}.*unknown_wavelet=true"):
        refine(start, factor * observed, small_acquisition(), Refinement(solves=7))
    settings = Refinement(solves=7, unknown_wavelet=True)
    problem = ShotProblem(torch.from_numpy(factor * observed), small_acquisition(), unknown_wavelet=True)
    expected = ShotProblem(torch.from_numpy(observed), small_acquisition(), unknown_wavelet=True)
    found, plain = (Refiner(each, settings).begin(start).start_misfit for each in (problem, expected))
    assert found == pytest.approx(plain, rel=1e-3)


def test_noise_in_percent_is_refused():
    with pytest.raises(InputError, match=r"the noise is 5, expected .*; give a share of the records, 0\.05 for 5 %"):
        Refinement(noise=5)


def test_stages_whose_band_ends_before_it_begins_are_refused():
    with pytest.raises(InputError, match=r"highest frequency of a stage is 0\.2, expected .* 0\.2; raise its highest"):
        Refinement(stages=[Stage(0.2), Stage()])
    assert len(Refinement(stages=[Stage(0.2), Stage()], lowest=None).stages) == 2


def test_several_starts_tell_where_they_differ(start, observed):
    starts = np.stack([start, start + 60.0])
    refined = refine(starts, observed, small_acquisition(), Refinement(solves=12, stages=SHORT))
    assert refined.maps.shape == (2, *SHAPE)
    assert refined.misfit == refined.misfits.min()
    np.testing.assert_allclose(refined.spread, refined.maps.std(0, ddof=1))
    assert refined.spread[:6].mean() < refined.spread[-6:].mean()  # the data decide near the surface


def test_rows_are_imposed_exactly(start, observed):
    refined = refine(start + 20.0, observed, small_acquisition(), Refinement(solves=10, priors=[Rows()]))
    np.testing.assert_allclose(refined.map, refined.map.mean(1, keepdims=True).repeat(30, 1), rtol=1e-12)
    assert refined.misfit < refined.start_misfit


@pytest.mark.parametrize("engine", ["host"])
def test_an_engine_without_derivatives_is_refused(engine, start, observed):
    with pytest.raises(InputError):
        refine(start, observed, small_acquisition(), Refinement(solves=7), engine=engine)


def test_bad_input_is_refused_in_sentences(start, observed):
    acquisition = small_acquisition()
    with pytest.raises(InputError, match="exchange their axes"):
        refine(start, observed.swapaxes(1, 2), acquisition)
    with pytest.raises(InputError, match="the shape of the start"):
        refine(start.T, observed, acquisition)
    with pytest.raises(InputError, match="km/s"):
        refine(start / 1000, observed, acquisition)
    with pytest.raises(InputError, match="zero everywhere"):
        refine(start, 0 * observed, acquisition)
    with pytest.raises(
        InputError, match=r"range from slowest to fastest reaches 7000 m/s.*take a time step of at most"
    ):
        refine(start, observed, acquisition, Refinement(fastest=7000.0))
