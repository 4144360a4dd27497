-- store/source_documents.lua: what upstreams publish of themselves, as it was last read.
local rows = require "store/rows"

local source_documents = {}

-- The text, or nil.
function source_documents.find(source_id, address)
	local row = rows.one("select body from source_documents where source_id = $1 and address = $2", source_id, address)
	return row and row.body
end

-- An upstream may say at each look that its keys are elsewhere.
local MOST = 8

-- Of a source that has gone meanwhile nothing is kept; what stays the same is not written again.
function source_documents.keep(source_id, address, body)
	rows.batch { { [[insert into source_documents (source_id, address, body, at) select id, $2, $3, $4 from sources where id = $1
		on conflict (source_id, address) do update set body = excluded.body, at = excluded.at where source_documents.body <> excluded.body]],
		source_id, address, body, time.now() },
		{ [[delete from source_documents where source_id = $1 and address not in (select address from source_documents
			where source_id = $1 order by at desc, address limit $2)]], source_id, MOST } }
end

return source_documents
