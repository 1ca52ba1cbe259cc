#!/bin/sh
# with_postgres.sh: run a program beside a PostgreSQL server of its own, in a temporary folder, reached by a Unix socket only, which libpq
# finds by PGHOST. Usage: with_postgres.sh BINARIES PROGRAM [ARGUMENT...]. BINARIES: the folder of initdb and postgres; "-": none, make
# a database of its own on the server that PGHOST names, and drop it in the end.
set -u
bin=$1
shift
if [ "$bin" = - ]; then
    PGDATABASE=weft_$$_$(date +%s)
    createdb "$PGDATABASE" || exit 1
    export PGDATABASE
    trap 'dropdb "$PGDATABASE"' EXIT
    "$@"
    exit
fi
dir=$(mktemp -d) || exit 1
pid=
trap '[ -z "$pid" ] || kill -INT "$pid"; wait; rm -rf "$dir"' EXIT
as= # a server refuses to be root
if [ "$(id -u)" = 0 ]; then
    as="setpriv --reuid=nobody --regid=nogroup --clear-groups"
    chown nobody:nogroup "$dir" || exit 1
fi
fail() {
    cat "$dir/log"
    exit 1
}
unset PGHOST PGPORT PGDATABASE PGUSER PGPASSWORD PGSERVICE PGOPTIONS
(cd "$dir" && $as "$bin/initdb" -D "$dir/data" -U weft -A trust -E UTF8 --locale=C --no-sync) >"$dir/log" 2>&1 || fail
(cd "$dir" && exec $as "$bin/postgres" -D "$dir/data" -F -k "$dir" -c listen_addresses=) >"$dir/log" 2>&1 &
pid=$!
export PGHOST="$dir" PGUSER=weft PGDATABASE=postgres
waits=0
until grep -q "ready to accept connections" "$dir/log"; do
    kill -0 "$pid" 2>/dev/null && [ $waits -lt 300 ] || fail
    sleep 0.1
    waits=$((waits + 1))
done
"$@"
