-- Takes a room for a day, unless somebody has it: what is listed must stay as it is until this is committed.
local where = 'room = "' .. input.room .. '" && day = "' .. input.day .. '"'
if #list("booking", {where = where}) > 0 then return {booked = false} end
return {booked = true, id = create("booking", input.room .. "-" .. input.day, {room = input.room, day = input.day, by = actor.id})}
