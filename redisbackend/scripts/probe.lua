-- Finds out whether the server of KEYS[1] can serve: it reads, and it is the
-- master.
redis.call('EXISTS', KEYS[1])
local text = redis.pcall('INFO', 'replication')
if type(text) ~= 'table' then
  local role = string.lower(string.match('\n' .. text .. '\n', '\nrole:[ \t]*([^\r\n]-)[ \t]*[\r\n]') or '')
  if role ~= '' and role ~= 'master' then
    return redis.error_reply('READONLY the server is ' .. (role == 'slave' and 'a replica' or 'no master, its role is ' .. role))
  end
end
return 1
