"""What one session has edited on the Rules page; kept from run to run."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from annotate.lexicon_versions import Version
from annotate.rule_changes import Preview

_KEY = "rules_draft"


@dataclass
class Draft:
    """The files as edited, and what was asked of them.

    Attributes:
        base: version that was active when the edit began; ``began`` its files.
        round: counts what changed the tables other than by typing in them; each starts with a fresh editor.
        view: the table that is shown, and ``before`` the text of its file when that began.
        taken: proposals that were added as terms, to be marked when the draft is saved.
        preview: what would change with the files ``previewed``; None: nobody asked.
        problems: mistakes that the checker found.
        told: what the last save did, to be said once.
    """

    base: str
    files: dict[str, str]
    round: int = 0
    view: tuple[Any, ...] = ()
    before: str = ""
    taken: set[int] = field(default_factory=set)
    preview: Preview | None = None
    previewed: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    covid: bool = False
    page: int = 1
    told: str = ""
    began: Mapping[str, str] = field(default_factory=dict)

    def edited(self, active: Version) -> list[str]:
        """Files that differ from the active version."""
        return [name for name, text in self.files.items() if text != active.files.get(name)]

    def put(self, files: Mapping[str, str]) -> None:
        """Replace files other than by typing."""
        self.files |= files
        self.round += 1

    def restart(self, active: Version) -> None:
        """Begin anew with the active version."""
        self.base, self.began = active.version, dict(active.files)
        self.taken, self.preview, self.problems = set(), None, ()
        self.put(active.files)

    @property
    def is_previewed(self) -> bool:
        """Whether the preview is of the files as they stand now."""
        return self.preview is not None and dict(self.previewed) == self.files


def draft_of(session: MutableMapping[Any, Any], active: Version) -> Draft:
    """The session's draft; a new one where it has none, or where nothing was edited before another became active."""
    draft = session.get(_KEY)
    if not isinstance(draft, Draft):
        draft = session[_KEY] = Draft(active.version, dict(active.files), began=dict(active.files))
    elif draft.base != active.version and draft.files == draft.began:
        draft.restart(active)
    return draft
