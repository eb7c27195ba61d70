-- Moves money from one account to another: both change, or neither.
local from, to = get("account", input.from), get("account", input.to)
if from == nil or to == nil then error("no such account") end
if from.balance < input.amount then error("not enough money") end
from.balance = from.balance - input.amount
to.balance = to.balance + input.amount
put("account", input.from, from)
put("account", input.to, to)
return {left = from.balance}
