#!/usr/bin/env python3
"""quotes.py PAGE SOURCE...    each block of C code on the page stands in one of the sources, word for word

A page that explains a sample quotes it; what is compiled and run is the sample.
"""
import re
import sys


def main():
    page, *names = sys.argv[1:]
    sources = [open(name).read() for name in names]
    blocks = re.findall(r"^```c\n(.*?)^```$", open(page).read(), re.M | re.S)
    missing = [b for b in blocks if not any(b in source for source in sources)]
    for block in missing:
        print(f"{page}: not in {', '.join(names)}:\n{block}")
    print(f"{len(blocks) - len(missing)} passed, {len(missing)} failed")
    return 1 if missing or not blocks else 0


sys.exit(main())
