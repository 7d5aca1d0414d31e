# A ladder by quality beside the ladder of fixed factors, film by film: bytes, likeness by ffmpeg's own measure, and what the search costs.
# Sourced by scripts/bench.
# shellcheck shell=bash

bench_quality() {
  local film way name seconds=${BENCH_CLIP_SECONDS:-30} films=()
  generated_clip
  films+=("$work/generated.mkv")
  if [ -n "${REELGATE_CORPUS:-}" ]; then
    for name in film_bbb_720p_30s_vp8.webm cam_croatia_1080p25_8s_frag.mp4 cam_phone_portrait_1080x1916_12s.ts hdr10_av1_portrait.mp4; do
      ffmpeg -nostdin -v error -y -stream_loop -1 -i "$REELGATE_CORPUS/$name" -t "$seconds" -an "${one_key_frame[@]}" -pix_fmt yuv420p -preset superfast -crf 12 "$work/${name%.*}.mkv"
      films+=("$work/${name%.*}.mkv")
    done
  else
    echo "(REELGATE_CORPUS is not set: no real films)"
  fi
  for way in false true; do
    start_all "quality-$way" REELGATE__QUALITY__ENABLED=$way REELGATE__LADDER__STORYBOARD=false REELGATE__LADDER__PREVIEW=false
    for film in "${films[@]}"; do ladder_of "$film" "$way"; done
    stop "$gateway"
  done
  echo "== a ladder by quality (SSIM 0.98, the default) beside fixed factors (23), films of $seconds s"
  echo "| film | rung | fixed: bytes | SSIM | pictures | by quality: bytes | SSIM | pictures | bytes less | factor |"
  echo "|---|---|---|---|---|---|---|---|---|---|"
  for film in "${films[@]}"; do quality_rows "$film"; done
  echo "| film | upload answered to last rung, s: fixed | by quality | points measured |"
  echo "|---|---|---|---|"
  for film in "${films[@]}"; do
    name=$(basename "$film" .mkv)
    echo "| $name | $(cat "$work/$name.false.seconds") | $(cat "$work/$name.true.seconds") | $(jq '[.plan.quality.curves[]?.points | length] | max // 0' "$work/$name.true.json") |"
  done
}

ladder_of() { # film, way: makes it, and fetches its rungs and what its job says
  local name id begun rung job
  name=$(basename "$1" .mkv)
  id=$(upload "$1" "$name.mkv")
  begun=$(now)
  settled "$id"
  since "$begun" >"$work/$name.$2.seconds"
  job=$(api "$base/v1/jobs?file_id=$id" | jq -r '.jobs[0].id')
  api "$base/v1/jobs/$job" >"$work/$name.$2.json"
  for rung in $(jq -r '.plan.rungs[].name' "$work/$name.$2.json"); do
    curl -fsS "$(stream_url "$base" "$id")&rendition=$rung" -o "$work/$name.$2.$rung.mp4"
  done
}

quality_rows() { # film
  local name rung fixed found less factor
  name=$(basename "$1" .mkv)
  for rung in $(jq -r '.plan.rungs[].name' "$work/$name.false.json"); do
    fixed=$(likeness "$work/$name.false.$rung.mp4" "$1")
    if [ -e "$work/$name.true.$rung.mp4" ]; then
      found=$(likeness "$work/$name.true.$rung.mp4" "$1")
      less=$(awk -v a="${fixed%% *}" -v b="${found%% *}" 'BEGIN { printf "%.0f %%", 100 * (a - b) / a }')
      factor=$(jq -r --arg rung "$rung" '.plan.quality.curves[]? | select(.name == $rung) | .crf' "$work/$name.true.json")
    else
      found="left out | | " less="100 %" factor=
    fi
    echo "| $name | $rung | $fixed | $found | $less | $factor |"
  done
}
