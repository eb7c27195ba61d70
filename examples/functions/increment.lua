-- Adds to a counter, which begins at 0.
local counter = get("counter", input.id) or {value = 0}
counter.value = counter.value + (input.by or 1)
put("counter", input.id, counter)
return counter.value
