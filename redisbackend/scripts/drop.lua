-- Forgets a database: without its hash, the next to ask starts a new epoch. It does
-- nothing, and returns 0, while others may use a state of the database without asking.
-- KEYS[1] the hash, see database.lua; ARGV 1 the channel, 2 the database as it is announced,
-- 3 the caller's name as a member, 4 "1" if there may be members that the hash does not know.
local members = redis.pcall('HGET', KEYS[1], 'm')
if type(members) ~= 'string' then members = '\n? 0 1' end
for name in string.gmatch(members, '\n(%S+) %d+ %d+') do
  if name ~= ARGV[3] and (name ~= '?' or ARGV[4] == '1') then return 0 end
end
redis.call('DEL', KEYS[1])
local sent = redis.pcall('PUBLISH', ARGV[1], ARGV[2] .. ' - 0')
if type(sent) == 'table' then return sent end
return 1
