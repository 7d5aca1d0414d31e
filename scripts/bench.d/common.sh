# What all parts of the bench share: the programs, a folder that goes away, cores, ports, waiting. Sourced by scripts/bench.
# shellcheck shell=bash

seconds=${BENCH_SECONDS:-2} rounds=${BENCH_ROUNDS:-2} mib=$((1024 * 1024))
# The server that is measured has two cores to itself; the load, and what the server asks (Garage, Postgres, Redis), the others.
server_cores=(taskset -c 0,1)
# Of both: for what brings its own load along.
all_cores=(taskset -c 0-3)
started=()

prepare() {
  if [ "$(nproc --all)" -lt 4 ]; then
    echo "Fewer than four cores: server and load share them, so the figures say little." >&2
    server_cores=() all_cores=()
  fi
  bin=${BENCH_BIN_DIR:-${CARGO_TARGET_DIR:-target}/release}
  if [ -z "${BENCH_BIN_DIR:-}" ]; then
    # Without link-time optimisation the build takes minutes less.
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
      cargo build --release --bin reelgate --bin discarding_gateway --bin ranges --bin yardstick --bin queue_load
  fi
  bin=$(cd "$bin" && pwd)
  # This shell, and so all that it starts and does not pin elsewhere.
  [ ${#server_cores[@]} -eq 0 ] || taskset -cp 2,3 $BASHPID >/dev/null
  work=$(mktemp -d -t reelgate-bench-XXXXXX)
  # Postgres runs as another user.
  chmod 755 "$work"
  trap clean_up EXIT
  trap 'exit 130' INT TERM
  next_port=$((15000 + RANDOM % 16000)) # below the ports that the system gives to clients
  # 256 connections are two descriptors each for whoever stands between.
  ulimit -n 8192 2>/dev/null || true
}

clean_up() {
  local pid
  # Those that were started last need those that were started first.
  for ((i = ${#started[@]} - 1; i >= 0; i--)); do
    pid=${started[i]}
    kill "$pid" 2>/dev/null || continue
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$work"
}

# Ends one server early; what it did not finish is not wanted any more.
stop() { # pid
  kill -KILL "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

say_machine() {
  echo "machine: $(nproc --all) cores, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo), load $(cut -d' ' -f1-3 /proc/loadavg) at the start"
  echo "programs: $("$bin/reelgate" --version) from $bin, commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown); $(nginx -v 2>&1); $(ffmpeg -version | head -n 1 | cut -d' ' -f1-3)"
  if awk '{ exit !($1 > 1) }' /proc/loadavg; then echo "NOTE: the machine was not quiet"; fi
}

free_port() { # into $port
  port=$next_port
  while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
  next_port=$((port + 1))
}

wait_for() { # url, log; of the server that was started last
  for _ in $(seq 600); do
    curl -fsS -o /dev/null "$1" 2>/dev/null && return
    kill -0 "${started[-1]}" 2>/dev/null || break
    sleep 0.1
  done
  echo "no answer from $1" >&2
  tail -n 20 "$2" >&2
  exit 1
}

now() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f", b - a }'; }
random_file() { # bytes, path
  head -c "$1" /dev/urandom >"$2"
}
