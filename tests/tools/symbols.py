#!/usr/bin/env python3
"""libweft.so exports weft_... and nothing else, as libweft.a does, and is not marked for shadow
stacks."""
import pathlib
import re
import subprocess
import sys

from tally import Tally

build = pathlib.Path(sys.argv[1])
tally = Tally()
for options, library in (["-D"], "libweft.so"), (["-g"], "libweft.a"):
    said = subprocess.check_output(
        ["nm", *options, "--defined-only", "-P", build / "runtime" / library], text=True)
    # A line is a name, a type and a value; A is the version node of the map.
    names = [line.split() for line in said.splitlines() if not line.endswith(":")]
    names = [name[0].split("@")[0] for name in names if len(name) > 1 and name[1] != "A"]
    wrong = sorted({name for name in names if not re.fullmatch(r"weft_\w+", name)})
    tally.check(names and not wrong, f"{library} shows {', '.join(wrong) or 'nothing at all'}")

# The file's name and its symbols say one version (docs/versions.md).
said = subprocess.check_output(["readelf", "-dW", "--version-info", build / "runtime/libweft.so"], text=True)
soname = re.search(r"soname: \[libweft\.so\.([\d.]+)\]", said)
nodes = set(re.findall(r"Name: (WEFT_[\d.]+)", said))
tally.check(soname and nodes == {f"WEFT_{soname[1]}"},
            f"soname {soname and soname[1]}, symbol versions {nodes or 'none'}")

# It is not marked for shadow stacks, so the loader leaves them off (docs/design/panic.md).
said = subprocess.check_output(["readelf", "-nW", build / "runtime/libweft.so"], text=True)
tally.check("SHSTK" not in said, "libweft.so is marked for shadow stacks")
tally.finish()
