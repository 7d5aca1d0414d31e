# Reelgate as it is deployed: gateways on Postgres, Redis and Garage, or `reelgate all` on a directory. Sourced by
# scripts/bench.
# shellcheck shell=bash

shared_settings=()

need_services() {
  [ ${#shared_settings[@]} -eq 0 ] || return 0
  need_garage
  local postgres redis as_postgres=() programs
  programs=$(find /usr/lib/postgresql -maxdepth 2 -name bin | sort -V | tail -n 1)
  mkdir "$work/postgres"
  if [ "$(id -u)" = 0 ]; then
    chown postgres "$work/postgres"
    as_postgres=(setpriv --reuid=postgres --regid=postgres --clear-groups)
  fi
  "${as_postgres[@]}" "$programs/initdb" -D "$work/postgres" -U reelgate -A trust --locale=C -E UTF8 --no-sync >"$work/initdb.log"
  free_port; postgres=$port
  "${as_postgres[@]}" "$programs/postgres" -D "$work/postgres" -p "$postgres" -k "$work/postgres" \
    -c listen_addresses=127.0.0.1 >"$work/postgres.log" 2>&1 &
  started+=($!)
  free_port; redis=$port
  redis-server --port "$redis" --bind 127.0.0.1 --save "" --maxmemory-policy noeviction >"$work/redis.log" 2>&1 &
  started+=($!)
  for _ in $(seq 300); do "$programs/pg_isready" -q -h 127.0.0.1 -p "$postgres" && break; sleep 0.1; done
  shared_settings=(
    AWS_ACCESS_KEY_ID="$access" AWS_SECRET_ACCESS_KEY="$secret" REELGATE__LOG__LEVEL=warn
    REELGATE__DATABASE__URL="postgres://reelgate@127.0.0.1:$postgres/postgres"
    REELGATE__QUEUE__URL="redis://127.0.0.1:$redis" REELGATE__STORAGE__URL=s3://reelgate/bench
    REELGATE__STORAGE__ENDPOINT="http://127.0.0.1:$s3_port" REELGATE__STORAGE__REGION=garage
    REELGATE__AUTH__SECRET="$secret" REELGATE__TOKENS__KEYS="k1:$(head -c 32 /dev/zero | base64)"
  )
  env "${shared_settings[@]}" "$bin/reelgate" migrate >"$work/migrate.log" 2>&1
}

# A gateway as in production; no worker is needed to stream and to upload what is no media.
start_gateway() { # name, settings...: sets base, jwt, gateway
  local name=$1 ops listen; shift
  need_services
  free_port; listen=127.0.0.1:$port base=http://127.0.0.1:$port
  free_port; ops=127.0.0.1:$port
  env "${shared_settings[@]}" "$@" "${server_cores[@]}" "$bin/reelgate" gateway --listen "$listen" --ops-listen "$ops" \
    >"$work/$name.log" 2>&1 &
  gateway=$!
  started+=("$gateway")
  wait_for "http://$ops/readyz" "$work/$name.log"
  jwt=$(env REELGATE__AUTH__SECRET="$secret" "$bin/reelgate" token --sub bench --org bench --role admin --ttl 24h)
}

# Gateway and worker on a directory.
start_all() { # name, settings...: sets base, jwt, gateway
  local name=$1 ops listen; shift
  free_port; listen=127.0.0.1:$port base=http://127.0.0.1:$port
  free_port; ops=127.0.0.1:$port
  env REELGATE__LOG__LEVEL=warn "$@" "${server_cores[@]}" "$bin/reelgate" all --data-dir "$work/$name" --listen "$listen" --ops-listen "$ops" \
    >"$work/$name.log" 2>&1 &
  gateway=$!
  started+=("$gateway")
  wait_for "http://$ops/readyz" "$work/$name.log"
  jwt=$("$bin/reelgate" token --data-dir "$work/$name" --sub bench --org bench --role admin --ttl 24h)
}

api() { curl -fsS -H "Authorization: Bearer $jwt" "$@"; }
upload() { # path, name: prints the file's id
  api -F "files=@$1;filename=$2" "$base/v1/files" | jq -er '.files[0].id'
}
stream_url() { # base, id: with a fresh token, as a player has
  local token
  token=$(curl -fsS -X POST -H "Authorization: Bearer $jwt" "$1/v1/files/token" | jq -er .token)
  echo "$1/v1/files/stream/$2?token=$token"
}
# Waits until nothing changes any more. It asks without starting a program: curl and jq fifty times a second would take a
# tenth of four cores from who is measured, and nothing from its peer.
settled() { # id
  local info
  for _ in $(seq 30000); do
    look "$1"
    case $info in
      *'"state":"failed"'*) return 1 ;;
      *'"state":"ready"'*'"progress":1.0'* | *'"progress":1.0'*'"state":"ready"'*) return ;;
    esac
    pause 0.02
  done
  return 1
}

look() { # id: head and body of the answer into $info
  local host=${base#http://} asking
  info=
  exec {asking}<>"/dev/tcp/${host%:*}/${host#*:}" || return 0
  printf 'GET /v1/files/%s/info HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n' "$1" "$host" "$jwt" >&"$asking"
  IFS= read -r -d '' info <&"$asking" || true
  exec {asking}>&-
}

pause() { # seconds, by the shell itself
  [ -n "${nothing:-}" ] || exec {nothing}<> <(:)
  read -r -t "$1" -u "$nothing" || true
}
