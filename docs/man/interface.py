"""Reads the public headers: their comments, functions, macros and types, in the order of the file."""
import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "include" / "weft"

COMMENT = re.compile(r"/\*(.*?)\*/", re.S)
MACRO = re.compile(r"#define\s+(\w+)(\([^)]*\))?")
FUNCTION = re.compile(r"\b(weft_\w+)\(")
STARTS = re.compile(r"#|WEFT_API|static inline|typedef|struct|enum")
# What the macros call has names that end in "_": it has no pages.
INTERNAL = re.compile(r"_$")


@dataclasses.dataclass
class Item:
    """One declaration: a function, a macro with arguments, or a type."""
    kind: str
    name: str
    text: str
    comment: str = ""
    leads: bool = True  # the comment is its own, not that of the declaration before it


@dataclasses.dataclass
class Header:
    path: pathlib.Path
    brief: str
    comment: str
    items: list

    @property
    def include(self):
        return f"weft/{self.path.name}"

    def callables(self):
        return [item for item in self.items if item.kind != "type"]


def plain(comment):
    """The comment's text without its stars, blank lines kept, indentation below the stars kept."""
    lines = [re.sub(r"^\s*\* ?", "", line).rstrip() for line in comment.strip().splitlines()]
    return "\n".join(lines).strip("\n")


def statement(text, start):
    """Where the declaration that begins at `start` ends: behind its ";" or "}" at depth 0."""
    depth, at, body = 0, start, False
    while at < len(text):
        if text.startswith("/*", at):
            at = text.index("*/", at) + 1
        elif text[at] in "{(":
            depth += 1
            body |= text[at] == "{"
        elif text[at] in "})":
            depth -= 1
            if not depth and text[at] == "}" and text[start:].startswith("static inline"):
                return at + 1
        elif text[at] == ";" and not depth:
            return at + 1
        at += 1
    raise ValueError(f"no end: {text[start:start + 60]}")


def prototype(text):
    """A function's declaration on one line, without attributes and body."""
    text = text[:text.index("{")] if text.startswith("static inline") else text.rstrip(";")
    text = re.sub(r"WEFT_API|WEFT_NODISCARD|static inline|__attribute__\(\(.*?\)\)", "", text)
    return " ".join(text.split()) + ";"


def visible(text):
    """A type without the members whose names end in "_", which are weft's."""
    lines = [line for line in text.splitlines() if not re.search(r"_(\[\w*\])?[;,]", line)]
    return "\n".join(lines)


def declaration(text, at):
    """(item or None, its end) for what begins at `at`."""
    if text[at] == "#":
        end = at
        while True:
            end = text.index("\n", end) + 1
            if not text[:end].endswith("\\\n"):
                break
        found = MACRO.match(text, at)
        if not found or INTERNAL.search(found[1]) or not found[2]:
            return None, end
        return Item("macro", found[1], found[1] + found[2]), end
    end = statement(text, at)
    whole = text[at:end]
    if whole.startswith(("WEFT_API", "static inline")):
        name = FUNCTION.search(whole)[1]
        kind, shown = "function", prototype(whole)
    else:
        name = re.search(r"(\w+)(?:\([^)]*\))?;$", whole)
        if "{" not in whole and whole.startswith("typedef struct") or not name:
            return None, end  # a name in advance, or an enum without one
        name, kind, shown = name[1], "type", visible(whole)
    return (None if INTERNAL.search(name) else Item(kind, name, shown)), end


def parse(path):
    text = path.read_text()
    opening = COMMENT.match(text)
    brief, _, rest = plain(opening[1]).partition("\n")
    header = Header(path, brief.partition(" - ")[2], rest.strip("\n"), [])
    at, comment, fresh = opening.end(), "", False
    while at < len(text):
        if text[at].isspace():
            if text.startswith("\n\n", at):
                comment = ""  # a declaration behind a blank line has nothing to do with it
            at += 1
        elif text.startswith("/*", at):
            found = COMMENT.match(text, at)
            comment, fresh, at = plain(found[1]), True, found.end()
        elif not STARTS.match(text, at):
            at = text.index("\n", at)
        else:
            item, at = declaration(text, at)
            if item:
                item.comment, item.leads = comment, fresh
                header.items.append(item)
            fresh = False
    return header


def public():
    return [parse(path) for path in sorted(FOLDER.glob("*.h"))]
