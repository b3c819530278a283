-- Lifts a fence without a clear. ARGV: 7 id.
if lift(ARGV[7]) then change() end
