"""The keys of the desk: what each does, its default, and what an annotator may change it to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from nlp.errors import StoreError

_NAMED = re.compile(r"F\d{1,2}|Home|End|PageUp|PageDown|Insert|Arrow(?:Up|Down|Left|Right)")
RESERVED = "digits, Tab, Escape, Enter, Backspace and Delete keep their meaning"


@dataclass(frozen=True)
class KeyAction:
    """One action: its name in settings, default key (as ``KeyboardEvent.key``, lower case) and meaning."""

    action: str
    key: str
    meaning: str
    group: str


KEY_ACTIONS: tuple[KeyAction, ...] = (
    KeyAction("confirm", "a", "Confirm the whole record", "Decide"),
    KeyAction("nothing", "x", "No lesion is right: confirm with every finding absent", "Decide"),
    KeyAction("skip", " ", "Skip", "Decide"),
    KeyAction("undo", "u", "Undo the last decision, any number back (Backspace too)", "Decide"),
    KeyAction("flag", "f", "Flag for a second look", "Decide"),
    KeyAction("comment", "t", "Write a comment (Escape leaves it)", "Decide"),
    KeyAction("covid", "v", "COVID-19: yes, no, unsure", "Findings"),
    KeyAction("box", "k", "Draw a box for the current finding (arrows place it, Enter keeps it)", "Findings"),
    KeyAction("next_box", "o", "Choose the next box: arrows move it, with shift resize it", "Findings"),
    KeyAction("guideline", "g", "Guideline of the current finding", "Findings"),
    KeyAction("present", "p", "Mention is present", "Words"),
    KeyAction("negated", "n", "Mention is negated", "Words"),
    KeyAction("uncertain", "m", "Mention is uncertain (maybe)", "Words"),
    KeyAction("resolved", "r", "Mention is resolved", "Words"),
    KeyAction("delete", "d", "Delete the mention or the chosen box (Delete too)", "Words"),
    KeyAction("previous", "[", "Previous image of the patient", "Image"),
    KeyAction("next", "]", "Next image of the patient", "Image"),
    KeyAction("zoom_in", "+", "Zoom in (wheel too; drag moves)", "Image"),
    KeyAction("zoom_out", "-", "Zoom out", "Image"),
    KeyAction("fit", "0", "Whole image", "Image"),
    KeyAction("pan_left", "ArrowLeft", "Zoomed in: look further left", "Image"),
    KeyAction("pan_right", "ArrowRight", "Look further right", "Image"),
    KeyAction("pan_up", "ArrowUp", "Look further up", "Image"),
    KeyAction("pan_down", "ArrowDown", "Look further down", "Image"),
    KeyAction("window_whole", "w", "Window: as stored (right button drags the window)", "Image"),
    KeyAction("window_lung", "l", "Window: dark tones, lung", "Image"),
    KeyAction("window_bone", "b", "Window: bright tones, bone and soft tissue", "Image"),
    KeyAction("sheet", "?", "This sheet", "Help"),
)
"""Fixed beside these: a digit toggles that finding (with shift: uncertain), Tab goes to the next mention."""


def desk_settings(raw: object) -> dict[str, object]:
    """What an annotator may store: ``keys`` by action where they differ from the default, and ``keys_on``.

    Raises:
        StoreError: with every unknown action, unusable key and key that is used twice.
    """
    given = raw if isinstance(raw, Mapping) else {}
    keys = given.get("keys", {})
    if not isinstance(keys, Mapping):
        raise StoreError("keys must be a table of action and key")
    chosen = {action.action: action.key for action in KEY_ACTIONS}
    problems = [f"unknown action {str(name)[:40]!r}" for name in keys if name not in chosen]
    for name in chosen.keys() & keys.keys():
        if not _usable(keys[name], name):
            problems.append(
                f"{name} cannot be {str(keys[name])[:20]!r}: one sign or a key such as F2; {RESERVED}"
            )
        chosen[name] = str(keys[name])
    users: dict[str, list[str]] = {}
    for name, key in chosen.items():
        users.setdefault(key, []).append(name)
    problems += [
        f"{' and '.join(names)} share the key {key!r}" for key, names in users.items() if len(names) > 1
    ]
    if problems:
        raise StoreError("; ".join(problems))
    defaults = {action.action: action.key for action in KEY_ACTIONS}
    changed = {name: key for name, key in chosen.items() if key != defaults[name]}
    return {"keys": changed, "keys_on": given.get("keys_on", True) is not False}


def _usable(key: object, action: str) -> bool:
    if not isinstance(key, str):
        return False
    default = next(each.key for each in KEY_ACTIONS if each.action == action)
    if key == default:
        return True
    single = len(key) == 1 and key == key.lower() and key.isprintable() and not key.isdigit()
    return single or _NAMED.fullmatch(key) is not None
