"""The program: global options, and the table of commands, each imported only when it runs."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

import flatfile_sync
from flatfile_sync.cli.exits import epilogue, explain


class Entry(NamedTuple):
    """A command: `summary` is the first line of the docstring of `flatfile_sync.cli.<module>`."""

    name: str
    module: str
    summary: str


# A module has a typer `app` (several commands on one noun) or a function `command`.
COMMANDS: Final = (
    Entry("init", "init", "Make what a first daemon needs: configuration, host keys, example project, an account."),
    Entry("serve", "serve", "Run the daemon; on the first start `init` comes before it."),
    Entry("demo", "demo", "Show the main job on real input, from the upload to the mended rejects and a duplicate."),
    Entry("send", "send", "Put a file into the inbox as a partner does and, with --wait, print the result set."),
    Entry("check", "check", "Check a file as a dry run would, offline: no daemon, no database, nothing sent."),
    Entry("passes", "passes", "Bring in passes that exist elsewhere, and look at those that are here."),
    Entry("images", "images", "Keep images that rows choose by their digest."),
    Entry("links", "links", "Make addresses under which holders add passes to their wallets, and call them back."),
    Entry("consents", "consents", "See what holders agreed to, with the proof, and hand it to them."),
    Entry("project", "project", "Check a project's files, and what a change would break."),
    Entry("drops", "drops", "See what became of files, and let a drop go on, repeat or end."),
    Entry("uploads", "uploads", "See what the SFTP door took, and what became of it."),
    Entry("accounts", "accounts", "Let partners in by their public keys, and shut them out."),
    Entry("hostkeys", "hostkeys", "Change the host keys of the SFTP door without a break: announce, switch, retire."),
    Entry("bans", "bans", "See who is banned from the SFTP door, and let them come again."),
    Entry(
        "doctor",
        "doctor",
        "Look whether everything is in order: folder, disk, keys, clocks, versions, database, projects, daemon.",
    ),
)


class Commands(TyperGroup):
    """The group whose commands are imported when they run; until then a stub stands for each."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        self.commands = {entry.name: TyperCommand(entry.name, short_help=entry.summary) for entry in COMMANDS}

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]
        """Return the command an invocation names, imported."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, load(next(entry for entry in COMMANDS if entry.name == name)), rest

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command; an error of ours ends here, typer's own end in typer."""
        try:
            return super().invoke(ctx)
        except (typer.TyperException, typer.Exit, typer.Abort, EOFError, BrokenPipeError):
            raise
        except Exception as error:
            raise typer.Exit(explain(error, debug=ctx.params["debug"])) from error


def load(entry: Entry) -> Any:
    """Return the click command of an entry; its help is its module's docstring."""
    module = import_module(f"flatfile_sync.cli.{entry.module}")
    if hasattr(module, "app"):
        group = module.app
    else:
        group = typer.Typer(rich_markup_mode=None, add_completion=False)
        group.command(entry.name, help=module.__doc__)(module.command)
    command = typer.main.get_command(group)
    command.name = entry.name
    command.help = module.__doc__
    return command


app = typer.Typer(cls=Commands, rich_markup_mode=None, add_completion=False, epilog=epilogue())


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"flatfile-sync {flatfile_sync.__version__}")
        raise typer.Exit


@app.callback(no_args_is_help=True)
def options(
    ctx: typer.Context,
    config: Annotated[
        Path,
        typer.Option(metavar="PATH", envvar="FLATFILE_SYNC_CONFIG", show_envvar=True, help="The configuration file."),
    ] = Path("flatfile-sync.toml"),
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback for every error.")] = False,  # noqa: ARG001 - read where errors end
    version: Annotated[  # noqa: ARG001 - acted upon while the command line is read
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Print the version.")
    ] = False,
) -> None:
    """SFTP batch ingestion for wallet passes: a file comes in, passes change, every row gets its result."""
    ctx.obj = config


def main() -> None:
    """Run the program on the arguments of this process."""
    app(prog_name="flatfile-sync")
