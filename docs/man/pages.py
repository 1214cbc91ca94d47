#!/usr/bin/env python3
"""pages.py FOLDER | --list | --index: the man pages of weft, made from the comments of its public headers.

Section 3 has a page for each function and macro. Section 7 has one for each header (its types, its
functions) and one for each concept, written by hand in *.md beside this file.
A declaration that shares another one's comment shares its page. --list only names the files; --index
writes docs/reference.md.
"""
import pathlib
import re
import sys
import textwrap

import interface

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLES = HERE.parent / "examples"
# A comment's line that begins with one of these opens a section of the page.
LABELS = {"Thread:": "THREADS", "Returns:": "RETURN VALUE", "Errors:": "ERRORS",
          "Cancel:": "CANCELLATION", "Memory:": "MEMORY"}


def escape(line):
    line = line.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + line if line[:1] in ".'" else line


def marked(line):
    """A line of prose: `code` and **strong** words are bold."""
    line = re.sub(r"`(.+?)`", r"\\fB\1\\fP", escape(line))
    return re.sub(r"\*\*(.+?)\*\*", r"\\fB\1\\fP", line)


def row(line):
    """A table's row: its first cell, and what the others say of it."""
    first, *others = [cell.strip() for cell in line.strip("|").split("|")]
    return f".TP\n{marked(first)}\n{marked(', '.join(filter(None, others)))}"


def roff(text):
    """Paragraphs, indented code, "- " lists, tables and "## " headings as roff."""
    out, code = [], False
    for line in text.splitlines():
        indented = line.startswith("    ")
        if code and line and not indented:
            out.append(".fi\n.RE")
            code = False
        if indented and not code and (not out or out[-1] == ".PP"):
            out.append(".RS 4\n.nf")
            code = True
        if code:
            out.append(escape(line[4:]) or "\\&")
        elif line.startswith("## "):
            out.append(f".SH {escape(line[3:]).upper()}")
        elif not line:
            out.append(".PP")
        elif line.startswith("- "):
            out.append(f".IP \\(bu 2\n{marked(line[2:])}")
        elif line.startswith("|"):
            out.append("" if line.startswith("|---") else row(line))
        elif not line.startswith("<!--"):
            out.append(marked(line.strip()))
    if code:
        out.append(".fi\n.RE")
    return "\n".join(line for line in out if line)


def sections(comment):
    """[(heading, text)] of a comment: its description, then what its labels open."""
    found = [["DESCRIPTION", []]]
    for line in comment.splitlines():
        label = next((label for label in LABELS if line.startswith(label)), None)
        if label:
            found.append([LABELS[label], []])
            line = line[len(label):].strip()
        found[-1][1].append(line)
    return [(heading, "\n".join(lines).strip("\n")) for heading, lines in found if any(lines)]


def sentence(comment):
    first = re.split(r"(?<=[.:]) |\n\n", " ".join(comment.split()))[0] if comment else ""
    return first.rstrip(".:").replace("`", "")


def sources():
    """The examples, those written for this purpose first."""
    return sorted((EXAMPLES / "reference").glob("*.c")) + sorted(EXAMPLES.glob("*.c"))


def example(group, files):
    """(file, lines) of the first block of an example that uses one of the names, or None."""
    use = re.compile(r"\b(" + "|".join(item.name for item in group) + r")\b")
    for file in files:
        for block in re.split(r"\n\n", file.read_text()):
            code = re.sub(r"/\*.*?\*/", "", block, flags=re.S)
            if use.search(code) and "#define" not in code:
                return file, textwrap.dedent(block.strip("\n"))
    return None


def head(name, section, brief):
    return f'.TH {name.upper().replace("-", chr(92) + "-")} {section} "" "weft" "weft manual"\n' \
           f".SH NAME\n{escape(name)} \\- {escape(brief)}\n"


def families(header):
    """The header's functions and macros, those that share a comment together."""
    groups = []
    for item in header.callables():
        if groups and not item.leads and item.comment and item.comment == groups[-1][0].comment:
            groups[-1].append(item)
        else:
            groups.append([item])
    return groups


def see_also(header, group, names):
    """What the comment mentions, and the header's own page."""
    text = group[0].comment
    found = [name for name in names if re.search(rf"\b{name}\b", text)]
    found = [f"\\fB{escape(name)}\\fP(3)" for name in found if name not in {i.name for i in group}]
    return ",\n".join(found + [f"\\fB{escape(overview(header))}\\fP(7)"])


def overview(header):
    return f"weft-{header.path.stem}.h"


def function_page(header, group, names, files):
    first = group[0]
    shown = ", ".join(item.name for item in group)
    out = [head(shown, 3, sentence(first.comment)).replace(shown.upper(), first.name.upper(), 1),
           f".SH SYNOPSIS\n.nf\n\\fB#include <{header.include}>\\fP\n"]
    out += [escape(item.text) for item in group]
    out.append(".fi")
    for heading, text in sections(first.comment):
        out.append(f".SH {heading}\n{roff(text)}")
    shown = example(group, files)
    if shown:
        place, lines = shown
        out.append(f".SH EXAMPLE\nFrom docs/examples/{escape(str(place.relative_to(EXAMPLES)))}:\n.PP\n"
                   f".RS 4\n.nf\n" + "\n".join(escape(line) for line in lines.splitlines()) +
                   "\n.fi\n.RE")
    out.append(f".SH SEE ALSO\n{see_also(header, group, names)}")
    return "\n".join(out) + "\n"


def header_page(header):
    out = [head(overview(header), 7, header.brief),
           f".SH SYNOPSIS\n\\fB#include <{header.include}>\\fP\n.SH DESCRIPTION\n{roff(header.comment)}"]
    types = [item for item in header.items if item.kind == "type"]
    if types:
        out.append(".SH TYPES")
        for item in types:
            out.append(f".SS {item.name}\n{roff(item.comment)}\n.PP\n.nf\n" +
                       "\n".join(escape(line) for line in item.text.splitlines()) + "\n.fi")
    out.append(".SH FUNCTIONS")
    for group in families(header):
        out.append(".TP\n" + ", ".join(f"\\fB{item.name}\\fP(3)" for item in group) +
                   f"\n{escape(sentence(group[0].comment))}.")
    return "\n".join(out) + "\n"


def concept_page(text):
    """From "# name - brief" and text in the same small language as the comments."""
    title, _, text = text.partition("\n")
    name, _, brief = title.lstrip("# ").partition(" - ")
    text = text.strip("\n")
    return head(name, 7, brief) + ("" if text.startswith("## ") else ".SH DESCRIPTION\n") + roff(text) + "\n"


def index():
    """docs/reference.md: every function and macro, a line each."""
    out = ["# Reference", "",
           "Every function and macro of the public headers. Each has a man page (`man weft_read`); a header's page",
           "(`man 7 weft-net.h`) has its types and rules. Made from the headers by `docs/man/pages.py --index`.", ""]
    for header in interface.public():
        if header.callables():
            out += [f"## [{header.include}](../include/{header.include}): {header.brief}", "", "| | |", "|---|---|"]
            for group in families(header):
                names = ", ".join(f"`{item.name}`" for item in group)
                out.append(f"| {names} | {sentence(group[0].comment)} |".replace("||", "\\|\\|"))
            out.append("")
    return "\n".join(out)


def pages():
    """{file name: text} of all pages."""
    found, public, files = {}, interface.public(), sources()
    names = [item.name for header in public for item in header.callables()]
    for header in public:
        if header.callables():
            found[f"{overview(header)}.7"] = header_page(header)
        for group in families(header):
            found[f"{group[0].name}.3"] = function_page(header, group, names, files)
            for other in group[1:]:
                found[f"{other.name}.3"] = f".so man3/{group[0].name}.3\n"
    for file in sorted(HERE.glob("*.md")):
        found[f"{file.stem}.7"] = concept_page(file.read_text())
    tuning = (HERE.parent / "tuning.md").read_text().partition("\n")[2]
    found["weft-tuning.7"] = concept_page(f"# weft-tuning - the environment variables\n{tuning}")
    return found


if __name__ == "__main__":
    if "--index" in sys.argv:
        (HERE.parent / "reference.md").write_text(index())
    elif "--list" in sys.argv:
        print("\n".join(sorted(pages())))
    else:
        folder = pathlib.Path(sys.argv[1])
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in pages().items():
            (folder / name).write_text(text)
