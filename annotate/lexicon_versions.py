"""The versions of the lexicon that a database knows: which one is active, what stands in each, who made it.

The toolkit's own lexicon is active until another is saved. A version is the text of its CSV files, named by the
hash that ``nlp.lexicon`` computes, so that the files downloaded give ``nlp.extract --lexicon`` the same version.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from annotate.people import require_role
from annotate.store_tables import LEXICON, META
from nlp.entries import Lexicon
from nlp.errors import LexiconError, StoreError
from nlp.lexicon import DEFAULT_FOLDER, FILES, load_lexicon

Files = Mapping[str, str]
"""The text of each CSV file of ``nlp.lexicon.FILES`` by its name."""

OWN = "the toolkit"
"""The author of the lexicon that comes with the toolkit."""
_ACTIVE = "lexicon"
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # equal files give equal archives


@dataclass(frozen=True)
class Version:
    """One version of the lexicon.

    Attributes:
        parent: the version it was edited from; None where it stands at the beginning.
        author: who saved it.
        created: Unix time; None of the toolkit's own while the database has not kept it.
    """

    version: str
    parent: str | None
    author: str
    created: float | None
    files: Files


@cache
def own_version() -> Version:
    """The lexicon that comes with the toolkit, as it was when the process started."""
    files = {name: (DEFAULT_FOLDER / name).read_bytes().decode("utf-8-sig") for name in FILES}
    return Version(load_lexicon().version, None, OWN, None, files)


def load_files(files: Files, findings: tuple[str, ...]) -> Lexicon:
    """Read and check a lexicon whose files are in memory.

    Args:
        findings: the keys of the database, which a version must keep: its labels have these columns.

    Raises:
        LexiconError: with every mistake, as ``file:line:column: problem``.
    """
    with TemporaryDirectory(prefix="lexicon-") as folder:
        for name in FILES:
            if name not in files:
                raise LexiconError([f"{name}:1:-: the file is missing"])
            (Path(folder) / name).write_bytes(files[name].encode())
        lexicon = load_lexicon(Path(folder))
    if set(lexicon.finding_keys) != set(findings):
        found, wanted = ", ".join(lexicon.finding_keys), ", ".join(findings)
        raise LexiconError(
            [
                f"findings.csv:1:key: the findings are {found}; this database holds labels of {wanted}. "
                "Another set of findings needs a database of its own: nlp.extract --lexicon, then annotate.load"
            ]
        )
    return lexicon


def versions(connection: sa.Connection) -> list[Version]:
    """All versions, the newest first; the toolkit's own is among them."""
    columns = LEXICON.c["version", "parent", "author", "created", "files"]
    rows = connection.execute(sa.select(*columns).order_by(LEXICON.c.created.desc(), LEXICON.c.version))
    kept = [Version(*row) for row in rows]
    own = own_version()
    return kept if any(each.version == own.version for each in kept) else [*kept, own]


def active_version(connection: sa.Connection) -> Version:
    """The version that labels are made with."""
    name = connection.scalar(sa.select(META.c.value).where(META.c.key == _ACTIVE))
    return own_version() if name is None else find_version(connection, name)


def active_lexicon(connection: sa.Connection, findings: tuple[str, ...]) -> Lexicon:
    """The lexicon that labels are made with: its names, colours and definitions are what people see."""
    version = active_version(connection)
    if version.version == own_version().version:
        return load_lexicon()
    return _loaded(tuple(sorted(version.files.items())), findings)


def find_version(connection: sa.Connection, name: str) -> Version:
    """One version by its hash.

    Raises:
        StoreError: the database does not know it.
    """
    found = next((each for each in versions(connection) if each.version == name), None)
    if found is None:
        known = ", ".join(each.version for each in versions(connection))
        raise StoreError(f"the database has no lexicon version {name!r}; it has {known}")
    return found


def activate(
    connection: sa.Connection, actor: str, files: Files, version: str, *, base: str, now: float
) -> None:
    """Keep a version and make it the active one. The labels follow by ``annotate.relabel``, which calls this.

    Args:
        version: the hash of ``files``.
        base: the version that was active when the edit began.

    Raises:
        StoreError: the actor is no adjudicator, or somebody else activated another version meanwhile.
    """
    require_role(connection, actor, "adjudicator")
    # two at once: the second waits here, and then sees that the first was faster
    connection.execute(sa.select(META.c.value).where(META.c.key == "database_id").with_for_update())
    before = active_version(connection)
    if before.version != base:
        raise StoreError(
            f"lexicon {before.version} of {before.author} became active meanwhile, and you edited {base}: "
            "download your files, open the page again and make the change there"
        )
    known = set(connection.scalars(sa.select(LEXICON.c.version)))
    own = own_version()
    if own.version not in known:  # so that one can go back to it after the toolkit has moved on
        _insert(connection, own, now)
    if version not in known | {own.version}:
        _insert(connection, Version(version, base, actor, now, files), now)
    connection.execute(META.delete().where(META.c.key == _ACTIVE))
    connection.execute(META.insert().values(key=_ACTIVE, value=version))


def as_zip(files: Files) -> bytes:
    """The files in one archive, to unpack for ``nlp.extract --lexicon``."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in FILES:
            archive.writestr(zipfile.ZipInfo(f"lexicon/{name}", _ZIP_TIME), files[name])
    return target.getvalue()


@lru_cache(maxsize=4)
def _loaded(files: tuple[tuple[str, str], ...], findings: tuple[str, ...]) -> Lexicon:
    return load_files(dict(files), findings)


def _insert(connection: sa.Connection, version: Version, now: float) -> None:
    row = {"version": version.version, "parent": version.parent, "author": version.author, "created": now}
    connection.execute(LEXICON.insert().values(**row, files=dict(version.files)))
