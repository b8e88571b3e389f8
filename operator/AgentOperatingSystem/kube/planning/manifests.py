"""Read Kubernetes objects from files, folders and standard input, as `kubectl apply -f` would.

Why not plain YAML loading: Kubernetes knows no dates and no numbers of base 60, a key that is there twice
hides one of its values, and one broken file must not keep the others from being told.
"""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from AgentOperatingSystem.api.crd import KINDS
from AgentOperatingSystem.api.v1alpha1 import API_VERSION, GROUP, KIND
from AgentOperatingSystem.kube.planning.problems import Problem

STDIN = "-"
ENDINGS = frozenset({".yaml", ".yml", ".json"})
_NO_OBJECT = "document without a kind"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object as its file has it, as yet unchecked; `number` is its place in the file, from 1."""

    file: str
    number: int
    body: Any


@dataclass(slots=True)
class Reading:
    """What was found: our resources, how many objects of other kinds by file, and what cannot be read."""

    manifests: list[Manifest] = field(default_factory=list)
    ignored: dict[str, Counter[str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_manifests(sources: Sequence[str], read_stdin: Callable[[], str]) -> Reading:
    """The resources of `sources`, each a file, a folder (with all below it) or `-`, each read once."""
    reading = Reading()
    seen: set[str] = set()
    for source in sources:
        for name in _files(source, reading):
            place = name if name == STDIN else str(Path(name).resolve())
            if place not in seen:
                seen.add(place)
                _read(name, read_stdin, reading)
    if not reading.manifests and not reading.problems:
        given = ", ".join(sources)
        reading.problems.append(
            Problem(given, f"no {KIND} was found; name its file or a folder that holds it.")
        )
    return reading


def _files(source: str, reading: Reading) -> Iterator[str]:
    path = Path(source)
    if source == STDIN or path.is_file():
        yield source
    elif path.is_dir():
        yield from (str(found) for found in sorted(path.rglob("*")) if _is_manifest(found))
    else:
        reading.problems.append(Problem(source, "no such file or folder."))


def _is_manifest(path: Path) -> bool:
    return path.suffix in ENDINGS and path.is_file()


def _read(name: str, read_stdin: Callable[[], str], reading: Reading) -> None:
    file = "stdin" if name == STDIN else name
    try:
        text = read_stdin() if name == STDIN else Path(name).read_text(encoding="utf-8-sig")
        documents = parse(text)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reading.problems.append(Problem(file, f"cannot be read: {_sentence(error)}"))
        return
    for number, body in enumerate(_objects(documents), 1):
        _sort(Manifest(file, number, body), reading)


def _sentence(error: Exception) -> str:
    """An error on one line; PyYAML's have the place in the file, a decoder's or the system's their own."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply."
    return " ".join(str(error).split())


def parse(text: str) -> list[Any]:
    """The documents in `text` as plain JSON values. Raises ValueError or YAMLError for what is none."""
    if text.lstrip().startswith("{"):
        try:
            return [json.loads(text, object_pairs_hook=_object)]
        except json.JSONDecodeError:
            pass  # YAML has a flow style that begins in the same way
    documents = yaml.load_all(text, Loader=_Loader)
    # Through JSON, as kubectl does: keys become texts, and what JSON cannot hold is refused.
    try:
        return [json.loads(json.dumps(document, allow_nan=False)) for document in documents]
    except TypeError as error:
        raise ValueError(f"it holds a value that JSON cannot hold ({error})") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; raises ValueError for a key that is there twice."""
    _refuse_twins([key for key, _ in pairs])
    return dict(pairs)


def _refuse_twins(keys: list[Any], where: str = "") -> None:
    twins = [key for key, times in Counter(keys).items() if times > 1]
    if twins:
        raise ValueError(f"the key {twins[0]!r} is there twice{where}; remove one of the two")


class _Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> Any:
        tag = super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]
        dated = tag == "tag:yaml.org,2002:timestamp"
        sixties = tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float") and ":" in value
        return "tag:yaml.org,2002:str" if dated or sixties else tag

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        scalars = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        where = f" in the mapping of line {node.start_mark.line + 1}"
        _refuse_twins([key.value for key in scalars if key.value != "<<"], where)
        return super().construct_mapping(node, deep)


def _objects(documents: Sequence[Any]) -> Iterator[Any]:
    """The objects, those of Lists in place of the Lists; an empty document is none."""
    for document in documents:
        if document is None:
            continue
        items = document.get("items") if isinstance(document, Mapping) else None
        if isinstance(items, list) and str(document.get("kind")).endswith("List"):
            yield from _objects(items)
        else:
            yield document


def _sort(manifest: Manifest, reading: Reading) -> None:
    """Put an object where it belongs; one that is nearly of our kind is a mistake, not another kind."""
    body = manifest.body
    kind = body.get("kind") if isinstance(body, Mapping) else None
    if not isinstance(kind, str) or not kind:
        _ignore(manifest, _NO_OBJECT, reading)
        return
    version = body.get("apiVersion")
    ours = kind in _kinds()
    if ours and version == API_VERSION:
        reading.manifests.append(manifest)
    elif ours and (kind == KIND or _group(version) == GROUP):
        message = f"{version!r} has no kind {kind}; write {API_VERSION}."
        reading.problems.append(Problem(manifest.file, message, _place(manifest), "apiVersion"))
    elif _group(version) == GROUP:
        message = f"{version} has no kind {kind!r}; it has {', '.join(sorted(_kinds()))}."
        reading.problems.append(Problem(manifest.file, message, _place(manifest), "kind"))
    else:
        _ignore(manifest, kind, reading)


@functools.cache
def _kinds() -> frozenset[str]:
    """The kinds of our group."""
    return frozenset(kind.name for kind in KINDS)


def _group(version: object) -> str:
    return str(version).split("/", maxsplit=1)[0]


def _place(manifest: Manifest) -> str:
    return f"object {manifest.number}"


def _ignore(manifest: Manifest, kind: str, reading: Reading) -> None:
    reading.ignored.setdefault(manifest.file, Counter())[kind] += 1
