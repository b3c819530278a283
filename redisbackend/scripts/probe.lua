-- Finds out whether the server of KEYS[1] can serve: it reads, and it is the
-- master.
redis.call('EXISTS', KEYS[1])
local text = redis.pcall('INFO', 'replication')
if type(text) ~= 'table' and string.find(text, 'role:slave', 1, true) then
  return redis.error_reply('READONLY the server is a replica')
end
return 1
