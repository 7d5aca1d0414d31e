# Peak memory of a release build of the gateway under the loads of the test `memory`. Sourced by scripts/bench.
# shellcheck shell=bash

bench_memory() {
  echo "== memory: VmHWM of a gateway in a process of its own, reset before each load"
  # One at a time; the tests assert the limits, so a figure over its limit is also an error.
  REELGATE_LOAD_GATEWAY=$bin/discarding_gateway \
    "${all_cores[@]}" cargo test -q -p reelgate-e2e --test it -- --include-ignored --nocapture --test-threads=1 the_gateways_memory \
    >"$work/memory.out" 2>&1 || echo "NOT MET, see below"
  grep -E 'at the peak|took' "$work/memory.out" | sed 's/^test .* \.\.\. //; s/^\.*//' | sort -u || tail -n 20 "$work/memory.out"
}
