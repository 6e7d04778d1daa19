"""Imports point downwards only, and the package imports without its optional packages.

`RULES` is the architecture (docs/architecture.md) as a table; change it on purpose. An import
counts wherever it stands: at the top, inside a function, under TYPE_CHECKING, or by name through
`importlib.import_module`.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import qwen3_tts

PACKAGE = "qwen3_tts"
ROOT = Path(qwen3_tts.__file__).parent

# layer -> (layers of ours it may import, other packages it may import)
RULES: dict[str, tuple[str, str]] = {
    "version": ("", ""),
    "errors": ("", ""),
    "config": ("errors", ""),
    "audio": ("errors", "numpy soundfile soxr av pyloudnorm faster_whisper"),
    "voice_file": ("errors", "numpy safetensors"),
    "voice": ("errors voice_file", "numpy"),
    "types": ("version errors audio voice", "numpy"),
    "voices": ("errors types audio", "numpy torch filelock"),
    "model": ("config", "torch"),
    "prompt": ("errors config types", "tokenizers"),
    "text": ("errors types prompt", "py3langid wetext"),
    "quantize": ("config model", "torch"),
    "native": ("errors config model quantize", "torch"),
    "weights": ("errors config model quantize", "torch safetensors numpy huggingface_hub rich"),
    "engine": ("errors config types voice audio model prompt quantize native", "torch numpy"),
    "backends": (
        "errors config types audio model prompt quantize native engine weights",
        "torch numpy safetensors",
    ),
    "reading": (
        "version errors audio types text voices backends",
        "numpy safetensors av",
    ),
    "train": (
        "errors config audio model prompt weights",
        "torch numpy tokenizers rich matplotlib wordfreq",
    ),
    "server": (
        "version errors types audio voices backends",
        "numpy fastapi starlette uvicorn pydantic pydantic_settings jwt cryptography h11 "
        "prometheus_client",
    ),
    "cli": (
        "version errors audio voice types voices prompt text native quantize backends reading "
        "train server",
        "numpy rich",
    ),
}
TOP = {"__init__", "__main__", "compat"}  # above every layer
FACE_USERS = {"cli", *TOP}  # may `import qwen3_tts` itself
# optional package -> the only files that may import it, and those only inside a function
OPTIONAL = {
    "soundfile": {"audio/files.py", "audio/uploads.py"},
    "soxr": {"audio/files.py", "audio/rates.py"},
    "av": {"audio/containers.py", "audio/uploads.py", "reading/output.py"},
    "pyloudnorm": {"audio/loudness.py"},
    "faster_whisper": {"audio/transcribe.py"},
    "py3langid": {"text/language_statistics.py"},
    "wetext": {"text/wetext_rules.py"},
    "huggingface_hub": {"weights/transfer.py"},
    "rich": {
        "weights/transfer.py",
        "cli/messages.py",
        "cli/read_shown.py",
        "train/journal.py",
    },
    "wordfreq": {"train/recipe/sentences.py"},
}
LOADERS = {"import_module", "optional_package"}  # functions that import the package they are told
NEEDED = {"torch", "numpy", "safetensors", "tokenizers"}

FILES = sorted(ROOT.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def layer_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def modules(tree: ast.AST, where: str) -> set[str]:
    """Full names of all modules that `tree` imports."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{where}:{node.lineno}: relative import"
            assert node.module is not None
            names.add(node.module)
            if node.module == PACKAGE:  # `from qwen3_tts import types` imports a layer
                names |= {f"{PACKAGE}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and _name(node.func) in LOADERS:
            names |= {a.value for a in node.args if isinstance(a, ast.Constant)}
    return names


def _name(node: ast.expr) -> str:
    """The last part of `a.b.c`."""
    return getattr(node, "attr", getattr(node, "id", ""))


def imported(path: Path) -> set[str]:
    return modules(ast.parse(path.read_text(encoding="utf-8")), name_of(path))


def top_level(names: set[str]) -> set[str]:
    """Packages other than ours and the standard library."""
    return {name.split(".")[0] for name in names} - {PACKAGE} - set(sys.stdlib_module_names)


def test_every_file_belongs_to_a_layer() -> None:
    strays = {name_of(path) for path in FILES if layer_of(path) not in TOP | set(RULES)}
    assert not strays


def test_layers_form_an_order() -> None:
    """Each layer names only layers that stand above it in the table, so there is no cycle."""
    order = list(RULES)
    for layer, (own, _) in RULES.items():
        assert all(order.index(name) < order.index(layer) for name in own.split()), layer


@pytest.mark.parametrize("path", [p for p in FILES if layer_of(p) in RULES], ids=name_of)
def test_imports_point_downwards(path: Path) -> None:
    layer = layer_of(path)
    own, packages = (set(names.split()) for names in RULES[layer])
    names = imported(path)
    layers = {name.split(".")[1] for name in names if name.startswith(PACKAGE + ".")}
    assert layers <= own | {layer}, f"{layer} must not import {sorted(layers - own - {layer})}"
    assert PACKAGE not in names or layer in FACE_USERS, f"{layer} must not import the public face"
    assert top_level(names) <= packages, f"{layer} must not import {top_level(names) - packages}"


@pytest.mark.parametrize("path", [p for p in FILES if layer_of(p) in TOP], ids=name_of)
def test_the_public_face_leans_on_needed_packages_alone(path: Path) -> None:
    assert top_level(imported(path)) <= NEEDED


@pytest.mark.parametrize("package", OPTIONAL)
def test_an_optional_package_is_imported_in_its_file_alone(package: str) -> None:
    users = {name_of(path) for path in FILES if package in top_level(imported(path))}
    assert users == OPTIONAL[package]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_optional_packages_are_imported_inside_functions(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    inner = {part for node in ast.walk(tree) if isinstance(node, functions) for part in node.body}
    for node in _statements(tree, inner):
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Call):
            found = top_level(modules(node, name_of(path))) & set(OPTIONAL)
            assert not found, f"line {node.lineno} imports {found} when the module is imported"


def _statements(node: ast.AST, skip: set[ast.stmt]) -> list[ast.AST]:
    """All nodes below `node` that run when the module is imported."""
    found: list[ast.AST] = []
    for child in ast.iter_child_nodes(node):
        if child not in skip:
            found += [child, *_statements(child, skip)]
    return found


WITHOUT_OPTIONALS = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked}:
            raise ImportError("blocked: " + name)

sys.meta_path.insert(0, Blocked())
import qwen3_tts, qwen3_tts.backends.registry
print(*sorted({blocked} & set(sys.modules)))
"""


def test_the_package_imports_without_its_optional_packages() -> None:
    script = WITHOUT_OPTIONALS.format(blocked=set(OPTIONAL))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_the_public_face_imports_without_torch() -> None:
    """`import qwen3_tts` is quick: a voice file can be read before torch is loaded."""
    script = "import sys, qwen3_tts; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
