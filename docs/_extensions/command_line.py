"""Document the commands of `covidseg` from their argument parsers, so that pages and program cannot differ.

The directive `covidseg-command` takes the words of a command, such as `data split`, and shows its usage, its arguments
and its options. The build warns about commands that no page documents.
"""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Iterator
from importlib import import_module

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

log = logging.getLogger(__name__)
PROGRAM = "covidseg"
#: An option within a help text that is not marked as code.
OPTION = re.compile(r"(?<![\w`-])--[a-z][a-z-]*(?![^`]*`)")


Commands = Iterator[tuple[str, argparse.ArgumentParser]]


def commands(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> Commands:
    """Yield every command with its parser, a group of commands before its members."""
    if words:
        yield " ".join(words), parser
    for action in parser._actions:  # argparse has no public way to list subcommands
        if isinstance(action, argparse._SubParsersAction):
            for name, subparser in action.choices.items():
                yield from commands(subparser, (*words, name))


def command_parsers(factory: str) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of all commands; `factory` is `module:function` of what creates the program's parser."""
    module, _, function = factory.partition(":")
    return dict(commands(getattr(import_module(module), function)()))


def is_group(parser: argparse.ArgumentParser) -> bool:
    """Whether the command only groups other commands."""
    return any(isinstance(action, argparse._SubParsersAction) for action in parser._actions)


def describe(words: str, parser: argparse.ArgumentParser) -> str:
    """Return usage, arguments and options of a command as MyST text."""
    formatter = argparse.HelpFormatter(prog=parser.prog, width=88)
    formatter.add_usage(parser.usage, parser._actions, parser._mutually_exclusive_groups)
    usage = formatter.format_help().strip().removeprefix("usage: ")
    parts = [f"````{{code-block}} text\n{textwrap.dedent(usage)}\n````", f"```{{program}} {PROGRAM} {words}\n```"]
    for action in parser._actions:
        if action.help == argparse.SUPPRESS or isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
            continue
        text = OPTION.sub(r"`\g<0>`", formatter._expand_help(action)) if action.help else ""
        parts.append(f"````{{option}} {signature(action)}\n{text}\n````")
    return "\n\n".join(parts)


def signature(action: argparse.Action) -> str:
    """Return an option with its value, such as `-o OUT, --output OUT`, or the name of an argument."""
    formatter = argparse.HelpFormatter(prog=PROGRAM)
    if not action.option_strings:
        return action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    metavar = formatter._get_default_metavar_for_optional(action)
    value = "" if action.nargs == 0 else formatter._format_args(action, metavar)
    return ", ".join(f"{option} {value}".strip() for option in action.option_strings)


class CommandDirective(SphinxDirective):
    """`{covidseg-command} data split`: usage, arguments and options of a command."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        words = " ".join(self.arguments[0].split())
        parsers = command_parsers(self.config.covidseg_parser)
        if words not in parsers:
            raise self.error(f"covidseg has no command {words!r}; it has: {', '.join(parsers)}")
        documented(self.env).setdefault(words, self.env.docname)
        return self.parse_text_to_nodes(describe(words, parsers[words]))


def documented(env: BuildEnvironment) -> dict[str, str]:
    """Return the documented commands, each with its page."""
    if not hasattr(env, "covidseg_commands"):
        env.covidseg_commands = {}
    return env.covidseg_commands


def forget_page(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """Forget what a page documented before it is read again."""
    for words in [words for words, page in documented(env).items() if page == docname]:
        del documented(env)[words]


def warn_about_missing(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn about commands that no page documents."""
    for words, parser in command_parsers(app.config.covidseg_parser).items():
        if not is_group(parser) and words not in documented(env):
            log.warning("no page documents `covidseg %s`; add a covidseg-command directive", words)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_config_value("covidseg_parser", "CovidSegLib.cli.main:_parser", "env", str)
    app.add_directive("covidseg-command", CommandDirective)
    app.connect("env-purge-doc", forget_page)
    app.connect("env-check-consistency", warn_about_missing)
    return {"parallel_read_safe": False}
