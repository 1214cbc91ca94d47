"""Kernels of Ubuntu's archive, for the series that no Debian release in the archive has.

Debian has no keys of Ubuntu, so each package is named with the SHA-256 that its index had. Like
those of debian.py they are unpacked in build-check/packages and not installed.
"""
import hashlib
import subprocess
import sys
import urllib.request

from debian import FOLDER

POOL = "http://archive.ubuntu.com/ubuntu/pool/main/l"
# By series: the package in the pool, its sum. Those of one series are not replaced any more.
KERNELS = {
    "4.18": ("linux-hwe/linux-image-unsigned-4.18.0-25-generic_4.18.0-25.26~18.04.1_amd64.deb",
             "48255bba33b59127b69a9b8fdca27a25187bffd151ed0762bf7205b23474a08a"),
    "5.4": ("linux-hwe-5.4/linux-image-unsigned-5.4.0-150-generic_5.4.0-150.167~18.04.1_amd64.deb",
            "7dbbc78dcca32e96c11b1dad0e516ed5efc771cf905371d63e7363b65802a973"),
    "5.15": ("linux-hwe-5.15/linux-image-unsigned-5.15.0-139-generic_5.15.0-139.149~20.04.1_amd64.deb",
             "c28c879d56e71aaf6aff7ea19cba8d2452e4f7e0f2b0e61a2fd90d0f1b3208ec"),
    "5.19": ("linux-hwe-5.19/linux-image-unsigned-5.19.0-50-generic_5.19.0-50.50_amd64.deb",
             "b225ba82fa3c297c22e23808506a986dd464b2d32b14d9bb1629a38e7a3b144f"),
}


def kernel(series):
    """The image of the series."""
    path, wanted = KERNELS[series]
    folder = FOLDER / f"ubuntu-{series}"
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(f"{POOL}/{path}", timeout=300) as answer:
            package = answer.read()
        found = hashlib.sha256(package).hexdigest()
        if found != wanted:
            sys.exit(f"{POOL}/{path}: its SHA-256 is {found}, not {wanted}")
        (folder / "package.deb").write_bytes(package)
        subprocess.run(["dpkg-deb", "-x", folder / "package.deb", folder], check=True)
        (folder / "complete").touch()
    return next((folder / "boot").glob("vmlinuz-*"))
