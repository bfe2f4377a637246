"""Models, their versions and aliases: what can be asked and changed, each change with its audit entry.

Decides what may be changed while deployments need it. Must not know how traffic is spread, checks or
transports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from sardonyx.database import Database
from sardonyx.database.registry import AliasRow, ModelRow, VersionRow
from sardonyx.database.traffic import DeploymentRow, EndpointRow
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.records import (
    Check,
    File,
    Lineage,
    Model,
    ModelChange,
    NewModel,
    Registration,
    Signature,
    Stage,
    Version,
    VersionChange,
)
from sardonyx.registry import audit
from sardonyx.registry.artefacts import ArtefactStore, digest_of, files_of
from sardonyx.registry.checks import Examination
from sardonyx.registry.names import checked_alias, checked_name
from sardonyx.registry.references import find_model, no_alias, resolve
from sardonyx.registry.sharing import refuse_moved


class Catalog:
    """The models of one database and the files of one store."""

    def __init__(self, database: Database, store: ArtefactStore) -> None:
        self._database = database
        self._store = store

    def models(self, pattern: str = "*", tags: Mapping[str, str] | None = None) -> list[Model]:
        """Models by name whose names match the shell pattern and that have these tags."""
        with self._database.read() as session:
            found = [model_record(row) for row in session.scalars(select(ModelRow).order_by(ModelRow.name))]
        wanted = (tags or {}).items()
        return [m for m in found if fnmatchcase(m.name, pattern) and wanted <= m.tags.items()]

    def model(self, name: str) -> Model:
        """One model. Raises ServeError NOT_FOUND."""
        with self._database.read() as session:
            return model_record(find_model(session, name))

    def create(self, new: NewModel, actor: str) -> Model:
        """A model without versions. Raises ServeError CONFLICT if the name is taken."""
        with self._database.write() as session:
            if session.scalar(select(ModelRow).where(ModelRow.name == new.name)):
                raise ServeError(Code.CONFLICT, f"there is a model {new.name!r} already")
            return model_record(_add_model(session, new, actor))

    def change(self, name: str, change: ModelChange, actor: str) -> Model:
        """Describe a model anew, set or remove tags."""
        with self._database.write() as session:
            row = find_model(session, name)
            if change.description is not None:
                row.description = change.description
            row.tags = _tagged(row.tags, change.tags)
            audit.record(session, actor, "model.change", name, msgspec.to_builtins(change))
            return model_record(row)

    def delete(self, name: str, actor: str) -> None:
        """Remove a model with all versions. Raises ServeError CONFLICT if a deployment needs it."""
        with self._database.write() as session:
            row = find_model(session, name)
            _refuse_if_deployed(session, name)
            gone = [files_of(version.files) for version in row.versions]
            session.delete(row)
            audit.record(session, actor, "model.delete", name, {"versions": len(gone)})
        self._collect(gone)

    def versions(self, model: str) -> list[Version]:
        """All versions of a model, the oldest first."""
        with self._database.read() as session:
            row = find_model(session, model)
            return [version_record(version) for version in row.versions]

    def version(self, model: str, reference: str = "") -> Version:
        """The version that a reference means. Raises ServeError NOT_FOUND."""
        with self._database.read() as session:
            return version_record(resolve(find_model(session, model), reference))

    def add_version(
        self,
        model: str,
        registration: Registration,
        examination: Examination,
        stored: Callable[[], list[File]],
        actor: str,
    ) -> Version:
        """Enter a version whose files `stored` puts into the store; makes the model if it is new.

        Raises ServeError CONFLICT as `set_alias` does, of each alias; nothing of the version remains then.
        """
        checked_name(model, "a model")
        aliases = [checked_alias(alias) for alias in registration.aliases]
        files = stored()
        try:
            return self._enter(model, registration, aliases, examination, files, stored, actor)
        except ServeError:
            self._collect([files])
            raise

    def _enter(
        self,
        model: str,
        registration: Registration,
        aliases: Sequence[str],
        examination: Examination,
        files: list[File],
        stored: Callable[[], list[File]],
        actor: str,
    ) -> Version:
        with self._database.write() as session:
            if self._store.missing(files):
                files = stored()
            row = session.scalar(select(ModelRow).where(ModelRow.name == model))
            if row is None:
                row = _add_model(session, NewModel(name=model), actor)
            version = VersionRow(
                model=row,
                number=row.next_version,
                digest=digest_of(files),
                files={file.path: [file.sha256, file.size_bytes] for file in files},
                size_bytes=sum(file.size_bytes for file in files),
                stage=registration.stage,
                description=registration.description,
                tags=registration.tags,
                signature=msgspec.to_builtins(examination.signature),
                lineage=msgspec.to_builtins(registration.lineage),
                checks={check.name: [check.verdict, check.detail] for check in examination.checks},
                config=registration.config,
                created_by=actor,
            )
            row.next_version += 1
            session.add(version)
            for alias in aliases:
                _point(row, alias, version)
            session.flush()
            for alias in aliases:
                refuse_moved(session, row, alias)
            audit.record(
                session,
                actor,
                "version.register",
                f"{model}:{version.number}",
                {"digest": version.digest, "source": registration.lineage.source, "aliases": aliases},
            )
            return version_record(version)

    def change_version(self, model: str, reference: str, change: VersionChange, actor: str) -> Version:
        """Move a version to another stage, describe it anew, set or remove tags."""
        with self._database.write() as session:
            row = resolve(find_model(session, model), reference)
            row.stage = change.stage or row.stage
            if change.description is not None:
                row.description = change.description
            row.tags = _tagged(row.tags, change.tags)
            detail = msgspec.to_builtins(change)
            audit.record(session, actor, "version.change", f"{model}:{row.number}", detail)
            return version_record(row)

    def delete_version(self, model: str, reference: str, actor: str) -> None:
        """Remove a version. Raises ServeError CONFLICT if a deployment or an alias needs it."""
        with self._database.write() as session:
            owner = find_model(session, model)
            row = resolve(owner, reference)
            held = [f"@{alias.name}" for alias in owner.aliases if alias.version is row]
            if held:
                raise ServeError(
                    Code.CONFLICT,
                    f"{model}:{row.number} is {', '.join(held)}; move or remove the alias first",
                )
            _refuse_if_deployed(session, model, str(row.number))
            owner.versions.remove(row)
            audit.record(session, actor, "version.delete", f"{model}:{row.number}", {"digest": row.digest})
        self._collect([files_of(row.files)])

    def set_alias(self, model: str, alias: str, reference: str, actor: str) -> Model:
        """Let an alias point at a version.

        Raises ServeError CONFLICT if a deployment that follows it shares traffic with one that takes other
        inputs than the version.
        """
        alias = checked_alias(alias)
        with self._database.write() as session:
            row = find_model(session, model)
            version = resolve(row, reference)
            before = next((str(a.version.number) for a in row.aliases if a.name == alias), "")
            _point(row, alias, version)
            session.flush()
            refuse_moved(session, row, alias)
            detail = {"version": str(version.number), "before": before}
            audit.record(session, actor, "alias.set", f"{model}@{alias}", detail)
            session.flush()
            return model_record(row)

    def remove_alias(self, model: str, alias: str, actor: str) -> Model:
        """Remove an alias. Raises ServeError CONFLICT if a deployment follows it."""
        alias = alias.removeprefix("@")
        with self._database.write() as session:
            row = find_model(session, model)
            pointer = next((a for a in row.aliases if a.name == alias), None)
            if pointer is None:
                raise no_alias(row, alias)
            _refuse_if_deployed(session, model, f"@{alias}")
            row.aliases.remove(pointer)
            audit.record(session, actor, "alias.remove", f"{model}@{alias}")
            session.flush()
            return model_record(row)

    def _collect(self, gone: Sequence[Sequence[File]]) -> None:
        """Remove the files that only these versions needed; a registration under way waits or is first."""
        with self._database.write(silent=True) as session:
            rows = session.execute(select(VersionRow.digest, VersionRow.files)).all()
            needed = {found[0] for row in rows for found in row[1].values()}
            self._store.remove({file.sha256 for files in gone for file in files} - needed)
            for digest in {digest_of(files) for files in gone} - {row[0] for row in rows}:
                self._store.forget_folder(digest)


def model_record(row: ModelRow) -> Model:
    """The record of a row."""
    return Model(
        name=row.name,
        description=row.description,
        tags=row.tags,
        aliases={alias.name: str(alias.version.number) for alias in row.aliases},
        versions=[str(version.number) for version in row.versions],
        latest=str(row.versions[-1].number) if row.versions else "",
        created_at=row.created_at,
        created_by=row.created_by,
    )


def version_record(row: VersionRow) -> Version:
    """The record of a row."""
    return Version(
        model=row.model.name,
        version=str(row.number),
        digest=row.digest,
        size_bytes=row.size_bytes,
        files=files_of(row.files),
        aliases=[alias.name for alias in row.model.aliases if alias.version is row],
        stage=msgspec.convert(row.stage, Stage),
        description=row.description,
        tags=row.tags,
        signature=msgspec.convert(row.signature, Signature),
        lineage=msgspec.convert(row.lineage, Lineage),
        checks=[Check(name=name, verdict=found[0], detail=found[1]) for name, found in row.checks.items()],
        config=row.config,
        created_at=row.created_at,
        created_by=row.created_by,
    )


def _add_model(session: Session, new: NewModel, actor: str) -> ModelRow:
    row = ModelRow(
        name=checked_name(new.name, "a model"),
        description=new.description,
        tags=new.tags,
        next_version=1,
        created_by=actor,
    )
    session.add(row)
    audit.record(session, actor, "model.create", new.name)
    return row


def _point(model: ModelRow, alias: str, version: VersionRow) -> None:
    for row in model.aliases:
        if row.name == alias:
            row.version = version
            return
    model.aliases.append(AliasRow(name=alias, version=version))


def _tagged(tags: Mapping[str, Any], change: Mapping[str, str | None]) -> dict[str, Any]:
    return {key: value for key, value in {**tags, **change}.items() if value is not None}


def _refuse_if_deployed(session: Session, model: str, reference: str | None = None) -> None:
    query = select(DeploymentRow, EndpointRow.name).join(EndpointRow).where(DeploymentRow.model == model)
    if reference is not None:
        query = query.where(DeploymentRow.version == reference)
    if found := session.execute(query).first():
        deployment, endpoint = found
        raise ServeError(
            Code.CONFLICT,
            f"the deployment {deployment.name!r} of endpoint {endpoint!r} needs {model}"
            f"{':' + reference if reference else ''}; remove it first",
        )
