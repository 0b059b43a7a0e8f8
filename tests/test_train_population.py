"""The ruler: which records a figure is measured over, whatever the training policies were."""

from __future__ import annotations

import numpy as np

from tests.made_records import CRPA, CSLD, GGO, NAN, SEPTAL, make_records
from train.population import finding_populations, flag_population, group_of, measured_targets

BLANK = [NAN] * 5


def test_population_of_the_flag_leaves_unclear_records_out() -> None:
    found = flag_population(make_records([1, NAN, 0], patients=["a", "b", "c"]))
    assert found.rows.tolist() == [0, 2]
    assert found.positive.tolist() == [True, False]
    assert found.patient_ids == ("a", "c")


def test_population_of_findings_is_captioned_positives() -> None:
    cells = [[1, *BLANK[1:]], BLANK, [0, *BLANK[1:]], [1, *BLANK[1:]], BLANK]
    records = make_records([1, 1, 1, 0, 1], cells, captioned=[True, True, True, True, False])
    found = finding_populations(records)[GGO]
    assert found.rows.tolist() == [0, 1, 2]
    assert found.positive.tolist() == [True, False, False]
    assert found.column == 1
    everyone = finding_populations(records, positives_only=False)[GGO]
    assert everyone.rows.tolist() == [0, 1, 2, 3]


def test_population_leaves_uncertain_cells_out_whatever_training_took_them_for() -> None:
    records = make_records(
        [1, 1], [[-1, 1, 0, 0, 0], [1, 0, 0, 0, 0]], findings=[[1, 1, 0, 0, 0], [1, 0, 0, 0, 0]]
    )
    assert np.isnan(measured_targets(records)[0, 0])
    assert finding_populations(records)[GGO].rows.tolist() == [1]


def test_population_takes_blanks_as_absent_even_if_training_masked_them() -> None:
    masked = make_records([1, 1], [[1, *BLANK[1:]], BLANK], findings=[[1, *BLANK[1:]], BLANK])
    read = make_records([1, 1], [[1, *BLANK[1:]], BLANK])
    assert np.array_equal(measured_targets(masked), measured_targets(read))


def test_population_leaves_out_what_a_present_finding_entails() -> None:
    cells = [[NAN, NAN, 1, NAN, NAN]]  # crazy paving entails ground glass and septal thickening
    found = finding_populations(make_records([1], cells, findings=[[NAN, 0, 1, 0, NAN]]))
    assert [len(found[key].rows) for key in (GGO, CSLD, CRPA, SEPTAL)] == [0, 1, 1, 0]


def test_population_counts_what_a_person_confirmed_without_a_caption() -> None:
    records = make_records([1, 0], [BLANK, BLANK], findings=[[0] * 5, [0] * 5], captioned=[False, False])
    assert finding_populations(records)[GGO].rows.tolist() == [0]
    assert finding_populations(records, positives_only=False)[GGO].rows.tolist() == [
        0
    ]  # a control is only assumed


def test_population_groups_of_controls_follow_their_diagnosis() -> None:
    assert group_of("lung cancer", True) == "COVID-19"
    named = {name: group_of(name, False) for name in ("Normal", " healthy", "pneumonia", "")}
    assert list(named.values()) == ["normal", "normal", "other disease", "control"]
