# One clip down the ladder: Reelgate beside ffmpeg's own program with the same settings in one command, in turns, on four
# cores and on two. Time, computing time, memory, size, and how like the source each output is. Then how soon a large source
# plays. Sourced by scripts/bench.
# shellcheck shell=bash

clip_seconds=${BENCH_CLIP_SECONDS:-30} turns=${BENCH_TURNS:-3}

bench_transcode() {
  local real=${REELGATE_CORPUS:+$REELGATE_CORPUS/cam_croatia_1080p25_8s_frag.mp4} cores
  generated_clip
  [ -z "$real" ] || [ ! -e "$real" ] && echo "(REELGATE_CORPUS is not set: no real clip)" && real=
  [ -z "$real" ] || real_clip "$real"
  for cores in 0-3 0,1; do
    transcode_on "$cores" generated "$work/generated.mkv"
    [ -z "$real" ] || transcode_on "$cores" "real camera" "$work/real.mkv"
  done
  first_playable
}

# Both clips have one key frame and sound that is not compressed, so that nothing of them is served or copied as it is.
generated_clip() { # moving shapes with grain
  ffmpeg -nostdin -v error -y -f lavfi -i "testsrc2=size=1920x1080:rate=25:duration=$clip_seconds,noise=alls=3:allf=t,format=yuv420p" \
    -f lavfi -i "sine=frequency=330:duration=$clip_seconds" "${one_key_frame[@]}" -preset ultrafast -crf 18 -c:a pcm_s16le "$work/generated.mkv"
}

real_clip() { # clip: as often as it takes
  ffmpeg -nostdin -v error -y -stream_loop -1 -i "$1" -t "$clip_seconds" -an "${one_key_frame[@]}" -preset superfast -crf 16 "$work/real.mkv"
}

one_key_frame=(-c:v libx264 -g 99999 -keyint_min 99999 -sc_threshold 0)

transcode_on() { # cores, what, clip
  local server_cores=(taskset -c "$1") clip=$3 heights=(1080 720 480 360) turn height
  local ours=() theirs=() our_cpu=() their_cpu=() our_memory=() their_memory=()
  [ "$(nproc --all)" -ge 4 ] || server_cores=()
  echo "== transcode, $2 clip on cores $1: $(ffprobe -v error -select_streams v:0 -show_entries stream=codec_name,width,height,r_frame_rate -show_entries format=duration -of csv=p=0 "$clip" | tr '\n' ' ')"
  start_all "transcode-${1//[^0-9]/}-${2// /}"
  for turn in $(seq "$turns"); do
    our_turn "$clip" "$turn" || return 0
    their_turn "$clip"
  done
  stop "$gateway"
  echo "| $turns turns, medians | Reelgate | ffmpeg | ratio | goal |"
  echo "|---|---|---|---|---|"
  compare "upload answered to progress 1.0, s" "$(median "${ours[@]}")" "$(median "${theirs[@]}")" "$([ "$1" = 0-3 ] && echo 0.90 || echo 1.05)"
  compare "computing time, s" "$(median "${our_cpu[@]}")" "$(median "${their_cpu[@]}")" ""
  compare "peak memory of all processes, MiB" "$(median "${our_memory[@]}")" "$(median "${their_memory[@]}")" 1.15
  echo "| rung | Reelgate bytes | SSIM | frames | ffmpeg bytes | SSIM | frames |"
  echo "|---|---|---|---|---|---|---|"
  for height in "${heights[@]}"; do
    echo "| ${height}p | $(likeness "$work/ours-$height.mp4" "$clip") | $(likeness "$work/peer-$height.mp4" "$clip") |"
  done
}

our_turn() { # clip, turn: adds to ours, our_cpu, our_memory; fetches the rungs of the last turn
  local id begun before height watcher
  before=$(cpu_of "$gateway")
  id=$(upload "$1" "$2-$(basename "$1")")
  begun=$(now)
  watch_memory "$gateway" >"$work/memory" & watcher=$!
  settled "$id" || { echo "the clip failed: $(api "$base/v1/files/$id/info" | jq -c .failure)"; kill "$watcher"; return 1; }
  ours+=("$(since_fine "$begun")")
  kill "$watcher"; wait "$watcher" 2>/dev/null || true
  our_memory+=("$(tail -n 1 "$work/memory")")
  our_cpu+=("$(awk -v a="$before" -v b="$(cpu_of "$gateway")" 'BEGIN { printf "%.1f", b - a }')")
  [ "$2" = "$turns" ] || return 0
  for height in "${heights[@]}"; do
    curl -fsS "$(stream_url "$base" "$id")&rendition=${height}p" -o "$work/ours-$height.mp4"
  done
}

their_turn() { # clip: adds to theirs, their_cpu, their_memory
  local begun watcher before peer self=$BASHPID
  before=$(awk '{ print ($16 + $17) / 100 }' "/proc/$self/stat")
  begun=$(now)
  peer "$1" "${heights[@]}" & peer=$!
  watch_memory "$peer" >"$work/memory" & watcher=$!
  wait "$peer"
  theirs+=("$(since_fine "$begun")")
  # Before the watcher is waited for, for then its time counts as ours.
  their_cpu+=("$(awk -v a="$before" '{ printf "%.1f", ($16 + $17) / 100 - a }' "/proc/$self/stat")")
  kill "$watcher" 2>/dev/null || true; wait "$watcher" 2>/dev/null || true
  their_memory+=("$(tail -n 1 "$work/memory")")
}

since_fine() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.2f", b - a }'; }
median() { printf '%s\n' "$@" | sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }
compare() { # what, ours, theirs, goal
  awk -v what="$1" -v a="$2" -v b="$3" -v goal="$4" 'BEGIN {
    verdict = goal == "" ? "" : (a / b <= goal ? "at most " goal ": met" : "at most " goal ": MISSED")
    printf "| %s | %s | %s | %.2f | %s |\n", what, a, b, a / b, verdict }'
}

# Seconds of computing of a process and of all its children that have ended.
cpu_of() { awk '{ print ($14 + $15 + $16 + $17) / 100 }' "/proc/$1/stat"; }

# The most memory so far that a process and its children had together, in MiB, again and again: what each shares with others
# counts in parts (PSS), for tasks map the same libraries. Starts no program, for what it computes is taken from who is measured.
watch_memory() { # pid
  local highest=0 sum pid list pids children word value
  while kill -0 "$1" 2>/dev/null; do
    sum=0 pids=("$1")
    for list in /proc/"$1"/task/*/children; do
      children=()
      # Not the end of a line, which `read` counts as failure.
      read -r -a children 2>/dev/null <"$list" || true
      pids+=("${children[@]}")
    done
    for pid in "${pids[@]}"; do
      while read -r word value _; do
        [ "$word" != Pss: ] || { sum=$((sum + value)); break; }
      done 2>/dev/null <"/proc/$pid/smaps_rollup" || true
    done
    [ "$sum" -le "$highest" ] || { highest=$sum; echo $((highest / 1024)); }
    pause 0.05
  done
}

# How soon 1 GiB plays: as it is, and remuxed. The remux is timed by itself as well, its task alone by turns with ffmpeg's copy.
first_playable() {
  local server_cores=(taskset -c 0-3) kind turn id begun info plays=() remuxes=() copies=()
  [ "$(nproc --all)" -ge 4 ] || server_cores=()
  echo "== a source of $(( ${BENCH_PLAYABLE_MIB:-1024} )) MiB, end of its upload to first playable"
  ffmpeg -nostdin -v error -y -f lavfi -i "testsrc2=size=1920x1080:rate=25:duration=10,noise=alls=5:allf=t,format=yuv420p" \
    -f lavfi -i "sine=frequency=330:duration=10" -c:v libx264 -preset ultrafast -crf 14 -g 50 -bf 0 -c:a aac "$work/loop.mp4"
  mkdir "$work/task"
  for kind in mp4 mkv; do
    ffmpeg -nostdin -v error -y -stream_loop -1 -i "$work/loop.mp4" -fs "${BENCH_PLAYABLE_MIB:-1024}Mi" -c copy "$work/large.$kind"
    start_all "playable-$kind"
    id=$(upload "$work/large.$kind" "large.$kind")
    begun=$(now)
    until look "$id" && [[ $info == *'"state":"ready"'* ]]; do pause 0.02; done
    echo "$kind, $(stat -c %s "$work/large.$kind") bytes: $(since_fine "$begun") s"
    remux_request "$id" >"$work/task/request.json"
    stop "$gateway"
    rm -rf "$work/playable-$kind"
  done
  for turn in $(seq "$turns"); do
    # What was written before must not be written out in the middle.
    sync; begun=$(now)
    (cd "$work/task" && "${server_cores[@]}" "$bin/reelgate" __task <"$work/large.mkv" >"$work/task.log")
    remuxes+=("$(since_fine "$begun")")
    grep -q '"event":"output"' "$work/task.log" || { echo "the remux failed: $(tail -n 1 "$work/task.log")"; return 0; }
    sync; begun=$(now)
    "${server_cores[@]}" ffmpeg -nostdin -v error -y -i "$work/large.mkv" -c copy -movflags +faststart "$work/copied.mp4"
    copies+=("$(since_fine "$begun")")
  done
  echo "| $turns turns, medians | Reelgate | ffmpeg | ratio | goal |"
  echo "|---|---|---|---|---|"
  compare "remux of the mkv by the task, s" "$(median "${remuxes[@]}")" "$(median "${copies[@]}")" 1.30
}

remux_request() { # id: as the worker asks its task
  local job
  job=$(api "$base/v1/jobs?file_id=$1" | jq -er '.jobs[0].id')
  api "$base/v1/jobs/$job" | jq -c '{ task: "remux", media: .facts, plan }'
}

peer() { # clip, heights...: as `worker/src/media/codec.rs` sets its encoders, capped as `plan/policy.rs` has it
  local clip=$1 outputs=() graph="" height cap; shift
  local video=(-c:v libx264 -preset veryfast -crf 23 -profile:v high -g 1048576 -forced-idr 1 -force_key_frames 'expr:gte(t,n_forced*2)'
    -x264-params scenecut=0:open-gop=0)
  for height in "$@"; do
    graph+="[s$height]scale=-2:$height,format=yuv420p[v$height];"
    cap=$(awk -v h="$height" 'BEGIN { w = int(h * 8 / 9 + 0.5) * 2; printf "%.0f", 8000 * (w * h / (1920 * 1080)) ^ 0.75 }')
    outputs+=(-map "[v$height]" -map '0:a?' "${video[@]}" -maxrate "${cap}k" -bufsize "$((2 * cap))k" -c:a aac -b:a "$(( $(channels "$clip") * 64 ))k" -vsync passthrough -enc_time_base -1 -movflags +faststart
      "$work/peer-$height.mp4")
  done
  "${server_cores[@]}" ffmpeg -nostdin -v error -y -i "$clip" \
    -filter_complex "[0:v]split=$#$(printf '[s%s]' "$@");${graph%;}" "${outputs[@]}"
}

# Without sound it does not matter.
channels() { ffprobe -v error -select_streams a:0 -show_entries stream=channels -of csv=p=0 "$1" | grep . || echo 2; }

# Frames are paired by their number, not by their time: containers round times differently, and a pair that is off by one
# frame says more about motion than about quality.
likeness() { # output, source: prints bytes | SSIM | frames
  local report height
  height=$(ffprobe -v error -select_streams v:0 -show_entries stream=height -of csv=p=0 "$1")
  report=$(ffmpeg -nostdin -hide_banner -vsync passthrough -i "$1" -vsync passthrough -i "$2" -lavfi \
    "[0:v]settb=1/1000,setpts=N[a];[1:v]settb=1/1000,setpts=N,scale=-2:$height,format=yuv420p[b];[a][b]ssim=shortest=1" -f null - 2>&1)
  printf '%s | %s | %s of %s' "$(stat -c %s "$1")" "$(sed -n 's/.*All:\([0-9.]*\).*/\1/p' <<<"$report")" "$(frames "$1")" "$(frames "$2")"
}

frames() {
  ffprobe -v error -select_streams v:0 -count_packets -show_entries stream=nb_read_packets -of csv=p=0 "$1" | tr -d ', '
}
