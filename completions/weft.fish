# weft.fish: completion of weft for fish.
function __weft_options --description 'still before the command of weft run?'
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test $words[2] = run; or return 1
    set -l valued -d --delimiter -a --arg-file -n --max-args -C --colsep -I --replace -j -P --jobs --shell --timeout --kill-after \
        --deadline --rate --delay --retries --retry-delay --halt --joblog --exit --window \
        --tagstring --results --load --mem-free
    set -l skip 0
    for word in $words[3..-1]
        if test $skip = 1
            set skip 0
        else if contains -- $word $valued
            set skip 1
        else if not string match -q -- '-*' $word; or test "$word" = --
            return 1
        end
    end
end
complete -c weft -n __fish_use_subcommand -f -a run -d 'run jobs for a list of inputs'
complete -c weft -n __fish_use_subcommand -l help -d help
complete -c weft -n __fish_use_subcommand -l version -d version
complete -c weft -n __weft_options -s 0 -l null -d 'values end with NUL'
complete -c weft -n __weft_options -s d -l delimiter -x -d 'values end with a character'
complete -c weft -n __weft_options -s a -l arg-file -r -d 'read values from a file'
complete -c weft -n __weft_options -s n -l max-args -x -d 'values for each job'
complete -c weft -n __weft_options -s C -l colsep -x -d 'split values into columns'
complete -c weft -n __weft_options -s I -l replace -x -d 'what stands for the value'
complete -c weft -n __weft_options -s j -s P -l jobs -x -d 'jobs at a time: N, N%, +N'
complete -c weft -n __weft_options -s k -l keep-order -d 'output in the order of the input'
complete -c weft -n __weft_options -s u -l ungroup -d 'output straight through'
complete -c weft -n __weft_options -l line-buffer -l lb -d 'output line by line'
complete -c weft -n __weft_options -l tag -d 'the value before each line'
complete -c weft -n __weft_options -l tagstring -x -d 'a text before each line'
complete -c weft -n __weft_options -l json -d 'one JSON object for each job'
complete -c weft -n __weft_options -l results -x -a '(__fish_complete_directories)' -d 'output in files below a directory'
complete -c weft -n __weft_options -l force -d 'that directory may exist'
complete -c weft -n __weft_options -s o -l open-tty -d 'the job gets the terminal'
complete -c weft -n __weft_options -l load -x -d 'start nothing while the load is higher'
complete -c weft -n __weft_options -l mem-free -x -d 'start nothing while less memory is available'
complete -c weft -n __weft_options -s q -l quiet -d 'no output of jobs'
complete -c weft -n __weft_options -s v -l verbose -d 'print each command as it starts'
complete -c weft -n __weft_options -l shell -x -d 'run a text by a shell'
complete -c weft -n __weft_options -l timeout -x -d 'end a try after'
complete -c weft -n __weft_options -l kill-after -x -d 'from TERM to KILL'
complete -c weft -n __weft_options -l deadline -x -d 'end the run after'
complete -c weft -n __weft_options -l rate -x -d 'starts a second, N/s[:burst]'
complete -c weft -n __weft_options -l delay -x -d 'between two starts'
complete -c weft -n __weft_options -l retries -x -d 'tries more'
complete -c weft -n __weft_options -l retry-delay -x -d 'before trying again, D[xF][:MAX]'
complete -c weft -n __weft_options -l halt -x -d 'when to stop' \
    -a 'never now,fail=1 now,success=1 now,done=1 soon,fail=1 soon,success=1 soon,done=1'
complete -c weft -n __weft_options -l dry-run -d 'print the commands only'
complete -c weft -n __weft_options -l bar -l progress -d 'progress on standard error'
complete -c weft -n __weft_options -l eta -d 'progress, and the time left'
complete -c weft -n __weft_options -l joblog -r -d 'a line for each ended job'
complete -c weft -n __weft_options -l resume -d 'skip the jobs in the log'
complete -c weft -n __weft_options -l resume-failed -d 'skip those that went well'
complete -c weft -n __weft_options -l exit -x -a xargs -d 'exit codes'
complete -c weft -n __weft_options -l window -x -d 'jobs waiting behind a slow one'
complete -c weft -n __weft_options -l help -d help
