-- Random ranges of RANGE bytes, aligned to RANGE, within the first SPAN bytes. The last line is for scripts/bench.
local range = tonumber(os.getenv("RANGE"))
local slots = math.floor(tonumber(os.getenv("SPAN")) / range)
local bearer = os.getenv("BEARER")

function request()
  local first = math.random(0, slots - 1) * range
  wrk.headers["Range"] = "bytes=" .. first .. "-" .. (first + range - 1)
  if bearer and bearer ~= "" then wrk.headers["Authorization"] = "Bearer " .. bearer end
  return wrk.format("GET")
end

function done(summary, latency)
  local errors = summary.errors.status + summary.errors.read + summary.errors.timeout + summary.errors.connect
  io.write(string.format("FIGURE %.3f GB/s, p50 %.2f ms, p99 %.2f ms, %d requests, %d errors\n",
    summary.bytes / summary.duration / 1000, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    summary.requests, errors))
end
