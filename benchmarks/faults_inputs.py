"""Bad inputs: the tests that try them, by kind, run and counted."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.common import ROOT
from benchmarks.faults_common import Fault
from nlp.errors import ToolkitError

_READ, _EXTRACT, _NAMES = (
    "tests/test_nlp_read.py::",
    "tests/test_nlp_extract.py::",
    "tests/test_nlp_image_names.py::",
)
_LEXICON, _INPUTS = "tests/test_nlp_lexicon.py::", "tests/test_faults_inputs.py::"
_FORMS, _ROUTES = "tests/test_train_image_forms.py::", "tests/test_annotate_image_routes.py::"

SUITE: Mapping[str, Sequence[str]] = {
    "encodings": (
        f"{_READ}test_read_finds_the_encoding_by_its_mark",
        f"{_READ}test_read_asks_for_an_encoding_that_has_no_mark",
        f"{_READ}test_read_names_the_place_where_a_chosen_encoding_fails",
        f"{_READ}test_read_refuses_an_unknown_encoding",
        f"{_READ}test_read_finds_the_first_invalid_byte_across_chunks",
        f"{_INPUTS}test_faults_inputs_every_command_says_in_one_message_what_is_wrong",
    ),
    "NA and None, ids that a spreadsheet changed": (
        f"{_READ}test_read_warns_of_damaged_ids_and_texts_and_repairs_none",
        f"{_READ}test_read_keeps_every_cell_as_it_is_in_every_format",
        f"{_READ}test_read_takes_numbers_of_a_spreadsheet_and_of_parquet_as_text",
    ),
    "shape of tables, every format": (
        f"{_READ}test_read_rejects_ragged_rows_and_reads_on",
        f"{_READ}test_read_loses_one_row_to_a_stray_quote",
        f"{_READ}test_read_gives_up_an_open_quote_at_the_end_or_at_the_limit",
        f"{_READ}test_read_rejects_a_cell_beyond_all_measure",
        f"{_READ}test_read_rejects_rows_without_image_and_images_that_come_again",
        f"{_READ}test_read_refuses_a_file_that_is_no_table",
        f"{_READ}test_read_refuses_a_parquet_column_that_is_no_text",
        f"{_READ}test_read_rejects_jsonl_lines_that_are_no_object",
        f"{_READ}test_read_counts_every_row_once_whatever_the_batch",
        f"{_EXTRACT}test_extract_gives_the_same_labels_from_every_format",
        f"{_INPUTS}test_faults_inputs_any_bytes_are_a_table_or_one_error",
        f"{_INPUTS}test_faults_inputs_a_well_written_table_is_rows_or_rejected_rows",
    ),
    "image names, paths and links": (
        f"{_NAMES}test_image_names_are_paths_then_file_names_then_stems",
        f"{_NAMES}test_image_names_are_never_url_decoded",
        f"{_NAMES}test_image_names_never_lead_out_of_the_folder",
        f"{_NAMES}test_image_names_links_count_only_inside_the_folder",
        f"{_NAMES}test_image_names_that_no_file_can_have_are_misses",
        f"{_NAMES}test_image_names_unicode_forms_are_the_same_name_but_literal_wins",
        f"{_NAMES}test_find_images_lists_every_miss_with_names_near_it",
        f"{_ROUTES}test_image_routes_serve_nothing_from_outside",
    ),
    "images": (
        f"{_FORMS}test_image_forms_name_every_broken_file_at_once",
        f"{_FORMS}test_image_forms_refuse_decompression_bombs",
        f"{_FORMS}test_image_forms_damage_gives_one_message_or_a_picture",
        f"{_FORMS}test_image_forms_deep_values_are_stretched_and_never_clipped",
        f"{_FORMS}test_image_forms_refuse_several_pictures",
        f"{_ROUTES}test_image_routes_refuse_what_is_no_image",
        f"{_ROUTES}test_image_routes_convert_what_browsers_do_not_show",
        "tests/test_train_predict.py::test_predict_lists_what_cannot_be_read_and_does_the_rest",
        "tests/test_train_run.py::test_run_unreadable_images_are_listed_before_training",
        f"{_INPUTS}test_faults_inputs_a_damaged_image_is_an_image_or_one_error",
    ),
    "lexicon": (
        f"{_LEXICON}test_lexicon_a_mistake_is_named_with_file_line_and_column",
        f"{_LEXICON}test_lexicon_a_row_that_stands_twice_is_refused",
        f"{_LEXICON}test_lexicon_a_missing_file_is_named",
        f"{_LEXICON}test_lexicon_another_encoding_is_refused_with_what_to_do",
        f"{_INPUTS}test_faults_inputs_a_changed_lexicon_loads_or_names_its_mistakes",
    ),
    "model files": (
        "tests/test_train_predict.py::test_predict_refuses_unfinished_and_damaged_runs",
        "tests/test_train_checkpoint.py::test_checkpoint_damaged_anywhere_gives_way_to_the_one_before",
    ),
    "formulas and markup": (
        "tests/test_annotate_spreadsheet.py::test_spreadsheet_leaves_no_formula_and_changes_nothing_else",
        "tests/test_security.py::test_security_markup_leaves_the_server_as_data_only",
        "tests/test_nlp_explain.py",
    ),
    "requests to the app": (
        "tests/test_security.py::test_security_no_body_makes_the_server_fail",
        "tests/test_annotate_desk_routes.py::test_desk_routes_limit_what_they_read",
        "tests/test_annotate_desk_routes.py::test_desk_routes_refuse_in_one_sentence",
        "tests/test_annotate_decisions.py::test_parse_decision_refuses",
    ),
    "no text in a message": (
        f"{_EXTRACT}test_extract_never_repeats_a_text",
        "tests/test_security.py::test_security_a_canary_in_a_caption_is_in_no_log_and_no_message",
    ),
}
"""Rows of bad input, and the tests that try them for extract, load, run, predict and the app."""


def selected() -> list[str]:
    """Every test of the suite."""
    return [test for tests in SUITE.values() for test in tests]


def bad_inputs(folder: Path) -> Fault:
    """Run the suite in a process of its own; each case is one bad input."""
    report = folder / "cases.xml"
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", f"--junitxml={report}", *selected()]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    if not report.is_file():
        raise ToolkitError(f"the suite did not run: {done.stdout[-500:]}")
    cases = ET.parse(report).getroot().iter("testcase")
    ended = Counter("as expected" if len(case) == 0 else case[0].tag for case in cases)
    return Fault(
        what="bad inputs",
        how=f"{len(SUITE)} kinds for extract, load, run, predict and the app; generated ones count as one case each",
        tried=sum(ended.values()) - ended["skipped"],
        target="all with the expected message",
        held=done.returncode == 0,
        found=dict(ended),
    )
