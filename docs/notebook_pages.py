"""Pages of the site from the notebooks, run as they are: text, code, and what each cell showed."""

import base64
import os
from pathlib import Path
from typing import Any


def write_notebooks(source: Path, folder: Path) -> None:
    """Run every notebook of a folder and write a page of each, and one that lists them."""
    import nbformat
    from nbclient import NotebookClient

    folder.mkdir(exist_ok=True)
    names = []
    for path in sorted(source.glob("*.ipynb")):
        book: Any = nbformat.read(path, as_version=4)
        # As a notebook shows it: figures are pictures.
        kernel = {**os.environ, "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
        NotebookClient(book, timeout=600, resources={"metadata": {"path": str(folder)}}).execute(env=kernel)
        name = path.stem.partition("_")[2]
        lines = []
        for number, cell in enumerate(book.cells):
            if cell.cell_type == "markdown":
                lines += [cell.source, ""]
                continue
            lines += ["```python", cell.source, "```", ""]
            for place, output in enumerate(cell.outputs):
                lines += [*_shown(output, folder / f"{name}-{number}-{place}.png"), ""]
        lines += [f"As a notebook: `examples/notebooks/{path.name}`.", ""]
        (folder / f"{name}.md").write_text("\n".join(lines), encoding="utf-8")
        names.append(name)
    index = [
        "# Notebooks",
        "",
        "Each runs from its first cell to its last, as shown here, when this site is built.",
        "",
    ]
    index += ["```{toctree}", ":maxdepth: 1", "", *names, "```", ""]
    (folder / "index.md").write_text("\n".join(index), encoding="utf-8")


def _shown(output: Any, place: Path) -> list[str]:
    """Return what a cell showed, as lines of a page; pictures are files beside it."""
    if output.output_type == "stream":
        return ["```text", output.text.rstrip(), "```"] if output.name == "stdout" else []
    data = output.get("data", {})
    if "image/png" in data:
        place.write_bytes(base64.b64decode(data["image/png"]))
        return [f"![What the cell shows]({place.name})"]
    if "text/html" in data:
        return ["```{raw} html", data["text/html"], "```"]
    return ["```text", data["text/plain"], "```"] if "text/plain" in data else []
