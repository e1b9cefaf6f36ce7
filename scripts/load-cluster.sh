#!/bin/sh
# Redis, two servers and nginx before them with the configuration of deploy/nginx; thousands of clients through nginx, each from
# a network of its own; then both servers are restarted, one after the other, under that load. Prints what the clients
# saw and which server they had it from, and what everything used. All on the loopback address; ends by itself.
#
#   scripts/load-cluster.sh PROGRAM [CLIENTS=4000] [SECONDS_BEFORE_THE_RESTARTS=20]
set -eu

program=$1
clients=${2:-4000}
before=${3:-20}
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
"$root/scripts/setup-services.sh"
PATH=$PATH:/usr/sbin:/usr/local/sbin
work=$(mktemp -d)
redis= nginx= load= first= second=
stop() {
    for process in "$load" "$nginx" "$first" "$second" "$redis"; do
        if [ -n "$process" ]; then kill "$process" 2>/dev/null || true; wait "$process" 2>/dev/null || true; fi
    done
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' HUP INT TERM

fail() {
    echo "load-cluster: $1" >&2
    tail -n 5 "$work"/*.log >&2
    exit 1
}

# until_true SECONDS WHAT COMMAND..: asks again and again.
until_true() {
    tries=$(($1 * 10)) what=$2
    shift 2
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "$what: not in time"
        sleep 0.1
    done
}

# A free port; the servers find their own.
port() {
    node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'
}

# nginx has two connections a client, and hangs up on new ones when less than a sixteenth of its places is free.
places=$((clients * 2 * 10 / 9 + 500))
ulimit -n $((places + 500)) || fail "needs $((places + 500)) open files: raise ulimit -n, or take fewer clients"

redis_port=$(port)
redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no >"$work/redis.log" &
redis=$!
until_true 10 "Redis" redis-cli -p "$redis_port" ping >/dev/null 2>&1

# server NAME LISTEN: a server that could be the producer, with a simulated market that moves.
server() {
    REDIS_ENABLED=true REDIS_URL="redis://127.0.0.1:$redis_port" "$program" demo --days 1 --speed 600 --listen "$2" --log warn \
        --ws-update-interval 1 --ws-max-connections-per-address "$clients" \
        --ws-max-new-connections-per-minute $((clients * 100)) >"$work/$1.out" 2>>"$work/$1.log" &
}
address() { sed -n 's/^liqheat: http:\/\/\([^ ]*\)\/$/\1/p' "$work/$1.out" 2>/dev/null; }
is_ready() { curl -sf "http://$(address "$1")/ready" >/dev/null 2>&1; }
connections() { curl -sf "http://$(address "$1")/ws/stats" | sed -n 's/.*"active_connections":\([0-9]*\).*/\1/p'; }
all_at() { [ "$(connections "$1")" = "$clients" ]; }
everybody() { [ $(($(connections first) + $(connections second))) = "$clients" ]; }

server first 127.0.0.1:0
first=$!
until_true 60 "the first server" is_ready first
server second 127.0.0.1:0
second=$!
until_true 60 "the second server" is_ready second
a=$(address first) b=$(address second)

nginx_port=$(port)
sed -e "s|/etc/nginx/|$work/|" -e "s|listen 80;|listen 127.0.0.1:$nginx_port backlog=4096;|" "$root/deploy/nginx/liqheat.conf" >"$work/liqheat.conf"
cp "$root/deploy/nginx/liqheat-locations.conf" "$work/"
sed -e "s|127.0.0.1:8000|$a|" -e "s|127.0.0.1:8001|$b|" "$root/deploy/nginx/liqheat-upstreams.conf" >"$work/liqheat-upstreams.conf"
[ "$(id -u)" != 0 ] || echo "user root;" >"$work/nginx.conf"
# What is around it on a real machine; clients are believed where they come from, and told which server they are at.
cat >>"$work/nginx.conf" <<EOF
daemon off;
pid $work/nginx.pid;
error_log $work/nginx.log error;
worker_processes 1;
worker_rlimit_nofile $((places + 500));
events { worker_connections $places; }
http {
    access_log off;
    client_body_temp_path $work/body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;
    set_real_ip_from 127.0.0.0/8;
    real_ip_header X-Forwarded-For;
    add_header X-Served-By \$upstream_addr always;
    include $work/liqheat.conf;
}
EOF
: >"$work/nginx.log"
nginx -c "$work/nginx.conf" 2>>"$work/nginx.log" &
nginx=$!
until_true 10 "nginx" curl -sf "http://127.0.0.1:$nginx_port/nginx-health" -o /dev/null

"$program-bench" deploy --connect "127.0.0.1:$nginx_port" --forwarded --clients "$clients" --seconds 600 >"$work/load.out" 2>"$work/load.log" &
load=$!
connected() {
    kill -0 "$load" 2>/dev/null || fail "the clients ended by themselves"
    grep -q "all clients have a state" "$work/load.out"
}
until_true 120 "the clients" connected
sleep "$before"
used() { ps -o cputimes=,etimes=,rss= -p "$1" | awk -v what="$2" '{ printf "%s: %d CPU seconds of %d, %.1f MB resident\n", what, $1, $2, $3 / 1024 }'; }
echo "before the restarts:"
for one in "$first first" "$second second" "$redis redis" "$load clients"; do used "${one% *}" "${one#* }"; done
for worker in $(pgrep -P "$nginx"); do used "$worker" "nginx's worker"; done

for name in first second; do
    if [ "$name" = first ]; then other=second process=$first at=$a; else other=first process=$second at=$b; fi
    began=$(date +%s%N)
    kill "$process"
    wait "$process" || fail "the $name server did not stop in order"
    stopped=$(date +%s%N)
    server "$name" "$at"
    if [ "$name" = first ]; then first=$!; else second=$!; fi
    until_true 60 "the $name server, again" is_ready "$name"
    ready=$(date +%s%N)
    until_true 60 "everybody back" everybody
    echo "$name: stopped in $(((stopped - began) / 1000000)) ms, ready again after $(((ready - stopped) / 1000000)) ms; now $(connections "$name") clients there, $(connections "$other") at the other"
done
kill -INT "$load"
status=0
wait "$load" || status=$?
load=
cat "$work/load.out" "$work/load.log"
exit "$status"
