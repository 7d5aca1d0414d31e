-- Retry and release. ARGV: job, token, run_at (negative: so much earlier than it was due). Returns 0 lost, 1 done.
look_at_all()
local id = ARGV[1]
local mine, cancelled = held_by(id, ARGV[2])
if not mine then return 0 end
local job = read_job(id)
forget_leased(id)
-- A job that is wanted no more does not come back; one whose entry was destroyed comes back from the database.
if job and not cancelled then
  local run_at = tonumber(ARGV[3])
  job.run_at = run_at < 0 and math.max(0, math.min(job.run_at, now) + run_at) or run_at
  if place(id, job) then wake(1) end
end
return 1
