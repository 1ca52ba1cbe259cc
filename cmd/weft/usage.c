/* usage.c: the texts of --help. The manual page, man/weft.1, says the same at length. */
#include "usage.h"

#include <stdio.h>

void
usage(void)
{
    fputs("usage: weft run [options] [--] CMD ARG... [::: VALUE...]\n"
          "       weft run [options] --shell TEXT [::: VALUE...]\n"
          "       weft --help | --version\n"
          "\n"
          "run   a worker pool for the shell: one job for each line of input, some at a time\n"
          "\n"
          "weft run --help lists the options; man weft has the rules.\n",
        stdout);
}

void
usage_run(void)
{
    fputs("usage: weft run [options] [--] CMD ARG... [::: VALUE...]\n"
          "Runs CMD once for each line of standard input, as many at a time as there are CPUs.\n"
          "\n"
          "In CMD and ARG: {} the value  {.} without extension  {/} base name  {//} directory  {/.} base name without\n"
          "extension  {#} job number  {%} slot  {1} {2} n-th value  {{}} a plain {}. Without a placeholder the value\n"
          "is the last word. Values are never split and never seen by a shell.\n"
          "  --shell TEXT        run sh -c TEXT instead of CMD; placeholders are quoted for the shell\n"
          "\n"
          "Input\n"
          "  -0, --null          values end with NUL, and may be empty\n"
          "  -d, --delimiter C   values end with C\n"
          "  -a, --arg-file FILE read FILE, not standard input; may be repeated\n"
          "  ::: VALUE...        take the values from the command line\n"
          "  -n, --max-args N    N values for each job\n"
          "  -C, --colsep S      split each value at S into {1} {2} ...\n"
          "  -I, --replace R     R stands for {}\n"
          "\n"
          "How many, when\n"
          "  -j, -P, --jobs N    N jobs at a time, N% of the CPUs or +N more than them; 0: as many as the limits allow\n"
          "  -o, --open-tty      the job gets the terminal; one at a time\n"
          "  --rate N/s[:BURST]  at most N starts a second, BURST of them at once\n"
          "  --delay D           at least D between two starts\n"
          "  --load N            start nothing while the machine's load is N or more\n"
          "  --mem-free SIZE     start nothing while less memory is available\n"
          "  --timeout D         end a try after D; --kill-after D (2s): from TERM to KILL\n"
          "  --deadline D        end the whole run after D, exit 124\n"
          "  --retries N         try a failed job N more times\n"
          "  --retry-delay D[xF][:MAX]  wait D before trying again, F times as long each time, at most MAX\n"
          "  --halt WHEN,WHY=N   stop after N (or N%) fail, success or done; WHEN is now or soon\n"
          "  --dry-run           print the commands, run nothing\n"
          "\n"
          "Output\n"
          "  (default)           each job's output as one piece, when it ends\n"
          "  -k, --keep-order    in the order of the input; --window N (1000): how many may wait behind a slow one\n"
          "  --lb, --line-buffer line by line, as it comes      -u, --ungroup   straight through\n"
          "  --tag               the value and a tab before each line; --tagstring S: S, with placeholders, instead\n"
          "  --json              one JSON object for each job, its output in it\n"
          "  --results DIR       DIR/N/stdout, stderr and command for job N; --force: DIR may exist\n"
          "  -q, --quiet         no output of jobs     -v, --verbose   each command on stderr as it starts\n"
          "  --bar, --progress   progress, if stderr is a terminal, and a summary; --eta: and the time left\n"
          "                      (--bar=always: also where it is no terminal)\n"
          "\n"
          "  --joblog FILE       a line for each ended job; --resume skips those in it, --resume-failed only the good ones\n"
          "  --exit xargs        exit codes as xargs has them\n"
          "\n"
          "D is seconds or has ms, s, m, h, d; SIZE bytes or has K, M, G.\n"
          "Exit: 0 all went well, 1-100 so many failed, 101 more, 124 deadline, 125 weft's own error,\n"
          "126/127 the command cannot be run / is not there.\n",
        stdout);
}
