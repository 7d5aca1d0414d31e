# One client that uploads one large file: Reelgate beside a bare PUT. Sourced by scripts/bench.
# shellcheck shell=bash

bench_upload() {
  local size=${BENCH_UPLOAD_MIB:-1024}
  echo "== upload of $size MiB of noise, one client; the best of $rounds"
  random_file $((size * mib)) "$work/big"
  start_gateway upload-gateway
  local s3_base=$base s3_jwt=$jwt
  start_all upload-all
  local dir_base=$base dir_jwt=$jwt
  echo "| who | time |"
  echo "|---|---|"
  best_time "PUT to Garage by presigned address" put_big
  base=$s3_base jwt=$s3_jwt best_time "Reelgate over Garage" upload_big
  base=$dir_base jwt=$dir_jwt best_time "Reelgate over a directory (synced before it answers)" upload_big
  best_time "cp and fsync of the same file" copy_big
  rm -f "$work/big" "$work/copy"
}

put_big() { put "$work/big" /reelgate/big; }
upload_big() { upload "$work/big" big.bin >/dev/null; }
copy_big() { dd if="$work/big" of="$work/copy" bs=1M conv=fsync status=none; }

best_time() { # who, command
  local begun best
  best=$(
    for _ in $(seq "$rounds"); do
      begun=$(now)
      "$2" && since "$begun" && echo
    done | sort -g | head -n 1
  )
  echo "| $1 | ${best:-failed} s |"
}
