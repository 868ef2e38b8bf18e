import argparse
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from app.cli import COMMANDS, build_parser, main
from model.errors import CheckpointError, ConfigError, LiveMaskError
from tests.source_tree import ROOT


@pytest.fixture
def command(monkeypatch):
    """Adds a command named "try" that does what it is told to."""

    def add(action):
        module = types.ModuleType("app.try_it")
        module.add_arguments = lambda parser: parser.add_argument("--number", type=int, default=0)
        module.run = action
        monkeypatch.setitem(sys.modules, "app.try_it", module)
        monkeypatch.setitem(COMMANDS, "try", ("app.try_it", "do as told"))

    return add


def usage_error(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code


def failing(error):
    def run(args: argparse.Namespace) -> int:
        raise error

    return run


def test_a_commands_result_is_the_exit_code_and_it_gets_its_arguments(command):
    command(lambda args: args.number)
    assert main(["try"]) == 0
    assert main(["try", "--number", "7"]) == 7


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (ConfigError("no such preset"), 2, "error: no such preset\n"),
        (CheckpointError("broken file"), 1, "error: broken file\n"),
        (LiveMaskError("something else"), 1, "error: something else\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_an_error_is_told_in_one_line_on_stderr_with_its_own_exit_code(command, capsys, error, code, told):
    command(failing(error))
    assert main(["try"]) == code
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", told)


def test_a_fault_of_the_program_is_not_hidden(command):
    command(failing(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError):
        main(["try"])


def test_what_was_printed_before_an_error_of_the_system_is_not_lost():
    script = (
        "import sys, app.cli, app.models\n"
        "def run(args):\n    print('precious')\n    raise PermissionError(13, 'not yours')\n"
        "app.models.run = run\nsys.exit(app.cli.main(['models', 'list']))"
    )
    command = [sys.executable, "-c", script]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(command, cwd=ROOT, env=buffered, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "precious\n")
    assert done.stderr == "error: [Errno 13] not yours\n"


def test_an_error_is_told_where_the_output_was_closed_from_the_start(command, capsys, monkeypatch):
    command(failing(PermissionError(13, "not yours")))
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["try"]) == 1
    assert capsys.readouterr().err == "error: [Errno 13] not yours\n"


@pytest.mark.parametrize("arguments", [["nosuch"], ["--nosuch"], ["train", "--nosuch"]])
def test_wrong_usage_exits_with_2(arguments, capsys):
    assert usage_error(*arguments) == 2
    assert "usage: run_app.py" in capsys.readouterr().err


def test_help_lists_every_command_with_what_it_does(capsys):
    assert usage_error("--help") == 0
    told = " ".join(capsys.readouterr().out.split())
    for name, (_, summary) in COMMANDS.items():
        assert f"{name} {summary}" in told


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_each_of_its_arguments(name, capsys):
    assert usage_error(name, "--help") == 0
    assert COMMANDS[name][1][1:] in " ".join(capsys.readouterr().out.split())
    (commands,) = (a for a in build_parser([name])._actions if isinstance(a, argparse._SubParsersAction))
    unexplained = [
        action.option_strings or action.dest
        for action in commands.choices[name]._actions
        if not (action.help or isinstance(action, argparse._SubParsersAction))
    ]
    assert unexplained == []


def run_app(*arguments, options=(), **settings):
    environment = {**os.environ, "PYTHONPATH": "", "PYTHONWARNINGS": "error"}
    command = [sys.executable, *options, "run_app.py", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True, timeout=60, **settings
    )


def test_a_python_without_the_requirements_is_told_in_one_line_what_to_do():
    done = run_app("models", "list", options=["-S"])
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "'platformdirs'; run `make demo`" in done.stderr


def test_a_reader_who_has_seen_enough_ends_the_command_quietly():
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = run_app("models", "list", "--json", stdout=writer)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_behind_the_output_is_told_in_one_line():
    with Path("/dev/full").open("w") as full:
        done = run_app("models", "list", stdout=full)
    assert done.returncode == 1
    assert done.stderr == "error: [Errno 28] No space left on device\n"
