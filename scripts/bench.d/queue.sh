# The queue alone beside BullMQ, on one Redis, by turns. Sourced by scripts/bench.
# shellcheck shell=bash

bench_queue() {
  local jobs=${BENCH_JOBS:-50000} workers=50 picked=2000 rate=200 turn redis
  echo "== queue: $jobs jobs that do nothing, $workers at once; then $picked added one by one, $rate a second, to idle workers"
  mkdir -p "$work/bullmq"
  cp scripts/bench.d/queue/* "$work/bullmq"
  (cd "$work/bullmq" && npm install --silent --no-audit --no-fund)
  free_port
  redis-server --port "$port" --save '' --appendonly no --dir "$work" >"$work/queue-redis.log" &
  started+=($!)
  redis=$port
  until redis-cli -p "$redis" ping >/dev/null 2>&1; do sleep 0.1; done
  for turn in $(seq "${BENCH_TURNS:-3}"); do
    redis-cli -p "$redis" flushall >/dev/null
    queue_load "Reelgate, turn $turn" "$bin/queue_load" --redis "redis://127.0.0.1:$redis" --jobs "$jobs" --workers "$workers" --picked "$picked" --rate "$rate"
    redis-cli -p "$redis" flushall >/dev/null
    queue_load "BullMQ, turn $turn" node "$work/bullmq/bullmq.mjs" "$redis" "$jobs" "$workers" "$picked" "$rate"
  done
  redis-cli -p "$redis" flushall >/dev/null
  queue_load "Reelgate, 100,000 more waiting" "$bin/queue_load" --redis "redis://127.0.0.1:$redis" --jobs "$jobs" --workers "$workers" --waiting 100000
}

queue_load() { # who, command
  local who=$1
  shift
  "$@" | sed "s/^/$who: /"
}
