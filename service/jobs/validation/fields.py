"""Checks a spec before the service accepts it: contradictions between fields, and the files that it names."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.artifacts.store import ArtifactStore
from service.errors import FieldProblem, InputRefused
from service.inputs.image_sets.folder import list_shards
from service.inputs.image_sets.listing import SHARD_SUFFIXES, WORKER_ONLY, ImageSetLocation, detect_kind, list_images
from service.inputs.model_files import ModelFiles, find_model
from service.inputs.uris import check_links, check_remote, is_remote, locate
from service.jobs.validation.black_boxes import black_box_problems, declared_black_box_problems
from service.net.allowed_hosts import PUBLIC_ONLY, WEB_SCHEMES, AllowedHosts
from service.spec.cohort import Model
from service.spec.images import Images
from service.spec.model import JobSpec
from service.telemetry.redaction import redact_urls


@dataclass(frozen=True)
class InputLocator:
    """Finds what the API process can read: files under the allowed roots, and artifacts in a folder."""

    roots: Sequence[Path]
    artifacts: ArtifactStore
    hosts: AllowedHosts = PUBLIC_ONLY

    def find(self, uri: str) -> Path | None:
        """Return the local path of a URI, None if it is remote. Raises InputRefused."""
        if uri.startswith("artifact:"):
            found = self.artifacts.find(uri)
            return found if isinstance(found, Path) else None
        if not is_remote(uri):
            return locate(uri, self.roots)
        check_remote(uri)
        if uri.startswith(WEB_SCHEMES):
            self.hosts.check_literal(uri)
        return None


def find_problems(spec: JobSpec, locator: InputLocator) -> list[FieldProblem]:
    """Return every problem that the API process can find; a worker checks remote files later."""
    problems = (
        FieldProblem(each.field, redact_urls(locator.artifacts.with_uris(each.detail)))
        for each in _files(spec, locator)
    )
    return [*field_problems(spec), *problems]


def field_problems(spec: JobSpec) -> list[FieldProblem]:
    """Return the problems of fields that contradict each other. Reads no files."""
    return [problem for check in CHECKS for problem in check(spec)]


def preprocessing_problems(spec: JobSpec) -> list[FieldProblem]:
    """Return the problems of a spec whose missing preprocessing values were read from its models' files."""
    models = [
        FieldProblem(f"cohorts[{number}].model.{problem.field}", problem.detail)
        for number, cohort in enumerate(spec.cohorts)
        for problem in _model(cohort.model)
    ]
    return [*models, *_measure_options(spec)]


def _duplicates(spec: JobSpec) -> Iterator[FieldProblem]:
    lists: dict[str, Sequence[object]] = {
        "cohorts": [cohort.name for cohort in spec.cohorts],
        "measures": spec.measures,
        "images.groups": spec.images.groups,
        **{
            f"options.{name}.{field}": values
            for name, options in spec.options
            for field, values in options
            if isinstance(values, list)
        },
    }
    for field, values in lists.items():
        for value, count in Counter(values).items():
            if count > 1:
                yield FieldProblem(field, f"{value!r} is given {count} times; give it once")


def _cohorts(spec: JobSpec) -> Iterator[FieldProblem]:
    for number, cohort in enumerate(spec.cohorts):
        for measure in spec.requested_measures():
            if measure.across_runs and len(cohort.runs) < 2:
                yield FieldProblem(
                    f"cohorts[{number}].runs",
                    f"{measure.name} compares independent runs, but this cohort has one; add runs, or remove it from "
                    "measures",
                )
        for problem in _model(cohort.model):
            yield FieldProblem(f"cohorts[{number}].model.{problem.field}", problem.detail)


def _model(model: Model) -> Iterator[FieldProblem]:
    wanted = 1 if model.preprocessing.channels == "gray" else 3
    for field, values in (("mean", model.preprocessing.mean), ("std", model.preprocessing.std)):
        if len(values) != wanted:
            yield FieldProblem(f"preprocessing.{field}", f"give {wanted} value(s), one per channel")
    resize = model.preprocessing.resize
    if not isinstance(resize, str) and resize.shorter < max(model.preprocessing.size):
        yield FieldProblem(
            "preprocessing.resize.shorter", "must be at least the larger side of size, so that the crop fits"
        )
    if model.architecture and not model.architecture.startswith(("torchvision/", "timm/")):
        yield FieldProblem(
            "architecture", "write torchvision/NAME or timm/NAME, with the name of a classifier of that library"
        )
    outputs = model.outputs
    if outputs and outputs.names is not None and outputs.order is not None:
        yield FieldProblem("outputs", "give names or order, not both")
    if outputs and outputs.names is not None and outputs.attack_class not in (None, *outputs.names):
        yield FieldProblem(
            "outputs.attack_class", f"{outputs.attack_class!r} is not in outputs.names; name one of its labels"
        )
    if outputs and outputs.order is not None and len(set(outputs.order)) < len(outputs.order):
        yield FieldProblem("outputs.order", "the same logit is given twice; give each once")
    if outputs and outputs.names is not None and len(set(outputs.names)) < len(outputs.names):
        yield FieldProblem("outputs.names", "the same class is given twice; give each once")


def _groups(spec: JobSpec) -> Iterator[FieldProblem]:
    for name in spec.images.groups:
        if name in RESERVED_GROUPS:
            yield FieldProblem("images.groups", f"{name!r} already has a meaning; rename the column, or leave it out")


def _measure_options(spec: JobSpec) -> Iterator[FieldProblem]:
    sizes = {cohort.name: cohort.model.preprocessing.size for cohort in spec.cohorts}
    for measure in spec.requested_measures():
        yield from measure.validate(spec.options_of(measure.name), sizes)


def _out_of_set(spec: JobSpec) -> Iterator[FieldProblem]:
    for name in spec.for_out_of_set().measures if spec.out_of_set else ():
        if name not in spec.measures:
            yield FieldProblem("measures", f"out_of_set needs {name}; add {name} to measures, or remove out_of_set")


def _stop(spec: JobSpec) -> Iterator[FieldProblem]:
    if spec.stop and spec.gate is None:
        yield FieldProblem("stop", "a job with stop needs a gate, which decides when it stops; add gate")
    if spec.stop and spec.baseline:
        yield FieldProblem(
            "stop", "a baseline needs the whole image set; add its runs as a cohort instead (numbers are reused)"
        )
    if spec.stop and spec.out_of_set:
        yield FieldProblem("stop", "out_of_set needs the whole image set; remove it, or remove stop")


# Names of the standard columns of a manifest, and of the strata that are not groups.
RESERVED_GROUPS = ("image", "label", "human_map", "class", "correct")

CHECKS: Sequence[Callable[[JobSpec], Iterator[FieldProblem]]] = (
    _duplicates, _groups, _cohorts, _measure_options, _out_of_set, _stop, declared_black_box_problems
)  # fmt: skip


def _files(spec: JobSpec, locator: InputLocator) -> Iterator[FieldProblem]:
    yield from _image_set("images.uri", spec.images, locator, spec.images.groups)
    if spec.out_of_set:
        yield from _image_set("out_of_set.uri", spec.out_of_set, locator)
    for number in range(len(spec.cohorts)):
        yield from _model_files(spec, number, locator)


def _image_set(field: str, images: Images, locator: InputLocator, groups: Sequence[str] = ()) -> Iterator[FieldProblem]:
    try:
        path = locator.find(images.uri)
        if path is not None and detect_kind(path) not in WORKER_ONLY and not _has_shards(path, locator.roots):
            source = images.uri if is_remote(images.uri) else str(path)
            next(list_images(ImageSetLocation(path, source, groups), locator.roots))
    except InputRefused as error:
        yield FieldProblem(str(error.facts.get("field", field)), str(error))
    except OSError as error:
        yield FieldProblem(field, f"cannot be read: {error.strerror}")


def _model_files(spec: JobSpec, number: int, locator: InputLocator) -> Iterator[FieldProblem]:
    """Yield the problems of a cohort's files. If several files contradict a field, yield its first problem only."""
    wrong: dict[str, FieldProblem] = {}
    for index, run in enumerate(spec.cohorts[number].runs):
        field = f"cohorts[{number}].runs[{index}].uri"
        try:
            files = _find_model(run.uri, locator)
        except InputRefused as error:
            yield FieldProblem(field, str(error))
        except OSError as error:
            yield FieldProblem(field, f"cannot be read: {error.strerror}")
        else:
            for problem in _model_problems(spec, number, files) if files else ():
                wrong.setdefault(problem.field, problem)
    yield from wrong.values()


def _find_model(uri: str, locator: InputLocator) -> ModelFiles | None:
    """Return the model's files, None if they are remote."""
    path = locator.find(uri)
    if path is not None and path.is_dir():
        check_links(path, locator.roots)
    return find_model(path) if path else None


def _model_problems(spec: JobSpec, number: int, files: ModelFiles) -> Iterator[FieldProblem]:
    """Yield the fields that contradict a model's files. A packed folder is checked once a worker unpacks it."""
    model, field, path = spec.cohorts[number].model, f"cohorts[{number}].model", files.path
    if files.format == "packed":
        return
    if model.format not in ("auto", files.format):
        yield FieldProblem(
            f"{field}.format",
            f"{path} has the format {files.format}, not {model.format}; correct or remove the field",
        )
    elif files.format == "checkpoint" and not (model.architecture or files.architecture):
        yield FieldProblem(
            f"{field}.architecture",
            f"{path} is a checkpoint, which contains weights only; name its architecture, such as torchvision/resnet50",
        )
    elif files.format == "onnx" and model.format == "auto":  # a declared format is checked without the file
        yield from black_box_problems(spec, number, path)


def _has_shards(path: Path, roots: Sequence[Path]) -> bool:
    """Return whether a folder has shards, which the API process may be unable to list."""
    return path.is_dir() and bool(list_shards(path, SHARD_SUFFIXES, roots))
