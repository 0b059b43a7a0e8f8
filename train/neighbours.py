from __future__ import annotations


class Neighbours: ...


def read_neighbours(run):
    return None
