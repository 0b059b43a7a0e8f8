"""See what changes: which labels an edited lexicon would change, and whom of the people it would contradict.

Reading everything anew takes seconds, so only sentences that may be read differently are (``annotate.rule_narrow``);
the captions in which one is are labelled by the function that ``nlp.extract`` uses. Words, what the active lexicon reads
in each sentence, and readers are remembered per process.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlalchemy as sa

from annotate.lexicon_versions import Files, active_version, load_files
from annotate.reread import LABELLED_BY_TEXT, read_again, stored_records
from annotate.rule_changes import Change, Preview, changes_of
from annotate.store_tables import EVENT, RECORD

if TYPE_CHECKING:
    from annotate.rule_captions import Captions
    from annotate.rule_effects import Effects
    from annotate.store import Store
    from nlp.entries import Lexicon

_REMEMBERED = 2


@dataclass
class Previewer:
    """Makes previews of one database; shared by the threads of a process, one at a time."""

    store: Store
    lock: threading.RLock = field(default_factory=threading.RLock)
    captions: Captions | None = None
    stamp: tuple[object, ...] = ()
    readers: dict[str, Effects] = field(default_factory=dict)

    def prepare(self) -> None:
        """Read and index the captions with the active lexicon, where that is not done yet: seconds for 20,000."""
        from nlp.batch import collector_paused

        with self.lock, collector_paused(), self.store.read() as connection:
            self._captions(connection)

    def preview(self, files: Files) -> Preview:
        """What would change if these files were the lexicon, COVID flags read anew as well.

        Raises:
            LexiconError: the files have mistakes.
        """
        from annotate.rule_narrow import narrow
        from nlp.batch import collector_paused

        started = time.perf_counter()
        with self.lock, collector_paused(), self.store.read() as connection:
            new = self.reader(load_files(files, self.store.findings))
            captions = self._captions(connection)
            base = captions.active.lexicon.version
            narrowed = narrow(captions, new)
            others = other_versions(connection, base)
            ids = sorted({*captions.record_ids(narrowed.captions), *others})
            records = list(stored_records(connection, ids))
            reads = read_again(records, narrowed.reader, covid=True)
            changes = tuple(changes_of(connection, records, reads))
            unread = connection.scalar(sa.select(sa.func.count()).where(~LABELLED_BY_TEXT)) or 0
        return Preview(
            version=new.lexicon.version,
            base=base,
            changes=changes,
            captions=len(captions.texts),
            read=len(
                {record.caption for record in records}.union(captions.texts[n] for n in narrowed.touched)
            ),
            unread=unread,
            seconds=time.perf_counter() - started,
        )

    def evidence(self, changes: Sequence[Change], files: Files) -> dict[int, str]:
        """The words behind changes as HTML, by record id.

        Args:
            files: those that the changes were previewed with.
        """
        from annotate.rule_html import evidence_html

        with self.lock, self.store.read() as connection:
            new = self.reader(load_files(files, self.store.findings)).reader
            old = self._captions(connection).active.reader
            records = {
                each.id: each for each in stored_records(connection, [each.record_id for each in changes])
            }
        return {
            change.record_id: evidence_html(change, record.caption, record.panel, old, new)
            for change in changes
            if (record := records.get(change.record_id))
        }

    def reader(self, lexicon: Lexicon) -> Effects:
        """The reader of a lexicon, from memory where it was used last; building one takes a part of a second."""
        from annotate.rule_effects import Effects
        from nlp.reader import Reader

        known = self.readers.pop(lexicon.version, None)
        self.readers[lexicon.version] = known or Effects(Reader(lexicon))
        for old in [*self.readers][:-_REMEMBERED]:
            del self.readers[old]
        return self.readers[lexicon.version]

    def _captions(self, connection: sa.Connection) -> Captions:
        from annotate.rule_captions import index_captions

        active = active_version(connection)
        stamp = (active.version, *captions_stamp(connection))
        if self.captions is None or self.stamp != stamp:
            known = self.readers.get(active.version)
            effects = known or self.reader(load_files(active.files, self.store.findings))
            rows = connection.execute(sa.select(RECORD.c.id, RECORD.c.caption).where(LABELLED_BY_TEXT))
            self.captions = index_captions(((number, text) for number, text in rows), effects)
            self.captions.warm()
            self.stamp = stamp
            gc.freeze()  # else Python looks through all of it for cycles during each preview: half a second
        return self.captions


def captions_stamp(connection: sa.Connection) -> tuple[object, ...]:
    """What differs when captions were loaded anew."""
    counted = sa.select(
        sa.func.count(), sa.func.max(RECORD.c.id), sa.func.sum(sa.func.length(RECORD.c.caption))
    )
    loaded = sa.select(sa.func.max(EVENT.c.id)).where(EVENT.c.kind.startswith("load"))
    return *connection.execute(counted).one(), connection.scalar(loaded)


def other_versions(connection: sa.Connection, version: str) -> Sequence[int]:
    """Records that were labelled by another lexicon than the active one: what the narrowing knows does not hold."""
    query = sa.select(RECORD.c.id).where(LABELLED_BY_TEXT, RECORD.c.lexicon_version != version)
    return connection.scalars(query).all()
