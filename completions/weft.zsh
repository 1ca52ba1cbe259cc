#compdef weft
# weft.zsh: completion of weft for zsh; install it as _weft in a folder of $fpath.
_weft() {
    if (( CURRENT == 2 )); then
        _values 'verb' 'run[run jobs for a list of inputs]' '--help[help]' '--version[version]'
        return
    fi
    [[ $words[2] == run ]] || return
    shift words
    (( CURRENT-- ))
    _arguments -s -S \
        '(-0 --null)'{-0,--null}'[values end with NUL]' \
        '(-d --delimiter)'{-d,--delimiter}'[values end with a character]:character' \
        '*'{-a,--arg-file}'[read values from a file]:file:_files' \
        '(-n --max-args)'{-n,--max-args}'[values for each job]:number' \
        '(-C --colsep)'{-C,--colsep}'[split values into columns]:separator' \
        '(-I --replace)'{-I,--replace}'[what stands for the value]:text' \
        '(-j -P --jobs)'{-j,-P,--jobs}'[jobs at a time: N, N%, +N]:number' \
        '(-k --keep-order)'{-k,--keep-order}'[output in the order of the input]' \
        '(-u --ungroup)'{-u,--ungroup}'[output straight through]' \
        '(--line-buffer --lb)'{--line-buffer,--lb}'[output line by line]' \
        '--tag[the value before each line]' \
        '--tagstring[a text before each line]:text' \
        '--json[one JSON object for each job]' \
        '--results[output in files below a directory]:directory:_directories' \
        '--force[that directory may exist]' \
        '(-o --open-tty)'{-o,--open-tty}'[the job gets the terminal]' \
        '--load[start nothing while the load is higher]:number' \
        '--mem-free[start nothing while less memory is available]:size' \
        '(-q --quiet)'{-q,--quiet}'[no output of jobs]' \
        '(-v --verbose)'{-v,--verbose}'[print each command as it starts]' \
        '--shell[run a text by a shell]:text' \
        '--timeout[end a try after]:duration' \
        '--kill-after[from TERM to KILL]:duration' \
        '--deadline[end the run after]:duration' \
        '--rate[starts a second]:N/s\:burst' \
        '--delay[between two starts]:duration' \
        '--retries[tries more]:number' \
        '--retry-delay[before trying again]:D[xF][\:MAX]' \
        '--halt[when to stop]:condition:(never now,fail=1 now,success=1 now,done=1 soon,fail=1 soon,success=1 soon,done=1)' \
        '--dry-run[print the commands only]' \
        '(--bar --progress --eta)'{--bar=-,--progress=-}'[progress on standard error]::when:(always)' \
        '(--bar --progress --eta)--eta=-[progress, and the time left]::when:(always)' \
        '--joblog[a line for each ended job]:file:_files' \
        '(--resume-failed)--resume[skip the jobs in the log]' \
        '(--resume)--resume-failed[skip those that went well]' \
        '--exit[exit codes]:style:(xargs)' \
        '--window[jobs waiting behind a slow one]:number' \
        '--help[help]' \
        '(-):command: _command_names -e' \
        '*::argument: _normal'
}
_weft "$@"
