"""The shape of the project: where things lie, who may import whom, and that it installs."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CODE = ("nlp", "annotate", "train")
TOOLS = ("benchmarks", "docs", "examples", "tests")
FORBIDDEN = {
    "nlp": {"annotate", "train", "streamlit", "torch", "torchvision", "timm", "sklearn", *TOOLS},
    "annotate": {"train", "torch", "torchvision", "timm", *TOOLS},
    "train": {"annotate", "spacy", *TOOLS},
}
PEERS = {"grad-cam", "loguru", "medspacy", "negspacy", "pytorch-grad-cam"}
"""Systems that the benchmarks compare with, each in an environment of its own."""
LIGHT = (
    "nlp.schema",
    "nlp.errors",
    "nlp.lexicon",
    "nlp.command",
    "nlp.image_names",
    "nlp.markdown",
    "train.config",
)
SHARED_BY_TRAIN = {
    "schema",
    "column_names",
    "errors",
    "lexicon",
    "entries",
    "csv_rows",
    "command",
    "image_names",
    "markdown",
    "write",
}
"""What ``train`` may take from ``nlp``: no table engine and no spaCy."""
HEAVY = {"spacy", "torch", "pandas", "pyarrow", "numpy", "streamlit", "rapidfuzz", "thinc"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def python_files() -> list[Path]:
    folders = [ROOT / name for name in (*CODE, *TOOLS)]
    found = [path for folder in folders for path in folder.rglob("*.py")]
    return [*found, *ROOT.glob("*.py")]


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every absolute import of a file, lazy ones included, with its line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write the import with the package's name"
            yield str(node.module), node.lineno


def area(path: Path) -> str:
    """The folder at the top level, or the file itself."""
    return path.relative_to(ROOT).parts[0]


def test_imports_point_one_way() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in python_files()
        for name, line in imports(path)
        if name.split(".")[0] in FORBIDDEN.get(area(path), set())
    ]
    assert not wrong, "\n".join(wrong)


def test_train_takes_only_light_parts_of_nlp() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in python_files()
        if area(path) == "train"
        for name, line in imports(path)
        if name.split(".")[0] == "nlp" and name not in {f"nlp.{each}" for each in SHARED_BY_TRAIN}
    ]
    assert not wrong, "\n".join(wrong)


def test_streamlit_is_imported_in_pages_only() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in python_files()
        for name, line in imports(path)
        if name.split(".")[0] == "streamlit"
        and path.parent.name != "pages"
        and path.name != "app_streamlit.py"
        and area(path) != "tests"
    ]
    assert not wrong, wrong


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_load_nothing_heavy(module: str) -> None:
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not HEAVY & set(json.loads(done.stdout))


def declared(*extras: str) -> set[str]:
    """Names of the distributions that an installation with these extras brings."""
    optional = PROJECT["optional-dependencies"]
    entries = [*PROJECT["dependencies"], *(entry for extra in extras for entry in optional[extra])]
    return {plain(re.split(r"[\[<>=!~; ]", entry)[0]) for entry in entries}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def allowed_distributions(path: Path) -> set[str]:
    match area(path):
        case "nlp" if "spark" in path.stem:
            return declared("spark")
        case "nlp":
            return declared()
        case "annotate":
            return declared("annotate")
        case "train":  # its pages are shown where the app is installed, DICOM is read where its extra is
            return declared("train", "dicom", *(["annotate"] if path.parent.name == "pages" else []))
        case "app_streamlit.py":
            return declared("annotate")
        case "benchmarks":
            return declared("annotate", "train", "spark", "dev") | PEERS
    return declared(*PROJECT["optional-dependencies"])


def test_every_import_is_declared() -> None:
    owners = packages_distributions()
    own = {path.stem for path in ROOT.glob("*.py")} | {*CODE, *TOOLS}
    wrong = []
    for path in python_files():
        for name, line in imports(path):
            top = name.split(".")[0]
            if top in own or top in sys.stdlib_module_names or top == "__future__":
                continue
            distributions = {plain(each) for each in owners.get(top, [top])}
            if not distributions & allowed_distributions(path):
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {top}, which pyproject.toml lacks")
    assert not wrong, "\n".join(wrong)


def test_all_extra_holds_every_other_extra() -> None:
    extras = PROJECT["optional-dependencies"]
    assert set(extras) == {"annotate", "train", "spark", "dicom", "dev", "all"}
    (everything,) = extras["all"]
    named = re.fullmatch(rf"{PROJECT['name']}\[(.*)\]", everything)
    assert named is not None
    assert set(named[1].split(",")) == set(extras) - {"all"}


def test_init_files_are_empty() -> None:
    assert [path for path in python_files() if path.name == "__init__.py" and path.stat().st_size] == []


def test_lexicon_holds_data_only() -> None:
    assert {path.suffix for path in (ROOT / "lexicon").iterdir()} == {".csv"}


def test_tests_are_flat() -> None:
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    assert folders == {ROOT / "tests"}
    assert not (ROOT / "tests" / "__init__.py").exists()


def test_text_is_never_a_pipeline_called_nlp() -> None:
    """``nlp`` is the package; a variable of that name would hide it."""
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in python_files()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name) and node.id == "nlp" and isinstance(node.ctx, ast.Store)
    ]
    assert not wrong, wrong


def test_wheel_holds_code_and_lexicon_and_works(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    sources = tmp_path / "sources"
    sources.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "app_streamlit.py", *CODE, "lexicon"):
        copy(ROOT / name, sources / name)
    subprocess.run([*command, "--wheel-dir", str(tmp_path), str(sources)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    packages = ((package, "*.py") for package in (*CODE, "annotate/pages", "train/pages"))
    texts = (("lexicon", "*.csv"), ("annotate/pages", "*.js"), ("annotate/pages", "*.css"))
    assert (installed / "app_streamlit.py").exists()
    for folder, pattern in (*packages, *texts):
        expected = {path.name for path in (ROOT / folder).glob(pattern)}
        assert {path.name for path in (installed / folder).glob(pattern)} == expected
    code = "import nlp.lexicon as l; print(l.__file__, len(l.load_lexicon().findings))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    place, findings = done.stdout.split()
    assert place.startswith(str(installed))
    assert int(findings) >= 5


def copy(source: Path, target: Path) -> None:
    """Copy a file, or a folder without what Python left in it."""
    if source.is_file():
        target.write_bytes(source.read_bytes())
        return
    for path in source.rglob("*"):
        if path.is_file() and path.suffix in (".py", ".csv", ".js", ".css"):
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())


def test_nothing_names_a_package_registry() -> None:
    """Where packages come from is the machine's business."""
    files = ["Makefile", "pyproject.toml", ".ci/run", "README.md", "CONTRIBUTING.md"]
    words = re.compile(r"pypi\.org|pythonhosted|--(extra-)?index-url|conda-forge", re.IGNORECASE)
    assert [name for name in files if words.search((ROOT / name).read_text(encoding="utf-8"))] == []
