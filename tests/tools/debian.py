"""Packages of other Debian releases and architectures, unpacked but not installed.

apt gets folders of its own, in build-check/packages, so that nothing of the machine's changes. What
was unpacked there is used again: to get newer packages, remove the folder.
"""
import os
import pathlib
import re
import subprocess
import sys

from layers import ROOT

FOLDER = ROOT / "build-check/packages"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Debian:
    def __init__(self, release, arch):
        self.release, self.arch = release, arch
        self.folder = FOLDER / f"{release}-{arch}"
        for folder in "state/lists/partial", "cache/archives/partial", "preferences", "got":
            (self.folder / folder).mkdir(parents=True, exist_ok=True)
        (self.folder / "state/status").touch()
        self.options = []
        self.is_updated = False

    def update(self):
        """Where this machine gets its own packages, there are those of other releases."""
        if self.is_updated:
            return
        lines = subprocess.check_output(
            ["apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)"], text=True)
        found = dict(line.split() for line in lines.splitlines() if len(line.split()) == 2)
        if "Debian" not in found:
            sys.exit("apt knows no archive of Debian")
        sources = [f"deb [signed-by={KEYRING}] {found['Debian']} {self.release} main"]
        if "Debian-Security" in found:
            sources.append(f"deb [signed-by={KEYRING}] {found['Debian-Security']} "
                           f"{self.release}-security main")
        (self.folder / "sources.list").write_text("\n".join(sources) + "\n")
        for name, value in {
                "Dir::Etc::sourcelist": self.folder / "sources.list",
                "Dir::Etc::sourceparts": "/nonexistent",
                "Dir::Etc::preferencesparts": self.folder / "preferences",
                "Dir::State": self.folder / "state",
                "Dir::State::status": self.folder / "state/status",
                "Dir::Cache": self.folder / "cache",
                "APT::Architecture": self.arch, "APT::Architectures::": self.arch,
                "APT::Sandbox::User": "root", "Acquire::Languages": "none"}.items():
            self.options += ["-o", f"{name}={value}"]
        subprocess.run(["apt-get", *self.options, "update", "-q"], check=True, env=self.plain(),
                       stdout=subprocess.DEVNULL)
        self.is_updated = True

    @staticmethod
    def plain():
        return {**os.environ, "LC_ALL": "C"}

    def depends(self, package, pattern):
        """The dependency of the package that matches: of linux-image-amd64 the kernel itself."""
        self.update()
        said = subprocess.check_output(["apt-cache", *self.options, "depends", package], text=True,
                                       env=self.plain())
        found = re.findall(rf"Depends: ({pattern})$", said, re.M)
        if not found:
            sys.exit(f"{self.release}: {package} depends on no {pattern}:\n{said}")
        return found[0]

    def unpack(self, name, *packages, by=None):
        """The folder with the files of the packages, or of the one that by() names."""
        folder = self.folder / name
        if (folder / "complete").exists():
            return folder
        self.update()
        got = self.folder / "got"
        for old in got.glob("*.deb"):
            old.unlink()
        subprocess.run(["apt-get", *self.options, "download", "-q", *(packages or [by()])],
                       cwd=got, check=True, env=self.plain(), stdout=subprocess.DEVNULL)
        for package in got.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
        (folder / "complete").touch()
        return folder

    def kernel(self, series):
        """The image of the newest kernel of the series: 6.1."""
        folder = self.unpack(f"linux-{series}", by=lambda: self.depends(
            f"linux-image-cloud-{self.arch}", rf"linux-image-{re.escape(series)}\.\S+"))
        return next((folder / "boot").glob("vmlinuz-*"))
