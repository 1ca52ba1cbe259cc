# bash completion for weft
_weft() {
    local cur=${COMP_WORDS[COMP_CWORD]}
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W 'run --help --version' -- "$cur"))
    elif [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W '--null --delimiter --arg-file --max-args --colsep --replace --jobs --keep-order --ungroup --line-buffer
            --tag --quiet --verbose --shell --timeout --kill-after --deadline --rate --delay --retries --retry-delay --halt --dry-run --bar
            --progress --joblog --resume --resume-failed --exit --window --help' -- "$cur"))
    else
        COMPREPLY=($(compgen -f -- "$cur") $(compgen -c -- "$cur"))
    fi
}
complete -F _weft weft
