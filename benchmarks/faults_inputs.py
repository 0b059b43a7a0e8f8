"""Bad inputs: the tests that try them, by kind and by where they come in, run and counted."""

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

EXTRACT, LOAD, RUN, PREDICT, APP = PLACES = ("extract", "load", "run", "predict", "app")
Cases = Sequence[str] | str
"""Tests, or the reason why there is nothing to try."""

_T = "tests/test_{}.py::test_{}".format
_READ, _NAMES, _LEXICON = ("nlp_read", "read"), ("nlp_image_names", "image_names"), ("nlp_lexicon", "lexicon")
_COMMANDS, _INPUTS = ("faults_commands", "faults_commands"), ("faults_inputs", "faults_inputs")
_FORMS, _ROUTES = ("train_image_forms", "image_forms"), ("annotate_image_routes", "image_routes")
_ARCHIVES, _DICOM, _PREDICT = (
    ("train_archives", "archives"),
    ("train_dicom", "dicom"),
    ("train_predict_inputs", "predict"),
)
_SECURITY, _ROWS = ("security", "security"), ("annotate_tables", "read_labels")

_NO_TABLE, _NO_IMAGE, _NO_LEXICON = (
    "reads no table",
    "opens no image",
    "takes no lexicon: its labels are made",
)


def _of(module: tuple[str, str], *names: str) -> list[str]:
    """Tests of one file by what follows the words that they begin with."""
    file, begin = module
    return [_T(file, f"{begin}_{name}") for name in names]


_EVERY_TABLE = _of(_COMMANDS, "every_command_says_in_one_message_what_is_wrong")
_EVERY_IMAGE = _of(_COMMANDS, "every_command_names_the_images_it_cannot_read")
_EVERY_PATH = _of(_COMMANDS, "no_command_takes_an_image_from_outside")
_EVERY_LEXICON = _of(_COMMANDS, "every_command_names_the_place_of_a_lexicons_mistake")
_SENT_TABLE = [
    _T("annotate_pages_rules", "suspects_page_names_what_is_wrong_with_a_table_that_was_sent"),
    _T("annotate_pages_rules", "suspects_page_refuses_rows_the_model_was_trained_on"),
]
_DROPPED = [_T("train_pages_diagnose", "diagnose_a_batch_is_a_table_with_a_download")]

SUITE: Mapping[str, Mapping[str, Cases]] = {
    "encodings": {
        EXTRACT: _of(
            _READ,
            *("finds_the_encoding_by_its_mark", "asks_for_an_encoding_that_has_no_mark"),
            *("names_the_place_where_a_chosen_encoding_fails", "refuses_an_unknown_encoding"),
            "finds_the_first_invalid_byte_across_chunks",
        ),
        LOAD: _EVERY_TABLE,
        RUN: _EVERY_TABLE,
        PREDICT: _NO_TABLE,
        APP: _SENT_TABLE,
    },
    "NA and None, ids that a spreadsheet changed": {
        EXTRACT: _of(
            _READ,
            *("warns_of_damaged_ids_and_texts_and_repairs_none", "keeps_every_cell_as_it_is_in_every_format"),
            "takes_numbers_of_a_spreadsheet_and_of_parquet_as_text",
        ),
        LOAD: _of(_ROWS, "keeps_text_as_text_and_numbers_rows"),
        RUN: [_T("train_records", "records_keep_texts_as_they_are_and_ignore_other_columns")],
        PREDICT: _NO_TABLE,
        APP: "what it takes is images and numbers; its names are compared as text",
    },
    "shape of tables, every format": {
        EXTRACT: [
            *_of(
                _READ,
                *("rejects_ragged_rows_and_reads_on", "loses_one_row_to_a_stray_quote"),
                *("gives_up_an_open_quote_at_the_end_or_at_the_limit", "rejects_a_cell_beyond_all_measure"),
                *("rejects_rows_without_image_and_images_that_come_again", "refuses_a_file_that_is_no_table"),
                *("refuses_a_parquet_column_that_is_no_text", "rejects_jsonl_lines_that_are_no_object"),
                *("counts_every_row_once_whatever_the_batch", "refuses_a_workbook_that_inflates_without_end"),
                "refuses_more_columns_than_a_spreadsheet_has_and_lists_few",
                "refuses_a_record_in_the_place_of_the_header",
            ),
            _T("nlp_extract", "extract_gives_the_same_labels_from_every_format"),
            *_of(
                _INPUTS,
                *("any_bytes_are_a_table_or_one_error", "a_well_written_table_is_rows_or_rejected_rows"),
            ),
        ],
        LOAD: _of(
            _ROWS, "lists_every_breach_with_its_row_and_no_text", "refuses_what_is_no_table_of_the_contract"
        ),
        RUN: [
            _T("train_records", "records_name_missing_columns_and_broken_rows"),
            _T("train_records", "records_refuse_tables_that_are_none"),
        ],
        PREDICT: _NO_TABLE,
        APP: _SENT_TABLE,
    },
    "image names": {
        EXTRACT: _NO_IMAGE,
        LOAD: _of(
            _NAMES,
            *(
                "are_paths_then_file_names_then_stems",
                "are_never_url_decoded",
                "that_no_file_can_have_are_misses",
            ),
            "unicode_forms_are_the_same_name_but_literal_wins",
        ),
        RUN: [_T("nlp_image_names", "find_images_lists_every_miss_with_names_near_it")],
        PREDICT: _of(_ARCHIVES, "members_of_odd_names_are_read"),
        APP: _DROPPED,
    },
    "paths and links out of the image folder": {
        EXTRACT: _NO_IMAGE,
        LOAD: [
            *_EVERY_PATH,
            *_of(_NAMES, "never_lead_out_of_the_folder", "links_count_only_inside_the_folder"),
        ],
        RUN: _EVERY_PATH,
        PREDICT: [
            _T("train_archives", "image_paths_follow_no_link_out_of_a_folder"),
            *_of(_ARCHIVES, "members_that_lead_out_are_refused", "members_that_are_links_are_not_followed"),
        ],
        APP: [*_of(_ROUTES, "serve_nothing_from_outside"), *_of(_SECURITY, "no_address_leads_to_a_file")],
    },
    "images": {
        EXTRACT: _NO_IMAGE,
        LOAD: "opens no image; the app does",
        RUN: [
            *_EVERY_IMAGE,
            _T("train_run", "run_unreadable_images_are_listed_before_training"),
            *_of(
                _FORMS,
                *("name_every_broken_file_at_once", "refuse_decompression_bombs", "refuse_several_pictures"),
                *("damage_gives_one_message_or_a_picture", "deep_values_are_stretched_and_never_clipped"),
            ),
            *_of(_INPUTS, "a_damaged_image_is_an_image_or_one_error"),
        ],
        PREDICT: [
            *_EVERY_IMAGE,
            _T("train_predict", "predict_lists_what_cannot_be_read_and_does_the_rest"),
            *_of(_PREDICT, "names_every_bad_file_once_and_does_the_rest"),
        ],
        APP: [*_DROPPED, *_of(_ROUTES, "refuse_what_is_no_image", "convert_what_browsers_do_not_show")],
    },
    "DICOM": {
        EXTRACT: _NO_IMAGE,
        LOAD: "opens no image; the app says that it shows no DICOM",
        RUN: _EVERY_IMAGE,
        PREDICT: [
            *_of(_PREDICT, "shows_and_keeps_nothing_that_names_a_person"),
            *_of(
                _DICOM,
                *("without_a_picture_or_cut_short_is_one_error", "that_inflates_without_end_is_refused"),
                *("frames_are_no_more_than_the_file_holds", "header_keeps_hashes_only", "library_is_silent"),
            ),
            *_of(_INPUTS, "damaged_archives_and_dicom_files_are_images_or_problems"),
        ],
        APP: _DROPPED,
    },
    "zip archives": {
        EXTRACT: _NO_IMAGE,
        LOAD: _NO_IMAGE,
        RUN: "takes files of its image folder only",
        PREDICT: [
            *_of(
                _ARCHIVES,
                *("bombs_are_refused_before_they_unpack", "that_lie_about_sizes_are_counted"),
                *("inside_archives_and_encrypted_members_are_named", "damaged_ones_are_one_problem"),
            ),
            *_of(_INPUTS, "damaged_archives_and_dicom_files_are_images_or_problems"),
        ],
        APP: _DROPPED,
    },
    "texts of all kinds": {
        EXTRACT: [
            *_of(_INPUTS, "offsets_point_into_the_text_as_it_was"),
            _T("nlp_normalise", "normalise_never_changes_the_length"),
            _T("nlp_normalise", "normalise_a_mention_is_cut_from_the_text_as_it_was"),
        ],
        LOAD: [_T("annotate_load", "load_refuses_nul_characters_with_their_rows")],
        RUN: "learns no text",
        PREDICT: "reads no text",
        APP: [_T("annotate_desk_text", "desk_shows_markup_as_text_and_long_captions_quickly")],
    },
    "lexicon": {
        EXTRACT: [
            *_EVERY_LEXICON,
            *_of(
                _LEXICON,
                *("a_mistake_is_named_with_file_line_and_column", "a_row_that_stands_twice_is_refused"),
                *("a_missing_file_is_named", "another_encoding_is_refused_with_what_to_do"),
            ),
            *_of(_INPUTS, "a_changed_lexicon_loads_or_names_its_mistakes"),
        ],
        LOAD: _EVERY_LEXICON,
        RUN: _NO_LEXICON,
        PREDICT: _NO_LEXICON,
        APP: [_T("annotate_pages_rules", "rules_page_shows_the_checkers_mistakes")],
    },
    "model files": {
        EXTRACT: "takes no model",
        LOAD: "takes no model",
        RUN: [_T("train_weights", "weights_files_that_are_damaged_or_harmful_are_refused")],
        PREDICT: [
            *_of(_COMMANDS, "a_pickle_in_the_place_of_a_network_is_never_run"),
            _T("train_predict", "predict_refuses_unfinished_and_damaged_runs"),
            _T("train_model", "model_file_of_another_kind_is_refused"),
            _T("train_segment", "segment_never_downloads"),
        ],
        APP: "the same reader as predict",
    },
    "formulas": {
        EXTRACT: "raw by contract; annotate.export --spreadsheet escapes",
        LOAD: "raw by contract",
        RUN: "raw by contract",
        PREDICT: "raw by contract",
        APP: [_T("annotate_spreadsheet", "spreadsheet_leaves_no_formula_and_changes_nothing_else")],
    },
    "markup": {
        EXTRACT: ["tests/test_nlp_explain.py"],
        LOAD: "shows nothing",
        RUN: [
            _T("train_report", "report_escapes_what_it_shows"),
            _T("train_audit_parts", "audit_report_escapes_names_and_says_what_was_skipped"),
        ],
        PREDICT: "writes no page",
        APP: [
            *_of(_SECURITY, "markup_leaves_the_server_as_data_only"),
            _T("nlp_markdown", "markdown_every_sign_that_draws_is_told_not_to"),
        ],
    },
    "requests": {
        **dict.fromkeys((EXTRACT, LOAD, RUN, PREDICT), "answers nobody"),
        APP: [
            *_of(_SECURITY, "no_body_makes_the_server_fail", "what_is_sent_is_limited_while_it_comes"),
            _T("annotate_desk_routes", "desk_routes_limit_what_they_read"),
            _T("annotate_desk_routes", "desk_routes_refuse_in_one_sentence"),
            _T("annotate_decisions", "parse_decision_refuses"),
        ],
    },
    "a text in a message": {
        EXTRACT: [_T("nlp_extract", "extract_never_repeats_a_text")],
        LOAD: _of(_SECURITY, "a_canary_in_a_caption_is_in_no_log_and_no_message"),
        RUN: _EVERY_TABLE,
        PREDICT: _EVERY_IMAGE,
        APP: [_T("annotate_desk_routes", "desk_routes_never_log_a_text")],
    },
}
"""Rows of bad input; for each place where it may come in, the tests that try it, or why there are none."""


def selected() -> list[str]:
    """Every test of the suite, once."""
    cases = (tests for row in SUITE.values() for tests in row.values() if not isinstance(tests, str))
    return list(dict.fromkeys(test for tests in cases for test in tests))


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
        how=f"{len(SUITE)} kinds for {', '.join(PLACES)}; generated ones count as one case each",
        tried=sum(ended.values()) - ended["skipped"],
        target="all with the expected message",
        held=done.returncode == 0,
        found=dict(ended),
    )
