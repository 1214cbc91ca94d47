#!/usr/bin/env python3
"""tuning.py KNOBS PAGE [--write]: whether PAGE holds the table that the program KNOBS prints."""
import re
import subprocess
import sys

MARKED = re.compile(r'(<!-- knobs -->\n).*?(<!-- /knobs -->\n)', re.S)


def main():
    knobs, page = sys.argv[1:3]
    table = subprocess.run([knobs], check=True, capture_output=True, text=True).stdout
    with open(page, encoding='utf-8') as f:
        text = f.read()
    wanted = MARKED.sub(lambda m: m[1] + table + m[2], text)
    if '--write' in sys.argv:
        with open(page, 'w', encoding='utf-8') as f:
            f.write(wanted)
    elif text != wanted or not MARKED.search(text):
        sys.exit(f'{page} does not hold the table of runtime/config.c; run {" ".join(sys.argv)} --write')


main()
