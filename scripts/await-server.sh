# For scripts that start a server of their own, to be read with `.`: waits for it.
#
# await_server PATH: until the server with the process id $server, whose output is in $work/out and whose log is in $work/log, has
# said where it is and answers PATH. Sets $address, without http://. Ends the script when the server ends, or after a minute.
await_server() {
    tries=0
    until address=$(sed -n 's/^liqheat: http:\/\/\([^ ]*\)\/$/\1/p' "$work/out") && [ -n "$address" ] &&
        curl -sf "http://$address$1" >/dev/null; do
        kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || { echo "$(basename "$0" .sh): the server does not answer $1" >&2; exit 1; }
        sleep 0.2
    done
}
