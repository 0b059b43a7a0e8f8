"""One annotator in a process of her own, for ``benchmarks.store``: ``python -m benchmarks.store_writer URL NAME HOW``.

Every acknowledged decision is printed before the next is begun, so that who kills this process knows what it was
promised.
"""

from __future__ import annotations

import random
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing

from annotate.decisions import Decision, save
from annotate.store import Store, open_store
from annotate.store_tables import RECORD
from annotate.worklist import claim
from nlp.schema import COVID

AT_ONCE = 5


def endless(store: Store, name: str) -> Iterator[str]:
    """Decide and undo at random for ever; ``op_id annotation_id`` of each acknowledgement."""
    chance = random.Random(name)
    with store.read() as connection:
        records = list(connection.scalars(RECORD.select().with_only_columns(RECORD.c.id)))
    bases: dict[int, int | None] = {}
    while True:
        record = chance.choice(records)
        action = "undo" if bases.get(record) and chance.random() < 0.2 else "confirm"
        labels = {key: chance.choice(["1", "0", "-1"]) for key in (COVID, *store.findings)}
        one = Decision(str(uuid.uuid4()), record, action, labels, base=bases.get(record))
        with store.write() as connection:
            [ack] = save(connection, store.findings, name, [one], now=time.time())
        if ack.status == "saved":
            bases[record] = ack.annotation_id
            yield ack.op_id
        else:  # work of an earlier process of this name
            bases[record] = ack.annotation_id


def until_done(store: Store, name: str) -> Iterator[str]:
    """Confirm records until none are left; the op_id of each."""
    labels = dict.fromkeys((COVID, *store.findings), "")
    while True:
        with store.write() as connection:
            records = claim(connection, name, AT_ONCE, now=time.time())
        if not records:
            return
        decisions = [Decision(str(uuid.uuid4()), record, "confirm", labels) for record in records]
        with store.write() as connection:
            acks = save(connection, store.findings, name, decisions, now=time.time())
        for ack in acks:
            yield ack.op_id if ack.status == "saved" and not ack.message else f"lost:{ack.status}"


def main() -> None:
    """Work as the arguments say and print every acknowledgement."""
    url, name, how = sys.argv[1:]
    with closing(open_store(url, create=False)) as store:
        for op_id in {"endless": endless, "until_done": until_done}[how](store, name):
            print(op_id, flush=True)


if __name__ == "__main__":
    main()
