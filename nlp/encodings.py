"""Which encoding a text file has: a byte order mark, then strict UTF-8, else a question to the user.

Nothing is guessed: GB18030 files pass as cp1252 without an error and read as nonsense. The question
shows the header under each candidate, and which characters outside ASCII the file would hold, sorted
and without repeats, so that no report can be read from it.
"""

from __future__ import annotations

import codecs
from collections import Counter
from pathlib import Path

from nlp.errors import InputError

CANDIDATES = ("gb18030", "cp1252", "latin-1", "utf-16")
_MARKS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHUNK = 1 << 20
_HEADER_CHARACTERS = 90
_STRANGE_CHARACTERS = 12


def find_encoding(path: Path, asked: str | None = None) -> str:
    """The Python codec to read ``path`` with.

    Raises:
        InputError: the codec asked for does not exist, or none was asked for and the file has neither
            a byte order mark nor is it strict UTF-8.
    """
    with path.open("rb") as handle:
        head = handle.read(4096)
    if asked:
        return _byte_order(_known_codec(asked), head)
    marked = next((codec for mark, codec in _MARKS if head.startswith(mark)), None)
    if marked:
        return marked
    bad = head.find(b"\0")  # UTF-16 without a mark is valid UTF-8 full of NULs
    bad = bad if bad >= 0 else first_invalid_byte(path)
    if bad < 0:
        return "utf-8"
    raise InputError(_question(path, bad))


def first_invalid_byte(path: Path, codec: str = "utf-8") -> int:
    """Offset of the first byte that the codec cannot read, or -1."""
    decoder = codecs.getincrementaldecoder(codec)()
    offset = 0
    with path.open("rb") as handle:
        while True:
            chunk = handle.read(_CHUNK)
            kept_back = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                return offset - kept_back + error.start
            if not chunk:
                return -1
            offset += len(chunk)


def decoding_problem(path: Path, codec: str) -> str:
    """The message for a file that its codec cannot read to the end: the byte, where it is, what to do."""
    bad = first_invalid_byte(path, codec)
    _, _, line = _around(path, bad)
    place = f"byte {bad + 1}, on line {line}, does not fit"
    return f"{path} is not {codec} throughout: {place}; try another --encoding"


def _known_codec(asked: str) -> str:
    try:
        name = codecs.lookup(asked).name
        "".encode(name)  # "rot13" and "hex" are codecs, but not of text
    except (LookupError, ValueError):
        known = ", ".join(("utf-8", *CANDIDATES))
        raise InputError(f"--encoding {asked} is not known; common ones are {known}") from None
    return "utf-8-sig" if name == "utf-8" else name


def _byte_order(codec: str, head: bytes) -> str:
    """UTF-16 without a mark needs its byte order; of ASCII letters, the high byte is 0."""
    if codec != "utf-16" or head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return codec
    return "utf-16-be" if head[:1] == b"\0" else "utf-16-le"


def _question(path: Path, bad: int) -> str:
    header, window, line = _around(path, bad)
    rows = "\n".join(f"  {name:<8}  {_appearance(name, header, window)}" for name in CANDIDATES)
    return (
        f"{path} is not UTF-8 (byte {bad + 1}, line {line}). "
        f"Its header, and which letters outside ASCII it would hold, under each candidate:\n"
        f"{rows}\nChoose the one that reads well, for example: --encoding {CANDIDATES[0]}"
    )


def _around(path: Path, bad: int) -> tuple[bytes, bytes, int]:
    """The header's bytes, up to 1 MB from the line that holds the bad byte, and that line's number."""
    lines, line_start = 0, 0
    with path.open("rb") as handle:
        header = handle.readline(_CHUNK)
        handle.seek(0)
        while handle.tell() <= bad and (text := handle.readline()):
            line_start, lines = handle.tell() - len(text), lines + 1
        handle.seek(line_start - line_start % 2)
        window = handle.read(_CHUNK)
    return header, window, lines


def _appearance(codec: str, header: bytes, window: bytes) -> str:
    decoder = codecs.getincrementaldecoder(_byte_order(codec, header))
    try:
        text = decoder().decode(window)
        first = decoder().decode(header).rstrip("\r\n\0")
    except UnicodeError:
        return "impossible: some bytes do not fit"
    strange = Counter(character for character in text if ord(character) > 127)
    most = sorted(character for character, _ in strange.most_common(_STRANGE_CHARACTERS))
    return f"{_printable(first)[:_HEADER_CHARACTERS]}   [{_printable(' '.join(most))}]"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
