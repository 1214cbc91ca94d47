"""The folders of the library. A file of a layer is compiled with the headers of its own layer
and of those to the left of it. A layer's folders within are one layer."""
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAYERS = ["include", "sched", "reactor", "runtime"]


def folders(layer, root=ROOT):
    """The folders whose headers the layer offers by their bare names."""
    within = [] if layer == "include" else sorted(p for p in (root / layer).iterdir() if p.is_dir())
    return [root / layer, *within]


def sources(layer, kinds="[ch]"):
    """The layer's C files, as paths from the root."""
    return sorted(path.relative_to(ROOT) for path in (ROOT / layer).rglob(f"*.{kinds}"))
