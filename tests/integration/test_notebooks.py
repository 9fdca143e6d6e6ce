"""The notebooks run from the first cell to the last, in a kernel of their own, and show something."""

from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
FOLDER = Path(__file__).resolve().parents[2] / "examples" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def test_there_are_five():
    assert len(NOTEBOOKS) == 5


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path):
    book = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in book.cells), "a notebook is kept without what it showed"
    nbclient.NotebookClient(book, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in book.cells for output in cell.get("outputs", ())]
    assert not [output for output in shown if output.output_type == "error"]
    # A recording is a table in a notebook, not an object at an address.
    assert any("text/html" in output.get("data", {}) for output in shown)
    assert not any("object at 0x" in output.get("data", {}).get("text/plain", "") for output in shown)
    # A figure is a picture, not its size in words.
    figures = [output for output in shown if "<Figure size" in output.get("data", {}).get("text/plain", "")]
    assert all("image/png" in output["data"] for output in figures)
