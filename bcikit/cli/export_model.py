"""`bcikit export-model`: a trained decoder for a device without Python."""

from pathlib import Path
from typing import Annotated

import typer

from bcikit.cli.file_options import check_target
from bcikit.signal import ArgumentError


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("export-model")
    def export_model(
        model: Annotated[Path, typer.Argument(help="Model file.")],
        *,
        onnx: Annotated[Path | None, typer.Option("--onnx", help="ONNX file to write.")] = None,
        c: Annotated[Path | None, typer.Option("--c", help="C99 file to write.")] = None,
        nir: Annotated[Path | None, typer.Option("--nir", help="NIR file to write, of a spiking decoder.")] = None,
    ) -> None:
        """Write a trained decoder as ONNX, as plain C99, or, with spiking neurons, as NIR.

        The filters before it are not part of it: their coefficients are those of the pipeline on the model's sheet.
        """
        from rich.markup import escape

        from bcikit.cli.console import console
        from bcikit.decoding import Model
        from bcikit.decoding.export import to_nir
        from bcikit.decoding.export_c import to_c
        from bcikit.decoding.export_onnx import to_onnx

        wanted = [(make, path) for make, path in ((to_onnx, onnx), (to_c, c), (to_nir, nir)) if path is not None]
        if not wanted:
            raise ArgumentError("Say what to write: --onnx FILE, --c FILE or --nir FILE.")
        for option, path in (("--onnx", onnx), ("--c", c), ("--nir", nir)):
            check_target(option, path, [model])
        if len({path.resolve() for _, path in wanted}) < len(wanted):
            raise ArgumentError("Two options name one file; the second would write over the first.")
        loaded = Model.load(model)
        for make, path in wanted:
            console.print(f"Written: [bold]{escape(str(make(loaded, path)))}[/]")
