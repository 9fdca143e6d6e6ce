"""The documentation site: ``uv run --group docs sphinx-build -W docs docs/_build``."""

import ast
import importlib
import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("MPLBACKEND", "Agg")

from gallery_pictures import write_pictures  # noqa: E402
from notebook_pages import write_notebooks  # noqa: E402

import bcikit  # noqa: E402

project = "bcikit"
author = "The bcikit developers"
copyright = "the bcikit developers"  # noqa: A001 - Sphinx's name
release = version = bcikit.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
# Inventories of other projects are on the network, which a build may not have.
if os.environ.get("BCIKIT_INTERSPHINX"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
        "mne": ("https://mne.tools/stable", None),
    }

source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
master_doc = "index"
templates_path = ["_templates"]
exclude_patterns = ["_build", "_examples"]
myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 3
default_role = "code"

html_theme = "pydata_sphinx_theme"
html_title = f"bcikit {release}"
html_theme_options = {"show_prev_next": False, "navigation_with_keys": False, "secondary_sidebar_items": ["page-toc"]}
html_show_sourcelink = False

autosummary_generate = True
autosummary_imported_members = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
add_module_names = False

sphinx_gallery_conf = {
    "examples_dirs": ["_examples"],
    "gallery_dirs": ["gallery"],
    # Those that need a file of the reader, or minutes, are shown and not run.
    "filename_pattern": r"/(band_power|online_ssvep|own_paradigm|record_and_replay)\.py",
    "download_all_examples": False,
    "show_memory": False,
    "remove_config_comments": True,
    "min_reported_time": 1e9,
}

ROOMS = {
    "signal": "The words everything shares",
    "plugins": "The registry",
    "acquisition": "Sources and files",
    "processing": "Steps and pipelines",
    "decoding": "Decoders, evaluation, model files",
    "safety": "Gate, monitors, guard, consent",
    "paradigms": "Protocols",
    "outputs": "Where commands go",
    "presentation": "What a person sees",
    "recording": "Session folders, exports, the catalogue",
    "session": "Plan, engine, replay",
    "simulation": "Digital twin, device under test",
    "validation": "The device bench",
    "reporting": "Pages and reports",
    "testing": "Suites for plug-ins, emulated devices",
}


def home(value: object) -> str:
    """Return the room an object is defined in."""
    return (getattr(value, "__module__", "") or "").removeprefix("bcikit.").partition(".")[0]


def write_api() -> None:
    """Write a page a room with every public name; nothing is listed by hand, each has one page in its own room."""
    folder = HERE / "api"
    folder.mkdir(exist_ok=True)
    pages = []
    for room, title in {"": "The face", **ROOMS}.items():
        name = f"bcikit.{room}".rstrip(".")
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        public = sorted(word for word in getattr(module, "__all__", ()) if not word.startswith("__"))
        if not public:
            continue
        own = [word for word in public if home(getattr(module, word)) in (room, "", "typing", "builtins")]
        head = f"{name}: {title.lower()}"
        lines = [head, "=" * len(head), "", (module.__doc__ or "").strip().partition("\n\n")[0], ""]
        lines += [f".. currentmodule:: {name}", ""]
        if own:
            lines += [".. autosummary::", "   :toctree: generated", "", *(f"   {word}" for word in own), ""]
        others = [f"{word} (of `bcikit.{home(getattr(module, word))}`)" for word in public if word not in own]
        if others:
            lines += ["Also here: " + ", ".join(others) + ".", ""]
        (folder / f"{name}.rst").write_text("\n".join(lines), encoding="utf-8")
        pages.append(name)
    text = [
        "API reference",
        "=============",
        "",
        "Every public name, by room.",
        "",
        ".. toctree::",
        "   :maxdepth: 1",
        "",
    ]
    (folder / "index.rst").write_text("\n".join([*text, *(f"   {page}" for page in pages), ""]), encoding="utf-8")


def copy_examples() -> None:
    """Copy the examples to where the gallery is made of them, each with a title and a picture."""
    folder = HERE / "_examples"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    drawn = write_pictures(HERE / "gallery_pictures")
    shutil.copy(HERE.parent / "examples" / "README.rst", folder)
    for path in sorted((HERE.parent / "examples").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        doc = ast.get_docstring(ast.parse(text)) or ""
        title = path.stem.replace("_", " ").capitalize()
        after = text[text.index('"""', 3) + 3 :]
        picture = f"gallery_pictures/{drawn[path.stem]}"
        head = f'"""\n{title}\n{"=" * len(title)}\n\n{doc}\n\n.. image:: /{picture}\n   :width: 480px\n"""\n'
        thumbnail = f"# sphinx_gallery_thumbnail_path = {picture!r}\n"
        (folder / path.name).write_text(f"{head}{thumbnail}{after}", encoding="utf-8")


write_api()
copy_examples()
write_notebooks(HERE.parent / "examples" / "notebooks", HERE / "notebooks")
