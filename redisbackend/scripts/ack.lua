-- Acknowledges that a process uses no state any more that it may use without
-- asking. KEYS[1] the hash of a database, see database.lua; ARGV 1 the name of the process as
-- a member, 2 the number of the last request of which it uses nothing. A later one stays.
local key, member = KEYS[1], ARGV[1]

-- A server that is full takes what a script writes if it has written before.
redis.call('HDEL', key, '')

local members = redis.call('HGET', key, 'm') or ''
local from = string.find(members, '\n' .. member .. ' ', 1, true)
if from then
  local number, stop = string.match(members, '^(%d+) %d+[ %d]*()', from + #member + 2)
  if number and tonumber(number) <= tonumber(ARGV[2]) then
    redis.call('HSET', key, 'm', string.sub(members, 1, from - 1) .. string.sub(members, stop))
  end
end
return 1
