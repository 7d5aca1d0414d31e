-- Retry and release. ARGV: job, token, run_at (0: before its equals). Returns 0 lost, 1 done.
local id = ARGV[1]
local mine, cancelled = held_by(id, ARGV[2])
if not mine then return 0 end
local job = read_job(id)
forget(id)
-- A job that is wanted no more does not come back; one whose entry was destroyed comes back from the database.
if job and not cancelled then
  job.run_at = tonumber(ARGV[3])
  if place(id, job) then wake(1) end
end
return 1
