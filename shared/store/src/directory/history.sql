-- Each section, and each key of it, is a walk of its own along an index that ends with the page.
select w.change, w.at, w.version, w.actor, w.reason, w.section, w.key, w.change_kind, w.fields
from unnest($1::text[]) as s (section)
cross join lateral (
    (select h.* from directory_history h
     where $2::text is null and h.section = s.section
       and h.change < coalesce($3::bigint, 9223372036854775807)
     order by h.change desc limit $4)
    union all
    (select h.* from directory_history h
     where h.section = s.section and h.key = $2
       and h.change < coalesce($3::bigint, 9223372036854775807)
     order by h.change desc limit $4)) w
order by w.change desc
limit $4
