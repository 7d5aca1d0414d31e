# Ranges of one object over connections that are kept alive: Reelgate hot in memory, hot on its disk tier and cold, beside
# the yardstick, nginx and Garage. Sourced by scripts/bench.
# shellcheck shell=bash

stream_span=$((48 * mib))
stream_ranges=(65536 1048576)
read -ra stream_connections <<<"${BENCH_CONNECTIONS:-1 16 256}"

# Room for the object and for what clients still take.
hot_memory=(REELGATE__CACHE__MEMORY_BYTES=$((256 * mib)))

bench_streaming() {
  need_garage
  random_file "$stream_span" "$work/object"
  put "$work/object" /reelgate/object
  local signed range connections
  signed=$(presigned GET /reelgate/object)
  start_nginx "$work/object" "$signed"
  start_yardstick
  start_reelgates
  echo "== nginx: each way it can be set, 16 connections; its best at each size goes on"
  best_of_nginx
  echo "== streaming, hot: random aligned ranges of an object of $((stream_span / mib)) MiB; the best of $rounds times $seconds s"
  table_head
  for range in "${stream_ranges[@]}"; do
    for connections in "${stream_connections[@]}"; do
      hot_cell
    done
  done
  echo "== streaming, cold: each connection walks through a part of its own of an object that nobody has read"
  table_head
  for range in "${stream_ranges[@]}"; do
    for connections in "${stream_connections[@]}"; do
      cold_cell
    done
  done
  verdicts
}

start_yardstick() { # sets yardstick, yardstick_pid
  "${server_cores[@]}" "$bin/yardstick" --span "$stream_span" >"$work/yardstick.log" 2>&1 &
  yardstick_pid=$!
  started+=("$yardstick_pid")
  for _ in $(seq 100); do
    yardstick=$(head -n 1 "$work/yardstick.log")
    [ -z "$yardstick" ] || return 0
    sleep 0.1
  done
  echo "the yardstick does not start" >&2
  exit 1
}

# The same file through gateways with different caches: one database, one store.
start_reelgates() { # sets memory_base, disk_base, both_base, object_id, cold_id
  start_gateway memory "${hot_memory[@]}"
  memory_base=$base
  object_id=$(upload "$work/object" object.bin)
  warm "$memory_base" "$object_id"
  start_disk_tiers
  local cold=$work/cold-object
  cold_span=$((${BENCH_COLD_MIB:-1024} * mib))
  random_file "$cold_span" "$cold"
  put "$cold" /reelgate/cold
  base=$memory_base cold_id=$(upload "$cold" cold.bin)
  rm -f "$cold"
  cold_signed=$(presigned GET /reelgate/cold)
}

start_disk_tiers() { # sets disk_base, both_base
  local tier=(REELGATE__CACHE__DISK_BYTES=$((1024 * mib)) REELGATE__CACHE__DISK_DIR)
  # The smallest memory that is accepted.
  start_gateway disk REELGATE__CACHE__MEMORY_BYTES=$((8 * mib)) "${tier[@]}=$work/disk-cache"
  disk_base=$base
  warm "$disk_base" "$object_id"
  start_gateway both "${hot_memory[@]}" "${tier[@]}=$work/both-cache"
  both_base=$base
  warm "$both_base" "$object_id"
  base=$memory_base
}

# Twice, because what was asked for only once is the first to go.
warm() { # base, id
  for _ in 1 2; do
    curl -fsS "$(stream_url "$1" "$2")" | cmp - "$work/object"
  done
}

table_head() {
  echo "| range | connections | who | GB/s | p50 | p99 | load's own cores |"
  echo "|---|---|---|---|---|---|---|"
}

measure() { # url, range, connections, seconds, order, span: prints GB/s, p50, p99, responses, busy
  RUST_BACKTRACE=0 "$bin/ranges" "$1" --range "$2" --connections "$3" --seconds "$4" --order "$5" --span "$6" 2>"$work/ranges.log"
}

row() { # who, best line of figures
  local rate p50 p99 _ busy
  read -r rate p50 p99 _ busy <<<"${2:-}" || true
  if [ -z "$rate" ]; then
    echo "| $((range / 1024)) KiB | $connections | $1 | failed: $(head -n 4 "$work/ranges.log" | tr '\n' ' ') | | | |"
    rate=0
  else
    echo "| $((range / 1024)) KiB | $connections | $1 | $rate | $p50 ms | $p99 ms | $busy % |"
  fi
  printf '%s\t%s\t%s\t%s\n' "$range" "$connections" "$1" "$rate" >>"$work/figures"
}

# All who are compared take turns, so that what else the machine does meets all of them.
hot_cell() {
  local -A best=()
  local who line addresses=(yardstick nginx-slice nginx-local garage-hot memory disk both)
  for _ in $(seq "$rounds"); do
    for who in "${addresses[@]}"; do
      line=$(measure "$(hot_address "$who")" "$range" "$connections" "$seconds" random "$stream_span") || continue
      best[$who]=$(printf '%s\n%s\n' "${best[$who]:-0}" "$line" | sort -g | tail -n 1)
    done
  done
  for who in "${addresses[@]}"; do row "$who" "${best[$who]:-}"; done
}

hot_address() {
  case $1 in
    yardstick) echo "$yardstick" ;;
    nginx-slice) echo "$nginx/sliced/${best_slice[$range]}" ;;
    nginx-local) echo "$nginx/local/${best_local[$range]}" ;;
    garage-hot) echo "http://127.0.0.1:$s3_port$signed" ;;
    memory) stream_url "$memory_base" "$object_id" ;;
    disk) stream_url "$disk_base" "$object_id" ;;
    both) stream_url "$both_base" "$object_id" ;;
  esac
}

# A gateway that has just started has nothing in its cache. Garage is asked at the same places.
cold_cell() {
  local walk=(walk "$cold_span") direct ours line
  for _ in $(seq "$rounds"); do
    line=$(measure "http://127.0.0.1:$s3_port$cold_signed" "$range" "$connections" "$seconds" "${walk[@]}") || continue
    direct=$(printf '%s\n%s\n' "${direct:-0}" "$line" | sort -g | tail -n 1)
    start_gateway cold "${hot_memory[@]}"
    line=$(measure "$(stream_url "$base" "$cold_id")" "$range" "$connections" "$seconds" "${walk[@]}") || line=0
    stop "$gateway"
    ours=$(printf '%s\n%s\n' "${ours:-0}" "$line" | sort -g | tail -n 1)
  done
  row "garage" "${direct:-}"
  row "cold" "${ours:-}"
}

best_of_nginx() { # sets best_slice, best_local: per range
  declare -gA best_slice=() best_local=()
  local way slice ways=()
  for way in "${nginx_ways[@]}"; do
    for slice in "${nginx_slices[@]}"; do ways+=("$slice/$way"); done
  done
  for slice in "${ways[@]}"; do
    curl -fsS "$nginx/sliced/$slice" | cmp - "$work/object"
  done
  exec 3>&1
  for range in "${stream_ranges[@]}"; do
    best_slice[$range]=$(best_way sliced "${ways[@]}" 2>&3)
    best_local[$range]=$(best_way local "${nginx_ways[@]}" 2>&3)
    echo "$((range / 1024)) KiB: slice cache at its best with ${best_slice[$range]}, local file with ${best_local[$range]}"
  done
}

best_way() { # kind, ways...: prints the fastest
  local kind=$1 way line; shift
  for way in "$@"; do
    line=$(measure "$nginx/$kind/$way" "$range" 16 1 random "$stream_span")
    echo "$line $way"
    echo "  $((range / 1024)) KiB, $kind/$way: $(cut -d' ' -f1 <<<"$line") GB/s, p50 $(cut -d' ' -f2 <<<"$line") ms, p99 $(cut -d' ' -f3 <<<"$line") ms" >&2
  done | sort -g | tail -n 1 | sed 's/.* //'
}

# Each goal against the tables above.
verdicts() {
  echo "== what is to be reached"
  echo "| range | connections | what | ratio | goal | |"
  echo "|---|---|---|---|---|---|"
  local who
  for who in both memory; do
    ratio "$who" yardstick 0.9 0.9
    ratio "$who" nginx-slice 1.1 1.15
    ratio "$who" nginx-local 0.9 0.9
  done
  ratio disk nginx-slice 1.0 1.0
  ratio cold garage 0.95 0.95
}

ratio() { # who, of whom, goal at 64 KiB, goal at 1 MiB
  awk -F'\t' -v who="$1" -v whom="$2" -v small="$3" -v large="$4" '
    $3 == who { mine[$1 "\t" $2] = $4; order[++n] = $1 "\t" $2 }
    $3 == whom { theirs[$1 "\t" $2] = $4 }
    END {
      for (i = 1; i <= n; i++) {
        split(order[i], cell, "\t")
        goal = cell[1] > 65536 ? large : small
        ratio = theirs[order[i]] > 0 ? mine[order[i]] / theirs[order[i]] : 0
        printf "| %d KiB | %d | %s / %s | %.2f | %.2f | %s |\n", cell[1] / 1024, cell[2], who, whom, ratio, goal, (ratio >= goal ? "met" : "**not met**")
      }
    }' "$work/figures"
}
