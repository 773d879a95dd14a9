-- As guard/rate.py: every window is charged, or none. Times in microseconds; a double holds them exactly until the year 2255.
-- KEYS[1] the bucket; ARGV now, slack, then for each window what an act costs and its period.
local now, slack = tonumber(ARGV[1]), tonumber(ARGV[2])
local windows = (#ARGV - 2) / 2
local stored = redis.call('HMGET', KEYS[1], '1', '2', '3')
local moved, wait, longest = {}, 0, 0
for i = 1, windows do
  local cost, period = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
  local t = tonumber(stored[i] or '0') or 0
  if t > now + period + slack or t < now then t = now end
  wait = math.max(wait, t + cost - period - now)
  longest = math.max(longest, t + cost - now)
  moved[#moved + 1] = tostring(i)
  moved[#moved + 1] = string.format('%.0f', t + cost)
end
if wait > 0 then return string.format('%.0f', wait) end
redis.call('HSET', KEYS[1], unpack(moved))
-- by then every window is full again, which says nothing that a missing bucket does not
redis.call('PEXPIRE', KEYS[1], math.ceil((longest + slack) / 1000))
return '0'
