# nginx with every setting that may be its best, each at an address of its own: of a local file, and of a slice cache over
# Garage. Sourced by scripts/bench.
# shellcheck shell=bash

# `tcp_nopush` is off, as nginx has it by default: with it, the last packet of a range out of the slice cache waits for the
# client's delayed acknowledgement, 40 ms at 64 KiB. `tcp_nodelay` is on by default.
nginx_ways=(sendfile plain buffers)
nginx_slices=(64k 256k 1m)

nginx_way() {
  case $1 in
    sendfile) echo "sendfile on;" ;;
    plain) echo "sendfile off;" ;;
    buffers) echo "sendfile off; output_buffers 2 512k;" ;;
  esac
}

nginx_locations() { # file, signed address
  local way slice
  for way in "${nginx_ways[@]}"; do
    echo "location = /local/$way { $(nginx_way "$way") alias $1; }"
    for slice in "${nginx_slices[@]}"; do
      cat <<END
location = /sliced/$slice/$way {
  $(nginx_way "$way")
  slice $slice;
  proxy_cache slices;
  proxy_cache_key $slice\$slice_range;
  proxy_cache_valid 200 206 1h;
  proxy_set_header Range \$slice_range;
  proxy_set_header Host 127.0.0.1:$s3_port;
  proxy_set_header Connection "";
  proxy_http_version 1.1;
  proxy_pass http://127.0.0.1:$s3_port$2;
}
END
    done
  done
}

start_nginx() { # file, signed address: sets nginx
  free_port; nginx=http://127.0.0.1:$port
  cat >"$work/nginx.conf" <<END
worker_processes 2;
pid $work/nginx.pid;
error_log $work/nginx.log;
daemon off;
$([ "$(id -u)" = 0 ] && echo "user root;")
events { worker_connections 4096; }
http {
  access_log off;
  tcp_nopush off;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  client_body_temp_path $work/nginx-body;
  proxy_temp_path $work/nginx-proxy;
  fastcgi_temp_path $work/nginx-fastcgi;
  uwsgi_temp_path $work/nginx-uwsgi;
  scgi_temp_path $work/nginx-scgi;
  proxy_cache_path $work/nginx-cache keys_zone=slices:10m max_size=2g;
  server {
    listen 127.0.0.1:$port;
    location = /up { return 204; }
$(nginx_locations "$1" "$2")
  }
}
END
  "${server_cores[@]}" nginx -p "$work" -c "$work/nginx.conf" >"$work/nginx.out" 2>&1 &
  started+=($!)
  wait_for "$nginx/up" "$work/nginx.log"
}
