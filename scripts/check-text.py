#!/usr/bin/env python3
"""Checks text: links lead to a file and a heading that exist, no phrase that CONTRIBUTING.md bans, also not as the name of a
function or a test, types are nouns, no field or module has a name without meaning, and no two types that a crate shares between
files have one name.

Prints every finding as file:line and exits with 1 if there are any.
"""

import collections
import doctest
import pathlib
import re
import subprocess
import sys
import unicodedata

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Riddles and ellipses. Each has a plain form: say what it is, its unit, its default, when it fails.
PHRASES = [
    r"that is none",
    r"(?<!not )\bso often\b",
    r"\b(?:is|are) told\b",
    r"\b(?:is|are) said\b",
    r"what is left\b",
    r"\b(?:is|are) left out\b",
    r"makes? the states",
    r"\ba way back\b",
    r"\basked again\b",
    r"\bhas gone\b(?! silent)",
    r"\bso many\b",
    r"comes? later yet",
    r", too\b(?=[.;:\"]|$)",
]
# Words that say nothing as the name of a type.
TYPE_NAMES = set(
    "Line Lines Word Told Ask Known Part Desk Bells Rung Stand Standing Habits Roster Slot At Fed Turn Touched".split()
)
# Participles and verb forms that do not end in -ed or -ing. A type of that name says what was done, not what it is.
VERB_FORMS = set(
    "Asks Awoken Begun Bought Built Done Drawn Due Eaten Endless Expects Fail Fails Fit Follow Found Frozen Given Gone Got"
    " Grown Heard Held Hidden Keep Kept Known Left Lost Made Met Mood New Next Paid Retain Said Seen Sent Serve Shown Sold"
    " Spoken Stale Stays Taken Tells Told Wants What Who Wish Woken Written".split()
)
PARTICIPLE = re.compile(r"[A-Z][a-z]+(?:ed|ing)")
# Nouns that end like a participle. `Published` is what the server calls the state that all readers share.
NOUNS = set(
    "Beginning Encoding Feed Funding Listing Logging Opening Ping Published Reading Setting Sighting String Underlying"
    " Warning".split()
)
# Crates that no other depends on.
BINARIES = {"bench"}
MODULE_NAMES = set("said told served packed standing".split())
FIELD_NAMES = set("asked gone said standing told".split())
# Types that files share with their own folder only, and whose name another folder of the crate uses for its own.
FOLDER_TYPES = {
    ("bench", "Server"): "one serves the fan-out in a process of its own, one is the program that is measured",
    ("feeds", "LineError"): "a line of a CSV file, and a line of a recording",
    ("feeds", "RefusedRows"): "of a file, and of an answer of a venue",
    ("feeds", "Row"): "of a CSV file, and of an answer of a venue",
    ("feeds", "Rows"): "of a CSV file, and of a frame of a venue",
}
# Each venue has a folder with the same files and types in it.
VENUE = re.compile(r"crates/feeds/src/venues/\w+/")

PHRASE = re.compile("|".join(f"(?:{phrase})" for phrase in PHRASES), re.IGNORECASE)
ANY_TYPE = re.compile(r"^\s*(?:pub(?:\([^)]*\))? )?(?:struct|enum|trait|type) ([A-Z]\w*)")
TYPE = re.compile(r"^\s*pub(?:\([^)]*\))? (?:struct|enum|trait|type) ([A-Z]\w*)")
FIELD = re.compile(r"^\s*(?:pub(?:\([^)]*\))? )?([a-z_]+): ")
DEFINITION = re.compile(r"\b(?:fn|def|function|mod|class|struct|enum|trait|const|static|let) (\w+)")
MODULE = re.compile(r"^\s*(?:pub(?:\([^)]*\))? )?mod (\w+)")


def tracked(*patterns):
    """Paths of tracked and new files that match."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [ROOT / path for path in listed.stdout.splitlines() if (ROOT / path).is_file()]


def lines_of(path):
    return enumerate(path.read_text(encoding="utf-8").splitlines(), 1)


def words_of(name):
    """A name as the words it is made of.

    >>> words_of("a_row_is_told"), words_of("soManyRows"), words_of("HTTPServer2")
    ('a row is told', 'so Many Rows', 'HTTP Server2')
    """
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).split("_")
    return " ".join(part for part in parts if part)


def wording():
    """Banned phrases in code, strings, comments and documents, and in names that code defines."""
    for path in tracked(
        "*.rs", "*.ts", "*.py", "*.mjs", "*.md", "*.sh", "*.yml", "*.toml", "*.css", "*.html", "Makefile", ".ci/run"
    ):
        if path == pathlib.Path(__file__).resolve():
            continue
        for number, line in lines_of(path):
            names = " ".join(f"{words_of(name)}." for name in DEFINITION.findall(line))
            found = PHRASE.search(line) or PHRASE.search(names)
            if found and "language: allow" not in line:
                yield path, number, f"'{found.group(0).strip()}': say it plainly (CONTRIBUTING.md, Language)"


def is_noun(name):
    """Whether a type may have this name. Compounds may: their last word is what the type is.

    >>> [name for name in "Seen Polled Waiting What Published Funding Encoding PollCounts Feed".split() if not is_noun(name)]
    ['Seen', 'Polled', 'Waiting', 'What']
    """
    return name in NOUNS or name not in VERB_FORMS and not PARTICIPLE.fullmatch(name)


def nouns():
    """Types of Rust, private ones as well, whose name is a participle or a verb form."""
    for path in tracked("*.rs"):
        for number, line in lines_of(path):
            found = ANY_TYPE.match(line)
            if found and not is_noun(found.group(1)):
                yield path, number, f"type '{found.group(1)}' is no noun: name what it is, not what was done"


def names():
    """Types that share a name within a crate or, if other crates see them, within the workspace; names without meaning."""
    seen = collections.defaultdict(list)
    exported = collections.defaultdict(list)
    for path in tracked("crates/*/src/**.rs", "crates/*/src/*.rs"):
        crate = path.relative_to(ROOT).parts[1]
        for number, line in lines_of(path):
            found = TYPE.match(line)
            if found:
                name = found.group(1)
                if name in TYPE_NAMES:
                    yield path, number, f"type '{name}' says nothing: name it with a term of the field"
                if (crate, name) not in FOLDER_TYPES:
                    in_venue = VENUE.match(str(path.relative_to(ROOT))) and line.lstrip().startswith("pub(super)")
                    seen[path.parent if in_venue else crate, name].append((path, number))
                if line.startswith("pub ") and crate not in BINARIES:
                    exported[name].append((crate, path, number))
            field = FIELD.match(line)
            if field and field.group(1) in FIELD_NAMES:
                yield path, number, f"field '{field.group(1)}' says nothing: name it with a term of the field"
            module = MODULE.match(line)
            if module and module.group(1) in MODULE_NAMES:
                yield path, number, f"module '{module.group(1)}' says nothing: name it with a term of the field"
    for (_, name), places in seen.items():
        if len(set(places)) > 1:
            others = ", ".join(str(path.relative_to(ROOT)) for path, _ in places[1:])
            path, number = places[0]
            yield path, number, f"the crate has another shared type '{name}': {others}"
    for name, places in sorted(exported.items()):
        if len({crate for crate, _, _ in places}) > 1:
            others = ", ".join(str(path.relative_to(ROOT)) for _, path, _ in places[1:])
            _, path, number = places[0]
            yield path, number, f"another crate has a public type '{name}', too: {others}"


LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"#{1,6} +(.*?)[ #]*$")


def slug(heading):
    """The anchor that GitHub gives a heading.

    >>> slug("Files: Parquet, CSV, JSON"), slug("`GET` and `POST /v1/ingest`"), slug("See [the model](model.md#a) _twice_")
    ('files-parquet-csv-json', 'get-and-post-v1ingest', 'see-the-model-_twice_')
    """
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    letters = (letter for letter in text if letter in " -_" or unicodedata.category(letter)[0] in "LMN")
    return "".join(letters).replace(" ", "-")


def anchors_of(text):
    """The anchors of a document. Headings in code are none; a heading that is there again gets a number.

    >>> sorted(anchors_of("# One\\n## Two\\n```\\n# no\\n```\\n## Two\\n"))
    ['one', 'two', 'two-1']
    """
    counts = collections.Counter()
    anchors = set()
    in_code = False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            in_code = not in_code
        heading = None if in_code else HEADING.match(line)
        if heading:
            name = slug(heading.group(1))
            anchors.add(f"{name}-{counts[name]}" if counts[name] else name)
            counts[name] += 1
    return anchors


def links():
    """Links of documents to files or headings that do not exist."""
    known = {}
    for path in tracked("*.md"):
        for number, line in lines_of(path):
            for name, anchor in LINK.findall(line):
                if "://" in name or name.startswith("mailto:"):
                    continue
                target = (path.parent / name).resolve() if name else path
                if not target.exists():
                    yield path, number, f"'{name}' does not exist"
                elif anchor and target.suffix == ".md":
                    if target not in known:
                        known[target] = anchors_of(target.read_text(encoding="utf-8"))
                    if anchor not in known[target]:
                        yield path, number, f"'{name}#{anchor}': {target.name} has no such heading"


def main():
    if doctest.testmod().failed:
        return 1
    findings = sorted(set([*links(), *wording(), *nouns(), *names()]))
    for path, number, text in findings:
        print(f"{path.relative_to(ROOT)}:{number}: {text}")
    if findings:
        print(f"{len(findings)} findings", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
