#!/usr/bin/env python3
"""Every public function has a comment, a man page and an example; the pages are right; the index is current."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "tools"))
import interface
import pages
from tally import Tally

SYSTEM = {"nanosleep"}

tally = Tally()
files = pages.sources()
for header in interface.public():
    for group in pages.families(header):
        name = f"{header.include}: {group[0].name}"
        tally.check(group[0].comment, f"{name} has no comment")
        tally.check(pages.example(group, files), f"{name} has no example in docs/examples")

tally.check((pages.HERE.parent / "reference.md").read_text() == pages.index(),
            "docs/reference.md is old: run docs/man/pages.py --index")

# The pages of concepts name what exists.
made = pages.pages()
for file in sorted(pages.HERE.glob("*.md")):
    for name, section in re.findall(r"`([\w.-]+)`\((\d)\)", file.read_text()):
        tally.check(f"{name}.{section}" in made or name in SYSTEM,
                    f"{file.name} names {name}({section}), which has no page")

# What the formatter complains of: a line that it takes for a request, an unknown escape.
with tempfile.TemporaryDirectory() as folder:
    subprocess.run([sys.executable, pages.HERE / "pages.py", f"{folder}/man3"], check=True)
    sheets = sorted(page.name for page in pathlib.Path(folder, "man3").iterdir())
    if shutil.which("groff"):
        said = subprocess.run(["groff", "-man", "-ww", "-z", *(f"man3/{name}" for name in sheets)],
                              cwd=folder, capture_output=True, text=True).stderr
        tally.check(not said, said)
tally.finish()
