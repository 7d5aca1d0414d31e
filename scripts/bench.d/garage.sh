# The S3 server that Reelgate and nginx ask, and addresses of it that need no credentials. Sourced by scripts/bench.
# shellcheck shell=bash

access=GK0123456789abcdef01234567
secret=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
s3_port=

need_garage() {
  [ -z "$s3_port" ] || return 0
  local program=${REELGATE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/reelgate}/garage-2.5.0/bin/garage rpc_port
  free_port; s3_port=$port
  free_port; rpc_port=$port
  cat >"$work/garage.toml" <<END
metadata_dir = "$work/garage/meta"
data_dir = "$work/garage/data"
db_engine = "sqlite"
replication_factor = 1
rpc_bind_addr = "127.0.0.1:$rpc_port"
rpc_public_addr = "127.0.0.1:$rpc_port"
rpc_secret = "$secret"
[s3_api]
s3_region = "garage"
api_bind_addr = "127.0.0.1:$s3_port"
END
  GARAGE_DEFAULT_ACCESS_KEY=$access GARAGE_DEFAULT_SECRET_KEY=$secret GARAGE_DEFAULT_BUCKET=reelgate RUST_LOG=garage=warn \
    "$program" -c "$work/garage.toml" server --single-node --default-bucket >"$work/garage.log" 2>&1 &
  started+=($!)
  for _ in $(seq 300); do
    curl -s -o /dev/null "http://127.0.0.1:$s3_port/" && return
    sleep 0.1
  done
  tail -n 20 "$work/garage.log" >&2
  exit 1
}

hmac() { printf '%s' "$2" | openssl dgst -sha256 -mac HMAC -macopt "$1" | sed 's/.* //'; }

presigned() { # method, path: prints path?query, valid for an hour (AWS signature version 4)
  local at day scope query request key
  at=$(date -u +%Y%m%dT%H%M%SZ); day=${at%T*}; scope=$day/garage/s3/aws4_request
  query="X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=$access%2F${scope//\//%2F}&X-Amz-Date=$at&X-Amz-Expires=3600&X-Amz-SignedHeaders=host"
  request=$(printf '%s\n%s\n%s\nhost:127.0.0.1:%s\n\nhost\nUNSIGNED-PAYLOAD' "$1" "$2" "$query" "$s3_port" | sha256sum | cut -d' ' -f1)
  key=$(hmac "key:AWS4$secret" "$day")
  key=$(hmac "hexkey:$key" garage); key=$(hmac "hexkey:$key" s3); key=$(hmac "hexkey:$key" aws4_request)
  echo "$2?$query&X-Amz-Signature=$(hmac "hexkey:$key" "AWS4-HMAC-SHA256
$at
$scope
$request")"
}

put() { # file, path
  curl -fsS -T "$1" "http://127.0.0.1:$s3_port$(presigned PUT "$2")" >/dev/null
}
