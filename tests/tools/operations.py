#!/usr/bin/env python3
"""operations.py OPERATIONS PAGE: whether PAGE has a row for each operation that the program OPERATIONS
prints, with the same flag, and none for a function that no public header has."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAGS = ('WITHDRAWS', 'DRAINS')


def rows(text):
    """The functions named in the first cell of each row, and its flag."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split('|')[1:-1]]
        names = re.findall(r'`(weft_\w+)`', cells[0]) if cells else []
        if names:
            yield names, [cell for cell in cells if cell in FLAGS]


def main():
    program, page = sys.argv[1:3]
    table = dict(line.split() for line in subprocess.run(
        [program], check=True, capture_output=True, text=True).stdout.splitlines())
    headers = ''.join(path.read_text() for path in (ROOT / 'include/weft').glob('*.h'))
    complaints, seen = [], set()
    for names, flags in rows(pathlib.Path(page).read_text()):
        for name in names:
            if name in seen:
                complaints.append(f'{name} has two rows')
            seen.add(name)
            if not re.search(rf'\b{name}\(', headers):
                complaints.append(f'{name}: no public header has it')
            if len(flags) != 1 or table.get(name, flags[0]) != flags[0]:
                complaints.append(f'{name}: the page says {flags}, the table {table.get(name)}')
    complaints += [f'{name} has no row' for name in table if name not in seen]
    if complaints or not table:
        sys.exit('\n'.join(f'{page}: {complaint}' for complaint in complaints))


main()
