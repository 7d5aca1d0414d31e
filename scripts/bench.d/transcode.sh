# One clip down the ladder: Reelgate beside ffmpeg's own program with the same settings in one command. Time, size, and
# how like the source each output is. Sourced by scripts/bench.
# shellcheck shell=bash

bench_transcode() {
  transcode_one generated "$(generated_clip)"
  local real=${REELGATE_CORPUS:+$REELGATE_CORPUS/cam_croatia_1080p25_8s_frag.mp4}
  if [ -n "$real" ] && [ -e "$real" ]; then
    transcode_one "real camera" "$real"
  else
    echo "(REELGATE_CORPUS is not set: no real clip)"
  fi
}

# Moving shapes with grain; the sound is not compressed, so that it is not served as it is.
generated_clip() {
  local length=${BENCH_CLIP_SECONDS:-10}
  ffmpeg -nostdin -v error -y -f lavfi -i "testsrc2=size=1920x1080:rate=25:duration=$length,noise=alls=6:allf=t,format=yuv420p" \
    -f lavfi -i "sine=frequency=330:duration=$length" -c:v libx264 -preset ultrafast -crf 12 -c:a pcm_s16le "$work/clip.mkv"
  echo "$work/clip.mkv"
}

transcode_one() { # what, clip
  local clip=$2 heights=(1080 720 480 360) id begun height
  echo "== transcode, $1 clip: $(ffprobe -v error -select_streams v:0 -show_entries stream=codec_name,width,height,r_frame_rate -show_entries format=duration -of csv=p=0 "$clip" | tr '\n' ' ')"
  [ -n "${transcode_base:-}" ] || { start_all transcode; transcode_base=$base transcode_jwt=$jwt; }
  base=$transcode_base jwt=$transcode_jwt
  id=$(upload "$clip" "$(basename "$clip")")
  begun=$(now)
  settled "$id" || { echo "the clip failed: $(api "$base/v1/files/$id/info" | jq -c .failure)"; return; }
  echo "Reelgate, upload answered to all rungs published (each looked at again, and a poster): $(since "$begun") s"
  begun=$(now)
  peer "$clip" "${heights[@]}"
  echo "ffmpeg, all rungs in one command: $(since "$begun") s (both on two cores)"
  echo "| rung | Reelgate bytes | SSIM | frames | ffmpeg bytes | SSIM | frames |"
  echo "|---|---|---|---|---|---|---|"
  for height in "${heights[@]}"; do
    curl -fsS "$(stream_url "$base" "$id")&rendition=${height}p" -o "$work/ours-$height.mp4" || { echo "| ${height}p | none | | | | | |"; continue; }
    echo "| ${height}p | $(likeness "$work/ours-$height.mp4" "$clip") | $(likeness "$work/peer-$height.mp4" "$clip") |"
  done
}

peer() { # clip, heights...: as `worker/src/media/encode.rs` sets its encoders
  local clip=$1 outputs=() graph="" height; shift
  local video=(-c:v libx264 -preset veryfast -crf 23 -profile:v high -g 1048576 -forced-idr 1 -force_key_frames 'expr:gte(t,n_forced*2)'
    -x264-params scenecut=0:open-gop=0)
  for height in "$@"; do
    graph+="[s$height]scale=-2:$height,format=yuv420p[v$height];"
    outputs+=(-map "[v$height]" -map '0:a?' "${video[@]}" -c:a aac -b:a 128k -vsync passthrough -enc_time_base -1 -movflags +faststart
      "$work/peer-$height.mp4")
  done
  "${server_cores[@]}" ffmpeg -nostdin -v error -y -i "$clip" \
    -filter_complex "[0:v]split=$#$(printf '[s%s]' "$@");${graph%;}" "${outputs[@]}"
}

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
