"""`introeval completion`: the scripts of the shells, which ask `introeval __complete WORDS`."""

from enum import StrEnum
from typing import Annotated

from daemon.cli.declare import Argument

ASKED = "__complete"
FILES = ":file"
"""The answer that lets the shell complete the name of a file."""


class Shell(StrEnum):
    """The shells with a script."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


_SCRIPTS = {
    Shell.BASH: r"""# bash completion for introeval
_introeval() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        if [ "$line" = "FILES" ]; then
            compopt -o default
            return
        fi
        COMPREPLY+=("${line%%$'\t'*}")
    done < <("$1" ASKED "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _introeval introeval
""",
    Shell.ZSH: r"""#compdef introeval
_introeval() {
    local line
    local -a found
    for line in "${(@f)$(introeval ASKED "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        if [[ $line == "FILES" ]]; then
            _files
            return
        fi
        [[ -n $line ]] && found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done
    _describe introeval found
}
if [[ $funcstack[1] == _introeval ]]; then
    _introeval "$@"
else
    compdef _introeval introeval
fi
""",
    Shell.FISH: r"""# fish completion for introeval
function __introeval_complete
    set -l word (commandline -ct)
    set -l before (commandline -opc)
    set -l found (introeval ASKED $before[2..-1] "$word" 2>/dev/null)
    if test "$found[1]" = "FILES"
        __fish_complete_path "$word"
    else
        printf '%s\n' $found
    end
end
complete -c introeval -f -a '(__introeval_complete)'
""",
}


def completion(shell: Annotated[Shell, Argument(metavar="bash|zsh|fish", help="Of which shell.")]) -> None:
    """Print the script that completes commands, options, task ids and students in a shell.

    `make install` puts it where the distribution looks.
    """
    print(_SCRIPTS[shell].replace("ASKED", ASKED).replace("FILES", FILES), end="")
