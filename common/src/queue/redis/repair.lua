-- A key of a foreign type would stop every transition. It is moved aside, kept for a look, and the queue goes on: what
-- was lost with it comes back from the database. KEYS 11 to 20 are the names aside. Returns how many were moved.
local moved = 0
for i, wanted in ipairs({ 'zset', 'zset', 'zset', 'hash', 'hash', 'zset', 'hash', 'list', 'hash', 'zset' }) do
  local found = redis.call('TYPE', KEYS[i])['ok']
  if found ~= 'none' and found ~= wanted then
    redis.call('RENAME', KEYS[i], KEYS[i + 10])
    moved = moved + 1
  end
end
return moved
