# The queue alone beside BullMQ, on one Redis, by turns. Sourced by scripts/bench.
# shellcheck shell=bash

# All three programs run before everything else on the machine where that is permitted: a delay of half a millisecond is
# otherwise that of the scheduler, whoever is measured.
bench_queue() {
  local jobs=${BENCH_JOBS:-100000} workers load rate turn redis
  calm=()
  ! chrt -f 10 true 2>/dev/null || calm=(chrt -f 10)
  echo "== queue: $jobs jobs that do nothing, 50, 8 and 1 at once; then some added one by one to idle workers (${calm[*]:-no} priority)"
  calm+=("${all_cores[@]}")
  mkdir -p "$work/bullmq"
  cp scripts/bench.d/queue/* "$work/bullmq"
  (cd "$work/bullmq" && npm install --silent --no-audit --no-fund)
  free_port
  "${calm[@]}" redis-server --port "$port" --save '' --appendonly no --dir "$work" >"$work/queue-redis.log" &
  started+=($!)
  redis=$port
  until redis-cli -p "$redis" ping >/dev/null 2>&1; do sleep 0.1; done
  for turn in $(seq "${BENCH_TURNS:-3}"); do
    for workers in 50 8 1; do
      load=$((workers == 1 ? jobs / 10 : jobs))
      queue_load "Reelgate, $workers at once, turn $turn" "$bin/queue_load" --redis "redis://127.0.0.1:$redis" --jobs "$load" \
        --workers "$workers" --picked 0
      queue_load "BullMQ, $workers at once, turn $turn" node "$work/bullmq/bullmq.mjs" "$redis" "$load" "$workers" 0 1
    done
    workers=50
    for rate in 50 200 1000; do
      queue_load "Reelgate, $rate a second, turn $turn" "$bin/queue_load" --redis "redis://127.0.0.1:$redis" --jobs 0 --workers "$workers" \
        --picked $((4 * rate)) --rate "$rate"
      queue_load "BullMQ, $rate a second, turn $turn" node "$work/bullmq/bullmq.mjs" "$redis" 0 "$workers" $((4 * rate)) "$rate"
    done
  done
  queue_load "Reelgate, 100,000 more waiting" "$bin/queue_load" --redis "redis://127.0.0.1:$redis" --jobs "$jobs" --workers "$workers" --waiting 100000
}

queue_load() { # who, command
  local who=$1
  redis-cli -p "$redis" flushall >/dev/null
  shift
  "${calm[@]}" "$@" | sed "s/^/$who: /"
}
