"""Parts of a session that a program made, in place of what a session file names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from bcikit.acquisition import Source
from bcikit.decoding import Model
from bcikit.outputs import Output
from bcikit.paradigms import Paradigm
from bcikit.processing import Pipeline
from bcikit.session.config import OutputSection, ParadigmSection, PipelineSection, SessionConfig
from bcikit.signal import ArgumentError, Recording

OBJECT = "object:"
"""Scheme of the address of something that a program gave: it names it in the records and opens nothing."""


@dataclass(frozen=True, slots=True)
class Objects:
    """Parts of a session; what is None comes from the configuration.

    Attributes
    ----------
    source : Source or None
        Not started.
    paradigm : Paradigm or None
        Not configured.
    decoder : object or None
        A trained `Model`, or a classifier with ``fit`` and ``predict_proba`` that the session trains.
    pipeline : Pipeline or None
        Not configured.
    outputs : tuple of Output or None
        Open.
    names : dict
        What was given by name instead: address, paradigm, decoder.
    """

    source: Source | None = None
    paradigm: Paradigm | None = None
    decoder: Any = None
    pipeline: Pipeline | None = None
    outputs: tuple[Output, ...] | None = None
    names: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(
        cls,
        *,
        source: Source | Recording | str | None = None,
        paradigm: Paradigm | str | None = None,
        decoder: Any = None,
        pipeline: Pipeline | Sequence[Any] | None = None,
        outputs: Sequence[Output | str] | None = None,
    ) -> Self:
        """Return the parts, each an object or a name.

        Raises
        ------
        ArgumentError
            If something is neither, with what would be right.
        """
        names: dict[str, Any] = {}
        if isinstance(source, str):
            names["source"], source = source, None
        elif isinstance(source, Recording):
            from bcikit.acquisition.file import FileSource

            source = FileSource(source)
        elif source is not None and not isinstance(source, Source):
            raise ArgumentError(f"source is {source!r}; give a Source, a Recording or an address ('lsl:name=EEG').")
        if isinstance(paradigm, str):
            names["paradigm"], paradigm = paradigm, None
        elif paradigm is not None and not isinstance(paradigm, Paradigm):
            raise ArgumentError(f"paradigm is {paradigm!r}; give a Paradigm or a name ('motor-imagery').")
        if isinstance(decoder, str):
            names["decoder"], decoder = decoder, None
        elif decoder is not None and not isinstance(decoder, Model) and not _is_classifier(decoder):
            raise ArgumentError(
                f"decoder is {decoder!r}; give a Model, a classifier with fit and predict_proba on (n_epochs, "
                "n_channels, n_times), or a name ('csp-lda')."
            )
        if pipeline is not None and not isinstance(pipeline, Pipeline):
            pipeline = Pipeline(list(pipeline))
        if outputs is not None and all(isinstance(output, str) for output in outputs):
            names["outputs"], outputs = [str(output) for output in outputs], None
        elif outputs is not None and not all(isinstance(output, Output) for output in outputs):
            raise ArgumentError(f"outputs is {outputs!r}; give a list of Output, or a list of addresses ('hand:').")
        if outputs is not None and len({id(output) for output in outputs if isinstance(output, Output)}) < sum(
            isinstance(output, Output) for output in outputs
        ):
            raise ArgumentError("outputs has one Output twice: each command would go there twice; give each once.")
        return cls(
            source=source,
            paradigm=paradigm,
            decoder=decoder,
            pipeline=pipeline,
            outputs=None if outputs is None else tuple(outputs),  # type: ignore[arg-type]
            names=tuple(names.items()),
        )

    def described(self, config: SessionConfig | None) -> SessionConfig:
        """Return the configuration that is recorded: objects are described in it as far as a table can.

        Raises
        ------
        ArgumentError
            If there is neither a configuration nor a source.
        """
        names = dict(self.names)
        if config is None:
            config = self._proposed(names)
        changes: dict[str, Any] = {}
        if "source" in names:
            changes["source"] = config.source.model_copy(update={"address": names["source"]})
        elif self.source is not None:
            changes["source"] = config.source.model_copy(update={"address": f"{OBJECT}{self.source.info.name}"})
        if "paradigm" in names:
            changes["paradigm"] = ParadigmSection(name=names["paradigm"])
        elif self.paradigm is not None:
            settings = {"kind": self.paradigm.kind, **self.paradigm.settings.model_dump(mode="json")}
            changes["paradigm"] = ParadigmSection(name=self.paradigm.name, settings=settings)
        if "decoder" in names:
            changes["decoder"] = config.decoder.model_copy(update={"name": names["decoder"]})
        elif isinstance(self.decoder, Model):
            said = {"name": self.decoder.sheet.decoder, "model": f"{OBJECT}{self.decoder.sheet.decoder}"}
            changes["decoder"] = config.decoder.model_copy(update=said)
        elif self.decoder is not None:
            changes["decoder"] = config.decoder.model_copy(update={"name": type(self.decoder).__name__})
        if self.pipeline is not None:
            changes["pipeline"] = PipelineSection(steps=self.pipeline.to_config())
        if "outputs" in names:
            changes["outputs"] = [OutputSection(address=address) for address in names["outputs"]]
        elif self.outputs is not None:
            changes["outputs"] = [OutputSection(address=f"{OBJECT}{output.scheme}") for output in self.outputs]
        return config.model_copy(update=changes) if changes else config

    def _proposed(self, names: dict[str, Any]) -> SessionConfig:
        """Return a session around what was given, with what the paradigm proposes for the rest."""
        address = names.get("source") or (f"{OBJECT}{self.source.info.name}" if self.source is not None else "")
        if not address:
            raise ArgumentError("There is neither a configuration nor a source; give config, or source and paradigm.")
        if "paradigm" in names or self.paradigm is None:
            from bcikit.session.shipped import shipped_config

            return shipped_config(names.get("paradigm", "motor-imagery"), source=address)
        from bcikit.session.shipped import config_around

        return config_around(self.paradigm, source=address)


def _is_classifier(decoder: object) -> bool:
    return callable(getattr(decoder, "fit", None)) and callable(getattr(decoder, "predict_proba", None))
