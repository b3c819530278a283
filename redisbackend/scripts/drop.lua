-- Forgets a database: without its hash, the next to ask starts a new epoch.
-- KEYS[1] the hash; ARGV 1 the channel, 2 the database as it is announced.
redis.call('DEL', KEYS[1])
local sent = redis.pcall('PUBLISH', ARGV[1], ARGV[2] .. ' - 0')
if type(sent) == 'table' then return sent end
return 1
