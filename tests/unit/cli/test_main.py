import inspect
import subprocess
import sys
from importlib import import_module

import pytest

from flatfile_sync.cli import exits, main
from flatfile_sync.domain.failures import ConfigurationError, Refused, TemporaryFailure

HEAVY = ("pandas", "pyarrow", "numpy", "sqlalchemy", "asyncssh", "pydantic", "paramiko", "cryptography", "rich")


def program(*args):
    command = [sys.executable, "-m", "flatfile_sync.cli", *args]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_help_names_every_command_and_every_exit_code():
    shown = program("--help")
    assert shown.returncode == 0
    for entry in main.COMMANDS:
        assert f"  {entry.name} " in shown.stdout
        assert entry.summary in " ".join(shown.stdout.split())
    for code, meaning in exits.MEANINGS.items():
        assert f"{code.value:>2}  {meaning}" in shown.stdout


def heavy(*arguments):
    """Return what the program prints, and which heavy packages it imported for that."""
    code = (
        "import sys\n"
        "from flatfile_sync.cli.main import app\n"
        f"try:\n    app({arguments!r}, prog_name='flatfile-sync')\nexcept SystemExit:\n    pass\n"
        f"print(*sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return shown.stdout, shown.stderr.split()


def test_help_imports_nothing_heavy():
    shown, imported = heavy("--help")
    assert "Commands:" in shown
    assert imported == []


@pytest.mark.parametrize("command", ["project", "passes", "drops", "uploads", "accounts", "check", "doctor"])
def test_the_help_of_a_command_imports_what_typer_itself_does_and_no_more(command):
    shown, imported = heavy(command, "--help")
    assert f"Usage: flatfile-sync {command}" in shown
    assert imported == ["pydantic"]


@pytest.mark.parametrize("entry", main.COMMANDS, ids=lambda entry: entry.name)
def test_the_summary_of_a_command_is_its_module_s_own(entry):
    module = import_module(f"flatfile_sync.cli.{entry.module}")
    assert inspect.getdoc(module).splitlines()[0] == entry.summary
    assert main.load(entry).help == module.__doc__


@pytest.mark.parametrize("entry", main.COMMANDS, ids=lambda entry: entry.name)
def test_every_command_explains_itself(run, entry):
    shown = run(entry.name, "--help")
    assert shown.exit_code == 0
    assert entry.summary in " ".join(shown.stdout.split())


def test_a_wrong_command_is_usage_and_names_the_likely_one():
    shown = program("projct")
    assert shown.returncode == exits.ExitCode.USAGE
    assert "Did you mean 'project'?" in shown.stderr
    assert shown.stdout == ""


def test_version(run):
    assert run("--version").stdout.startswith("flatfile-sync 0.")


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (ConfigurationError("feeds[0]: wrong."), 3, "Error: feeds[0]: wrong.\n"),
        (Refused("no such drop"), 4, "Error: no such drop\n"),
        (TemporaryFailure("gone"), 5, "Error: gone\n"),
        (PermissionError(13, "Permission denied", "data"), 5, "Error: [Errno 13] Permission denied: 'data'\n"),
    ],
)
def test_each_error_has_its_exit_code_and_one_paragraph(capsys, error, code, text):
    assert exits.explain(error, debug=False) == code
    assert capsys.readouterr().err == text


def test_an_unexpected_error_shows_its_kind_only_and_debug_shows_where(capsys):
    error = ValueError("row 4711: secret@example.org")
    assert exits.explain(error, debug=False) == exits.ExitCode.INTERNAL
    assert capsys.readouterr().err.startswith("Error: internal error (ValueError);")
    exits.explain(error, debug=True)
    assert "secret@example.org" in capsys.readouterr().err


def test_an_error_inside_a_command_ends_with_its_code_and_without_a_traceback(run, tmp_path):
    shown = run("--config", tmp_path / "missing.toml", "drops", "list")
    assert shown.exit_code == exits.ExitCode.CONFIGURATION
    assert "there is no such file; `flatfile-sync init` writes one" in shown.stderr
    assert "Traceback" not in shown.stderr
    shown = run("--debug", "--config", tmp_path / "missing.toml", "drops", "list")
    assert shown.exit_code == exits.ExitCode.CONFIGURATION
    assert "Traceback" in shown.stderr
