/**
 * The scripts that make a shell ask p2p for completions, so that commands, flags, tasks and names are
 * known in one place. p2p answers in lines: first "words", "files" or "dirs", then one word a line, in
 * zsh and fish followed by a tab and its meaning.
 */

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = typeof SHELLS[number];

// Works with bash 3.2, which macOS has: compopt and nosort are optional.
// Bash passes the line as written, because it splits words at ":" and "=".
const BASH = `# p2p completes its commands (such as get, serve and status), flags, tasks and names.
_p2p() {
  local kind= line
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ -z $kind ]]; then kind=$line; else COMPREPLY+=("$line"); fi
  done < <(p2p complete bash "\${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
  local IFS=$'\\n' word=\${COMP_WORDS[COMP_CWORD]-}
  case $kind in
    files) compopt -o default 2>/dev/null || COMPREPLY=($(compgen -f -- "$word")) ;;
    dirs) compopt -o dirnames 2>/dev/null || COMPREPLY=($(compgen -d -- "$word")) ;;
  esac
}
complete -o nosort -F _p2p p2p 2>/dev/null || complete -F _p2p p2p
`;

const ZSH = `#compdef p2p
# p2p completes its commands (such as get, serve and status), flags, tasks and names.
_p2p() {
  local -a answer words_ shown
  local line
  answer=("\${(@f)$(p2p complete zsh "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  case $answer[1] in
    files) _files; return ;;
    dirs) _files -/; return ;;
  esac
  for line in "\${(@)answer[2,-1]}"; do
    words_+=("\${line%%$'\\t'*}")
    shown+=("\${line/$'\\t'/  -- }")
  done
  (( $#words_ )) && compadd -V p2p -l -d shown -a words_
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
if [[ $funcstack[1] == _p2p ]]; then _p2p "$@"; else compdef _p2p p2p; fi
`;

const FISH = `# p2p completes its commands (such as get, serve and status), flags, tasks and names.
function __p2p_complete
    set -l words (commandline -opc)
    set -l answer (p2p complete fish $words[2..] (commandline -ct | string unescape) 2>/dev/null)
    switch "$answer[1]"
        case files
            __fish_complete_path (commandline -ct)
        case dirs
            __fish_complete_directories (commandline -ct) ''
        case '*'
            printf '%s\\n' $answer[2..]
    end
end
complete -c p2p -f -k -a '(__p2p_complete)'
`;

export const COMPLETION_SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: BASH,
  zsh: ZSH,
  fish: FISH,
};
