-- Returns 0 if something is ready in any of these lanes, else the milliseconds until something is due, else -1.
local soonest = -1
for lane = 1, #KEYS / 10 do
  enter(lane)
  look_at_all()
  if redis.call('ZCARD', READY) > 0 then return 0 end
  local first = redis.call('ZRANGE', DELAYED, 0, 0, 'WITHSCORES')[2]
  local due = first and math.max(0, tonumber(first) - now)
  if due and (soonest < 0 or due < soonest) then soonest = due end
end
return soonest
