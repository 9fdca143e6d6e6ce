"""Makes the text of a PDF the one that was written: ligatures and look-alikes become the letters that people type.

Qt tells a reader of its PDFs which letter a glyph is by asking the font backwards, and takes the first answer: in CJK
fonts that is often a radical (U+2F47 for U+65E5), in others a ligature (U+FB01 for "fi"). Who searches the report for
a word, or copies it into a hospital's system, finds nothing. The tables are corrected in an update at the end of the
file (ISO 32000-1, 7.5.6): nothing that is drawn changes.
"""

import re
import unicodedata
import zlib

from bcikit.signal import RecordingError

_OBJECT = re.compile(rb"(\d+) 0 obj\s*<<(?:(?!endobj).)*?>>\s*stream\r?\n", re.DOTALL)
_LENGTH = re.compile(rb"/Length (\d+)")
_LETTER = re.compile(rb"<([0-9A-Fa-f]{4,})>")
_END = re.compile(rb"startxref\s+(\d+)\s+%%EOF\s*\Z")
_TRAILER = re.compile(rb"trailer\s*<<(.*?)>>\s*startxref", re.DOTALL)


def plain_letters(data: bytes) -> bytes:
    """Return a PDF that Qt wrote with its letter tables corrected.

    Raises
    ------
    RecordingError
        If it is no PDF as Qt writes it.
    """
    end, trailer = _END.search(data), _TRAILER.findall(data)
    if end is None or not trailer:
        raise RecordingError("That is no PDF with a table of its objects.")
    new = bytearray()
    places: dict[int, int] = {}
    for number, table in _tables(data).items():
        better = _corrected(table)
        if better != table:
            places[number] = len(data) + len(new)
            new += b"%d 0 obj\n<< /Length %d >>\nstream\n" % (number, len(better)) + better + b"\nendstream\nendobj\n"
    if not places:
        return data
    start = len(data) + len(new)
    new += b"xref\n"
    for number, place in sorted(places.items()):
        new += b"%d 1\n%010d 00000 n \n" % (number, place)
    kept = re.sub(rb"/Prev \d+", b"", trailer[-1]).strip()
    new += b"trailer\n<<\n" + kept + b"\n/Prev " + end[1] + b"\n>>\nstartxref\n%d\n%%%%EOF\n" % start
    return data + bytes(new)


def _tables(data: bytes) -> dict[int, bytes]:
    """Return the letter tables: number of the object to its text, the newest where there are several."""
    found = {}
    for match in _OBJECT.finditer(data):
        stop = data.find(b"endstream", match.end())
        length = _LENGTH.search(match[0])
        raw = data[match.end() : match.end() + int(length[1])] if length else data[match.end() : stop].rstrip()
        if b"begincmap" not in raw:
            try:
                raw = zlib.decompress(raw)
            except zlib.error:
                continue
        if b"begincmap" in raw:
            found[int(match[1])] = raw
    return found


def _corrected(table: bytes) -> bytes:
    """Return a table in which every letter in a list of letters is the one that people type."""

    def letter(match: re.Match[bytes]) -> bytes:
        text = bytes.fromhex(match[1].decode()).decode("utf-16-be", "surrogatepass")
        typed = "".join(map(_typed, text))
        return match[0] if typed == text else b"<" + typed.encode("utf-16-be", "surrogatepass").hex().encode() + b">"

    return re.sub(rb"\[[^\]]*\]", lambda row: _LETTER.sub(letter, row[0]), table)


_SIMPLIFIED = dict(
    zip(
        "⺠⻄⻅⻆⻉⻋⻓⻔⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻧⻨⻩⻬⻮⻰⻳",
        "民西见角贝车长门青韦页风飞食马骨鬼鱼鸟卤麦黄齐齿龙龟",
        strict=True,
    )
)
"""Radicals without a compatibility mapping: `EquivalentUnifiedIdeograph` of the Unicode database."""


def _typed(letter: str) -> str:
    """Return what is typed for a letter: radicals and presentation forms are characters of their own in Unicode."""
    code = ord(letter)
    if 0x2E80 <= code <= 0x2FDF or 0xF900 <= code <= 0xFAFF or 0xFB00 <= code <= 0xFB06:
        return _SIMPLIFIED.get(letter) or unicodedata.normalize("NFKC", letter)
    return letter
