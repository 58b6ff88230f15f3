select h.change, h.at, h.version, h.actor, h.section, h.key, h.change_kind, h.fields
from directory_history h
where h.section = any ($1)
  and ($2::text is null or h.key = $2)
  and ($3::bigint is null or h.change < $3)
order by h.change desc
limit $4
