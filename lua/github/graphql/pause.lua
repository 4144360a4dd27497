-- github/graphql/pause.lua: long texts are read in slices: the loop has others to serve.
local STEPS_AT_ONCE = 500

-- To be called for each step of work; `worker` is the table that counts them (`paces`).
return function(worker)
	worker.paces = (worker.paces or 0) + 1
	if worker.paces % STEPS_AT_ONCE == 0 then task.sleep(0) end
end
