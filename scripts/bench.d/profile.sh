# Where the processors' time goes while a hot object is streamed: Reelgate beside the yardstick, by perf. Not part of a run of
# all; its figures are shares, not speeds. Sourced by scripts/bench.
# shellcheck shell=bash

bench_profile() {
  command -v perf >/dev/null || { echo "(perf is not installed: apt-get install linux-perf)"; return 0; }
  random_file "$stream_span" "$work/object"
  start_yardstick
  start_gateway profiled "${hot_memory[@]}"
  local range id url
  id=$(upload "$work/object" object.bin)
  warm "$base" "$id"
  for range in "${stream_ranges[@]}"; do
    url=$(stream_url "$base" "$id")
    profile "Reelgate, memory" "$gateway" "$url"
    profile "yardstick" "$yardstick_pid" "$yardstick"
  done
}

profile() { # who, pid, url: of one size of range, 16 connections
  local load
  measure "$3" "$range" 16 1 random "$stream_span" >/dev/null
  measure "$3" "$range" 16 5 random "$stream_span" >"$work/profiled" &
  load=$!
  perf record -q -F 997 -o "$work/perf.data" -p "$2" -- sleep 3 >/dev/null 2>&1 || true
  wait "$load" || true
  echo "== profile of $1, $((range / 1024)) KiB, 16 connections ($(cut -d' ' -f1 "$work/profiled") GB/s under perf)"
  perf report -i "$work/perf.data" --stdio --no-children --sort dso,symbol 2>/dev/null | grep -v '^#' | grep -v '^$' | cut -c1-120 | head -n 25 || true # perf is cut off by head
}
