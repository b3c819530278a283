-- Acknowledges a fence of keys: in all states that a process may use without asking, the keys
-- of the fence are fenced. Its registration stays. KEYS[1] the hash of a database, see
-- database.lua; ARGV 1 the name of the process as a member, 2 the epoch and 3 the version of
-- the change that placed the fence, 4 the digest of the items. It does nothing unless that
-- fence stands: what the process was told of it may be nonsense.
local key, member, epoch, placed, digest = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]

-- A server that is full takes what a script writes if it has written before.
redis.call('HDEL', key, '')

local hash = redis.call('HMGET', key, 'e', 'f', 'm')
if string.match(hash[1] or '', '^%S+') ~= epoch then return 0 end

local standing = {}
for line in string.gmatch(hash[2] or '', '[^\n]+') do
  local version, items = string.match(line, '^%S+ %d+ %d+ 0 !%w*/(%d+)/%d+(.*)$')
  if version then standing[version] = items end
end
if not standing[placed] or redis.sha1hex(standing[placed]) ~= digest then return 0 end

local members = hash[3] or ''
local from = string.find(members, '\n' .. member .. ' ', 1, true)
if not from then return 0 end
local registration, acknowledged, stop = string.match(members, '^(\n%S+ %d+ %d+)([ %d]*)()', from)
if not registration then return 0 end
for version in string.gmatch(acknowledged, '%d+') do -- those that stand no more have no use
  if version ~= placed and standing[version] then registration = registration .. ' ' .. version end
end
redis.call('HSET', key, 'm', string.sub(members, 1, from - 1) .. registration .. ' ' .. placed .. string.sub(members, stop))
return 1
