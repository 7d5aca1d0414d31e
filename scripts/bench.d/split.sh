# One long film made in parts: by one worker, by more, by workers that are killed, and as one task. Each worker is held to one core of its own,
# or to a share of one where there are fewer cores than workers; services and gateway to what is left; the same division each time.
# Sourced by scripts/bench.
# shellcheck shell=bash

film_seconds=${BENCH_FILM_SECONDS:-600} most_workers=${BENCH_WORKERS:-$(nproc)} kill_seconds=${BENCH_KILL_SECONDS:-20}
share=${BENCH_WORKER_SHARE:-}
read -r -a worker_counts <<<"${BENCH_WORKER_COUNTS:-1 2 $most_workers}"

bench_split() {
  local film=$work/film.mp4 workers one=0 taken
  long_film "$film"
  need_services
  echo "== a film in parts: $(ffprobe -v error -select_streams v:0 -show_entries stream=codec_name,width,height,nb_frames -show_entries format=duration -of csv=p=0 "$film" | tr '\n' ' ')"
  echo "   (workers on ${share:-one} ${share:+of a }core each, $(nproc) cores in all; services and gateway share them; $(ps -eo pcpu= | awk '{ s += $1 } END { print s }') % of a core was busy before)"
  echo "| | upload answered to last rung, s | speed-up | parts | runs of parts | assembly, s | deaths |"
  echo "|---|---|---|---|---|---|---|"
  for workers in $(printf '%s\n' "${worker_counts[@]}" | sort -nu); do
    [ "$workers" -le "$most_workers" ] || continue
    taken=$(in_parts "$film" "$workers" 0) || return 0
    [ "$workers" -gt 1 ] || one=${taken%% *}
    split_row "$workers worker$([ "$workers" -eq 1 ] || echo s)" "$one" "$taken"
  done
  taken=$(in_parts "$film" "$most_workers" "$kill_seconds") || return 0
  split_row "$most_workers workers, one killed every $kill_seconds s and started again" "$one" "$taken"
  as_one "$film"
}

split_row() { # what, seconds of one worker, "seconds parts runs assembly deaths id"
  local seconds parts runs assembly deaths
  read -r seconds parts runs assembly deaths _ <<<"$3"
  echo "| $1 | $seconds | $(awk -v a="$2" -v b="$seconds" 'BEGIN { printf "%.2f", a / b }') | $parts | $runs | $assembly | $deaths |"
}

long_film() { # out: moving shapes with grain, groups of two seconds
  ffmpeg -nostdin -v error -y -f lavfi -i "testsrc2=size=1920x1080:rate=25:duration=60,noise=alls=3:allf=t,format=yuv420p" \
    -f lavfi -i "sine=frequency=330:duration=60" -c:v libx264 -preset veryfast -crf 20 -bf 3 -g 50 -keyint_min 50 -sc_threshold 0 -c:a aac "$1.minute.mp4"
  ffmpeg -nostdin -v error -y -stream_loop $((film_seconds / 60 - 1)) -i "$1.minute.mp4" -c copy -movflags +faststart "$1"
}

# A control group of this name, whose processes have that share of a core together: sets held to what puts a command into it. Needs root.
hold_to_share() { # name
  local period=10000 group
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    group=/sys/fs/cgroup/reelgate-bench-$$-$1
    echo +cpu >/sys/fs/cgroup/cgroup.subtree_control
    mkdir -p "$group"
    echo "$(awk -v share="$share" -v period=$period 'BEGIN { printf "%d", share * period }') $period" >"$group/cpu.max"
  else
    group=/sys/fs/cgroup/cpu/reelgate-bench-$$-$1
    mkdir -p "$group"
    echo $period >"$group/cpu.cfs_period_us"
    awk -v share="$share" -v period=$period 'BEGIN { printf "%d\n", share * period }' >"$group/cpu.cfs_quota_us"
  fi
  groups+=("$group")
  # shellcheck disable=SC2016
  held=(bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group")
}

# Once nobody is in them.
leave_groups() {
  local group
  for group in "${groups[@]}"; do
    for _ in $(seq 50); do [ -d "$group" ] || break; rmdir "$group" 2>/dev/null || sleep 0.1; done
  done
}

one_worker() { # name, core, settings...: sets worker
  local name=$1 core=$2 held; shift 2
  held=(taskset -c "$core")
  [ -z "$share" ] || hold_to_share "$name"
  mkdir -p "$work/scratch-$name"
  env "${shared_settings[@]}" REELGATE__WORKER__SCRATCH_DIR="$work/scratch-$name" REELGATE__WORKER__CONCURRENCY=1 REELGATE__WORKER__THREADS=1 \
    REELGATE__JOBS__LEASE_MS=9000 REELGATE__JOBS__HEARTBEAT_MS=2000 REELGATE__SPLIT__MIN_SLOTS=1 REELGATE__SPLIT__MIN_GIGAPIXELS=0 "$@" \
    "${held[@]}" "$bin/reelgate" worker >>"$work/$name.log" 2>&1 &
  worker=$!
  started+=("$worker")
}

in_parts() { # film, workers, seconds between kills (0: none): prints seconds, parts, runs of parts, seconds of putting together, deaths, id
  local film=$1 count=$2 kills=$3 begun id deaths=0 worker victim=0 at seconds pids=() groups=() gateway base jwt ops
  start_gateway "split-$count-$kills" REELGATE__JOBS__LEASE_MS=9000 REELGATE__JOBS__HEARTBEAT_MS=2000 >&2
  for at in $(seq 0 $((count - 1))); do one_worker "worker-$count-$kills-$at" "$((at % $(nproc)))"; pids+=("$worker"); done
  sleep 2
  id=$(upload "$film" "film-$count-$kills.mp4")
  begun=$(now)
  at=$begun
  until [ "$(job_of "$id" | jq -r .state)" = done ]; do
    sleep 0.2
    [ "$(whole "$begun")" -lt $((film_seconds * 8)) ] || { echo "the film took too long" >&2; return 1; }
    if [ "$kills" -gt 0 ] && [ "$(whole "$at")" -ge "$kills" ]; then
      kill -KILL "${pids[$victim]}"; wait "${pids[$victim]}" 2>/dev/null || true
      one_worker "worker-$count-$kills-$victim" "$((victim % $(nproc)))"; pids[victim]=$worker
      victim=$(((victim + 1) % count)) deaths=$((deaths + 1)) at=$(now)
    fi
  done
  seconds=$(since_fine "$begun")
  local parts runs assembly
  parts=$(api "$base/v1/jobs?kind=chunk&file_id=$id&limit=200" | jq '.jobs | length')
  runs=$(api "$base/v1/jobs?kind=chunk&file_id=$id&limit=200" | jq '[.jobs[].attempt] | add')
  assembly=$(api "$base/v1/jobs/$(job_of "$id" | jq -r .id)" | jq '.attempts | last | ((.ended_at | sub("\\.[0-9]+Z$"; "Z") | fromdate) - (.started_at | sub("\\.[0-9]+Z$"; "Z") | fromdate))')
  [ "$count" -ne "$most_workers" ] || [ "$kills" -ne 0 ] || for height in 720 480 360; do
    curl -fsS "$(stream_url "$base" "$id")&rendition=${height}p" -o "$work/parts-$height.mp4"
  done
  for at in "${pids[@]}"; do stop "$at"; done
  leave_groups
  stop "$gateway"
  echo "$seconds $parts $runs $assembly $deaths $id"
}

whole() { local seconds; seconds=$(since "$1"); echo "${seconds%.*}"; }

job_of() { api "$base/v1/jobs?file_id=$1" | jq -c '.jobs[0]'; }

as_one() { # film: the same rungs by one task, to compare
  local id height begun gateway base jwt
  start_all split-whole REELGATE__SPLIT__ENABLED=false REELGATE__WORKER__THREADS=1
  id=$(upload "$1" whole.mp4)
  begun=$(now)
  settled "$id" || { echo "the film failed as one"; return 0; }
  echo "| as one task of one thread | $(since_fine "$begun") | | 1 | 1 | | 0 |"
  echo "| rung | pictures of the source | in parts | bytes in parts | as one | ratio | worst mean SSIM near a border less the whole's |"
  echo "|---|---|---|---|---|---|---|"
  for height in 720 480 360; do
    curl -fsS "$(stream_url "$base" "$id")&rendition=${height}p" -o "$work/whole-$height.mp4"
    near_borders "$1" "$height"
  done
  stop "$gateway"
}

near_borders() { # film, height: twelve pictures on each side of every ten seconds
  local size parts=$work/parts-$2.mp4 whole=$work/whole-$2.mp4 what
  size=$(ffprobe -v error -select_streams v:0 -show_entries stream=width,height -of csv=p=0:s=x "$whole" | tr x :)
  for what in parts whole; do
    ffmpeg -nostdin -v error -i "${!what}" -i "$1" -lavfi "[1:v]scale=$size:flags=bicubic[s];[0:v][s]ssim=f=$work/$what.ssim" -f null -
    sed -E 's/.*All:([0-9.]+).*/\1/' "$work/$what.ssim" >"$work/$what.all"
  done
  echo "| $2p | $(frames "$1") | $(frames "$parts") | $(stat -c %s "$parts") | $(stat -c %s "$whole") | $(awk -v a="$(stat -c %s "$parts")" -v b="$(stat -c %s "$whole")" 'BEGIN { printf "%.4f", a / b }') | $(paste "$work/parts.all" "$work/whole.all" | awk '
    { p[NR - 1] = $1; w[NR - 1] = $2 }
    END { worst = 1; for (b = 250; b < NR; b += 250) { d = 0; for (i = b - 12; i < b + 12 && i < NR; i++) d += (p[i] - w[i]) / 24; if (d < worst) worst = d } printf "%.5f", worst }') |"
}
