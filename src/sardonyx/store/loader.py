"""The program of a model: from the cache if it is there, else compiled and kept.

Imports the compiler and ONNX only for what is not in the cache. Must not know stages or how programs run.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from sardonyx.base import custom
from sardonyx.base.background import Background
from sardonyx.base.dataclass import replace
from sardonyx.base.dependence import FeedDependence, content
from sardonyx.base.garbage import spare_survivors, uncollected
from sardonyx.base.knobs import CompileOptions, cache_root
from sardonyx.base.policy import Goal, Policy, text_of
from sardonyx.base.progress import told_after
from sardonyx.errors import NeedsContent, RunError
from sardonyx.ir.late import register_late
from sardonyx.runtime import cache, cores
from sardonyx.runtime.cache import Cache
from sardonyx.runtime.program import Program
from sardonyx.runtime.runnable import ModelProgram
from sardonyx.runtime.size_check import Overrides
from sardonyx.runtime.weights import Weights
from sardonyx.store import identity, programs
from sardonyx.store.programs import Head, KeptWeights, Signature, StoredProgram
from sardonyx.targets import backend, detect, named

if TYPE_CHECKING:
    from sardonyx.base.deferred import Constant
    from sardonyx.compiler.compiled import Compiled
    from sardonyx.frontend import Loaded
    from sardonyx.frontend.load import Source
    from sardonyx.runtime.promotion import Promotion

Origin = str | os.PathLike[str] | bytes

_compiling = threading.RLock()
"""The compiler's tables of values and names are one per process."""


_SLOW_SECONDS = 2.0
"""What takes longer is announced."""


def load_program(
    model: Origin, options: CompileOptions, tell: Callable[[str], object] | None = None
) -> ModelProgram:
    """The program of a model file (path or bytes), from the cache or compiled.

    `tell` is called with a line of text if compiling takes more than two seconds.
    Raises LoadError, UnsupportedOp, ShapeError, CompileError or TargetError, or OSError if the file cannot be
    read.
    """
    target = named(options.target) if options.target else detect()
    goal = Goal(target, Policy(options.precision, options.winograd, options.strassen, options.short_weights))
    with uncollected():
        program = _Loader(model, options, goal, cache.at(cache_root(options.cache)), tell).program()
        spare_survivors()
    return program


def _load_fallback() -> None:
    """A program from the cache may hold nodes that ONNX's reference evaluator runs."""
    from sardonyx.frontend import fallback as fallback


register_late("reference", _load_fallback)


class _Loader:
    """One model under one set of options."""

    def __init__(
        self,
        origin: Origin,
        options: CompileOptions,
        goal: Goal,
        store: Cache,
        tell: Callable[[str], object] | None,
    ) -> None:
        self.origin, self.options, self.goal, self.store = origin, options, goal, store
        self._say = tell
        self._tell = (lambda: tell(self._slow_line())) if tell is not None else None
        self.model = identity.Model(origin, options.external_folder, store)
        self.is_custom = custom.mentioned(origin)
        self.parts: dict[tuple[str, ...], ModelProgram] = {}

    def program(self) -> ModelProgram:
        """The program for any feed."""
        found: ModelProgram | StoredProgram | Signature | None = self._found(self._key())
        if found is None:
            with _compiling, told_after(_SLOW_SECONDS, self._tell):
                found = self._found(self._key()) or self._compile()
        self.model.forget()
        if isinstance(found, StoredProgram):
            return self._ready(found)
        if isinstance(found, Signature):
            from sardonyx.store.variants import Variants

            return Variants(
                *(found.inputs, found.outputs, found.initializer_inputs, found.metadata),
                fed=self.options.fed,
                dependence=found.dependence,
                make=self.program_for,
                reader=self._reader,
            )
        return found

    def program_for(
        self, feeds: Mapping[str, Any], dependence: FeedDependence
    ) -> tuple[ModelProgram, FeedDependence]:
        """The program for such feeds, of which `dependence` is known, and all that matters of them.

        Raises RunError if the model file has changed since the session was made.
        """
        key = self._key_for(dependence, feeds)
        found = self._found(key)
        if isinstance(found, StoredProgram):
            return self._ready(found), dependence
        if isinstance(found, Signature):
            return self.program_for(feeds, found.dependence)
        from sardonyx import frontend

        with _compiling, told_after(_SLOW_SECONDS, self._tell):
            source, more = self._source(), dependence

            def load() -> Loaded:
                nonlocal more
                loaded, more = frontend.specialise(source, feeds, self.options, dependence, compute)
                return loaded

            def compute(tensors: tuple[str, ...]) -> list[Any]:
                return self._computing(tensors).run(list(feeds.values()), tuple(range(len(tensors))))

            made = self._made(load, lambda: self._key_for(more, feeds))
            if more != dependence:
                self._keep_signature(key, more, source)
            return made, more

    def alternative(self, overrides: Overrides) -> ModelProgram:
        """The program for feeds that break what the usual one assumes."""
        return self._other(
            dims={**self.options.dims, **dict(overrides.fixed)},
            distinct=tuple(sorted({*self.options.distinct, *overrides.distinct})),
        )

    def _other(self, **options: Any) -> ModelProgram:
        """The program of the same model under other options."""
        loader = _Loader(self.origin, replace(self.options, **options), self.goal, self.store, None)
        if loader.model.digest != self.model.digest:
            raise self._changed()
        return loader.program()

    def _computing(self, tensors: tuple[str, ...]) -> ModelProgram:
        """The program that computes tensors of the model whose content decides the rest of it."""
        if tensors not in self.parts:
            self.parts[tensors] = self._other(outputs=tensors)
        return self.parts[tensors]

    def _reader(
        self, dependence: FeedDependence, names: Sequence[str]
    ) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
        """What of feeds in the order of `names` decides the graph, tensors that are computed included."""
        read = dependence.reader(names)
        if not dependence.tensors:
            return read
        tensors = tuple(sorted(dependence.tensors))
        program, wanted = self._computing(tensors), tuple(range(len(tensors)))
        return lambda feeds: (*read(feeds), *map(content, program.run(feeds, wanted)))

    def _is_kept(self) -> bool:
        """Whether the cache may have such a program."""
        return self.goal.target.is_machine and not self.is_custom

    def _key(self, *more: str) -> str | None:
        """Where the program is kept; None if it cannot be."""
        model = self.model.key() if self._is_kept() else None
        if model is None:
            return None
        return cache.key("plan", model, self.options.code_key(), text_of(self.goal), identity.build(), *more)

    def _key_for(self, dependence: FeedDependence, feeds: Mapping[str, Any]) -> str | None:
        return self._key(dependence.text(), repr(self._reader(dependence, list(feeds))(list(feeds.values()))))

    def _found(self, key: str | None) -> StoredProgram | Signature | None:
        options = self.options
        if not key or options.debug or options.dump or options.verify:
            return None
        found = programs.read(self.store, key, list(self.model.files))
        drafted = found.draft if isinstance(found, StoredProgram) else None
        if drafted is not None and options.effort == "full" and drafted() is None:
            # It was damaged, or another process has made the full code meanwhile.
            return programs.read(self.store, key, list(self.model.files))
        return found

    def _ready(self, found: StoredProgram) -> Program:
        options = self.options
        program = Program(
            *(found.data, found.weights, found.image, found.report),
            threads=options.threads or cores.team_size(),
            spin_us=options.spin_us,
            flush_denormals=options.flush_denormals,
            alternative=self.alternative,
            promotion=self._promotion(found),
        )
        if options.effort == "full":
            program.compile_fully()
        return program

    def _promotion(self, found: StoredProgram) -> Promotion | None:
        if found.draft is None:
            return None
        from sardonyx.runtime.promotion import Promotion

        return Promotion(
            *(self.store, found.code, found.draft, self.goal.target),
            automatic=self.options.effort == "auto",
            tell=self._say,
        )

    # ---- what is not in the cache

    def _source(self) -> Source:
        """The parsed model, which must be the one that this object was made for."""
        from sardonyx import frontend

        content = self.model.content()
        if content is None:
            raise self._changed()
        return frontend.open_model(self.origin, self.options, content)

    def _changed(self) -> RunError:
        return RunError(f"{self.origin!r} has changed since the session was made; make a new session")

    def _compile(self) -> ModelProgram | Signature:
        from sardonyx import frontend

        source = self._source()
        self.model.note_files(frontend.external_files(source))
        try:
            return self._made(lambda: frontend.load(source, self.options, self.options.fed), self._key)
        except NeedsContent as error:
            return self._keep_signature(self._key(), FeedDependence().with_(error), source)

    def _made(self, load: Callable[[], Loaded], key: Callable[[], str | None]) -> ModelProgram:
        """The program of what `load` gives, kept under the key that there is afterwards."""
        from sardonyx.compiler.backend import Job
        from sardonyx.compiler.compile import compile_model
        from sardonyx.compiler.compiled import Compiled

        keeping: list[Background[KeptWeights | None]] = []

        def keep(weights: Sequence[Constant]) -> None:
            # Those of other models may be parts of files, whose digests are still to be known.
            if weights and self._is_kept() and self.model.is_whole:
                keeping.append(Background(partial(programs.keep_weights, self.store, weights, self.model)))

        job = Job(self.options, self.store, self.alternative, identity.build(), keep)
        with uncollected():
            try:
                made = compile_model(load, backend(self.goal), job)
            finally:
                weights = [kept.result() for kept in keeping]
            if not isinstance(made, Compiled):
                return made
            return self._ready(self._kept(made, key(), *weights))

    def _kept(self, made: Compiled, key: str | None, weights: KeptWeights | None = None) -> StoredProgram:
        """The program as a later session will find it, or as it is if it cannot be kept."""
        report = made.report
        if key and weights is None:
            weights = programs.keep_weights(self.store, made.weights, self.model)
        if (
            key
            and weights
            and programs.write(self.store, key, self._owner(), made.data, weights, made.code.key, report)
        ):
            found = programs.read(self.store, key, list(self.model.files))
            if isinstance(found, StoredProgram):
                return found._replace(report=lambda: report)
        code, draft = made.code, made.code.draft
        return StoredProgram(
            *(made.data, Weights(made.weights), code.image, lambda: report, code.key),
            draft=(lambda: draft) if draft is not None else None,
        )

    def _owner(self) -> Head:
        name = "(bytes)" if isinstance(self.origin, bytes) else os.path.abspath(self.origin)
        return Head(os.fsdecode(name), self.model.digest)

    def _slow_line(self) -> str:
        name = "a model" if isinstance(self.origin, bytes) else os.fsdecode(self.origin)
        kept = (
            "the next start takes it from the cache"
            if self._is_kept() and self.store.can_keep()
            else "nothing is cached"
        )
        return f"Compiling {name} takes more than {_SLOW_SECONDS:.0f} seconds; {kept}."

    def _keep_signature(self, key: str | None, dependence: FeedDependence, source: Source) -> Signature:
        from sardonyx import frontend

        found = frontend.signature(source, self.options)
        signature = Signature(found.inputs, found.outputs, found.initializers, found.metadata, dependence)
        if key:
            programs.write_signature(self.store, key, self._owner(), signature)
        return signature
