# weft.bash: completion of weft for bash.
_weft() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} i
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W 'run --help --version' -- "$cur")
        return
    fi
    [[ ${COMP_WORDS[1]} == run ]] || return
    local valued=' -d --delimiter -a --arg-file -n --max-args -C --colsep -I --replace -j -P --jobs --shell --timeout --kill-after
        --deadline --rate --delay --retries --retry-delay --halt --joblog --exit --window --tagstring --results --load --mem-free '
    for ((i = 2; i < COMP_CWORD; i++)); do # options end at the first word that is not one
        if [[ $valued == *[[:space:]]"${COMP_WORDS[i]}"[[:space:]]* ]]; then
            ((++i))
        elif [[ ${COMP_WORDS[i]} == -- || ${COMP_WORDS[i]} != -* ]]; then
            [[ ${COMP_WORDS[i]} == -- ]] && ((++i))
            if declare -F _command_offset >/dev/null && ((i < COMP_CWORD)); then
                _command_offset "$i"
            elif ((i == COMP_CWORD)); then
                mapfile -t COMPREPLY < <(compgen -c -- "$cur")
            else
                compopt -o default 2>/dev/null
            fi
            return
        fi
    done
    case $prev in
    -a | --arg-file | --joblog)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return ;;
    --results)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        return ;;
    --halt)
        mapfile -t COMPREPLY < <(compgen -W 'never now,fail=1 now,success=1 now,done=1 soon,fail=1 soon,success=1 soon,done=1' -- "$cur")
        return ;;
    --exit)
        mapfile -t COMPREPLY < <(compgen -W 'xargs' -- "$cur")
        return ;;
    esac
    [[ $valued == *[[:space:]]"$prev"[[:space:]]* ]] && return
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$valued -0 --null -k --keep-order -u --ungroup --line-buffer --lb --tag -q --quiet -v --verbose
            -o --open-tty --json --force --dry-run --bar --bar=always --progress --eta --resume --resume-failed --help" -- "$cur")
    else
        mapfile -t COMPREPLY < <(compgen -c -- "$cur")
    fi
}
complete -F _weft weft
